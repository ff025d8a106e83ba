//! The worker of one webhook: it sends what its queue says, when that says so.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::client::{Client, Endpoint};
use super::failover::leave;
use super::queue::{AttemptOutcome, AttemptReport, DeliveryPolicy, Moment, NextAction, Queue};
use super::send_result::SendResult;
use crate::event::Timestamp;
use crate::store::{OutboundMessage, Store, StoreError};

/// How long a request that is under way at shutdown may still take.
const LAST_REQUEST: Duration = Duration::from_secs(3);

/// Delivery came to an end that it should not have.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A thread of ours died.
    #[error("delivery broke off: {0}")]
    Thread(#[from] tokio::task::JoinError),
}

/// Where messages go.
#[derive(Clone)]
pub struct Endpoints {
    /// Where webhooks are, by their names, and how their queues are to be kept.
    pub webhooks: BTreeMap<String, (Endpoint, DeliveryPolicy)>,
    /// The webhook of each route.
    pub routes: BTreeMap<String, String>,
}

impl Endpoints {
    /// Where a route's messages go whose webhook is no more: to the route's own, or to the only one there is.
    fn instead(&self, route: &str) -> Option<&str> {
        let mut webhooks = self.webhooks.keys();
        let only = || webhooks.next().filter(|_| self.webhooks.len() == 1);
        self.routes.get(route).or_else(only).map(String::as_str)
    }
}

/// Delivers to one webhook.
pub struct DeliveryWorker {
    /// The webhook's name.
    pub webhook: String,
    /// Where all webhooks are. What this one was to get once the configuration has it no more goes to another, or is dead.
    pub endpoints: watch::Receiver<Endpoints>,
    /// Sends.
    pub client: Client,
    /// The clock.
    pub now: fn() -> Timestamp,
    /// A number in 0..1.
    pub random: fn() -> f64,
}

/// What the worker works with, on threads that may block.
struct Desk {
    store: Store,
    queue: Queue,
}

impl DeliveryWorker {
    /// Delivers until `stop` turns true. `wake` says that messages were added, or the configuration has changed; `done` is
    /// told after each message that came to its end.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn run(
        self,
        store: Store,
        wake: &Notify,
        done: &Notify,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), DeliveryError> {
        let mut desk = Desk { store, queue: Queue::new(self.webhook.clone()) };
        let mut tried = None;
        loop {
            if *stop.borrow() {
                return Ok(());
            }
            let configured = self.endpoints.borrow().webhooks.get(&self.webhook).cloned();
            let Some((endpoint, policy)) = configured else {
                let some;
                (desk, some) = self.leave(desk).await?;
                if some {
                    done.notify_one();
                } else {
                    woken(wake, None, &mut stop).await;
                }
                continue;
            };
            if tried.as_ref().is_some_and(|tried| *tried != endpoint) {
                // Somebody has mended something: that it failed before means nothing any more.
                (desk, ()) = with(desk, |Desk { store, queue }| queue.forget_failures(store)).await?;
                tried = None;
            }
            let (next, now, url) = (policy.clone(), (self.now)(), endpoint.url_hash());
            let next = {
                let next_of;
                (desk, next_of) = with(desk, move |desk| desk.queue.next(&mut desk.store, &next, &url, now)).await?;
                next_of
            };
            match next {
                NextAction::Send(message) => {
                    tried = Some(endpoint.clone());
                    desk = self.deliver(desk, message, &endpoint, policy, &mut stop).await?;
                    done.notify_one();
                }
                NextAction::Again => done.notify_one(),
                NextAction::At(at) => {
                    let wait = Duration::from_millis(at.0.saturating_sub((self.now)().0).max(1).unsigned_abs());
                    woken(wake, Some(wait), &mut stop).await;
                }
                NextAction::Nothing => woken(wake, None, &mut stop).await,
            }
        }
    }

    /// The configuration has this webhook no more. Says whether there was something that it was to get.
    async fn leave(&self, desk: Desk) -> Result<(Desk, bool), DeliveryError> {
        let (webhook, now, endpoints) = (self.webhook.clone(), (self.now)(), self.endpoints.borrow().clone());
        with(desk, move |Desk { store, .. }| leave(store, &webhook, |route| endpoints.instead(route), now)).await
    }

    async fn deliver(
        &self,
        desk: Desk,
        mut message: OutboundMessage,
        endpoint: &Endpoint,
        policy: DeliveryPolicy,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<Desk, DeliveryError> {
        let (id, now, body) = (message.id, (self.now)(), std::mem::take(&mut message.body));
        let for_begin = policy.clone();
        let (desk, begun) = with(desk, move |desk| desk.queue.begin(&mut desk.store, &for_begin, id, now)).await?;
        if !begun {
            return Ok(desk);
        }
        let answer = tokio::select! {
            answer = self.client.post(endpoint, body, self.now) => answer,
            () = stopped_for(stop, LAST_REQUEST) => {
                SendResult::RateLimited(Duration::ZERO, "banhook was stopped before the answer came".to_owned())
            }
        };
        let moment = Moment { now: (self.now)(), random: (self.random)() };
        let (url, route) = (endpoint.url_hash(), message.route.clone());
        let (desk, answered) = with(desk, move |Desk { store, queue }| {
            queue.record_result(store, &policy, &url, &message, answer, moment)
        })
        .await?;
        self.log(id, &route, answered);
        Ok(desk)
    }

    fn log(&self, id: i64, route: &str, AttemptReport { outcome, too_old }: AttemptReport) {
        let webhook = &self.webhook;
        match outcome {
            AttemptOutcome::Accepted { parked_message: None, recovered: false } => {}
            AttemptOutcome::Accepted { parked_message: None, recovered: true } => {
                tracing::info!(webhook, "the webhook works again")
            }
            AttemptOutcome::Accepted { parked_message: Some(id), .. } => {
                tracing::warn!(webhook, id, "the webhook fails at this message only: it waits alone now");
            }
            AttemptOutcome::RetryIn(wait, error) => {
                tracing::warn!(webhook, route, id, "not delivered, again in {:.1} s: {error}", wait.as_secs_f64());
            }
            AttemptOutcome::Dead(error) => {
                tracing::error!(webhook, route, id, "dead: the webhook refused it for good: {error}");
            }
            AttemptOutcome::TooOld(error) => {
                tracing::error!(webhook, route, id, "dead: too old, after the webhook said: {error}");
            }
            AttemptOutcome::Suspended { error, news: true } => tracing::error!(
                webhook,
                "THE WEBHOOK IS SUSPENDED ({error}). Its messages wait; they go out as soon as its URL is mended"
            ),
            AttemptOutcome::Suspended { error, news: false } => tracing::debug!(webhook, "still suspended: {error}"),
        }
        for (id, route) in too_old {
            tracing::error!(webhook, route, id, "dead: too old");
        }
    }
}

/// Waits to be woken or stopped, or for so long.
async fn woken(wake: &Notify, wait: Option<Duration>, stop: &mut watch::Receiver<bool>) {
    tokio::select! {
        () = wake.notified() => {}
        () = sleep(wait) => {}
        _ = stop.changed() => {}
    }
}

/// Does a step on a thread that may block.
async fn with<T: Send + 'static>(
    mut desk: Desk,
    step: impl FnOnce(&mut Desk) -> Result<T, StoreError> + Send + 'static,
) -> Result<(Desk, T), DeliveryError> {
    let (desk, result) = tokio::task::spawn_blocking(move || {
        let result = step(&mut desk);
        (desk, result)
    })
    .await?;
    Ok((desk, result?))
}

/// Ends after `wait`; never, if there is none.
async fn sleep(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}

/// Ends `grace` after `stop` has turned true.
async fn stopped_for(stop: &mut watch::Receiver<bool>, grace: Duration) {
    // An error means that nobody can say stop any more, which is a stop.
    let _ = stop.wait_for(|stop| *stop).await;
    tokio::time::sleep(grace).await;
}

//! The courier of one webhook: it sends what its queue says, when that says so.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::answer::Answer;
use super::handover::leave;
use super::post::{Client, Endpoint};
use super::queue::{Answered, Moment, Next, Outcome, Queue, Rules};
use crate::event::Timestamp;
use crate::store::{Pending, Store, StoreError};

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
pub struct Addresses {
    /// Where webhooks are, by their names, and how their queues are to be kept.
    pub webhooks: BTreeMap<String, (Endpoint, Rules)>,
    /// The webhook of each route.
    pub routes: BTreeMap<String, String>,
}

impl Addresses {
    /// Where a route's messages go whose webhook is no more: to the route's own, or to the only one there is.
    fn instead(&self, route: &str) -> Option<&str> {
        let mut webhooks = self.webhooks.keys();
        let only = || webhooks.next().filter(|_| self.webhooks.len() == 1);
        self.routes.get(route).or_else(only).map(String::as_str)
    }
}

/// Delivers to one webhook.
pub struct Courier {
    /// The webhook's name.
    pub webhook: String,
    /// Where all webhooks are. What this one was to get once the configuration has it no more goes to another, or is dead.
    pub addresses: watch::Receiver<Addresses>,
    /// Sends.
    pub client: Client,
    /// The clock.
    pub now: fn() -> Timestamp,
    /// A number in 0..1.
    pub random: fn() -> f64,
}

/// What the courier works with, on threads that may block.
struct Desk {
    store: Store,
    queue: Queue,
}

impl Courier {
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
            let configured = self.addresses.borrow().webhooks.get(&self.webhook).cloned();
            let Some((endpoint, rules)) = configured else {
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
            let (next, now, url) = (rules.clone(), (self.now)(), endpoint.mark());
            let next = {
                let next_of;
                (desk, next_of) = with(desk, move |desk| desk.queue.next(&mut desk.store, &next, &url, now)).await?;
                next_of
            };
            match next {
                Next::Send(message) => {
                    tried = Some(endpoint.clone());
                    desk = self.deliver(desk, message, &endpoint, rules, &mut stop).await?;
                    done.notify_one();
                }
                Next::Again => done.notify_one(),
                Next::At(at) => {
                    let wait = Duration::from_millis(at.0.saturating_sub((self.now)().0).max(1).unsigned_abs());
                    woken(wake, Some(wait), &mut stop).await;
                }
                Next::Nothing => woken(wake, None, &mut stop).await,
            }
        }
    }

    /// The configuration has this webhook no more. Says whether there was something that it was to get.
    async fn leave(&self, desk: Desk) -> Result<(Desk, bool), DeliveryError> {
        let (webhook, now, addresses) = (self.webhook.clone(), (self.now)(), self.addresses.borrow().clone());
        with(desk, move |Desk { store, .. }| leave(store, &webhook, |route| addresses.instead(route), now)).await
    }

    async fn deliver(
        &self,
        desk: Desk,
        mut message: Pending,
        endpoint: &Endpoint,
        rules: Rules,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<Desk, DeliveryError> {
        let (id, now, body) = (message.id, (self.now)(), std::mem::take(&mut message.body));
        let for_begin = rules.clone();
        let (desk, begun) = with(desk, move |desk| desk.queue.begin(&mut desk.store, &for_begin, id, now)).await?;
        if !begun {
            return Ok(desk);
        }
        let answer = tokio::select! {
            answer = self.client.post(endpoint, body, self.now) => answer,
            () = stopped_for(stop, LAST_REQUEST) => {
                Answer::Wait(Duration::ZERO, "banhook was stopped before the answer came".to_owned())
            }
        };
        let moment = Moment { now: (self.now)(), random: (self.random)() };
        let (url, route) = (endpoint.mark(), message.route.clone());
        let (desk, answered) =
            with(desk, move |Desk { store, queue }| queue.answered(store, &rules, &url, &message, answer, moment))
                .await?;
        self.log(id, &route, answered);
        Ok(desk)
    }

    fn log(&self, id: i64, route: &str, Answered { outcome, too_old }: Answered) {
        let webhook = &self.webhook;
        match outcome {
            Outcome::Accepted { set_aside: None, recovered: false } => {}
            Outcome::Accepted { set_aside: None, recovered: true } => {
                tracing::info!(webhook, "the webhook works again")
            }
            Outcome::Accepted { set_aside: Some(id), .. } => {
                tracing::warn!(webhook, id, "the webhook fails at this message only: it waits alone now");
            }
            Outcome::Again(wait, error) => {
                tracing::warn!(webhook, route, id, "not delivered, again in {:.1} s: {error}", wait.as_secs_f64());
            }
            Outcome::Dead(error) => {
                tracing::error!(webhook, route, id, "dead: the webhook refused it for good: {error}");
            }
            Outcome::TooOld(error) => {
                tracing::error!(webhook, route, id, "dead: too old, after the webhook said: {error}");
            }
            Outcome::Gone { error, news: true } => tracing::error!(
                webhook,
                "THE WEBHOOK IS GONE ({error}). Its messages wait; they go out as soon as its URL is mended"
            ),
            Outcome::Gone { error, news: false } => tracing::debug!(webhook, "still gone: {error}"),
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

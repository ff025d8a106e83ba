//! The loop that empties one webhook's queue, in order.

use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::answer::Answer;
use super::backoff;
use super::post::{Client, Endpoint, Endpoints};
use crate::event::Timestamp;
use crate::store::{Pending, Store, StoreError};

/// How long a request that is under way at shutdown may still take.
const LAST_REQUEST: Duration = Duration::from_secs(3);

/// No message is put off for longer, in milliseconds: see `RETRY_AFTER_MOST` and `backoff`.
const LONGEST_WAIT_MS: i64 = 3_600_000;

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

/// Delivers to one webhook.
pub struct Courier {
    /// The webhook's name.
    pub webhook: String,
    /// Where webhooks are; one that the configuration has no more is not among them, and its messages are dead.
    pub endpoints: watch::Receiver<Endpoints>,
    /// Sends.
    pub client: Client,
    /// The clock.
    pub now: fn() -> Timestamp,
    /// A number in 0..1.
    pub random: fn() -> f64,
}

impl Courier {
    /// Delivers until `stop` turns true. `wake` says that messages were added; `done` is told after each message
    /// that came to its end.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn run(
        self,
        mut store: Store,
        wake: &Notify,
        done: &Notify,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), DeliveryError> {
        let mut tried = self.endpoint();
        loop {
            if *stop.borrow() {
                return Ok(());
            }
            let webhook = self.webhook.clone();
            let next;
            (store, next) = with(store, move |store| store.next_message(&webhook)).await?;
            let wait = next.as_ref().map(|message| message.due_at.0.saturating_sub((self.now)().0));
            let endpoint = self.endpoint();
            // A webhook that has moved has not refused anything yet.
            let untried = next.as_ref().is_some_and(|message| message.attempts == 0) || endpoint != tried;
            // Nothing is ever put off for longer: the clock was set back meanwhile.
            let wait = wait.map(|ms| if untried || ms > LONGEST_WAIT_MS { 0 } else { ms });
            match (next, wait) {
                (Some(message), Some(..=0)) => {
                    tried.clone_from(&endpoint);
                    store = self.deliver(store, message, endpoint, &mut stop).await?;
                    done.notify_one();
                }
                (_, wait) => {
                    let wait = wait.map(|ms| Duration::from_millis(ms.unsigned_abs()));
                    tokio::select! {
                        () = wake.notified() => {}
                        () = sleep(wait) => {}
                        _ = stop.changed() => {}
                    }
                }
            }
        }
    }

    fn endpoint(&self) -> Option<Endpoint> {
        self.endpoints.borrow().get(&self.webhook).cloned()
    }

    async fn deliver(
        &self,
        store: Store,
        message: Pending,
        endpoint: Option<Endpoint>,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<Store, DeliveryError> {
        let Pending { id, route, body, attempts, .. } = message;
        let Some(endpoint) = &endpoint else {
            let error = format!("webhook \"{}\" is no longer configured", self.webhook);
            tracing::error!(webhook = self.webhook, route, id, "dead: {error}");
            return Ok(with(store, move |store| store.bury(id, &error)).await?.0);
        };
        let now = (self.now)();
        let (store, ()) = with(store, move |store| store.begin_attempt(id, now)).await?;
        let answer = tokio::select! {
            answer = self.client.post(endpoint, body) => answer,
            () = stopped_for(stop, LAST_REQUEST) => {
                Answer::Failed { after: None, error: "banhook was stopped before the answer came".to_owned() }
            }
        };
        let webhook = &self.webhook;
        let (store, ()) = match answer {
            Answer::Accepted { .. } => with(store, move |store| store.accepted(id)).await?,
            Answer::Wait(wait, error) => self.postpone(store, &route, id, wait, error).await?,
            Answer::Failed { after, error } => {
                let wait = after.unwrap_or_else(|| backoff::wait(attempts.saturating_add(1), (self.random)()));
                self.postpone(store, &route, id, wait, error).await?
            }
            Answer::Refused(error) | Answer::Gone(error) => {
                tracing::error!(webhook, route, id, "dead: the webhook refused it for good: {error}");
                with(store, move |store| store.bury(id, &error)).await?
            }
        };
        Ok(store)
    }

    async fn postpone(
        &self,
        store: Store,
        route: &str,
        id: i64,
        wait: Duration,
        error: String,
    ) -> Result<(Store, ()), DeliveryError> {
        let webhook = &self.webhook;
        tracing::warn!(webhook, route, id, "not delivered, again in {:.1} s: {error}", wait.as_secs_f64());
        let due_at = (self.now)().plus_ms(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
        with(store, move |store| store.postpone(id, due_at, &error)).await
    }
}

/// Uses the store on a thread that may block.
async fn with<T: Send + 'static>(
    mut store: Store,
    step: impl FnOnce(&mut Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<(Store, T), DeliveryError> {
    let (store, result) = tokio::task::spawn_blocking(move || {
        let result = step(&mut store);
        (store, result)
    })
    .await?;
    Ok((store, result?))
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

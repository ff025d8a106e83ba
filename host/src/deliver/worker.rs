//! The delivery worker of one webhook: it sends the message that its queue chooses, when the queue says so.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::attempt::{AttemptOutcome, AttemptReport, NextAction};
use super::client::{Client, FindError};
use super::delivery_policy::DeliveryPolicy;
use super::endpoint::Endpoint;
use super::endpoint::Endpoints;
use super::failover::reassign_removed;
use super::queue::Queue;
use super::send_result::{AttemptResult, SendResult};
use crate::counters::{Counters, Finished};
use crate::event::Timestamp;
use crate::message::Way;
use crate::store::{OutboundMessage, Store, StoreError};

/// How long a request that is under way at shutdown may still take.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(3);

/// Delivery stopped although nobody asked it to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeliveryError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A thread panicked or was aborted.
    #[error("delivery broke off: {0}")]
    Thread(#[from] tokio::task::JoinError),
}

/// What a worker shares with the daemon.
#[derive(Clone)]
pub(crate) struct DeliveryContext {
    /// All webhooks as they are configured now.
    pub endpoints: watch::Receiver<Endpoints>,
    /// Sends.
    pub client: Client,
    /// Turns true when workers have to stop.
    pub stop: watch::Receiver<bool>,
    /// The clock.
    pub now: fn() -> Timestamp,
    /// Returns a number in 0..1.
    pub jitter: fn() -> f64,
    /// Counts attempts and the messages that ended.
    pub counters: Counters,
    /// Until when messages may be sent: of a fleet's worker, until another one may have its lease.
    pub send_until: Option<watch::Receiver<Instant>>,
}

/// Delivers to one webhook.
pub(crate) struct DeliveryWorker {
    webhook: String,
    store: Store,
    queue: Queue,
    context: DeliveryContext,
}

impl DeliveryWorker {
    /// Returns the worker of a webhook, with a connection to the store of its own.
    #[must_use]
    pub(crate) fn new(webhook: String, store: Store, context: DeliveryContext) -> Self {
        Self { queue: Queue::new(webhook.clone()), webhook, store, context }
    }

    /// Returns one that sends the notices alone.
    #[must_use]
    pub(crate) fn of_notices(webhook: String, store: Store, context: DeliveryContext) -> Self {
        Self { queue: Queue::of_notices(webhook.clone()), webhook, store, context }
    }

    /// Delivers until the context's `stop` turns true. `wake`: messages were added, or the configuration has changed.
    /// `progress` is notified after each attempt, and after messages were reassigned or given back to be formatted.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn run(mut self, wake: &Notify, progress: &Notify) -> Result<(), DeliveryError> {
        let mut tried: Option<Endpoint> = None;
        let mut stop = self.context.stop.clone();
        loop {
            if *stop.borrow() {
                return Ok(());
            }
            let configured = self.context.endpoints.borrow().webhooks.get(&self.webhook).cloned();
            let Some((endpoint, policy)) = configured else {
                if self.queue.has_notices_only() {
                    woken(wake, None, &mut stop).await;
                    continue;
                }
                let reassigned;
                (self, reassigned) = self.reassign().await?;
                if reassigned {
                    progress.notify_one();
                } else {
                    woken(wake, None, &mut stop).await;
                }
                continue;
            };
            if tried.as_ref().is_some_and(|tried| *tried != endpoint) {
                (self, ()) = self.blocking(|worker| worker.queue.forget_failures(&mut worker.store)).await?;
                tried = None;
            }
            let action;
            (self, action) = self.next(&endpoint, Arc::clone(&policy)).await?;
            if matches!(action, NextAction::Send(_)) && self.had_to_wait(&mut stop).await {
                // It may be another message now.
                continue;
            }
            match action {
                NextAction::Send(message) => {
                    tried = Some(endpoint.clone());
                    self = self.deliver(*message, &endpoint, policy).await?;
                    progress.notify_one();
                }
                NextAction::AskAgain => progress.notify_one(),
                NextAction::WaitUntil(at) => {
                    let wait = at.0.saturating_sub((self.context.now)().0).max(1).unsigned_abs();
                    woken(wake, Some(Duration::from_millis(wait)), &mut stop).await;
                }
                NextAction::Idle => woken(wake, None, &mut stop).await,
            }
        }
    }

    /// Waits until messages may be sent, or until it is stopped. Returns whether it had to.
    async fn had_to_wait(&mut self, stop: &mut watch::Receiver<bool>) -> bool {
        let Some(until) = &mut self.context.send_until else { return false };
        if Instant::now() < *until.borrow_and_update() {
            return false;
        }
        let moved = async {
            // Otherwise nobody can allow it any more.
            if until.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = moved => {}
            _ = stop.changed() => {}
        }
        true
    }

    async fn next(self, endpoint: &Endpoint, policy: Arc<DeliveryPolicy>) -> Result<(Self, NextAction), DeliveryError> {
        let (url_hash, now) = (endpoint.url_hash(), (self.context.now)());
        self.blocking(move |worker| worker.queue.next(&mut worker.store, &policy, &url_hash, now)).await
    }

    /// The configuration no longer has this webhook.
    async fn reassign(self) -> Result<(Self, bool), DeliveryError> {
        let (endpoints, now) = (self.context.endpoints.borrow().clone(), (self.context.now)());
        self.blocking(move |worker| reassign_removed(&mut worker.store, &worker.webhook, &endpoints, now)).await
    }

    async fn deliver(
        self,
        mut message: OutboundMessage,
        endpoint: &Endpoint,
        policy: Arc<DeliveryPolicy>,
    ) -> Result<Self, DeliveryError> {
        let (now, mut body) = ((self.context.now)(), std::mem::take(&mut message.body));
        if let Some(webhook) = &message.stands_in_for {
            let note = format!("for the webhook \"{webhook}\", which is suspended");
            body = policy.target.with_note(body, &note);
        }
        let for_begin = Arc::clone(&policy);
        let (mut worker, (begun, message)) = self
            .blocking(move |worker| {
                let begun = worker.queue.begin(&mut worker.store, &for_begin, &message, now)?;
                Ok((begun, message))
            })
            .await?;
        if !begun {
            return Ok(worker);
        }
        if endpoint.checks_history && message.attempts > 0 && message.way == Way::Post {
            let found;
            (worker, found) = worker.find(&message, endpoint, &policy).await?;
            if let Some(result) = found {
                return worker.record(message, endpoint, policy, result).await;
            }
        }
        let mut known_as = None;
        let is_signed = endpoint.program.signing_key.is_some();
        if endpoint.checks_history || is_signed {
            let asked = message.clone();
            (worker, known_as) = worker.blocking(move |worker| worker.store.message_id(&asked)).await?;
        }
        if is_signed && known_as.is_none() {
            // The id of a notice may be that of one before it.
            known_as = Some(format!("notice-{}-{}", message.id, message.age_starts_at.0));
        }
        if worker.context.send_until.as_ref().is_some_and(|until| Instant::now() >= *until.borrow()) {
            let error = "the lease ended before it was sent".to_owned();
            return worker.record(message, endpoint, policy, SendResult::RateLimited(Duration::ZERO, error)).await;
        }
        let mut stop = worker.context.stop.clone();
        let (result, counted) = tokio::select! {
            result = worker.context.client.post(endpoint, (body, known_as.as_deref()), &message.way, worker.context.now) => result,
            () = stopped_for(&mut stop, SHUTDOWN_GRACE) => {
                let error = "banhook was stopped before the answer came".to_owned();
                (SendResult::RateLimited(Duration::ZERO, error), AttemptResult::Stopped)
            }
        };
        worker.context.counters.attempt(&worker.webhook, counted.name());
        worker.record(message, endpoint, policy, result).await
    }

    /// Looks for a message of which no answer came where it would be. Returns what the attempt came to by that; `None`: it is to be
    /// sent.
    async fn find(
        self,
        message: &OutboundMessage,
        endpoint: &Endpoint,
        policy: &DeliveryPolicy,
    ) -> Result<(Self, Option<SendResult>), DeliveryError> {
        let (id, of, asked) = (message.id, policy.channel.clone(), message.clone());
        let (worker, (known_as, channel)) = self
            .blocking(move |worker| Ok((worker.store.message_id(&asked)?, worker.store.channel(&worker.webhook, &of)?)))
            .await?;
        // A name is no id: until the first answer the channel cannot be asked.
        let configured = Some(endpoint.channel.clone()).filter(|channel| !channel.is_empty());
        let channel = configured.filter(|channel| !channel.starts_with('#')).or(channel);
        let (Some(known_as), Some(channel)) = (known_as, channel) else { return Ok((worker, None)) };
        let webhook = &worker.webhook;
        let mut stop = worker.context.stop.clone();
        let found = tokio::select! {
            found = worker.context.client.find(endpoint, (&known_as, &channel), worker.context.now) => found,
            () = stopped_for(&mut stop, SHUTDOWN_GRACE) => {
                let error = "banhook was stopped before the answer came".to_owned();
                Err(FindError::NotNow(SendResult::RateLimited(Duration::ZERO, error)))
            }
        };
        let result = match found {
            Ok(None) => None,
            Ok(Some(reference)) => {
                tracing::info!(webhook, id, "message is in the channel: the answer to it was lost");
                Some(SendResult::Accepted { pause: None, reference: Some(reference) })
            }
            Err(FindError::NotNow(result)) => Some(result),
            Err(FindError::Refused(error)) => {
                tracing::warn!(webhook, id, "message may arrive twice: the channel cannot be asked for it: {error}");
                None
            }
        };
        Ok((worker, result))
    }

    /// Records the result of an attempt.
    async fn record(
        self,
        message: OutboundMessage,
        endpoint: &Endpoint,
        policy: Arc<DeliveryPolicy>,
        mut result: SendResult,
    ) -> Result<Self, DeliveryError> {
        if let SendResult::Accepted { reference: Some(reference), .. } = &mut result {
            reference.of.clone_from(&policy.channel);
        }
        let (now, jitter) = ((self.context.now)(), (self.context.jitter)());
        let (id, url_hash, route) = (message.id, endpoint.url_hash(), message.route.clone());
        let (worker, report) = self
            .blocking(move |worker| {
                worker.queue.record_result(&mut worker.store, &policy, &url_hash, &message, result, now, jitter)
            })
            .await?;
        worker.count(&report);
        worker.log(id, &route, report);
        Ok(worker)
    }

    fn count(&self, AttemptReport { outcome, expired }: &AttemptReport) {
        let (sent, dead) = match outcome {
            AttemptOutcome::Accepted { .. } => (1, 0),
            AttemptOutcome::Rejected(_) | AttemptOutcome::Expired(_) => (0, 1),
            AttemptOutcome::RetryIn(..)
            | AttemptOutcome::PlainNext(_)
            | AttemptOutcome::Detached(_)
            | AttemptOutcome::Suspended { .. } => (0, 0),
        };
        self.context.counters.finished(&self.webhook, Finished::Sent, sent);
        self.context.counters.finished(&self.webhook, Finished::Dead, dead + expired.len() as u64);
    }

    fn log(&self, id: i64, route: &str, AttemptReport { outcome, expired }: AttemptReport) {
        let webhook = &self.webhook;
        match outcome {
            AttemptOutcome::Accepted { parked_message: None, recovered: false } => {}
            AttemptOutcome::Accepted { parked_message: None, recovered: true } => {
                tracing::info!(webhook, "webhook recovered");
            }
            AttemptOutcome::Accepted { parked_message: Some(id), .. } => {
                tracing::warn!(webhook, id, "message parked: the webhook fails on this message only");
            }
            AttemptOutcome::RetryIn(wait, error) => {
                tracing::warn!(
                    webhook,
                    route,
                    id,
                    "message not delivered, retry in {:.1} s: {error}",
                    wait.as_secs_f64()
                );
            }
            AttemptOutcome::PlainNext(error) => {
                tracing::warn!(webhook, route, id, "message rejected by the webhook, its plain form is sent: {error}");
            }
            AttemptOutcome::Detached(error) => {
                tracing::info!(
                    webhook,
                    route,
                    id,
                    "message is sent in another way, since the earlier one cannot be changed: {error}"
                );
            }
            AttemptOutcome::Rejected(error) => {
                tracing::error!(webhook, route, id, "message dead: rejected by the webhook: {error}");
            }
            AttemptOutcome::Expired(error) => {
                tracing::error!(
                    webhook,
                    route,
                    id,
                    "message dead: older than max_age; the webhook's last answer: {error}"
                );
            }
            AttemptOutcome::Suspended { error, news: true, revived } => {
                tracing::error!(
                    webhook,
                    "WEBHOOK SUSPENDED ({error}). Its messages stay pending and are sent once its URL is fixed"
                );
                for id in revived {
                    tracing::warn!(webhook, id, "message pending again: the webhook that rejected it is at fault");
                }
            }
            AttemptOutcome::Suspended { error, news: false, .. } => {
                tracing::debug!(webhook, "still suspended: {error}");
            }
        }
        for (id, route) in expired {
            tracing::error!(webhook, route, id, "message dead: older than max_age");
        }
    }

    /// Runs a step that uses the store on a thread that may block, and returns the worker with its result.
    async fn blocking<T: Send + 'static>(
        mut self,
        step: impl FnOnce(&mut Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<(Self, T), DeliveryError> {
        let (worker, result) = tokio::task::spawn_blocking(move || {
            let result = step(&mut self);
            (self, result)
        })
        .await?;
        Ok((worker, result?))
    }
}

/// Waits to be woken or stopped, or for `wait`.
async fn woken(wake: &Notify, wait: Option<Duration>, stop: &mut watch::Receiver<bool>) {
    tokio::select! {
        () = wake.notified() => {}
        () = sleep(wait) => {}
        _ = stop.changed() => {}
    }
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
    // An error means that nobody can ask for a stop any more, which is a stop.
    let _ = stop.wait_for(|stop| *stop).await;
    tokio::time::sleep(grace).await;
}

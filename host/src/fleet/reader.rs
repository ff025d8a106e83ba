//! The reader of a worker: it receives the stream in its order into the inbox, keeps the lease, and has the broker remove what
//! is settled.
//!
//! Nothing is acknowledged to the broker, whose consumer is only a cursor: how far the stream is received is in the store, in
//! the transaction that appends the events. After any error there is a new connection with a new consumer, which begins where
//! that says.

use std::time::Duration;

use async_nats::Message;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use super::backoff::Backoff;
use super::broker::{Answers, Broker, message_id};
use super::broker_error::BrokerError;
use super::envelope;
use super::lease::{Lease, LeaseLost, RenewError};
use super::streams::{self, StreamState};
use super::subjects::{EVENTS, host_token, token_of};
use crate::config::Fleet;
use crate::event::Timestamp;
use crate::message::one_line;
use crate::store::{Store, StoreError, StreamMessage, StreamPosition};

/// Messages that are asked for at a time.
const ASKED: usize = 2_000;

/// Messages that are appended in one transaction at most.
const BATCH: usize = 256;

/// How long the broker waits for messages when there are none.
const EXPIRES: Duration = Duration::from_secs(30);

/// How often the broker says meanwhile that there are none.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// After this time without a word the connection is given up.
const SILENCE: Duration = Duration::from_secs(12);

/// How often it is recorded what is settled: what is not, a worker without this one's disk sends again.
const RECORD_INTERVAL: Duration = Duration::from_millis(250);

/// How often the broker removes what is settled.
const PRUNE_INTERVAL: Duration = Duration::from_secs(5);

/// How long the broker keeps a consumer that nobody asks, in ns.
const CONSUMER_KEPT: u64 = 60_000_000_000;

/// Why reading ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReaderError {
    /// Another worker has taken over.
    #[error(transparent)]
    Lost(#[from] LeaseLost),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a connection ended.
enum SessionError {
    Broker(BrokerError),
    Ended(ReaderError),
}

impl From<BrokerError> for SessionError {
    fn from(error: BrokerError) -> Self {
        Self::Broker(error)
    }
}

impl From<StoreError> for SessionError {
    fn from(error: StoreError) -> Self {
        Self::Ended(error.into())
    }
}

impl From<RenewError> for SessionError {
    fn from(error: RenewError) -> Self {
        match error {
            RenewError::Broker(error) => Self::Broker(error),
            RenewError::Lost(lost) => Self::Ended(lost.into()),
        }
    }
}

/// Reads the stream of a fleet, for as long as it has the lease.
pub(crate) struct Reader {
    fleet: Fleet,
    /// The host's name.
    host: String,
    lease: Lease,
    renewed_at: Option<Instant>,
    pruned_at: Option<Instant>,
}

impl Reader {
    /// Waits for the broker, makes its streams, and waits for the lease. `waits` is called with what it waits for, when that
    /// changes.
    pub(crate) async fn begin(fleet: Fleet, host: String, mut waits: impl FnMut(&str)) -> Self {
        let mut backoff = Backoff::new();
        let mut said = String::new();
        let mut say = |text: String| {
            if text != said {
                waits(&text);
                said = text;
            }
        };
        loop {
            match take(&fleet, &host, &mut say).await {
                Ok(lease) => return Self { fleet, host, lease, renewed_at: None, pruned_at: None },
                Err(error) => say(error.to_string()),
            }
            sleep(backoff.next()).await;
        }
    }

    /// Reads until it is stopped, and gives the lease back then. `wake` is called when events were appended.
    ///
    /// # Errors
    /// When another worker has taken over, or the store fails; what was received is stored.
    pub(crate) async fn run(
        mut self,
        mut store: Store,
        now: fn() -> Timestamp,
        wake: impl Fn(),
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), ReaderError> {
        // So that a worker is back within its lease.
        let mut backoff = Backoff::up_to(self.fleet.lease / 3);
        let mut problem = None;
        loop {
            let began = Instant::now();
            let error = match self.session(&mut store, now, &wake, &mut stop, &mut problem).await {
                Ok(broker) => {
                    // Otherwise the next worker waits for the time of the lease.
                    if let Err(error) = self.lease.release(&broker).await {
                        tracing::debug!("the lease was not given back: {error:?}");
                    }
                    return Ok(());
                }
                Err(SessionError::Ended(error)) => return Err(error),
                Err(SessionError::Broker(error)) => one_line(&error.to_string()),
            };
            if problem.as_ref() != Some(&error) {
                tracing::error!("the events of the fleet are not read: {error}");
                problem = Some(error);
            }
            if began.elapsed() > SILENCE {
                backoff = Backoff::up_to(self.fleet.lease / 3);
            }
            tokio::select! {
                () = sleep(backoff.next()) => {}
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
            }
        }
    }

    /// Reads over one connection until it is stopped; returns the connection.
    async fn session(
        &mut self,
        store: &mut Store,
        now: fn() -> Timestamp,
        wake: &impl Fn(),
        stop: &mut watch::Receiver<bool>,
        problem: &mut Option<String>,
    ) -> Result<Broker, SessionError> {
        let broker = connect(&self.fleet, &self.host).await?;
        let state = streams::ensure(&broker, self.fleet.stream_size).await?;
        self.lease.confirm(&broker).await?;
        let mut expected = self.begin_at(store, &broker, state).await? + 1;
        self.lease.renew(&broker).await?;
        let consumer = create_consumer(&broker, expected).await?;
        let mut answers = broker.answers().await?;
        fetch(&broker, &mut answers, &consumer).await?;
        if let Some(problem) = problem.take() {
            tracing::info!(sequence = expected, "the events of the fleet are read again; before: {problem}");
        }
        let mut renewal = interval((self.fleet.lease / 4).min(RECORD_INTERVAL));
        renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut asked = ASKED;
        let mut heard_at = Instant::now();
        loop {
            let message = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => {
                    let record = &mut self.lease.record;
                    record.settled = record.settled.max(store.stream_settled_through(&record.stream)?);
                    return Ok(broker);
                }
                _ = renewal.tick() => {
                    self.renew(store, &broker).await?;
                    if heard_at.elapsed() > SILENCE {
                        let silent = "it sends neither messages nor that there are none".to_owned();
                        return Err(BrokerError::Unreachable(silent).into());
                    }
                    continue;
                }
                message = broker.message(&mut answers) => message?,
            };
            heard_at = Instant::now();
            let mut batch = Vec::new();
            let mut next = Some(message);
            while let Some(message) = next.take() {
                match message.status.map(|status| status.as_u16()) {
                    None => {
                        asked = asked.saturating_sub(1);
                        batch.extend(self.read(&message));
                    }
                    Some(100) => {}
                    // What was asked for has expired.
                    Some(404 | 408) => asked = 0,
                    Some(_) => {
                        let description = message.description.clone().unwrap_or_default();
                        return Err(BrokerError::Unreachable(format!("reading ended: {description}")).into());
                    }
                }
                if batch.len() < BATCH {
                    // Whatever is there already.
                    next = timeout(Duration::ZERO, broker.message(&mut answers)).await.ok().transpose()?;
                }
            }
            for message in &batch {
                let found = message.position.sequence;
                // Not if the broker does not have what is missing.
                if found > expected && broker.at(EVENTS, expected).await?.is_some() {
                    return Err(BrokerError::Answer(format!("message {found} instead of {expected}")).into());
                }
                expected = expected.max(found + 1);
            }
            if !batch.is_empty() && store.append_stream(&self.lease.record.stream, batch, now())? > 0 {
                wake();
            }
            if asked == 0 {
                fetch(&broker, &mut answers, &consumer).await?;
                asked = ASKED;
            }
        }
    }

    /// Returns the sequence up to which the stream is received.
    async fn begin_at(&mut self, store: &mut Store, broker: &Broker, state: StreamState) -> Result<u64, SessionError> {
        let stream = self.lease.record.stream.clone();
        let settled = self.lease.record.settled;
        let none = StreamPosition { sequence: 0, message_id: String::new() };
        let position = store.stream_position(&stream)?.unwrap_or(none);
        if self.is_same(broker, &position, state).await? {
            if position.sequence < settled {
                // Another worker has received it up to there.
                store.begin_stream(&stream, &StreamPosition { sequence: settled, message_id: String::new() })?;
            }
            return Ok(position.sequence.max(settled));
        }
        // Its sequences mean other messages now; those that are in the inbox are recognized by their ids.
        tracing::error!(
            "the broker's stream is not the one that was read before; all of it is read, and hosts publish again"
        );
        self.lease.begin_stream();
        let position = StreamPosition { sequence: 0, message_id: String::new() };
        store.begin_stream(&self.lease.record.stream, &position)?;
        Ok(0)
    }

    /// Returns whether the stream still has the message that was received last, or has removed it because it was settled.
    async fn is_same(
        &self,
        broker: &Broker,
        position: &StreamPosition,
        state: StreamState,
    ) -> Result<bool, BrokerError> {
        if position.sequence > state.last || self.lease.record.settled > state.last {
            return Ok(false);
        }
        if position.message_id.is_empty() || position.sequence < state.first {
            return Ok(true);
        }
        let found = broker.at(EVENTS, position.sequence).await?;
        Ok(found.is_some_and(|found| found.id == position.message_id))
    }

    /// Renews the lease with what is settled, and has that removed now and then.
    async fn renew(&mut self, store: &mut Store, broker: &Broker) -> Result<(), SessionError> {
        let record = &mut self.lease.record;
        let settled = record.settled.max(store.stream_settled_through(&record.stream)?);
        if settled == record.settled && self.renewed_at.is_some_and(|at| at.elapsed() < self.fleet.lease / 4) {
            return Ok(());
        }
        record.settled = settled;
        let is_due = self.pruned_at.is_none_or(|at| at.elapsed() >= PRUNE_INTERVAL) && record.settled > record.pruned;
        if is_due {
            // First, since a host takes what is missing and not recorded as lost.
            record.pruned = record.settled;
        }
        let pruned = record.pruned;
        self.lease.renew(broker).await?;
        self.renewed_at = Some(Instant::now());
        if is_due {
            streams::prune(broker, pruned).await?;
            self.pruned_at = Some(Instant::now());
        }
        Ok(())
    }

    /// Reads a message; `None`: it has no place in the stream.
    fn read(&self, message: &Message) -> Option<StreamMessage> {
        let sequence = sequence(message.reply.as_ref()?)?;
        let token = token_of(&message.subject).unwrap_or_default();
        let event = envelope::event(token, &message.payload, &self.fleet.reporters).map_err(|error| {
            tracing::error!(sequence, "a message of the stream is quarantined: {}", one_line(&error));
            message.payload.to_vec()
        });
        Some(StreamMessage { position: StreamPosition { sequence, message_id: message_id(message) }, event })
    }
}

async fn connect(fleet: &Fleet, host: &str) -> Result<Broker, BrokerError> {
    Broker::connect(fleet, &host_token(host), &format!("banhook worker {host}")).await
}

async fn take(fleet: &Fleet, host: &str, say: &mut impl FnMut(String)) -> Result<Lease, BrokerError> {
    let broker = connect(fleet, host).await?;
    streams::ensure(&broker, fleet.stream_size).await?;
    Lease::take(&broker, host, fleet.lease, |worker| {
        say(format!("the worker {worker} has the lease; this one takes its place when it stops"));
    })
    .await
}

/// Makes the broker's cursor, and returns its name.
async fn create_consumer(broker: &Broker, from: u64) -> Result<String, BrokerError> {
    #[derive(Deserialize)]
    struct Created {
        name: String,
    }
    let request = json!({
        "stream_name": EVENTS,
        "config": {
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": from,
            "ack_policy": "none",
            "replay_policy": "instant",
            "mem_storage": true,
            "num_replicas": 1,
            "inactive_threshold": CONSUMER_KEPT,
        },
    });
    broker.ask::<Created>(&format!("CONSUMER.CREATE.{EVENTS}"), &request).await.map(|created| created.name)
}

async fn fetch(broker: &Broker, answers: &mut Answers, consumer: &str) -> Result<(), BrokerError> {
    let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let request = json!({ "batch": ASKED, "expires": nanoseconds(EXPIRES), "idle_heartbeat": nanoseconds(HEARTBEAT) });
    broker.fetch(answers, (EVENTS, consumer), &request).await
}

/// The sequence of a message, which is in the subject for its acknowledgement:
/// `$JS.ACK[.DOMAIN.ACCOUNT].STREAM.CONSUMER.DELIVERED.SEQUENCE.…`.
fn sequence(reply: &str) -> Option<u64> {
    let parts: Vec<_> = reply.split('.').collect();
    let at = if parts.len() >= 11 { 7 } else { 5 };
    parts.get(at)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_of_both_forms() {
        assert_eq!(sequence("$JS.ACK.BANHOOK.abc.1.42.7.1700000000.0"), Some(42));
        assert_eq!(sequence("$JS.ACK.hub.ACC.BANHOOK.abc.1.42.7.1700000000.0.xyz"), Some(42));
        assert_eq!(sequence("_INBOX.x"), None);
    }
}

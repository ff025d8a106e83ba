//! The reader of a worker: it receives the stream in its order into the inbox, has the worker's part of the work tended meanwhile,
//! and has the broker remove what is settled on all shards.
//!
//! Every worker reads all of the stream, whatever its part is. Nothing is acknowledged to the broker, whose consumer is only a
//! cursor: how far the stream is received is in the store, in the transaction that appends the events. After any error there is a
//! new connection with a new consumer, which begins where that says.

use std::path::Path;
use std::time::Duration;

use async_nats::Message;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use uuid::Uuid;

use super::backoff::Backoff;
use super::broker::{Broker, message_id};
use super::broker_error::BrokerError;
use super::consumer::ASKED;
use super::shards::Shards;
use super::share::{RECORD_INTERVAL, Share, ShareError};
use super::stream_record::StreamRecord;
use super::streams::StreamState;
use super::subjects::{EVENTS, host_token, token_of};
use super::term::Terms;
use super::{consumer, envelope, presence, stream_record, streams};
use crate::config::Fleet;
use crate::event::Timestamp;
use crate::message::one_line;
use crate::store::{Store, StoreError, StreamMessage, StreamPosition};

/// Messages that are appended in one transaction at most.
const BATCH: usize = 256;

/// After this time without a word the connection is given up.
const SILENCE: Duration = Duration::from_secs(12);

/// How often the broker removes what is settled.
const PRUNE_INTERVAL: Duration = Duration::from_secs(5);

/// Why a connection ended.
enum SessionError {
    Broker(BrokerError),
    Store(StoreError),
}

impl From<BrokerError> for SessionError {
    fn from(error: BrokerError) -> Self {
        Self::Broker(error)
    }
}

impl From<StoreError> for SessionError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<ShareError> for SessionError {
    fn from(error: ShareError) -> Self {
        match error {
            ShareError::Broker(error) => Self::Broker(error),
            ShareError::Store(error) => Self::Store(error),
        }
    }
}

/// Reads the stream of a fleet.
pub(crate) struct Reader {
    fleet: Fleet,
    share: Share,
    /// The record of the stream, and its sequence.
    record: (StreamRecord, u64),
    recorded_at: Option<Instant>,
    pruned_at: Option<Instant>,
    /// Whether it is known once whose the shards are.
    has_begun: watch::Sender<bool>,
}

impl Reader {
    /// `state`: where this worker's store is. `shards`: those of the configuration as it is.
    pub(crate) fn new(fleet: Fleet, host: String, state: &Path, shards: watch::Receiver<Shards>) -> Self {
        let share = Share::new(fleet.clone(), host, state, shards);
        let record = (StreamRecord::default(), 0);
        Self { fleet, share, record, recorded_at: None, pruned_at: None, has_begun: watch::Sender::new(false) }
    }

    /// The shards that are this worker's.
    pub(crate) fn terms(&self) -> watch::Receiver<Terms> {
        self.share.terms()
    }

    /// Whether it is known once whose the shards are; those that nobody had are this worker's then.
    pub(crate) fn has_begun(&self) -> watch::Receiver<bool> {
        self.has_begun.subscribe()
    }

    /// Until when the first shard is this worker's, which then watches the hosts.
    pub(crate) fn first_until(&self) -> watch::Receiver<Instant> {
        self.share.first_until()
    }

    /// Reads until it is stopped, and gives the leases back then. `wake` is called when events were appended, `changed` when
    /// shards have become this worker's, or are no longer.
    ///
    /// # Errors
    /// When the store fails; what was received is stored.
    pub(crate) async fn run(
        mut self,
        mut store: Store,
        now: fn() -> Timestamp,
        (wake, changed): (impl Fn(), impl Fn()),
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), StoreError> {
        // So that a worker is back within its lease.
        let mut backoff = Backoff::up_to(self.fleet.lease / 3);
        let mut problem = None;
        loop {
            let began = Instant::now();
            let error = match self.session(&mut store, now, (&wake, &changed), &mut stop, &mut problem).await {
                Ok(broker) => {
                    // Otherwise other workers wait for the time of the lease.
                    match self.end(&store, &broker).await {
                        Ok(()) => {}
                        Err(SessionError::Broker(error)) => tracing::debug!("the leases were not given back: {error}"),
                        Err(SessionError::Store(error)) => return Err(error),
                    }
                    return Ok(());
                }
                Err(SessionError::Store(error)) => return Err(error),
                Err(SessionError::Broker(error)) => one_line(&error.to_string()),
            };
            if problem.as_ref() != Some(&error) {
                tracing::error!("the events of the fleet are not read, and messages wait if this lasts: {error}");
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
        (wake, changed): (&impl Fn(), &impl Fn()),
        stop: &mut watch::Receiver<bool>,
        problem: &mut Option<String>,
    ) -> Result<Broker, SessionError> {
        let broker = connect(&self.fleet, self.share.host()).await?;
        let state = streams::ensure(&broker, &self.fleet).await?;
        let mut expected = self.begin_at(store, &broker, state).await? + 1;
        let mut is_configured = false;
        self.share.tend(store, &broker, changed).await?;
        if !self.has_begun.send_replace(true) {
            changed();
        }
        let consumer = consumer::create(&broker, expected).await?;
        let mut answers = broker.answers().await?;
        consumer::fetch(&broker, &mut answers, EVENTS, &consumer).await?;
        if let Some(problem) = problem.take() {
            tracing::info!(sequence = expected, "the events of the fleet are read again; before: {problem}");
        }
        let mut renewal = interval((self.fleet.lease / 4).min(RECORD_INTERVAL));
        renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut asked = ASKED;
        let mut heard_at = Instant::now();
        loop {
            let message = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return Ok(broker),
                _ = renewal.tick() => {
                    if expected > state.last {
                        self.share.is_caught_up();
                    }
                    self.share.tend(store, &broker, changed).await?;
                    self.record(&broker).await?;
                    if self.share.has_first() && !std::mem::replace(&mut is_configured, true) {
                        streams::configure(&broker, &self.fleet).await?;
                    }
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
            if !batch.is_empty() && store.append_stream(&self.record.0.stream, batch, now())? > 0 {
                wake();
            }
            if asked == 0 {
                consumer::fetch(&broker, &mut answers, EVENTS, &consumer).await?;
                asked = ASKED;
            }
        }
    }

    /// Returns the sequence up to which the stream is received.
    async fn begin_at(&mut self, store: &mut Store, broker: &Broker, state: StreamState) -> Result<u64, SessionError> {
        let received = loop {
            let (found, revision) = stream_record::read(broker).await?.unwrap_or_default();
            if found.stream.is_empty() {
                let presence_ms = milliseconds(presence::interval(self.fleet.silent));
                let found = StreamRecord { stream: new_stream(), presence_ms, ..found };
                stream_record::write(broker, &found, revision).await?;
                continue;
            }
            let none = StreamPosition { sequence: 0, message_id: String::new() };
            let position = store.stream_position(&found.stream)?.unwrap_or(none);
            let settled = found.settled.max(self.share.settled(&found.stream));
            if self.is_same(broker, &position, (settled, state)).await? {
                self.record = (found, revision);
                break position.sequence;
            }
            // Its sequences mean other messages now; those that are in the inbox are recognized by their ids.
            tracing::error!(
                "the broker's stream is not the one that was read before; all of it is read, and hosts publish again"
            );
            let found = StreamRecord { stream: new_stream(), settled: 0, pruned: 0, ..found };
            stream_record::write(broker, &found, revision).await?;
        };
        let stream = self.record.0.stream.clone();
        let settled = self.share.connect(broker, &stream).await?;
        if store.stream_position(&stream)?.is_none() || received < settled {
            // Other workers have received it up to there.
            let sequence = received.max(settled);
            store.begin_stream(&stream, &StreamPosition { sequence, message_id: String::new() })?;
        }
        Ok(received.max(settled))
    }

    /// Returns whether the stream still has the message that was received last, or has removed it because it was settled.
    async fn is_same(
        &self,
        broker: &Broker,
        position: &StreamPosition,
        (settled, state): (u64, StreamState),
    ) -> Result<bool, BrokerError> {
        if position.sequence > state.last || settled > state.last {
            return Ok(false);
        }
        if position.message_id.is_empty() || position.sequence < state.first {
            return Ok(true);
        }
        let found = broker.at(EVENTS, position.sequence).await?;
        Ok(found.is_some_and(|found| found.id == position.message_id))
    }

    /// Sees that the stream is the one that is read. If the first shard is this worker's, records how far the stream is settled,
    /// and has that removed now and then.
    async fn record(&mut self, broker: &Broker) -> Result<(), SessionError> {
        if self.recorded_at.is_some_and(|at| at.elapsed() < self.fleet.lease / 4) {
            return Ok(());
        }
        self.recorded_at = Some(Instant::now());
        if !self.share.has_first() {
            let (found, revision) = stream_record::read(broker).await?.unwrap_or_default();
            return self.compare(found, revision);
        }
        let is_due = self.pruned_at.is_none_or(|at| at.elapsed() >= PRUNE_INTERVAL);
        let (found, revision) = &self.record;
        let settled = found.settled.max(self.share.floor());
        let record = StreamRecord {
            stream: found.stream.clone(),
            worker: self.share.host().to_owned(),
            lease_ms: milliseconds(self.fleet.lease),
            presence_ms: milliseconds(presence::interval(self.fleet.silent)),
            settled,
            pruned: if is_due { found.pruned.max(settled) } else { found.pruned },
        };
        let to_remove = (record.pruned > found.pruned).then_some(record.pruned);
        // First, since a host takes what is missing and not recorded as lost.
        match stream_record::write(broker, &record, *revision).await? {
            Some(revision) => self.record = (record, revision),
            None => {
                let (found, revision) = stream_record::read(broker).await?.unwrap_or_default();
                return self.compare(found, revision);
            }
        }
        if let Some(pruned) = to_remove {
            streams::prune(broker, pruned).await?;
            self.pruned_at = Some(Instant::now());
        }
        Ok(())
    }

    /// Goes on with the record that was found, if it is still of the same stream.
    fn compare(&mut self, found: StreamRecord, revision: u64) -> Result<(), SessionError> {
        if found.stream != self.record.0.stream {
            return Err(BrokerError::Answer("another worker found that this is another stream".to_owned()).into());
        }
        self.record = (found, revision);
        Ok(())
    }

    /// Gives all leases back, and says that no worker is there, if this is the last one.
    async fn end(&mut self, store: &Store, broker: &Broker) -> Result<(), SessionError> {
        let is_last = self.share.has_first() && !self.share.has_others();
        self.share.end(store, broker).await?;
        if is_last {
            let (found, revision) = &self.record;
            let record = StreamRecord { worker: String::new(), ..found.clone() };
            stream_record::write(broker, &record, *revision).await?;
        }
        Ok(())
    }

    /// Reads a message; `None`: it has no place in the stream.
    fn read(&self, message: &Message) -> Option<StreamMessage> {
        let sequence = consumer::sequence(message.reply.as_ref()?)?;
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

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn new_stream() -> String {
    Uuid::now_v7().to_string()
}

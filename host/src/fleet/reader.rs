//! The reader of a worker: it receives the stream in its order into the inbox, keeps the lease, and has the broker remove what
//! is settled.
//!
//! Nothing is acknowledged to the broker, whose consumer is only a cursor: how far the stream is received is in the store, in
//! the transaction that appends the events. After any error there is a new connection with a new consumer, which begins where
//! that says.

use std::path::Path;
use std::time::Duration;

use async_nats::Message;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use super::backoff::Backoff;
use super::broker::{Broker, message_id};
use super::broker_error::BrokerError;
use super::consumer::ASKED;
use super::lease::{Lease, RenewError};
use super::owner::LeaseLost;
use super::streams::StreamState;
use super::subjects::{EVENTS, host_token, token_of};
use super::{consumer, envelope, presence, streams};
use crate::config::Fleet;
use crate::event::Timestamp;
use crate::message::one_line;
use crate::store::{SettledBefore, Store, StoreError, StreamMessage, StreamPosition};

/// Messages that are appended in one transaction at most.
const BATCH: usize = 256;

/// After this time without a word the connection is given up.
const SILENCE: Duration = Duration::from_secs(12);

/// How often it is recorded what is settled: what is not, another worker sends again.
const RECORD_INTERVAL: Duration = Duration::from_millis(250);

/// It is looked less often where much is pending: between two looks is so many times the time that one takes.
const LOOK_SHARE: u32 = 20;

/// How often the broker removes what is settled.
const PRUNE_INTERVAL: Duration = Duration::from_secs(5);

/// Why reading ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReaderError {
    /// Another worker has the lease.
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
    /// When it is to be looked again what is settled.
    look_at: Instant,
    pruned_at: Option<Instant>,
}

impl Reader {
    /// Waits for the broker, makes its streams, and waits for the lease. `state`: where this worker's store is. `waits` is called
    /// with what it waits for, when that changes.
    pub(crate) async fn begin(fleet: Fleet, host: String, state: &Path, mut waits: impl FnMut(&str)) -> Self {
        // The same after a restart, and another one on another host or in another directory.
        let store = format!("{host} {:08x}", crc32fast::hash(state.as_os_str().as_encoded_bytes()));
        let mut backoff = Backoff::new();
        let mut said = String::new();
        let mut say = |text: String| {
            if text != said {
                waits(&text);
                said = text;
            }
        };
        loop {
            match take(&fleet, (&host, &store), &mut say).await {
                Ok(lease) => {
                    let look_at = Instant::now();
                    return Self { fleet, host, lease, renewed_at: None, look_at, pruned_at: None };
                }
                Err(error) => say(error.to_string()),
            }
            sleep(backoff.next()).await;
        }
    }

    /// Until when messages may be sent, which moves with each renewal of the lease.
    pub(crate) fn send_until(&self) -> watch::Receiver<Instant> {
        self.lease.send_until()
    }

    /// Takes the word of the worker before: what is pending in this store and was settled there is not sent. To be called before
    /// anything is routed or sent. Returns what it had settled of events that are not routed here yet.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn heed(&mut self, store: &mut Store) -> Result<SettledBefore, StoreError> {
        let owner = &mut self.lease.owner;
        let (stream, before) = (owner.record().stream.clone(), owner.before().clone());
        if owner.has_to_heed() {
            let settled = store.settle_by_record(&stream, &before)?;
            if settled > 0 {
                tracing::info!(settled, "another worker has settled what was pending here; it is not sent again");
            }
            owner.heeded();
        }
        Ok(SettledBefore::new(stream, before))
    }

    /// Reads until it is stopped, and gives the lease back then. `wake` is called when events were appended.
    ///
    /// # Errors
    /// When another worker has the lease, or the store fails; what was received is stored.
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
        wake: &impl Fn(),
        stop: &mut watch::Receiver<bool>,
        problem: &mut Option<String>,
    ) -> Result<Broker, SessionError> {
        let broker = connect(&self.fleet, &self.host).await?;
        let state = streams::ensure(&broker, &self.fleet).await?;
        self.lease.confirm(&broker).await?;
        streams::configure(&broker, &self.fleet).await?;
        let mut expected = self.begin_at(store, &broker, state).await? + 1;
        self.lease.renew(&broker).await?;
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
                _ = stop.wait_for(|stop| *stop) => {
                    self.look(store)?;
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
            if !batch.is_empty() && store.append_stream(&self.lease.owner.record().stream, batch, now())? > 0 {
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
        let record = self.lease.owner.record();
        let (stream, settled) = (record.stream.clone(), record.settled);
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
        self.lease.owner.begin_stream();
        let position = StreamPosition { sequence: 0, message_id: String::new() };
        store.begin_stream(&self.lease.owner.record().stream, &position)?;
        Ok(0)
    }

    /// Returns whether the stream still has the message that was received last, or has removed it because it was settled.
    async fn is_same(
        &self,
        broker: &Broker,
        position: &StreamPosition,
        state: StreamState,
    ) -> Result<bool, BrokerError> {
        if position.sequence > state.last || self.lease.owner.record().settled > state.last {
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
        let to_forget = if Instant::now() >= self.look_at { self.look(store)? } else { Vec::new() };
        let is_recent = self.renewed_at.is_some_and(|at| at.elapsed() < self.fleet.lease / 4);
        if self.lease.owner.is_written() && is_recent {
            return Ok(());
        }
        let is_due = self.pruned_at.is_none_or(|at| at.elapsed() >= PRUNE_INTERVAL);
        // First, since a host takes what is missing and not recorded as lost.
        let pruned = if is_due { self.lease.owner.prune() } else { None };
        self.lease.renew(broker).await?;
        self.renewed_at = Some(Instant::now());
        store.forget_receipts(&self.lease.owner.record().stream, &to_forget)?;
        if let Some(pruned) = pruned {
            streams::prune(broker, pruned).await?;
            self.pruned_at = Some(Instant::now());
        }
        Ok(())
    }

    /// Looks what is settled. Returns the messages whose receipts are to be forgotten once that is recorded.
    fn look(&mut self, store: &Store) -> Result<Vec<u64>, StoreError> {
        let began = Instant::now();
        let here = store.settled_here(&self.lease.owner.record().stream)?;
        self.lease.owner.advance(&here.progress);
        self.look_at = Instant::now() + (began.elapsed() * LOOK_SHARE).max(RECORD_INTERVAL / 2);
        Ok(here.to_forget)
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

async fn take(fleet: &Fleet, (host, store): (&str, &str), say: &mut impl FnMut(String)) -> Result<Lease, BrokerError> {
    let broker = connect(fleet, host).await?;
    streams::ensure(&broker, fleet).await?;
    let times = (fleet.lease, presence::interval(fleet.silent));
    Lease::take(&broker, (host, store), times, |worker| {
        say(format!("the worker {worker} has the lease; this one takes its place when it stops"));
    })
    .await
}

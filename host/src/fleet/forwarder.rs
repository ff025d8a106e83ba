//! The forwarder of a host: it publishes the events of the inbox in their order, and goes on with what the broker has
//! acknowledged.
//!
//! After each connection, and every hour, it makes sure that the broker still has what it acknowledged: a broker that loses its
//! disk, or is restored from an older copy, gets again what it lost.

use std::io;
use std::time::{Duration, Instant};

use super::backoff::Backoff;
use super::broker::{Answers, Broker};
use super::broker_error::{BrokerError, code};
use super::driver::Driver;
use super::envelope;
use super::presence::{self, Presence};
use super::stream_record::{self, StreamRecord};
use super::subjects::{EVENTS, event_subject, host_token, presence_subject};
use crate::config::Fleet;
use crate::event::Timestamp;
use crate::message::one_line;
use crate::store::{LastForwarded, Passed, Store, StoreError, UnroutedEvent};

/// Messages that are published before the first of them is acknowledged.
pub(crate) const BATCH: usize = 64;

/// How often it is made sure that the broker has what it acknowledged.
const VERIFY_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// How long it is not said that this host is there, if the broker does not take it.
const PRESENCE_PAUSE: Duration = Duration::from_secs(60 * 60);

/// How long a host waits that the broker refuses because the stream is full.
const FULL_PAUSE: Duration = Duration::from_secs(5);

/// Something that happened to a host's events, for whoever counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ForwardingNews {
    /// It is connected to a broker of this release.
    Connected(String),
    /// It is not any more.
    Disconnected,
    /// The broker has acknowledged events.
    Acknowledged,
    /// The broker has lost so many events, which are forwarded again.
    Again(u64),
    /// The broker does not take an event, since it has as many of this host as it takes.
    HostFull,
    /// The broker does not take an event, since the stream is full.
    StreamFull,
    /// The broker does not take an event or a request, for another reason.
    Refused,
}

/// Forwards events to the broker.
pub(crate) struct Forwarder {
    fleet: Fleet,
    host: String,
    token: String,
    driver: Driver,
    session: Option<Session>,
    backoff: Backoff,
    /// When the broker is tried again.
    paused: Option<Instant>,
    /// Why nothing is forwarded.
    problem: Option<String>,
    /// Whether each message waits until the one before is acknowledged.
    is_careful: bool,
    /// How often in a row it could not be said that this host is there, and until when that is not tried.
    presence_failures: u32,
    presence_off_until: Option<Instant>,
    /// What has happened since it was asked last.
    news: Vec<ForwardingNews>,
}

struct Session {
    broker: Broker,
    answers: Answers,
    /// The stream's id.
    stream: String,
    verified_at: Instant,
    /// How often the worker wants to hear of this host, and when it was said last that it is there.
    heard_every: Duration,
    said_at: Option<Instant>,
}

/// Forwarding failed.
enum ForwardError {
    Broker(BrokerError),
    Store(StoreError),
}

impl From<BrokerError> for ForwardError {
    fn from(error: BrokerError) -> Self {
        Self::Broker(error)
    }
}

impl From<StoreError> for ForwardError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Forwarder {
    /// Makes the forwarder of a host.
    ///
    /// # Errors
    /// When the system has no room for it.
    pub(crate) fn new(fleet: Fleet, host: String) -> io::Result<Self> {
        let driver = Driver::start()?;
        let token = host_token(&host);
        Ok(Self {
            fleet,
            host,
            token,
            driver,
            session: None,
            backoff: Backoff::new(),
            paused: None,
            problem: None,
            is_careful: false,
            presence_failures: 0,
            presence_off_until: None,
            news: Vec::new(),
        })
    }

    /// Returns what has happened since it was asked last.
    pub(crate) fn news(&mut self) -> Vec<ForwardingNews> {
        std::mem::take(&mut self.news)
    }

    /// Returns how long nothing can be forwarded; `None`: it can be tried now.
    pub(crate) fn pause(&self) -> Option<Duration> {
        self.paused.map(|until| until.saturating_duration_since(Instant::now())).filter(|pause| !pause.is_zero())
    }

    /// Connects if there is no connection, and makes sure that the broker has what it acknowledged. Returns whether events can
    /// be forwarded.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn prepare(&mut self, store: &mut Store, now: Timestamp) -> Result<bool, StoreError> {
        if self.pause().is_some() {
            return Ok(false);
        }
        if let Some(session) = &self.session {
            if let Some(error) = session.broker.said() {
                return self.failed(error.into()).map(|()| false);
            }
            if session.verified_at.elapsed() < VERIFY_INTERVAL.min(self.fleet.resend / 2) {
                return self.say_present(store, now);
            }
        }
        let fleet = self.fleet.clone();
        let (token, name) = (self.token.clone(), format!("banhook host {}", self.host));
        let session = self.session.take();
        let opened = self.driver.handle.block_on(async {
            let (broker, answers, said_at) = match session {
                Some(Session { broker, answers, said_at, .. }) => (broker, answers, said_at),
                None => {
                    let broker = Broker::connect(&fleet, &token, &name).await?;
                    let answers = broker.answers().await?;
                    (broker, answers, None)
                }
            };
            let (record, again) = verify(&broker, &event_subject(&token), store, since(now, fleet.resend)).await?;
            let heard_every = match record.presence_ms {
                0 => presence::INTERVAL,
                ms => Duration::from_millis(ms),
            };
            let verified_at = Instant::now();
            Ok((Session { broker, answers, stream: record.stream, verified_at, heard_every, said_at }, again))
        });
        match opened {
            Ok((session, again)) => {
                self.news.push(ForwardingNews::Connected(session.broker.version()));
                self.news.extend((again > 0).then_some(ForwardingNews::Again(again)));
                self.session = Some(session);
                self.backoff = Backoff::new();
                self.recovered();
                self.say_present(store, now)
            }
            Err(error) => self.failed(error).map(|()| false),
        }
    }

    /// Says that this host is there, and what waits on it, if that is due. Returns whether the connection is as it should be.
    fn say_present(&mut self, store: &Store, now: Timestamp) -> Result<bool, StoreError> {
        let Some(session) = &mut self.session else { return Ok(false) };
        if self.presence_off_until.is_some_and(|until| Instant::now() < until) {
            return Ok(true);
        }
        if session.said_at.is_some_and(|at| at.elapsed() < session.heard_every) {
            return Ok(true);
        }
        let oldest = store.unrouted(1)?.first().map_or(now, |event| event.received_at);
        let said = Presence {
            host: self.host.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            waiting: store.ledger()?.unrouted,
            oldest_s: u64::try_from(now.0.saturating_sub(oldest.0) / 1_000).unwrap_or_default(),
            every_ms: u64::try_from(session.heard_every.as_millis()).unwrap_or(u64::MAX),
        };
        session.said_at = Some(Instant::now());
        let subject = presence_subject(&self.token);
        match self.driver.handle.block_on(session.broker.put(&subject, said.to_json())) {
            Ok(_) => {
                self.presence_failures = 0;
                Ok(true)
            }
            // A worker that has just started makes the stream.
            Err(error @ (BrokerError::NoStream | BrokerError::Refused { .. } | BrokerError::Answer(_))) => {
                tracing::debug!("the broker does not take that this host is there: {error}");
                Ok(true)
            }
            Err(error) => {
                // The connection may be lost. If not, this alone is what the broker does not permit or answer, and events matter
                // more.
                self.presence_failures += 1;
                if self.presence_failures >= 2 {
                    self.presence_failures = 0;
                    self.presence_off_until = Some(Instant::now() + PRESENCE_PAUSE);
                    tracing::warn!(
                        "the broker does not take that this host is there, so that the worker may report it as silent: {error}; \
                         `banhook fleet add` writes the rights of a host"
                    );
                }
                self.failed(error.into()).map(|()| false)
            }
        }
    }

    /// Forwards events, which are the next ones of the store. Returns how many it is done with.
    ///
    /// # Errors
    /// When the store fails; they are forwarded again then.
    pub(crate) fn forward(&mut self, store: &mut Store, mut events: Vec<UnroutedEvent>) -> Result<usize, StoreError> {
        // One that finds room in a full stream does not say that the next will.
        let is_single = self.is_careful && events.len() > 1;
        if self.is_careful {
            events.truncate(1);
        }
        let Some(session) = &mut self.session else { return Ok(0) };
        let mut messages = Vec::new();
        let mut kinds = Vec::new();
        for UnroutedEvent { seq, event, .. } in &events {
            match event {
                Ok(event) => {
                    messages.push((event.id.clone(), envelope::body(event)));
                    kinds.push(Passed::Forwarded(*seq));
                }
                Err(error) => {
                    tracing::error!(event = seq, "stored event quarantined: {error}");
                    kinds.push(Passed::Quarantined(*seq));
                }
            }
        }
        let ids: Vec<String> = messages.iter().map(|(id, _)| id.clone()).collect();
        let subject = event_subject(&self.token);
        let published = session.broker.publish(&mut session.answers, &subject, messages);
        let (sequences, result) = self.driver.handle.block_on(published);
        // Up to the first that is not acknowledged.
        let mut left = sequences.len();
        let passed: Vec<_> = kinds
            .into_iter()
            .take_while(|passed| match passed {
                Passed::Forwarded(_) if left == 0 => false,
                Passed::Forwarded(_) => {
                    left -= 1;
                    true
                }
                Passed::Quarantined(_) => true,
            })
            .collect();
        let before = store.last_forwarded()?.filter(|last| last.stream == session.stream);
        let last = match sequences.last().zip(ids.get(sequences.len().wrapping_sub(1))) {
            Some((sequence, id)) => {
                LastForwarded { stream: session.stream.clone(), stream_seq: *sequence, event_id: id.clone() }
            }
            None => before.unwrap_or_else(|| nothing_in(&session.stream)),
        };
        store.record_forwarded(&passed, &last)?;
        self.news.extend((!sequences.is_empty()).then_some(ForwardingNews::Acknowledged));
        match result {
            Ok(()) => {
                self.is_careful = false;
                if !is_single {
                    self.recovered();
                }
            }
            Err(error) => self.failed(error.into())?,
        }
        Ok(passed.len())
    }

    /// Says that there is no problem any more, if there was one.
    fn recovered(&mut self) {
        if let Some(problem) = self.problem.take() {
            tracing::info!("events are forwarded again; before: {problem}");
        }
    }

    /// Closes the connection, and says why, when that changes.
    fn failed(&mut self, error: ForwardError) -> Result<(), StoreError> {
        let error = match error {
            ForwardError::Store(error) => return Err(error),
            ForwardError::Broker(error) => error,
        };
        let full = match &error {
            BrokerError::Refused { code: code::NOT_STORED, description } => limit_reached(description),
            _ => None,
        };
        let is_full = full.is_some();
        self.news.extend(match (&full, &error) {
            (Some((news, _)), _) => Some(news.clone()),
            (None, BrokerError::Refused { .. } | BrokerError::NotPermitted(_)) => Some(ForwardingNews::Refused),
            _ => None,
        });
        // A smaller one after the first that is refused might still find room.
        self.is_careful = is_full;
        let (text, pause) = match full {
            Some((_, what)) => {
                (format!("{what}; this host's events wait here until the worker has settled some"), FULL_PAUSE)
            }
            None => (one_line(&error.to_string()), self.backoff.next()),
        };
        self.session = self.session.take().filter(|_| is_full);
        self.news.extend(self.session.is_none().then_some(ForwardingNews::Disconnected));
        self.paused = Some(Instant::now() + pause);
        if self.problem.as_ref() != Some(&text) {
            tracing::error!("events are not forwarded: {text}");
            self.problem = Some(text);
        }
        Ok(())
    }
}

/// Says which limit is reached, by the broker's reason for which it does not store a message; `None`: it is another reason.
fn limit_reached(reason: &str) -> Option<(ForwardingNews, &'static str)> {
    match reason {
        _ if !reason.contains("maximum") => None,
        _ if reason.contains("per subject") => {
            Some((ForwardingNews::HostFull, "the broker has as many events of this host as it takes"))
        }
        _ => Some((ForwardingNews::StreamFull, "the broker's stream is full")),
    }
}

fn since(now: Timestamp, age: Duration) -> Timestamp {
    now.plus_ms(i64::try_from(age.as_millis()).unwrap_or(i64::MAX).saturating_neg())
}

fn nothing_in(stream: &str) -> LastForwarded {
    LastForwarded { stream: stream.to_owned(), stream_seq: 0, event_id: String::new() }
}

/// Makes sure that the broker has what it acknowledged, and has the rest forwarded again. Returns the record of the stream, and how
/// many events are.
async fn verify(
    broker: &Broker,
    subject: &str,
    store: &mut Store,
    since: Timestamp,
) -> Result<(StreamRecord, u64), ForwardError> {
    // Before the record: what the worker has removed meanwhile is in it.
    let found = broker.last(EVENTS, subject).await?;
    // Made by the worker, after the streams.
    let (record, _) = stream_record::read(broker).await?.ok_or(BrokerError::NoStream)?;
    let Some(before) = store.last_forwarded()? else { return Ok((record, 0)) };
    let found_sequence = found.as_ref().map_or(0, |found| found.sequence);
    let is_another = before.stream != record.stream;
    // What the worker has settled it may have removed.
    let is_lost = found_sequence < before.stream_seq && before.stream_seq > record.pruned;
    let is_reused =
        found.as_ref().is_some_and(|found| found.sequence == before.stream_seq && found.id != before.event_id);
    let mut again = 0;
    if is_another || is_lost || is_reused {
        let last = LastForwarded {
            stream: record.stream.clone(),
            stream_seq: found_sequence,
            event_id: found.filter(|_| !is_another).map(|found| found.id).unwrap_or_default(),
        };
        again = store.forward_again(&last, since)?;
        tracing::warn!(
            events = again,
            "the broker has lost what it acknowledged, or is another one; events are forwarded again"
        );
    }
    Ok((record, u64::try_from(again).unwrap_or_default()))
}

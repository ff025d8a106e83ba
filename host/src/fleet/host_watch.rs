//! The worker's watch over the hosts: it reads what they say of themselves, has those reported of which nothing is heard any
//! more, and marks them with the broker.

use std::time::Duration;

use async_nats::Message;
use futures_util::StreamExt as _;
use futures_util::stream::iter;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::backoff::Backoff;
use super::broker::Broker;
use super::broker_error::BrokerError;
use super::consumer::{self, ASKED};
use super::hosts::{HostChanges, HostCounts, Hosts};
use super::presence::Presence;
use super::stream_record;
use super::streams::{self, StreamState};
use super::subjects::{EVENTS, HOSTS, HostSubject, host_subject, host_token, mark_subject};
use crate::config::Fleet;
use crate::message::one_line;

/// How often it is looked who is silent, at most.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// After this time without a word the connection is given up.
const SILENCE: Duration = Duration::from_secs(12);

/// Marks that are written at a time: nothing is read meanwhile, and a rack that loses its network is many of them.
const MARKS: usize = 64;

/// How often it is looked where the worker is in the stream.
const STREAM_INTERVAL: Duration = Duration::from_secs(5);

/// What is seen of a fleet, for whoever counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The worker is connected to a broker of this release.
    Connected(String),
    /// It is not any more.
    Disconnected,
    /// How many hosts there are.
    Hosts(HostCounts),
    /// The stream.
    Stream(StreamSeen),
}

/// The stream, and how far it is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StreamSeen {
    /// The sequence of its last message.
    pub last: u64,
    /// All up to this sequence are settled.
    pub settled: u64,
    /// For how long the next one is there, by the broker's clock, in ms; 0: there is none.
    pub oldest_unsettled_ms: u64,
    pub bytes: u64,
    pub max_bytes: u64,
}

/// Watches the hosts of a fleet.
pub(crate) struct HostWatch {
    fleet: Fleet,
    host: String,
    /// Until when this worker has the lease: another one reports then.
    send_until: watch::Receiver<Instant>,
}

impl HostWatch {
    pub(crate) const fn new(fleet: Fleet, host: String, send_until: watch::Receiver<Instant>) -> Self {
        Self { fleet, host, send_until }
    }

    /// Watches until it is stopped. `report` is called with what is to be reported, and returns whether it is; `count` with what
    /// is seen.
    pub(crate) async fn run(
        self,
        mut report: impl FnMut(&HostChanges) -> bool,
        count: impl Fn(Seen),
        mut stop: watch::Receiver<bool>,
    ) {
        let (mut backoff, mut problem) = (Backoff::new(), None);
        loop {
            let began = Instant::now();
            let watching = self.session(&mut report, &count);
            let error = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                ended = watching => match ended {
                    Ok(()) => return,
                    Err(error) => {
                        if error.is_of_connection() {
                            count(Seen::Disconnected);
                        }
                        one_line(&error.to_string())
                    }
                },
            };
            if problem.as_ref() != Some(&error) {
                tracing::warn!("the hosts of the fleet are not watched: {error}");
                problem = Some(error);
            }
            if began.elapsed() > SILENCE {
                backoff = Backoff::new();
            }
            tokio::select! {
                () = sleep(backoff.next()) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// Watches over one connection. Ends where nothing is to be watched.
    async fn session(
        &self,
        report: &mut impl FnMut(&HostChanges) -> bool,
        count: &impl Fn(Seen),
    ) -> Result<(), BrokerError> {
        let broker =
            Broker::connect(&self.fleet, &host_token(&self.host), &format!("banhook hosts {}", self.host)).await?;
        count(Seen::Connected(broker.version()));
        let consumer = consumer::create_latest(&broker, HOSTS).await?;
        let mut answers = broker.answers().await?;
        consumer::fetch(&broker, &mut answers, HOSTS, &consumer).await?;
        let (began, mut hosts) = (Instant::now(), Hosts::default());
        let (mut asked, mut heard_at) = (ASKED, began);
        let look = self.fleet.silent.map_or(LOOK_INTERVAL, |silent| (silent / 10).min(LOOK_INTERVAL));
        let mut looks = interval(look);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stream_looks = interval(STREAM_INTERVAL);
        stream_looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = stream_looks.tick() => {
                    let looked = Instant::now();
                    match stream(&broker).await {
                        Ok(seen) => count(Seen::Stream(seen)),
                        Err(error) if error.is_of_connection() => return Err(error),
                        // Hosts are watched all the same.
                        Err(error) => tracing::debug!("the stream of events is not seen: {error}"),
                    }
                    heard_at += looked.elapsed();
                }
                _ = looks.tick() => {
                    if heard_at.elapsed() > SILENCE {
                        let silent = "it sends neither messages nor that there are none".to_owned();
                        return Err(BrokerError::Unreachable(silent));
                    }
                    let looked = Instant::now();
                    self.look(&broker, &mut hosts, began.elapsed(), report).await?;
                    // What came meanwhile is read next.
                    heard_at += looked.elapsed();
                    count(Seen::Hosts(hosts.counts()));
                }
                message = broker.message(&mut answers) => {
                    let message = message?;
                    heard_at = Instant::now();
                    match message.status.map(|status| status.as_u16()) {
                        None => {
                            asked = asked.saturating_sub(1);
                            read(&mut hosts, &message, began.elapsed());
                        }
                        Some(100) => {}
                        // What was asked for has expired.
                        Some(404 | 408) => asked = 0,
                        Some(_) => {
                            let description = message.description.clone().unwrap_or_default();
                            return Err(BrokerError::Unreachable(format!("reading ended: {description}")));
                        }
                    }
                    if asked == 0 {
                        consumer::fetch(&broker, &mut answers, HOSTS, &consumer).await?;
                        asked = ASKED;
                    }
                }
            }
        }
    }

    /// Has reported what has changed, and marks it.
    async fn look(
        &self,
        broker: &Broker,
        hosts: &mut Hosts,
        at: Duration,
        report: &mut impl FnMut(&HostChanges) -> bool,
    ) -> Result<(), BrokerError> {
        let (changes, marks) = hosts.changes(self.fleet.silent, at);
        if marks.is_empty() || Instant::now() >= *self.send_until.borrow() {
            return Ok(());
        }
        if changes != HostChanges::default() && !report(&changes) {
            return Ok(());
        }
        let put = |(token, is_silent): (String, bool)| async move {
            let body = serde_json::json!({ "silent": is_silent }).to_string();
            let sequence = broker.put(&mark_subject(&token), body).await?;
            Ok::<_, BrokerError>((token, is_silent, sequence))
        };
        let mut written = iter(marks).map(put).buffer_unordered(MARKS);
        let mut failed = Ok(());
        while let Some(mark) = written.next().await {
            match mark {
                Ok((token, is_silent, sequence)) => hosts.mark(&token, is_silent, sequence),
                Err(error) => failed = Err(error),
            }
        }
        failed
    }
}

/// Returns what the broker says of the stream.
async fn stream(broker: &Broker) -> Result<StreamSeen, BrokerError> {
    let info = streams::info(broker, EVENTS).await?;
    let settled = stream_record::read(broker).await?.map_or(0, |(record, _)| record.settled);
    let StreamState { last, bytes, .. } = info.state;
    let oldest = if settled < last { broker.at(EVENTS, settled + 1).await? } else { None };
    let ages = info.said_at().zip(oldest.and_then(|oldest| oldest.stored_at));
    let age = ages.map_or(0, |(now, stored_at)| now.0.saturating_sub(stored_at.0));
    let oldest_unsettled_ms = u64::try_from(age).unwrap_or_default();
    Ok(StreamSeen { last, settled, oldest_unsettled_ms, bytes, max_bytes: info.max_bytes() })
}

/// Reads a message of a host, or a mark.
fn read(hosts: &mut Hosts, message: &Message, at: Duration) {
    let Some(sequence) = message.reply.as_ref().and_then(|reply| consumer::sequence(reply)) else { return };
    match host_subject(&message.subject) {
        Some(HostSubject::Presence(token)) => {
            hosts.hear(token, Presence::parse(token, &message.payload), sequence, at);
        }
        Some(HostSubject::Mark(token)) => {
            let mark: Option<serde_json::Value> = serde_json::from_slice(&message.payload).ok();
            let is_silent = mark.and_then(|mark| mark.get("silent")?.as_bool()) == Some(true);
            hosts.mark(token, is_silent, sequence);
        }
        None => {}
    }
}

/// Returns what the broker knows of the hosts now.
pub(super) async fn known(broker: &Broker) -> Result<Hosts, BrokerError> {
    let mut hosts = Hosts::default();
    if streams::info(broker, HOSTS).await?.state.messages == 0 {
        return Ok(hosts);
    }
    let consumer = consumer::create_latest(broker, HOSTS).await?;
    let mut answers = broker.answers().await?;
    loop {
        consumer::fetch(broker, &mut answers, HOSTS, &consumer).await?;
        for _ in 0..ASKED {
            let message = broker.message(&mut answers).await?;
            if message.status.is_some() {
                return Ok(hosts);
            }
            read(&mut hosts, &message, Duration::ZERO);
            if message.reply.as_ref().and_then(|reply| consumer::pending(reply)) == Some(0) {
                return Ok(hosts);
            }
        }
    }
}

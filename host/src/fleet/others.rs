//! What the other workers of a fleet do: the records of the shards that are not this worker's, and what they say of themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::Instant;

use super::announcement::{Announcement, Workers};
use super::broker::Broker;
use super::broker_error::BrokerError;
use super::record::Record;
use super::shards::Shards;
use super::streams;
use super::subjects::{STATE, shard_of, shard_subject, worker_of, worker_subject};
use crate::event::Timestamp;
use crate::message::one_line;

/// For how long the record of a shard that no worker has configured any more keeps what is pending there with the broker, and
/// what a worker said stays there that is no longer heard.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3_600);

/// The other workers.
pub(super) struct Others {
    /// This worker's token.
    token: String,
    lease: Duration,
    began: Instant,
    found: BTreeMap<String, Found>,
    workers: Workers,
    /// When anything was stored last, by the broker's clock.
    newest: Timestamp,
    /// Shards whose record cannot be read, as they were logged.
    unreadable: BTreeSet<String>,
    /// Workers with another configuration of a shard, as they were logged.
    differing: BTreeSet<(String, String)>,
}

/// The record of a shard, as it was found last.
struct Found {
    record: Record,
    revision: u64,
    /// Since when it is so.
    since: Instant,
    /// When it was stored, by the broker's clock.
    stored_at: Option<Timestamp>,
}

impl Others {
    /// Knows none yet.
    pub(super) fn new(token: String, lease: Duration) -> Self {
        Self {
            token,
            lease,
            began: Instant::now(),
            found: BTreeMap::new(),
            workers: Workers::default(),
            newest: Timestamp(0),
            unreadable: BTreeSet::new(),
            differing: BTreeSet::new(),
        }
    }

    /// Forgets since when nothing has changed: while there was no connection, nobody could be heard.
    pub(super) fn forget(&mut self) {
        self.found.clear();
        self.workers = Workers::default();
    }

    /// Finds what they do now. `is_own`: whether a shard is this worker's.
    pub(super) async fn find(&mut self, broker: &Broker, is_own: impl Fn(&str) -> bool) -> Result<(), BrokerError> {
        let subjects = streams::subjects(broker, STATE).await?;
        let shards = subjects.iter().filter_map(|subject| shard_of(subject)).filter(|shard| !is_own(shard));
        let records = shards.map(async |shard| Ok((shard, broker.last(STATE, &shard_subject(shard)).await?)));
        let mut before = std::mem::take(&mut self.found);
        for (shard, message) in try_join_all(records).await? {
            let Some(message) = message else { continue };
            // The other shards go on. This one is nobody's: what would take it does not replace the record that it cannot read.
            let record = match Record::parse(&message.body) {
                Ok(record) => record,
                Err(error) => {
                    if self.unreadable.insert(shard.to_owned()) {
                        tracing::error!(
                            shard,
                            "the record of this shard is not readable, so nobody can take it: {error}"
                        );
                    }
                    continue;
                }
            };
            let (revision, stored_at) = (message.sequence, message.stored_at);
            let since = match before.remove(shard) {
                Some(found) if found.revision == revision => found.since,
                _ => Instant::now(),
            };
            self.newest = self.newest.max(stored_at.unwrap_or_default());
            self.found.insert(shard.to_owned(), Found { record, revision, since, stored_at });
        }
        let said = subjects.iter().filter_map(|subject| worker_of(subject));
        let said = said.map(async |token| Ok((token, broker.last(STATE, &worker_subject(token)).await?)));
        let said = try_join_all(said).await?.into_iter().filter_map(|(token, message)| {
            let message = message?;
            self.newest = self.newest.max(message.stored_at.unwrap_or_default());
            Some((Announcement::parse(token, &message.body)?, message.sequence))
        });
        self.workers.hear(said.collect(), self.began.elapsed());
        Ok(())
    }

    /// Removes what workers said that are not heard for long: otherwise each host that ever was one would stay.
    pub(super) async fn forget_silent(&self, broker: &Broker) -> Result<(), BrokerError> {
        for token in self.workers.silent_for(FORGOTTEN_AFTER, self.began.elapsed()) {
            streams::forget(broker, STATE, &worker_subject(token)).await?;
        }
        Ok(())
    }

    /// Those that are alive.
    pub(super) fn alive(&self) -> impl Iterator<Item = &Announcement> {
        let alive = self.workers.alive(self.lease, self.began.elapsed());
        alive.filter(|worker| worker.token != self.token)
    }

    /// Returns the record of a shard, with its sequence.
    pub(super) fn record(&self, shard: &str) -> Option<(&Record, u64)> {
        self.found.get(shard).map(|found| (&found.record, found.revision))
    }

    /// Notes that a shard is this worker's.
    pub(super) fn remove(&mut self, shard: &str) {
        self.found.remove(shard);
    }

    /// The records of a stream, with the names of the shards.
    pub(super) fn records<'s>(&'s self, stream: &'s str) -> impl Iterator<Item = (&'s String, &'s Record)> {
        self.found.iter().map(|(shard, found)| (shard, &found.record)).filter(move |(_, found)| found.stream == stream)
    }

    /// The records of shards that somebody works on, with their names.
    pub(super) fn worked(&self) -> impl Iterator<Item = (&String, &Record)> {
        let is_worked = |found: &Found| {
            let lease = self.lease.max(Duration::from_millis(found.record.lease_ms));
            !found.record.worker.is_empty() && found.since.elapsed() < lease
        };
        self.found.iter().filter(move |(_, found)| is_worked(found)).map(|(shard, found)| (shard, &found.record))
    }

    /// Up to where all is settled by the record of a shard; 0: by none of this stream.
    pub(super) fn settled_on(&self, shard: &str, stream: &str) -> u64 {
        let found = self.found.get(shard).filter(|found| found.record.stream == stream);
        found.map(|found| found.record.settled).unwrap_or_default()
    }

    /// The shards whose records were written within the last hour, by the broker's clock: what workers say is written all the
    /// time.
    pub(super) fn kept(&self) -> impl Iterator<Item = &str> {
        let age_ms = |stored_at: Timestamp| self.newest.0.saturating_sub(stored_at.0);
        let forgotten_after = i64::try_from(FORGOTTEN_AFTER.as_millis()).unwrap_or(i64::MAX);
        let is_kept = move |found: &Found| found.stored_at.is_none_or(|stored_at| age_ms(stored_at) < forgotten_after);
        self.found.iter().filter(move |(_, found)| is_kept(found)).map(|(shard, _)| shard.as_str())
    }

    /// Names workers that have another configuration of a shard, once.
    pub(super) fn name_differing(&mut self, shards: &Shards) {
        let mut differing = BTreeSet::new();
        for worker in self.alive() {
            for (name, shard) in shards.iter() {
                if worker.shards.get(name) != Some(&shard.fingerprint) {
                    differing.insert((worker.name.clone(), name.clone()));
                }
            }
        }
        for (worker, shard) in differing.difference(&self.differing) {
            let worker = one_line(worker);
            tracing::warn!(
                shard,
                "the worker {worker} has another configuration of this shard, or another release of banhook; it has to be \
                 the same on all workers"
            );
        }
        self.differing = differing;
    }
}

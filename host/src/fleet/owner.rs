//! The lease of a shard and its record, without clock, network or disk: what is known is passed in, and what is to be written is
//! returned.
//!
//! Each write says which record it replaces, so of two workers one is refused. A worker writes at least every quarter of the
//! lease, even if nothing changes; another one becomes the owner when the record has not changed for the whole lease, by its own
//! clock, and the others wait for longer. No clocks are compared: times here count from any moment, each worker's its own.
//!
//! What a record says is settled, whoever wrote it, is never sent again, and the rest is never lost: a new owner first takes the
//! record's word for what is pending in its own store, and then writes what it knows itself together with what the record says
//! of messages that it has not routed yet.

use std::time::Duration;

use super::record::Record;
use super::shards::Shard;
use crate::store::StreamProgress;

/// Another worker has taken the place of this one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("another worker ({0}) has taken the place of this one, which could not be heard for the time of the lease")]
pub(crate) struct LeaseLost(pub String);

/// A worker that waits for the lease of a shard.
#[derive(Debug)]
pub(super) struct Candidate {
    worker: String,
    token: String,
    ttl: Duration,
    /// The record that was found last, and since when.
    seen: Option<(u64, Duration)>,
}

/// Why a candidate waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wait {
    /// This worker has the lease.
    For(String),
    /// Nobody has it, and another worker is to have it before.
    ForTurn,
}

/// A record to write in the place of another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Write {
    pub record: Record,
    /// The sequence of the record that it replaces; 0: there is none.
    pub replaces: u64,
}

/// The worker that has the lease.
#[derive(Debug)]
pub(super) struct Owner {
    /// Who it is: the host's name, and a text that no other process has.
    worker: String,
    /// Its store.
    store: String,
    record: Record,
    revision: u64,
    /// What the record said when the lease was taken.
    before: StreamProgress,
    ttl: Duration,
    /// When the write was sent that the broker took last.
    written_at: Duration,
    is_written: bool,
    /// Up to where all is settled by the record that the broker has.
    settled: u64,
    #[cfg(test)]
    pub(super) bug: Option<Bug>,
}

/// A defect that the tests have to notice.
#[cfg(test)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bug {
    /// What it writes as pending is what is pending in its store, without what the record said of messages that are not routed
    /// there yet.
    WritesOnlyWhatIsLoaded,
    /// It says nothing of messages that are not routed there yet.
    ForgetsWhatIsNotLoaded,
    /// Its own store counts as complete before it has the record's word.
    TrustsOwnStore,
    /// It sends until it notices that another one has the lease.
    SendsWithoutLease,
}

#[cfg(test)]
impl Bug {
    fn written(self, here: &StreamProgress, known: StreamProgress) -> StreamProgress {
        match self {
            Self::WritesOnlyWhatIsLoaded => {
                let mut loaded = here.clone();
                loaded.routed = known.routed;
                loaded.routes.values_mut().for_each(|route| route.through = known.routed);
                loaded
            }
            Self::ForgetsWhatIsNotLoaded => here.clone(),
            Self::TrustsOwnStore | Self::SendsWithoutLease => known,
        }
    }
}

impl Candidate {
    /// `worker`: who it is. `token`: the same after a restart. `ttl`: the time of the lease.
    pub(super) const fn new(worker: String, token: String, ttl: Duration) -> Self {
        Self { worker, token, ttl, seen: None }
    }

    /// Returns since when the record is as it was found.
    fn since(&mut self, revision: u64, at: Duration) -> Duration {
        match self.seen {
            Some((seen, since)) if seen == revision => since,
            _ => self.seen.insert((revision, at)).1,
        }
    }

    /// Returns what to write to become the owner, by the record of the shard that was found, with its sequence. `stream`: the id
    /// of the stream. `rank`: how many other workers are to have the shard before. `at`: when that was.
    ///
    /// # Errors
    /// Why it has to wait.
    pub(super) fn request(
        &mut self,
        found: Option<(Record, u64)>,
        (stream, shard): (&str, &Shard),
        rank: u32,
        at: Duration,
    ) -> Result<Write, Wait> {
        let (record, revision) = found.unwrap_or_default();
        let lease = self.ttl.max(Duration::from_millis(record.lease_ms));
        let unchanged = at.saturating_sub(self.since(revision, at));
        let (turns, wait) = match (record.worker.is_empty(), record.next.as_str()) {
            (false, _) => (rank.saturating_add(1), Wait::For(record.worker_name().to_owned())),
            (true, next) if next == self.token => (0, Wait::ForTurn),
            (true, "") => (rank, Wait::ForTurn),
            // Whoever is to have it may have died since.
            (true, _) => (rank.max(1), Wait::ForTurn),
        };
        if unchanged < lease.saturating_mul(turns) {
            return Err(wait);
        }
        let is_same = record.stream == stream;
        let record = Record {
            stream: stream.to_owned(),
            worker: self.worker.clone(),
            next: String::new(),
            store: record.store,
            lease_ms: u64::try_from(self.ttl.as_millis()).unwrap_or(u64::MAX),
            fingerprint: shard.fingerprint.clone(),
            webhooks: shard.webhooks.clone(),
            of_routes: shard.routes.clone(),
            settled: if is_same { record.settled } else { 0 },
            progress: if is_same { record.progress } else { StreamProgress::default() },
        };
        Ok(Write { record, replaces: revision })
    }

    /// Becomes the owner, since the broker has stored its request. `store`: the name of this worker's store. `sent_at`: when the
    /// request was sent.
    pub(super) fn granted(&self, request: Write, revision: u64, store: String, sent_at: Duration) -> Owner {
        let before = request.record.progress.clone();
        Owner {
            worker: self.worker.clone(),
            store,
            settled: request.record.settled,
            record: request.record,
            revision,
            before,
            ttl: self.ttl,
            written_at: sent_at,
            is_written: true,
            #[cfg(test)]
            bug: None,
        }
    }
}

impl Owner {
    /// The record as it is to be written.
    pub(super) const fn record(&self) -> &Record {
        &self.record
    }

    /// What the record said when the lease was taken.
    pub(super) const fn before(&self) -> &StreamProgress {
        &self.before
    }

    /// Whether the record says of anything that it is settled: it may be pending in this store, since another one has worked, or
    /// since this one has lost its disk and followed until now.
    pub(super) fn has_to_heed(&self) -> bool {
        #[cfg(test)]
        if self.bug == Some(Bug::TrustsOwnStore) {
            return false;
        }
        !self.before.routes.is_empty()
    }

    /// Notes that this store has the record's word, on disk.
    pub(super) fn heeded(&mut self) {
        if self.record.store != self.store {
            self.record.store.clone_from(&self.store);
            self.is_written = false;
        }
    }

    /// Notes what is settled in this store.
    pub(super) fn advance(&mut self, here: &StreamProgress) {
        let known = here.and_not_yet_routed(&self.before);
        #[cfg(test)]
        let known = self.bug.map_or(known.clone(), |bug| bug.written(here, known));
        // Of a route that was removed, nothing is sent here any more.
        let floor = if self.before.routed <= here.routed { here.floor() } else { known.floor() };
        let (settled, progress) = (self.record.settled.max(floor), known.bounded());
        if (settled, &progress) != (self.record.settled, &self.record.progress) {
            (self.record.settled, self.record.progress) = (settled, progress);
            self.is_written = false;
        }
    }

    /// Notes that the stream has another id: its messages are not those that were read before.
    pub(super) fn begin_stream(&mut self, stream: &str) {
        self.before = StreamProgress::default();
        let progress = StreamProgress::default();
        self.record = Record { stream: stream.to_owned(), settled: 0, progress, ..self.record.clone() };
        (self.settled, self.is_written) = (0, false);
    }

    /// Notes that the shard is configured in another way.
    pub(super) fn configure(&mut self, shard: &Shard) {
        let Shard { webhooks, routes, fingerprint } = shard.clone();
        let record = Record { fingerprint, webhooks, of_routes: routes, ..self.record.clone() };
        self.is_written &= record == self.record;
        self.record = record;
    }

    /// Notes that nobody works, so that another worker need not wait. `next`: the token of the one that is to be the owner;
    /// empty: whoever it is.
    pub(super) fn resign(&mut self, next: &str) {
        self.record.worker.clear();
        next.clone_into(&mut self.record.next);
        self.is_written = false;
    }

    /// Up to where all is settled by the record that the broker has.
    pub(super) const fn settled(&self) -> u64 {
        self.settled
    }

    /// Whether the broker has the record as it is.
    pub(super) const fn is_written(&self) -> bool {
        self.is_written
    }

    /// Returns what to write.
    pub(super) fn write(&self) -> Write {
        Write { record: self.record.clone(), replaces: self.revision }
    }

    /// Notes that the broker has stored that. `sent_at`: when it was sent.
    pub(super) fn written(&mut self, revision: u64, sent_at: Duration) {
        (self.revision, self.written_at, self.is_written) = (revision, sent_at, true);
        self.settled = self.record.settled;
    }

    /// Checks that the record that the broker has is of this worker, or that it has none, after a write was refused or got no
    /// answer.
    ///
    /// # Errors
    /// When another worker has the lease.
    pub(super) fn confirm(&mut self, found: Option<(&Record, u64)>) -> Result<(), LeaseLost> {
        match found {
            // Its own resignation may be what got no answer.
            Some((record, _)) if record.worker != self.worker && *record != self.record => {
                Err(LeaseLost(record.worker_name().to_owned()))
            }
            Some((_, revision)) => {
                self.revision = revision;
                Ok(())
            }
            // With the broker's disk.
            None => {
                self.revision = 0;
                Ok(())
            }
        }
    }

    /// Until when a message may be sent: before any other worker can have the lease.
    pub(super) fn may_send_until(&self) -> Duration {
        #[cfg(test)]
        if self.bug == Some(Bug::SendsWithoutLease) {
            return Duration::MAX;
        }
        self.written_at + self.ttl * 3 / 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(1);

    fn candidate() -> Candidate {
        Candidate::new("web-1 a b".to_owned(), "token-1".to_owned(), LEASE)
    }

    /// After what time a candidate may take a shard, in ms, by a record that does not change.
    fn waits(record: &Record, rank: u32) -> Option<u64> {
        let mut candidate = candidate();
        let found = || Some((record.clone(), 7)).filter(|(record, _)| *record != Record::default());
        (0..10_000).step_by(100).find(|ms| {
            let at = Duration::from_millis(*ms);
            candidate.request(found(), ("s", &Shard::default()), rank, at).is_ok()
        })
    }

    #[test]
    fn candidate_waits_for_the_longer_lease_and_for_its_turn() {
        let of = |worker: &str, next: &str, lease_ms| Record {
            worker: worker.to_owned(),
            next: next.to_owned(),
            lease_ms,
            stream: "s".to_owned(),
            ..Record::default()
        };
        for (record, rank, expected) in [
            (Record::default(), 0, 0),
            (Record::default(), 2, 2_000),
            (of("web-2 x", "", 1_000), 0, 1_000),
            (of("web-2 x", "", 1_000), 1, 2_000),
            // It may send for that long.
            (of("web-2 x", "", 3_000), 0, 3_000),
            (of("", "", 1_000), 0, 0),
            (of("", "", 1_000), 1, 1_000),
            (of("", "token-1", 1_000), 3, 0),
            (of("", "token-2", 1_000), 0, 1_000),
            (of("", "token-2", 1_000), 2, 2_000),
        ] {
            assert_eq!(waits(&record, rank), Some(expected), "{rank} {record:?}");
        }
        let mut candidate = candidate();
        let mut request = |revision, ms| {
            let found = Some((of("web-2 x", "", 1_000), revision));
            candidate.request(found, ("s", &Shard::default()), 0, Duration::from_millis(ms))
        };
        assert_eq!(request(1, 0), Err(Wait::For("web-2".to_owned())));
        assert!(request(2, 900).is_err() && request(2, 1_899).is_err(), "each change is a sign of life");
        assert_eq!(request(2, 1_900).unwrap().replaces, 2);
    }

    #[test]
    fn owner_of_another_stream_begins_with_nothing_settled_and_a_resigned_one_knows_its_own_record() {
        let record = Record { stream: "old".to_owned(), settled: 9, store: "b".to_owned(), ..Record::default() };
        let mut candidate = candidate();
        let request = candidate.request(Some((record, 4)), ("s", &Shard::default()), 0, LEASE).unwrap();
        assert_eq!((request.record.settled, request.replaces, request.record.stream.as_str()), (0, 4, "s"));
        let mut owner = candidate.granted(request, 5, "a".to_owned(), LEASE);
        assert!(!owner.has_to_heed() && owner.may_send_until() == LEASE * 7 / 4);
        owner.resign("token-2");
        let Write { record: given, .. } = owner.write();
        assert_eq!((given.worker.as_str(), given.next.as_str()), ("", "token-2"));
        // The broker has stored it, and the answer was lost.
        assert_eq!(owner.confirm(Some((&given, 6))), Ok(()));
        let taken = Record { worker: "web-2 x".to_owned(), ..given };
        assert_eq!(owner.confirm(Some((&taken, 7))), Err(LeaseLost("web-2".to_owned())));
    }
}

//! The worker's lease and its record, without clock, network or disk: what is known is passed in, and what is to be written is
//! returned.
//!
//! Each write says which record it replaces, so of two workers one is refused. A worker writes at least every quarter of the
//! lease, even if nothing changes; another one becomes the owner when the record has not changed for the whole lease, by its own
//! clock. No clocks are compared: times here count from any moment, each worker's its own.
//!
//! What a record says is settled, whoever wrote it, is never sent again, and the rest is never lost: a new owner first takes the
//! record's word for what is pending in its own store, and then writes what it knows itself together with what the record says
//! of messages that it has not routed yet.

use std::time::Duration;

use uuid::Uuid;

use super::record::Record;
use crate::store::StreamProgress;

/// Another worker has taken the place of this one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("another worker ({0}) has taken the place of this one, which could not be heard for the time of the lease")]
pub(crate) struct LeaseLost(pub String);

/// A worker that waits for the lease.
#[derive(Debug)]
pub(super) struct Candidate {
    worker: String,
    ttl: Duration,
    /// How often hosts are to be heard, in ms.
    presence_ms: u64,
    /// The record that was found last, and since when.
    seen: Option<(u64, Duration)>,
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
    /// `worker`: who it is. `ttl`: the time of the lease.
    pub(super) const fn new(worker: String, ttl: Duration) -> Self {
        Self { worker, ttl, presence_ms: 0, seen: None }
    }

    /// Has hosts be heard so often.
    pub(super) fn listening(self, every: Duration) -> Self {
        Self { presence_ms: u64::try_from(every.as_millis()).unwrap_or(u64::MAX), ..self }
    }

    /// Returns what to write to become the owner, by the record that was found, with its sequence. `at`: when that was.
    ///
    /// # Errors
    /// The worker that has the lease.
    pub(super) fn request(&mut self, found: Option<(Record, u64)>, at: Duration) -> Result<Write, String> {
        let (record, revision) = found.unwrap_or_default();
        let since = match self.seen {
            Some((seen, since)) if seen == revision => since,
            _ => self.seen.insert((revision, at)).1,
        };
        if !record.worker.is_empty() && at.saturating_sub(since) < self.ttl {
            return Err(name(&record.worker).to_owned());
        }
        let stream = if record.stream.is_empty() { new_stream() } else { record.stream };
        let lease_ms = u64::try_from(self.ttl.as_millis()).unwrap_or(u64::MAX);
        let presence_ms = self.presence_ms;
        let record = Record { worker: self.worker.clone(), stream, lease_ms, presence_ms, ..record };
        Ok(Write { record, replaces: revision })
    }

    /// Becomes the owner, since the broker has stored its request. `store`: the name of this worker's store. `sent_at`: when the
    /// request was sent.
    pub(super) fn granted(&self, request: Write, revision: u64, store: String, sent_at: Duration) -> Owner {
        let before = request.record.progress.clone();
        Owner {
            worker: self.worker.clone(),
            store,
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

    /// Whether another store has worked since this one has: what is pending in this one may be settled.
    pub(super) fn has_to_heed(&self) -> bool {
        #[cfg(test)]
        if self.bug == Some(Bug::TrustsOwnStore) {
            return false;
        }
        self.record.store != self.store
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

    /// Notes that what is settled is going to be removed. Returns up to which message; `None`: there is nothing.
    pub(super) fn prune(&mut self) -> Option<u64> {
        if self.record.settled <= self.record.pruned {
            return None;
        }
        self.record.pruned = self.record.settled;
        self.is_written = false;
        Some(self.record.pruned)
    }

    /// Names the stream by a new id: its messages are not those that were read before.
    pub(super) fn begin_stream(&mut self) {
        self.before = StreamProgress::default();
        let progress = StreamProgress::default();
        self.record = Record { stream: new_stream(), settled: 0, pruned: 0, progress, ..self.record.clone() };
        self.is_written = false;
    }

    /// Notes that nobody works, so that another worker need not wait.
    pub(super) fn resign(&mut self) {
        self.record.worker.clear();
        self.is_written = false;
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
    }

    /// Checks that the record that the broker has is of this worker, or that it has none, after a write was refused or got no
    /// answer.
    ///
    /// # Errors
    /// When another worker has the lease.
    pub(super) fn confirm(&mut self, found: Option<(&Record, u64)>) -> Result<(), LeaseLost> {
        match found {
            Some((record, _)) if record.worker != self.worker => Err(LeaseLost(name(&record.worker).to_owned())),
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

fn new_stream() -> String {
    Uuid::now_v7().to_string()
}

/// The host's name of a worker.
fn name(worker: &str) -> &str {
    match worker.split_once(' ') {
        Some((host, _)) => host,
        None if worker.is_empty() => "which has stopped since",
        None => worker,
    }
}

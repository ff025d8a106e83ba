//! A worker's term as the owner of a shard, for those that route, format and deliver. Whoever works for it keeps it, and drops it
//! once the shard is no longer this worker's: when nobody keeps it, another worker may have the shard.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;
use tokio::time::Instant;

use super::shards::Shard;
use crate::store::StreamProgress;

/// The shards that are this worker's, by their names.
pub(crate) type Terms = BTreeMap<String, Arc<Term>>;

/// A term.
#[derive(Debug)]
pub(crate) struct Term {
    /// What it is for. Another configuration of the shard is for another term: a worker that has not followed yet may work on what
    /// comes to the shard with it.
    pub shard: Shard,
    /// The id of the stream.
    pub stream: String,
    /// What others had settled of it when it began, on the routes of the shard: this is not sent again.
    pub before: StreamProgress,
    /// Whether what is pending in this store may be settled by that.
    pub has_to_heed: bool,
    send_until: watch::Receiver<Instant>,
    heeded: AtomicBool,
}

impl Term {
    pub(super) fn new(
        shard: Shard,
        stream: String,
        (before, has_to_heed): (StreamProgress, bool),
        send_until: watch::Receiver<Instant>,
    ) -> Self {
        Self { shard, stream, before, has_to_heed, send_until, heeded: AtomicBool::new(false) }
    }

    /// Until when messages may be sent, which moves with each renewal of the lease.
    pub(crate) fn send_until(&self) -> watch::Receiver<Instant> {
        self.send_until.clone()
    }

    /// Notes that this store has the word of the workers before, on disk: from now on it may be worked.
    pub(crate) fn begin(&self) {
        self.heeded.store(true, Ordering::SeqCst);
    }

    /// Whether it may be worked.
    pub(crate) fn has_begun(&self) -> bool {
        self.heeded.load(Ordering::SeqCst)
    }
}

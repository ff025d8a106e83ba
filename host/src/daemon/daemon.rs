//! What a daemon works with, and how it ends.

use std::sync::Arc;
use std::time::Duration;

use super::tailers::Tails;
use crate::config::Config;
use crate::event::Timestamp;
use crate::plugin::Runtime;
use crate::store::Store;

/// When a daemon ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunMode {
    /// Never: it ends on a signal.
    Forever,
    /// When nothing is unrouted or pending.
    UntilIdle,
    /// As [`RunMode::UntilIdle`], or after this long. Open digests are closed at once.
    UntilIdleOr(Duration),
}

/// Why a daemon ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExitReason {
    /// SIGTERM or SIGINT.
    Stopped,
    /// Another process asked for the work lock.
    Yielded,
    /// Nothing is unrouted or pending, except for suspended webhooks.
    Idle,
    /// The time was up.
    TimeUp,
    /// Everything that was to be read has been read.
    EndOfInput,
    /// The configuration names other logs than before.
    SourcesChanged,
}

/// What a daemon works with. Whoever holds it holds the work lock.
pub(crate) struct Daemon<'a> {
    /// The configuration to begin with.
    pub config: Config,
    /// Reads the configuration again; `None` if it cannot be used, which is logged there.
    pub reread: &'a dyn Fn() -> Option<Config>,
    /// Where plugins run.
    pub runtime: Arc<Runtime>,
    /// The name of this host, as the system has it.
    pub system_host: String,
    /// The store, opened for work.
    pub store: &'a Store,
    /// The logs to read.
    pub tails: &'a Tails,
    /// Called about once a second, as long as all threads make progress.
    pub alive: &'a dyn Fn(),
    /// A thread that takes longer than this for one step makes none. A step is an event, a batch or a transaction.
    pub stuck_after: Duration,
    /// The clock.
    pub now: fn() -> Timestamp,
}

//! What the router and all route workers of a daemon share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use tokio::sync::Notify;

use crate::event::Timestamp;
use crate::plugin::Runtime;
use crate::store::StateDir;

/// Shared by the threads that route and format.
#[derive(Clone)]
pub(super) struct WorkerContext {
    pub(super) runtime: Arc<Runtime>,
    pub(super) state: StateDir,
    pub(super) system_host: String,
    /// Bytes of stack of a thread that calls plugins: theirs, and ours below it.
    pub(super) thread_stack: usize,
    pub(super) now: fn() -> Timestamp,
    /// Notified whenever a batch of events was formatted, and when a route is ready.
    pub(super) formatted: Arc<Notify>,
    /// Routes whose plugin has not been loaded once yet.
    pub(super) loading: Arc<AtomicUsize>,
    /// Whether digests are closed as soon as no event is left.
    pub(super) close_digests: Arc<AtomicBool>,
}

//! The process that works on a state folder: it wires the pipeline and the delivery_workers to the store, to `notify`'s
//! wake-ups and to signals.
//!
//! Routing has a thread of its own (`router`) and each route another (`worker`), since plugins compute; delivery waits,
//! and is async. All look at the store by themselves now and then, so that a lost wake-up costs a second and not an
//! alert.

mod daemon;
mod delivery_workers;
mod pruner;
mod route_worker;
mod router;
mod signals;
mod tailers;
mod watcher;

pub use daemon::{Daemon, DaemonError, ExitReason, RunMode};
pub use signals::Signals;
pub use tailers::Tails;

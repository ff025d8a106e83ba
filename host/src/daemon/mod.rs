//! The process that works on a state directory: it runs the stages over the store, and is woken by `notify` and by signals.
//!
//! Routing has a thread of its own (`router`) and each route another (`route_worker`), since plugins compute; delivery
//! waits, and is async (`event_loop`). All of them poll the store now and then, so a lost wake-up costs a second and not
//! an alert.

#[allow(clippy::module_inception, reason = "the noun itself")]
mod daemon;
mod delivery_workers;
mod descriptors;
mod error;
mod event_loop;
mod exporter;
mod fleet_part;
mod fleet_reader;
mod forwarding;
mod forwarding_host;
mod host_reporter;
mod metrics_server;
mod pulse;
mod reporter;
mod route_worker;
mod router;
mod run;
mod signals;
mod silence;
#[cfg(test)]
mod simulation;
mod tailers;
mod watcher;

pub(crate) use daemon::{Daemon, ExitReason, RunMode};
pub(crate) use error::DaemonError;
pub(crate) use forwarding_host::ForwardingHost;
pub(crate) use signals::Signals;
pub(crate) use tailers::Tails;

//! A fleet: hosts forward their events through a broker (NATS with JetStream) to one worker, which routes and delivers them.
//!
//! A host has no routes and no secret but its key. It publishes each event under a subject of its own and goes on when the
//! broker has acknowledged it, which is when the broker has synced it (`forwarder`). The worker reads the stream in its order
//! into its inbox (`reader`); from there on everything is as on a single host. What the worker has settled on which route it
//! records with the broker (`record`), which also keeps a second worker away (`owner`, `lease`); the broker keeps what is not
//! settled.

mod backoff;
mod broker;
mod broker_error;
mod consumer;
mod driver;
mod envelope;
mod forwarder;
#[cfg(test)]
mod histories;
mod host_watch;
mod hosts;
mod lease;
mod owner;
mod presence;
mod reader;
mod record;
mod status;
mod streams;
mod subjects;

pub(crate) use broker_error::BrokerError;
pub(crate) use forwarder::{BATCH, Forwarder, ForwardingNews};
pub(crate) use host_watch::{HostWatch, Seen, StreamSeen};
pub(crate) use hosts::{HostChanges, HostCounts};
pub(crate) use reader::{Reader, ReaderError};
pub(crate) use status::{BrokerStatus, HostBacklog, HostsStatus, StreamStatus, broker_status};
pub(crate) use subjects::{host_token, server_permissions, shared_services};

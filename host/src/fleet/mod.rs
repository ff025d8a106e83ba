//! A fleet: hosts forward their events through a broker (NATS with JetStream) to workers, which route and deliver them.
//!
//! A host has no routes and no secret but its key. It publishes each event under a subject of its own and goes on when the
//! broker has acknowledged it, which is when the broker has synced it (`forwarder`). Every worker reads the stream in its order
//! into its inbox (`reader`); from there on everything is as on a single host, but for this: webhooks that share routes are a
//! shard (`shards`), and one worker at a time works on each (`owner`, `lease`, `term`). What that has settled it records with the
//! broker (`record`), and the others follow it (`share`), so that any of them can go on. Who should have which shard all decide
//! alike (`balance`) by what each says of itself (`announcement`). The broker keeps what is not settled on all shards
//! (`stream_record`).

mod announcement;
mod backoff;
mod balance;
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
mod others;
mod owner;
mod presence;
mod reader;
mod record;
mod shards;
mod share;
mod status;
mod stream_record;
mod streams;
mod subjects;
mod term;

pub(crate) use broker_error::BrokerError;
pub(crate) use forwarder::{BATCH, Forwarder, ForwardingNews};
pub(crate) use host_watch::{HostWatch, Seen, StreamSeen};
pub(crate) use hosts::{HostChanges, HostCounts};
pub(crate) use reader::Reader;
pub(crate) use shards::Shards;
pub(crate) use status::{BrokerStatus, HostBacklog, HostsStatus, StreamStatus, WorkerStatus, broker_status};
pub(crate) use subjects::{host_token, server_permissions, shared_services};
pub(crate) use term::{Term, Terms};

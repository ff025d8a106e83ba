//! The worker's lease: its record with the broker, which only the worker that wrote it last may write.
//!
//! Each write says which record it replaces, so of two workers one is refused. A worker writes at least every quarter of the
//! lease, even if nothing changes; another one takes its place when the record has not changed for the whole lease, by its own
//! clock. No clocks are compared.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::broker::Broker;
use super::broker_error::{BrokerError, code};
use super::record::Record;
use super::subjects::{META, RECORD_SUBJECT};

/// How often in a lease a candidate looks whether the record has changed.
const LOOKS: u32 = 10;

/// Another worker has taken the place of this one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("another worker ({0}) has taken the place of this one, which could not be heard for the time of the lease")]
pub(crate) struct LeaseLost(pub String);

/// The lease, held.
pub(crate) struct Lease {
    /// Who holds it: the host's name, and a text that no other process has.
    worker: String,
    pub(super) record: Record,
    /// The sequence of the record with the broker; 0: there is none any more.
    revision: u64,
}

/// A write of the record failed.
#[derive(Debug)]
pub(super) enum RenewError {
    Broker(BrokerError),
    Lost(LeaseLost),
}

impl Lease {
    /// Waits until no other worker has the lease, and takes it. `waits_for` is called when it has to wait for another one.
    pub(super) async fn take(
        broker: &Broker,
        host: &str,
        ttl: Duration,
        mut waits_for: impl FnMut(&str),
    ) -> Result<Self, BrokerError> {
        let worker = format!("{host} {}", Uuid::now_v7());
        let (mut seen, mut since) = (None, Instant::now());
        loop {
            let found = read(broker).await?;
            let (record, revision) = found.unwrap_or_default();
            if seen != Some(revision) {
                (seen, since) = (Some(revision), Instant::now());
            }
            if record.worker.is_empty() || since.elapsed() >= ttl {
                let stream = if record.stream.is_empty() { new_stream() } else { record.stream };
                let lease_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
                let record = Record { worker: worker.clone(), stream, lease_ms, ..record };
                match broker.replace(RECORD_SUBJECT, revision, record.to_json()).await {
                    Ok(revision) => return Ok(Self { worker, record, revision }),
                    // Another candidate was faster.
                    Err(BrokerError::Refused { code: code::WRONG_LAST_SEQUENCE, .. }) => continue,
                    Err(error) => return Err(error),
                }
            }
            waits_for(name(&record.worker));
            sleep(ttl / LOOKS).await;
        }
    }

    /// Writes the record as it is now.
    pub(super) async fn renew(&mut self, broker: &Broker) -> Result<(), RenewError> {
        match self.write(broker).await {
            Err(RenewError::Broker(BrokerError::Refused { code: code::WRONG_LAST_SEQUENCE, .. })) => {}
            written => return written,
        }
        // The answer to an earlier write may have been lost, or the record with the broker's disk.
        self.confirm(broker).await?;
        self.write(broker).await
    }

    async fn write(&mut self, broker: &Broker) -> Result<(), RenewError> {
        let written = broker.replace(RECORD_SUBJECT, self.revision, self.record.to_json()).await;
        self.revision = written.map_err(RenewError::Broker)?;
        Ok(())
    }

    /// Checks that this worker wrote the record that the broker has, or that it has none.
    pub(super) async fn confirm(&mut self, broker: &Broker) -> Result<(), RenewError> {
        match read(broker).await.map_err(RenewError::Broker)? {
            Some((record, _)) if record.worker != self.worker => {
                Err(RenewError::Lost(LeaseLost(name(&record.worker).to_owned())))
            }
            Some((_, revision)) => {
                self.revision = revision;
                Ok(())
            }
            None => {
                self.revision = 0;
                Ok(())
            }
        }
    }

    /// Gives the lease back, so that another worker need not wait.
    pub(super) async fn release(mut self, broker: &Broker) -> Result<(), RenewError> {
        self.record.worker.clear();
        self.renew(broker).await
    }

    /// Names the stream by a new id: its messages are not those that were read before.
    pub(super) fn begin_stream(&mut self) {
        self.record = Record { stream: new_stream(), settled: 0, pruned: 0, ..self.record.clone() };
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

/// Returns the record and its sequence; `None`: there is none.
pub(super) async fn read(broker: &Broker) -> Result<Option<(Record, u64)>, BrokerError> {
    let Some(message) = broker.last(META, RECORD_SUBJECT).await? else { return Ok(None) };
    let record = Record::parse(&message.body).map_err(BrokerError::Answer)?;
    Ok(Some((record, message.sequence)))
}

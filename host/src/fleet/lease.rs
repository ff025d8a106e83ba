//! The lease of a shard, as [`Owner`] decides it: it reads and writes the record with the broker, and says until when messages
//! may be sent.

use tokio::sync::watch;
use tokio::time::Instant;

use super::broker::Broker;
use super::broker_error::BrokerError;
use super::owner::{Candidate, LeaseLost, Owner, Write};
use super::record::Record;
use super::subjects::{STATE, shard_subject};

/// The lease, held.
pub(super) struct Lease {
    pub(super) owner: Owner,
    shard: String,
    /// From when its times count.
    began: Instant,
    send_until: watch::Sender<Instant>,
}

/// A write of the record failed.
#[derive(Debug)]
pub(super) enum RenewError {
    Broker(BrokerError),
    Lost(LeaseLost),
}

impl Lease {
    /// Takes the lease by a request that a candidate may make. `store`: the name of this worker's store. `began`: from when the
    /// candidate's times count. `None`: another one was faster.
    pub(super) async fn take(
        broker: &Broker,
        shard: &str,
        (candidate, request, store): (&Candidate, Write, &str),
        began: Instant,
    ) -> Result<Option<Self>, BrokerError> {
        let sent_at = began.elapsed();
        let written = broker.replace(&shard_subject(shard), request.replaces, request.record.to_json()).await?;
        Ok(written.map(|revision| {
            let owner = candidate.granted(request, revision, store.to_owned(), sent_at);
            let send_until = watch::Sender::new(began + owner.may_send_until());
            Self { owner, shard: shard.to_owned(), began, send_until }
        }))
    }

    /// Until when messages may be sent, which moves with each renewal.
    pub(super) fn send_until(&self) -> watch::Receiver<Instant> {
        self.send_until.subscribe()
    }

    /// Writes the record as it is now.
    pub(super) async fn renew(&mut self, broker: &Broker) -> Result<(), RenewError> {
        if self.write(broker).await? {
            return Ok(());
        }
        // The answer to an earlier write may have been lost, or the record with the broker's disk.
        self.confirm(broker).await?;
        if self.write(broker).await? {
            return Ok(());
        }
        Err(RenewError::Broker(BrokerError::Unreachable(format!("the record of {} changes", self.shard))))
    }

    /// False: it was refused.
    async fn write(&mut self, broker: &Broker) -> Result<bool, RenewError> {
        let (write, sent_at) = (self.owner.write(), self.began.elapsed());
        let written = broker.replace(&shard_subject(&self.shard), write.replaces, write.record.to_json()).await;
        let Some(revision) = written.map_err(RenewError::Broker)? else { return Ok(false) };
        self.owner.written(revision, sent_at);
        self.send_until.send_replace(self.began + self.owner.may_send_until());
        Ok(true)
    }

    /// Checks that this worker wrote the record that the broker has, or that it has none.
    pub(super) async fn confirm(&mut self, broker: &Broker) -> Result<(), RenewError> {
        let found = read(broker, &self.shard).await.map_err(RenewError::Broker)?;
        let found = found.as_ref().map(|(record, revision)| (record, *revision));
        self.owner.confirm(found).map_err(RenewError::Lost)
    }
}

/// Returns the record of a shard and its sequence; `None`: there is none.
pub(super) async fn read(broker: &Broker, shard: &str) -> Result<Option<(Record, u64)>, BrokerError> {
    let Some(message) = broker.last(STATE, &shard_subject(shard)).await? else { return Ok(None) };
    let record = Record::parse(&message.body).map_err(BrokerError::Answer)?;
    Ok(Some((record, message.sequence)))
}

//! The worker's lease, as [`Owner`] decides it: it reads and writes the record with the broker, and says until when messages
//! may be sent.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::broker::Broker;
use super::broker_error::{BrokerError, code};
use super::owner::{Candidate, LeaseLost, Owner};
use super::record::Record;
use super::subjects::{META, RECORD_SUBJECT};

/// How often in a lease a candidate looks whether the record has changed.
const LOOKS: u32 = 10;

/// The lease, held.
pub(crate) struct Lease {
    pub(super) owner: Owner,
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
    /// Waits until no other worker has the lease, and takes it. `store`: the name of this worker's store. `waits_for` is called
    /// when it has to wait for another one.
    pub(super) async fn take(
        broker: &Broker,
        (host, store): (&str, &str),
        (ttl, heard_every): (Duration, Duration),
        mut waits_for: impl FnMut(&str),
    ) -> Result<Self, BrokerError> {
        let mut candidate = Candidate::new(format!("{host} {}", Uuid::now_v7()), ttl).listening(heard_every);
        let began = Instant::now();
        loop {
            let found = read(broker).await?;
            let sent_at = began.elapsed();
            match candidate.request(found, sent_at) {
                Ok(request) => match broker.replace(RECORD_SUBJECT, request.replaces, request.record.to_json()).await {
                    Ok(revision) => {
                        let owner = candidate.granted(request, revision, store.to_owned(), sent_at);
                        let send_until = watch::Sender::new(began + owner.may_send_until());
                        return Ok(Self { owner, began, send_until });
                    }
                    // Another candidate was faster.
                    Err(BrokerError::Refused { code: code::WRONG_LAST_SEQUENCE, .. }) => {}
                    Err(error) => return Err(error),
                },
                Err(worker) => {
                    waits_for(&worker);
                    sleep(ttl / LOOKS).await;
                }
            }
        }
    }

    /// Until when messages may be sent, which moves with each renewal.
    pub(super) fn send_until(&self) -> watch::Receiver<Instant> {
        self.send_until.subscribe()
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
        let (write, sent_at) = (self.owner.write(), self.began.elapsed());
        let written = broker.replace(RECORD_SUBJECT, write.replaces, write.record.to_json()).await;
        self.owner.written(written.map_err(RenewError::Broker)?, sent_at);
        self.send_until.send_replace(self.began + self.owner.may_send_until());
        Ok(())
    }

    /// Checks that this worker wrote the record that the broker has, or that it has none.
    pub(super) async fn confirm(&mut self, broker: &Broker) -> Result<(), RenewError> {
        let found = read(broker).await.map_err(RenewError::Broker)?;
        let found = found.as_ref().map(|(record, revision)| (record, *revision));
        self.owner.confirm(found).map_err(RenewError::Lost)
    }

    /// Gives the lease back, so that another worker need not wait.
    pub(super) async fn release(mut self, broker: &Broker) -> Result<(), RenewError> {
        self.owner.resign();
        self.renew(broker).await
    }
}

/// Returns the record and its sequence; `None`: there is none.
pub(super) async fn read(broker: &Broker) -> Result<Option<(Record, u64)>, BrokerError> {
    let Some(message) = broker.last(META, RECORD_SUBJECT).await? else { return Ok(None) };
    let record = Record::parse(&message.body).map_err(BrokerError::Answer)?;
    Ok(Some((record, message.sequence)))
}

//! The record of the stream with the broker, which hosts read as well: which stream it is, and what of it was removed.

use serde::{Deserialize, Serialize};

use super::broker::Broker;
use super::broker_error::BrokerError;
use super::subjects::{META, RECORD_SUBJECT};
use crate::event::Timestamp;

/// What the one message under the record's subject has, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct StreamRecord {
    /// The stream's id: a new one where its messages are not those that were read before.
    pub stream: String,
    /// The host's name of the worker that wrote it last; empty: no worker is left.
    #[serde(default)]
    pub worker: String,
    /// The time of the lease, in ms: the record is written at least four times as often.
    #[serde(default)]
    pub lease_ms: u64,
    /// How often hosts are to be heard, in ms; 0: as they like.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub presence_ms: u64,
    /// All messages up to this sequence are settled on all shards.
    #[serde(default)]
    pub settled: u64,
    /// All messages up to this sequence were removed, or may have been.
    #[serde(default)]
    pub pruned: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The record as the broker has it.
pub(super) struct StoredRecord {
    pub record: StreamRecord,
    /// Its sequence.
    pub revision: u64,
    /// When it was stored, by the broker's clock.
    pub stored_at: Option<Timestamp>,
}

/// Returns the record as the broker has it; `None`: there is none.
pub(super) async fn find(broker: &Broker) -> Result<Option<StoredRecord>, BrokerError> {
    let Some(message) = broker.last(META, RECORD_SUBJECT).await? else { return Ok(None) };
    let record = serde_json::from_slice(&message.body).map_err(|error| BrokerError::Answer(error.to_string()))?;
    Ok(Some(StoredRecord { record, revision: message.sequence, stored_at: message.stored_at }))
}

/// Returns the record and its sequence; `None`: there is none.
pub(super) async fn read(broker: &Broker) -> Result<Option<(StreamRecord, u64)>, BrokerError> {
    Ok(find(broker).await?.map(|found| (found.record, found.revision)))
}

/// Writes the record in the place of the one with this sequence (0: there is none). Returns its own; `None`: another worker has
/// written one since.
pub(super) async fn write(broker: &Broker, record: &StreamRecord, replaces: u64) -> Result<Option<u64>, BrokerError> {
    // Serializing strings and numbers into memory cannot fail.
    let json = serde_json::to_string(record).unwrap_or_default();
    broker.replace(RECORD_SUBJECT, replaces, json).await
}

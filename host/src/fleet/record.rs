//! The worker's record with the broker: who works, how far all is settled, and which stream it is.

use serde::{Deserialize, Serialize};

/// What the one message under the record's subject has, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Record {
    /// The stream's id: a new one where its messages are not those that were read before.
    pub stream: String,
    /// Who works; empty: nobody, since it was stopped.
    pub worker: String,
    /// The time of the lease, in ms: the record is written at least four times as often.
    #[serde(default)]
    pub lease_ms: u64,
    /// All messages up to this sequence are settled: a worker without them begins after it.
    pub settled: u64,
    /// All messages up to this sequence were removed, or may have been.
    pub pruned: u64,
}

impl Record {
    /// Reads it.
    pub(super) fn parse(body: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(body).map_err(|error| error.to_string())
    }

    /// Writes it.
    pub(super) fn to_json(&self) -> String {
        // Serializing strings and numbers into memory cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

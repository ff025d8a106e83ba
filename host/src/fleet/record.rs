//! The worker's record with the broker: who works, which stream it is, and what of it is settled.

use serde::{Deserialize, Serialize};

use crate::store::StreamProgress;

/// What the one message under the record's subject has, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Record {
    /// The stream's id: a new one where its messages are not those that were read before.
    pub stream: String,
    /// Who works; empty: nobody, since it was stopped.
    pub worker: String,
    /// The worker's store that knows all that the record says: one that is back with another store does not.
    #[serde(default)]
    pub store: String,
    /// The time of the lease, in ms: the record is written at least four times as often.
    #[serde(default)]
    pub lease_ms: u64,
    /// How often hosts are to be heard, in ms; 0: as they like.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub presence_ms: u64,
    /// All messages up to this sequence are settled: a worker without them begins after it.
    pub settled: u64,
    /// All messages up to this sequence were removed, or may have been.
    pub pruned: u64,
    /// What of the later ones is settled.
    #[serde(flatten)]
    pub progress: StreamProgress,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_reads_back_and_one_of_an_older_version_says_nothing_more() {
        let json = r#"{"stream":"s","worker":"w","store":"d","lease_ms":1,"settled":2,"pruned":1,
            "routed":9,"routes":{"all":{"through":9,"pending":[3,2]}}}"#;
        let record = Record::parse(json.as_bytes()).unwrap();
        assert!(record.progress.is_settled("all", 5) && !record.progress.is_settled("all", 4));
        assert_eq!(record.to_json(), json.split_whitespace().collect::<String>());
        let older = Record::parse(br#"{"stream":"s","worker":"w","settled":2,"pruned":1}"#).unwrap();
        assert_eq!((older.settled, older.progress), (2, StreamProgress::default()));
    }
}

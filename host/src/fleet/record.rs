//! The record of a shard with the broker: who works on it, and what of the stream is settled on its routes.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::store::StreamProgress;

/// What the one message under the record's subject has, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Record {
    /// The id of the stream that it is about.
    pub stream: String,
    /// Who works; empty: nobody, since it was stopped or has given the shard away.
    pub worker: String,
    /// The token of the worker that is to have the shard next; empty: whoever it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub next: String,
    /// The worker's store that knows all that the record says: one that is back with another store does not.
    #[serde(default)]
    pub store: String,
    /// The time of the lease, in ms: the record is written at least four times as often.
    #[serde(default)]
    pub lease_ms: u64,
    /// By which another configuration of the shard is recognized.
    #[serde(default)]
    pub fingerprint: String,
    /// The shard's webhooks.
    #[serde(default)]
    pub webhooks: BTreeSet<String>,
    /// The names of its routes.
    #[serde(default)]
    pub of_routes: BTreeSet<String>,
    /// All messages up to this sequence are settled.
    pub settled: u64,
    /// What of the later ones is settled.
    #[serde(flatten)]
    pub progress: StreamProgress,
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

    /// The host's name of the worker.
    pub(super) fn worker_name(&self) -> &str {
        match self.worker.split_once(' ') {
            Some((host, _)) => host,
            None if self.worker.is_empty() => "which has stopped since",
            None => &self.worker,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_reads_back_and_one_that_says_little_says_that_nothing_is_settled() {
        let json = r#"{"stream":"s","worker":"w","next":"v","store":"d","lease_ms":1,"fingerprint":"f","webhooks":["main"],
            "of_routes":["all"],"settled":2,"routed":9,"routes":{"all":{"through":9,"pending":[3,2]}}}"#;
        let record = Record::parse(json.as_bytes()).unwrap();
        assert!(record.progress.is_settled("all", 5) && !record.progress.is_settled("all", 4));
        assert_eq!(record.to_json(), json.split_whitespace().collect::<String>());
        let short = Record::parse(br#"{"stream":"s","worker":"w","settled":2}"#).unwrap();
        assert_eq!((short.settled, short.progress), (2, StreamProgress::default()));
    }
}

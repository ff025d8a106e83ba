//! The broker's cursor in the stream. Nothing is acknowledged to it: it is made where it is needed, and thrown away after any
//! error.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::broker::{Answers, Broker};
use super::broker_error::BrokerError;
use super::subjects::EVENTS;

/// Messages that are asked for at a time.
pub(super) const ASKED: usize = 2_000;

/// How long the broker waits for messages when there are none.
const EXPIRES: Duration = Duration::from_secs(30);

/// How often the broker says meanwhile that there are none.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// How long the broker keeps a consumer that nobody asks, in ns.
const CONSUMER_KEPT: u64 = 60_000_000_000;

/// Makes the broker's cursor, and returns its name.
pub(super) async fn create(broker: &Broker, from: u64) -> Result<String, BrokerError> {
    #[derive(Deserialize)]
    struct Created {
        name: String,
    }
    let request = json!({
        "stream_name": EVENTS,
        "config": {
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": from,
            "ack_policy": "none",
            "replay_policy": "instant",
            "mem_storage": true,
            "num_replicas": 1,
            "inactive_threshold": CONSUMER_KEPT,
        },
    });
    broker.ask::<Created>(&format!("CONSUMER.CREATE.{EVENTS}"), &request).await.map(|created| created.name)
}

/// Asks it for the next [`ASKED`] messages.
pub(super) async fn fetch(broker: &Broker, answers: &mut Answers, consumer: &str) -> Result<(), BrokerError> {
    let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let request = json!({ "batch": ASKED, "expires": nanoseconds(EXPIRES), "idle_heartbeat": nanoseconds(HEARTBEAT) });
    broker.fetch(answers, (EVENTS, consumer), &request).await
}

/// The sequence of a message, which is in the subject for its acknowledgement:
/// `$JS.ACK[.DOMAIN.ACCOUNT].STREAM.CONSUMER.DELIVERED.SEQUENCE.…`.
pub(super) fn sequence(reply: &str) -> Option<u64> {
    let parts: Vec<_> = reply.split('.').collect();
    let at = if parts.len() >= 11 { 7 } else { 5 };
    parts.get(at)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_of_both_forms() {
        assert_eq!(sequence("$JS.ACK.BANHOOK.abc.1.42.7.1700000000.0"), Some(42));
        assert_eq!(sequence("$JS.ACK.hub.ACC.BANHOOK.abc.1.42.7.1700000000.0.xyz"), Some(42));
        assert_eq!(sequence("_INBOX.x"), None);
    }
}

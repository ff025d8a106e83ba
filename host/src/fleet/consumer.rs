//! The broker's cursor in the stream. Nothing is acknowledged to it: it is made where it is needed, and thrown away after any
//! error.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

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

/// Makes the broker's cursor in the events, and returns its name.
pub(super) async fn create(broker: &Broker, from: u64) -> Result<String, BrokerError> {
    create_with(broker, EVENTS, json!({ "deliver_policy": "by_start_sequence", "opt_start_seq": from })).await
}

/// Makes a cursor that begins with the last message under each subject of a stream, and returns its name.
pub(super) async fn create_latest(broker: &Broker, stream: &str) -> Result<String, BrokerError> {
    create_with(broker, stream, json!({ "deliver_policy": "last_per_subject", "filter_subject": ">" })).await
}

async fn create_with(broker: &Broker, stream: &str, policy: Value) -> Result<String, BrokerError> {
    #[derive(Deserialize)]
    struct Created {
        name: String,
    }
    let mut config = json!({
        "ack_policy": "none",
        "replay_policy": "instant",
        "mem_storage": true,
        "num_replicas": 1,
        "inactive_threshold": CONSUMER_KEPT,
    });
    if let (Some(config), Value::Object(policy)) = (config.as_object_mut(), policy) {
        config.extend(policy);
    }
    let request = json!({ "stream_name": stream, "config": config });
    broker.ask::<Created>(&format!("CONSUMER.CREATE.{stream}"), &request).await.map(|created| created.name)
}

/// Asks it for the next [`ASKED`] messages.
pub(super) async fn fetch(
    broker: &Broker,
    answers: &mut Answers,
    stream: &str,
    consumer: &str,
) -> Result<(), BrokerError> {
    let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let request = json!({ "batch": ASKED, "expires": nanoseconds(EXPIRES), "idle_heartbeat": nanoseconds(HEARTBEAT) });
    broker.fetch(answers, (stream, consumer), &request).await
}

/// The sequence of a message, which is in the subject for its acknowledgement:
/// `$JS.ACK[.DOMAIN.ACCOUNT].STREAM.CONSUMER.DELIVERED.SEQUENCE.NUMBER.TIME.PENDING[.RANDOM]`.
pub(super) fn sequence(reply: &str) -> Option<u64> {
    part(reply, 5)
}

/// How many messages the cursor has to deliver after one, which is there as well.
pub(super) fn pending(reply: &str) -> Option<u64> {
    part(reply, 8)
}

/// Returns a part, as it is numbered in the shorter form.
fn part(reply: &str, number: usize) -> Option<u64> {
    let parts: Vec<_> = reply.split('.').collect();
    let at = if parts.len() >= 11 { number + 2 } else { number };
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
        assert_eq!(pending("$JS.ACK.BANHOOK.abc.1.42.7.1700000000.3"), Some(3));
        assert_eq!(pending("$JS.ACK.hub.ACC.BANHOOK.abc.1.42.7.1700000000.3.xyz"), Some(3));
    }
}

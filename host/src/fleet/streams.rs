//! The streams of a fleet: how the worker makes them, and what it relies on.

use serde::Deserialize;
use serde_json::{Value, json};

use super::broker::Broker;
use super::broker_error::{BrokerError, code};
use super::subjects::{EVENT_SUBJECTS, EVENTS, META, RECORD_SUBJECT};

/// Messages of a host that the broker keeps at most: one that is attacked for days must not fill the stream for all.
const MESSAGES_OF_HOST: u64 = 100_000;

/// Bytes of a message at most: [`BODY_BYTES`](super::envelope::BODY_BYTES) and its headers.
const MESSAGE_BYTES: u64 = 64 << 10;

/// How long the broker recognizes a message that comes again by its id, in ns; later ones the worker recognizes.
const RECOGNIZED_FOR: u64 = 120_000_000_000;

/// Bytes of the worker's record that the broker keeps at most.
const RECORD_BYTES: u64 = 1 << 20;

/// What the broker says of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct StreamInfo {
    pub config: Value,
    pub state: StreamState,
}

/// What a stream has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) struct StreamState {
    pub messages: u64,
    pub bytes: u64,
    #[serde(rename = "first_seq")]
    pub first: u64,
    #[serde(rename = "last_seq")]
    pub last: u64,
}

/// The settings of the stream of events. The broker removes nothing by itself: it refuses what is too much, and hosts wait.
fn events(bytes: u64) -> Value {
    json!({
        "name": EVENTS,
        "subjects": [EVENT_SUBJECTS],
        "retention": "limits",
        "storage": "file",
        "discard": "new",
        "max_bytes": bytes,
        "max_msgs_per_subject": MESSAGES_OF_HOST,
        "discard_new_per_subject": true,
        "max_msg_size": MESSAGE_BYTES,
        "max_age": 0,
        "duplicate_window": RECOGNIZED_FOR,
        "allow_direct": true,
        "deny_delete": true,
        "num_replicas": 1,
    })
}

fn record() -> Value {
    json!({
        "name": META,
        "subjects": [RECORD_SUBJECT],
        "retention": "limits",
        "storage": "file",
        "discard": "old",
        "max_bytes": RECORD_BYTES,
        "max_msgs_per_subject": 1,
        "max_age": 0,
        "allow_direct": true,
        "num_replicas": 1,
    })
}

/// Makes the streams where there are none, and checks those that there are; that of the events gets this size. Returns the state of that of the events.
pub(super) async fn ensure(broker: &Broker, bytes: u64) -> Result<StreamState, BrokerError> {
    ensure_one(broker, META, &record(), &["num_replicas"]).await?;
    let info = ensure_one(broker, EVENTS, &events(bytes), &["max_bytes", "num_replicas"]).await?;
    if info.config.get("max_bytes") == Some(&json!(bytes)) {
        return Ok(info.state);
    }
    let mut config = info.config;
    if let Some(config) = config.as_object_mut() {
        config.insert("max_bytes".to_owned(), json!(bytes));
    }
    let info: StreamInfo = broker.ask(&format!("STREAM.UPDATE.{EVENTS}"), &config).await?;
    Ok(info.state)
}

/// `chosen`: settings that an operator may have changed.
async fn ensure_one(broker: &Broker, name: &str, settings: &Value, chosen: &[&str]) -> Result<StreamInfo, BrokerError> {
    let info: StreamInfo = match info(broker, name).await {
        Err(BrokerError::NoStream) => broker.ask(&format!("STREAM.CREATE.{name}"), settings).await?,
        info => info?,
    };
    for (key, expected) in settings.as_object().into_iter().flatten() {
        // What is zero or false the broker leaves out.
        let is_nothing = *expected == json!(0) || *expected == json!(false);
        let found = info.config.get(key).unwrap_or(&Value::Null);
        if found != expected && !(is_nothing && found.is_null()) && !chosen.contains(&key.as_str()) {
            let description = format!("its stream {name} has {key} {found}, not {expected}; see `nats stream edit`");
            return Err(BrokerError::Refused { code: code::WRONG_SETTINGS, description });
        }
    }
    Ok(info)
}

/// Returns what the broker says of a stream.
pub(super) async fn info(broker: &Broker, name: &str) -> Result<StreamInfo, BrokerError> {
    broker.ask(&format!("STREAM.INFO.{name}"), &json!({})).await
}

/// Removes all messages of the stream of events up to this one.
pub(super) async fn prune(broker: &Broker, through: u64) -> Result<(), BrokerError> {
    let request = json!({ "seq": through.saturating_add(1) });
    broker.ask::<Value>(&format!("STREAM.PURGE.{EVENTS}"), &request).await.map(drop)
}

//! The streams of a fleet: how the worker makes them, and what it relies on.

use serde::Deserialize;
use serde_json::{Value, json};

use super::broker::Broker;
use super::broker_error::{BrokerError, code};
use super::subjects::{EVENT_SUBJECTS, EVENTS, HOSTS, MARK_SUBJECTS, META, PRESENCE_SUBJECTS, RECORD_SUBJECT};
use crate::config::Fleet;

/// Messages of a host that the broker keeps at most: one that is attacked for days must not fill the stream for all.
const MESSAGES_OF_HOST: u64 = 100_000;

/// Bytes of a message at most: [`BODY_BYTES`](super::envelope::BODY_BYTES) and its headers.
const MESSAGE_BYTES: u64 = 64 << 10;

/// How long the broker recognizes a message that comes again by its id, in ns; later ones the worker recognizes.
const RECOGNIZED_FOR: u64 = 120_000_000_000;

/// Bytes of the worker's record that the broker keeps at most.
const RECORD_BYTES: u64 = 1 << 20;

/// Bytes of what a host says of itself.
const PRESENCE_BYTES: u64 = 2 << 10;

/// Bytes of what all hosts say of themselves, and of the marks on them: of more than 50,000 hosts.
const ALL_PRESENCES_BYTES: u64 = 64 << 20;

/// After what time the broker forgets a host of which nothing is heard, in ns: 30 days.
const HOST_FORGOTTEN_AFTER: u64 = 30 * 86_400 * 1_000_000_000;

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
fn events() -> Value {
    json!({
        "name": EVENTS,
        "subjects": [EVENT_SUBJECTS],
        "retention": "limits",
        "storage": "file",
        "discard": "new",
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

/// Of each host the broker keeps the last word alone, and the last mark.
fn hosts() -> Value {
    json!({
        "name": HOSTS,
        "subjects": [PRESENCE_SUBJECTS, MARK_SUBJECTS],
        "retention": "limits",
        "storage": "file",
        "discard": "old",
        "max_bytes": ALL_PRESENCES_BYTES,
        "max_msgs_per_subject": 1,
        "max_msg_size": PRESENCE_BYTES,
        "max_age": HOST_FORGOTTEN_AFTER,
        "num_replicas": 1,
    })
}

/// Makes the streams where there are none, and checks those that there are; they get the size and the replicas that the
/// configuration has. Returns the state of that of the events.
pub(super) async fn ensure(broker: &Broker, fleet: &Fleet) -> Result<StreamState, BrokerError> {
    let replicas = fleet.replicas.map(|replicas| (REPLICAS, json!(replicas)));
    let bytes = Some(("max_bytes", json!(fleet.stream_size)));
    ensure_one(broker, META, record(), [replicas.clone(), None]).await?;
    ensure_one(broker, HOSTS, hosts(), [replicas.clone(), None]).await?;
    Ok(ensure_one(broker, EVENTS, events(), [replicas, bytes]).await?.state)
}

/// A setting that an operator may change without banhook.
const REPLICAS: &str = "num_replicas";

/// `chosen`: what the configuration says.
async fn ensure_one(
    broker: &Broker,
    name: &str,
    mut settings: Value,
    chosen: [Option<(&str, Value)>; 2],
) -> Result<StreamInfo, BrokerError> {
    for (key, value) in chosen.iter().flatten() {
        settings[*key] = value.clone();
    }
    let mut info: StreamInfo = match info(broker, name).await {
        Err(BrokerError::NoStream) => broker.ask(&format!("STREAM.CREATE.{name}"), &settings).await?,
        info => info?,
    };
    if chosen.iter().flatten().any(|(key, value)| info.config.get(key) != Some(value)) {
        let mut config = info.config;
        for (key, value) in chosen.into_iter().flatten() {
            config[key] = value;
        }
        info = broker.ask(&format!("STREAM.UPDATE.{name}"), &config).await?;
    }
    for (key, expected) in settings.as_object().into_iter().flatten() {
        // What is zero or false the broker leaves out.
        let is_nothing = *expected == json!(0) || *expected == json!(false);
        let found = info.config.get(key).unwrap_or(&Value::Null);
        if found != expected && !(is_nothing && found.is_null()) && key != REPLICAS {
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

//! The streams of a fleet: how the worker makes them, and what it relies on.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::broker::Broker;
use super::broker_error::{BrokerError, code};
use super::subjects::{
    EVENT_SUBJECTS, EVENTS, HOSTS, MARK_SUBJECTS, META, PRESENCE_SUBJECTS, RECORD_SUBJECT, SHARD_SUBJECTS, STATE,
    WORKER_SUBJECTS,
};
use crate::config::Fleet;
use crate::event::Timestamp;

/// Messages of a host that the broker keeps at most: one that is attacked for days must not fill the stream for all.
const MESSAGES_OF_HOST: u64 = 100_000;

/// Bytes of a message at most: [`BODY_BYTES`](super::envelope::BODY_BYTES) and its headers.
const MESSAGE_BYTES: u64 = 64 << 10;

/// How long the broker recognizes a message that comes again by its id, in ns; later ones the worker recognizes.
const RECOGNIZED_FOR: u64 = 120_000_000_000;

/// Bytes of the record of the stream that the broker keeps at most.
const RECORD_BYTES: u64 = 1 << 20;

/// Bytes of the records of shards and of what workers say: of more than a thousand of both.
const STATE_BYTES: u64 = 128 << 20;

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
    /// On which servers it is.
    #[serde(default)]
    cluster: Value,
    /// The time of the broker's clock.
    #[serde(default)]
    ts: String,
}

impl StreamInfo {
    /// The bytes that it takes at most.
    pub(super) fn max_bytes(&self) -> u64 {
        self.config.get(BYTES).and_then(Value::as_u64).unwrap_or_default()
    }

    /// On how many servers it is.
    pub(super) fn replicas(&self) -> u64 {
        self.config.get(REPLICAS).and_then(Value::as_u64).unwrap_or_default()
    }

    /// Whether the broker is a cluster, which could have it on several.
    pub(super) fn is_in_cluster(&self) -> bool {
        self.cluster.get("name").and_then(Value::as_str).is_some_and(|name| !name.is_empty())
    }

    /// When the broker said this, by its clock.
    pub(super) fn said_at(&self) -> Option<Timestamp> {
        Timestamp::parse(&self.ts)
    }
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

/// Of each shard and each worker the broker keeps the last record alone.
fn state() -> Value {
    json!({
        "name": STATE,
        "subjects": [SHARD_SUBJECTS, WORKER_SUBJECTS],
        "retention": "limits",
        "storage": "file",
        "discard": "old",
        "max_bytes": STATE_BYTES,
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

/// Settings that the configuration or an operator chooses.
const REPLICAS: &str = "num_replicas";
const BYTES: &str = "max_bytes";

/// Makes the streams where there are none, and checks those that there are; changes none. Returns the state of that of the
/// events.
pub(super) async fn ensure(broker: &Broker, fleet: &Fleet) -> Result<StreamState, BrokerError> {
    ensure_one(broker, META, with(record(), &[replicas(fleet)]), &[REPLICAS]).await?;
    ensure_one(broker, STATE, with(state(), &[replicas(fleet)]), &[REPLICAS]).await?;
    // Events matter more than who is silent.
    match ensure_one(broker, HOSTS, with(hosts(), &[replicas(fleet)]), &[REPLICAS]).await {
        Err(error @ (BrokerError::Refused { .. } | BrokerError::NoRoom(_))) => {
            tracing::warn!(stream = HOSTS, "silent hosts are not known: {error}");
        }
        found => drop(found?),
    }
    let events = with(events(), &[replicas(fleet), bytes(fleet)]);
    Ok(ensure_one(broker, EVENTS, events, &[REPLICAS, BYTES]).await?.state)
}

/// Gives the streams the size and the replicas that the configuration has. Only for the owner of the first shard: another worker may
/// have another configuration. The streams are used as they are if the broker refuses, as it may while a server is down.
pub(super) async fn configure(broker: &Broker, fleet: &Fleet) -> Result<(), BrokerError> {
    for (name, chosen) in [
        (META, vec![replicas(fleet)]),
        (STATE, vec![replicas(fleet)]),
        (HOSTS, vec![replicas(fleet)]),
        (EVENTS, vec![replicas(fleet), bytes(fleet)]),
    ] {
        // Each by itself: what is refused of one says nothing of the other.
        for one in chosen {
            let found = match info(broker, name).await {
                Err(BrokerError::NoStream) => break,
                found => found?.config,
            };
            let wanted = with(found.clone(), &[one]);
            if wanted == found {
                continue;
            }
            match broker.ask::<Value>(&format!("STREAM.UPDATE.{name}"), &wanted).await {
                Err(error @ (BrokerError::Refused { .. } | BrokerError::NoRoom(_))) => {
                    tracing::warn!(stream = name, "its size or replicas are not those of the configuration: {error}");
                }
                answer => drop(answer?),
            }
        }
    }
    Ok(())
}

fn replicas(fleet: &Fleet) -> Option<(&'static str, Value)> {
    fleet.replicas.map(|replicas| (REPLICAS, json!(replicas)))
}

fn bytes(fleet: &Fleet) -> Option<(&'static str, Value)> {
    Some((BYTES, json!(fleet.stream_size)))
}

/// Returns settings with what is chosen.
fn with(mut settings: Value, chosen: &[Option<(&str, Value)>]) -> Value {
    if let Some(settings) = settings.as_object_mut() {
        settings.extend(chosen.iter().flatten().map(|(key, value)| ((*key).to_owned(), value.clone())));
    }
    settings
}

/// `chosen`: settings that may differ.
async fn ensure_one(broker: &Broker, name: &str, settings: Value, chosen: &[&str]) -> Result<StreamInfo, BrokerError> {
    let info: StreamInfo = match info(broker, name).await {
        Err(BrokerError::NoStream) => broker.ask(&format!("STREAM.CREATE.{name}"), &settings).await?,
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

/// Returns the subjects under which a stream has messages.
pub(super) async fn subjects(broker: &Broker, name: &str) -> Result<Vec<String>, BrokerError> {
    #[derive(Deserialize)]
    struct Info {
        state: State,
    }
    #[derive(Deserialize)]
    struct State {
        #[serde(default)]
        subjects: BTreeMap<String, u64>,
    }
    let info: Info = broker.ask(&format!("STREAM.INFO.{name}"), &json!({ "subjects_filter": ">" })).await?;
    Ok(info.state.subjects.into_keys().collect())
}

/// Removes all messages under a subject of a stream.
pub(super) async fn forget(broker: &Broker, name: &str, subject: &str) -> Result<(), BrokerError> {
    broker.ask::<Value>(&format!("STREAM.PURGE.{name}"), &json!({ "filter": subject })).await.map(drop)
}

/// Removes all messages of the stream of events up to this one.
pub(super) async fn prune(broker: &Broker, through: u64) -> Result<(), BrokerError> {
    let request = json!({ "seq": through.saturating_add(1) });
    broker.ask::<Value>(&format!("STREAM.PURGE.{EVENTS}"), &request).await.map(drop)
}

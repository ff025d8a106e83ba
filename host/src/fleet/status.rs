//! What the broker says of a fleet, for `banhook fleet status`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::announcement::Announcement;
use super::broker::Broker;
use super::broker_error::BrokerError;
use super::presence::Presence;
use super::record::Record;
use super::shards::{Shard, Shards};
use super::stream_record::{StoredRecord, StreamRecord};
use super::streams::StreamState;
use super::subjects::{EVENTS, STATE, host_token, shard_of, worker_of};
use super::{host_watch, lease, stream_record, streams};
use crate::config::{Fleet, FleetRole};
use crate::event::Timestamp;

/// How often it is looked whether the worker is alive.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// What the broker says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct BrokerStatus {
    /// Its release.
    pub version: String,
    /// Who works, on the first shard where there are several; `None`: nobody.
    pub worker: Option<String>,
    /// The shards, for the worker.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shards: Vec<ShardStatus>,
    /// The workers that are alive, for the worker.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub workers: Vec<WorkerStatus>,
    /// All messages up to this sequence are settled.
    pub settled: u64,
    /// How far this machine's clock is ahead of the broker's, in ms; `None`: no worker has written meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_ahead_ms: Option<i64>,
    /// The stream, for the worker.
    pub stream: Option<StreamStatus>,
    /// The hosts, for the worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hosts: Option<HostsStatus>,
}

/// A shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ShardStatus {
    /// Its name, which is that of its first webhook.
    pub name: String,
    /// The worker that has it; `None`: nobody.
    pub worker: Option<String>,
    /// All messages up to this sequence are settled on it.
    pub settled: u64,
}

/// A worker that is alive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct WorkerStatus {
    /// Its name.
    pub name: String,
    /// Its release of banhook.
    pub version: String,
    /// Shards of which it has another configuration than this worker, or none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<String>,
}

/// The hosts of a fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct HostsStatus {
    /// How many are heard.
    pub heard: u64,
    /// The names of those that were reported as silent.
    pub silent: Vec<String>,
    /// Those on which events wait for longer than a minute.
    pub with_backlog: Vec<HostBacklog>,
}

/// A host with events that the broker does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct HostBacklog {
    /// Its name.
    pub host: String,
    /// How many events.
    pub waiting: u64,
    /// For how long the oldest is there, in s.
    pub oldest_s: u64,
}

/// What the stream has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct StreamStatus {
    /// Messages that are not removed.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The sequence of the last one.
    pub last: u64,
    /// Bytes that it takes at most.
    pub max_bytes: u64,
    /// On how many servers it is.
    pub replicas: u64,
    /// Whether the broker is a cluster.
    pub is_in_cluster: bool,
}

/// Asks the broker. `shards`: those of this worker's configuration.
///
/// # Errors
/// When it cannot be asked.
pub(crate) async fn broker_status(fleet: &Fleet, host: &str, shards: &Shards) -> Result<BrokerStatus, BrokerError> {
    let broker = Broker::connect(fleet, &host_token(host), &format!("banhook status {host}")).await?;
    let (record, is_alive, clock_ahead_ms) = read_record(&broker).await?;
    let worker = Some(&record.worker).filter(|_| is_alive).cloned();
    let status = BrokerStatus {
        version: broker.version(),
        worker,
        shards: Vec::new(),
        workers: Vec::new(),
        settled: record.settled,
        clock_ahead_ms,
        stream: None,
        hosts: None,
    };
    match fleet.role {
        FleetRole::Host => Ok(status),
        FleetRole::Worker => of_worker(&broker, status, &record.stream, shards).await,
    }
}

/// Adds what only a worker may know.
async fn of_worker(
    broker: &Broker,
    status: BrokerStatus,
    stream: &str,
    configured: &Shards,
) -> Result<BrokerStatus, BrokerError> {
    let info = streams::info(broker, EVENTS).await?;
    let (max_bytes, replicas, is_in_cluster) = (info.max_bytes(), info.replicas(), info.is_in_cluster());
    let StreamState { messages, bytes, last, .. } = info.state;
    let (records, said) = match state(broker).await {
        Err(BrokerError::NoStream) => Default::default(),
        found => found?,
    };
    let shard = |name: &String| {
        let (record, is_alive) = records.get(name).cloned().unwrap_or_default();
        let worker = Some(record.worker_name().to_owned()).filter(|_| is_alive);
        ShardStatus { name: name.clone(), worker, settled: if record.stream == stream { record.settled } else { 0 } }
    };
    let shards: Vec<_> = configured.iter().map(|(name, _)| shard(name)).collect();
    let worker = |said: Announcement| {
        let has_other = |(name, shard): &(&String, &Shard)| said.shards.get(*name) != Some(&shard.fingerprint);
        let differs = configured.iter().filter(has_other).map(|(name, _)| name.clone()).collect();
        WorkerStatus { name: said.name, version: said.version, differs }
    };
    Ok(BrokerStatus {
        settled: shards.iter().map(|shard| shard.settled).min().unwrap_or(status.settled),
        worker: shards.iter().find_map(|shard| shard.worker.clone()),
        shards,
        workers: said.into_iter().map(worker).collect(),
        stream: Some(StreamStatus { messages, bytes, last, max_bytes, replicas, is_in_cluster }),
        hosts: hosts(broker).await?,
        ..status
    })
}

/// Returns what the broker knows of the hosts; `None`: no worker that watches them has run yet.
async fn hosts(broker: &Broker) -> Result<Option<HostsStatus>, BrokerError> {
    let known = match host_watch::known(broker).await {
        Err(BrokerError::NoStream) => return Ok(None),
        known => known?,
    };
    let backlog =
        |said: &Presence| HostBacklog { host: said.host.clone(), waiting: said.waiting, oldest_s: said.oldest_s };
    Ok(Some(HostsStatus {
        heard: known.counts().heard,
        silent: known.silent().map(str::to_owned).collect(),
        with_backlog: known.with_backlog().map(backlog).collect(),
    }))
}

/// Returns the record of the stream, whether a worker is alive, and how far this clock is ahead of the broker's, in ms. One is
/// alive if the record changes within half of its lease, for which no clocks are compared. The change has just been stored.
async fn read_record(broker: &Broker) -> Result<(StreamRecord, bool, Option<i64>), BrokerError> {
    let nothing = || (StreamRecord::default(), false, None);
    let Some(found) = stream_record::find(broker).await? else { return Ok(nothing()) };
    if found.record.worker.is_empty() {
        return Ok((found.record, false, None));
    }
    let (first, deadline) = (found.revision, Instant::now() + Duration::from_millis(found.record.lease_ms / 2));
    loop {
        match stream_record::find(broker).await? {
            Some(StoredRecord { record, revision, stored_at }) if revision != first => {
                let ahead = stored_at.map(|stored_at| Timestamp::now().0.saturating_sub(stored_at.0));
                let is_alive = !record.worker.is_empty();
                return Ok((record, is_alive, ahead));
            }
            None => return Ok(nothing()),
            Some(found) if Instant::now() >= deadline => return Ok((found.record, false, None)),
            Some(_) => sleep(POLL_INTERVAL).await,
        }
    }
}

/// The records of shards by name, and whether somebody works on each.
type ShardRecords = BTreeMap<String, (Record, bool)>;

/// Returns the records of the shards, and what workers say that are alive: what changes within half of a lease.
async fn state(broker: &Broker) -> Result<(ShardRecords, Vec<Announcement>), BrokerError> {
    let (mut records, mut said) = read_state(broker).await?;
    let leases =
        records.values().map(|(record, ..)| record.lease_ms).chain(said.values().map(|(said, ..)| said.lease_ms));
    let deadline = Instant::now() + Duration::from_millis(leases.max().unwrap_or_default() / 2);
    loop {
        let (newer_records, newer_said) = read_state(broker).await?;
        for (shard, (record, revision, _)) in newer_records {
            let is_changed = records.get(&shard).is_none_or(|(_, first, changed)| *changed || *first != revision);
            records.insert(shard, (record, revision, is_changed));
        }
        for (token, (worker, revision, _)) in newer_said {
            let is_changed = said.get(&token).is_none_or(|(_, first, changed)| *changed || *first != revision);
            said.insert(token, (worker, revision, is_changed));
        }
        let are_alive = records.values().all(|(record, _, changed)| *changed || record.worker.is_empty())
            && said.values().all(|(.., changed)| *changed);
        if are_alive || Instant::now() >= deadline {
            let records = records.into_iter().map(|(shard, (record, _, changed))| {
                let is_alive = changed && !record.worker.is_empty();
                (shard, (record, is_alive))
            });
            let said = said.into_values().filter(|(.., changed)| *changed).map(|(said, ..)| said);
            return Ok((records.collect(), said.collect()));
        }
        sleep(POLL_INTERVAL).await;
    }
}

/// What was found under a subject, with its revision, and whether that has changed.
type Found<T> = BTreeMap<String, (T, u64, bool)>;

async fn read_state(broker: &Broker) -> Result<(Found<Record>, Found<Announcement>), BrokerError> {
    let (mut records, mut said) = (BTreeMap::new(), BTreeMap::new());
    for subject in streams::subjects(broker, STATE).await? {
        if let Some(shard) = shard_of(&subject) {
            let Some((record, revision)) = lease::read(broker, shard).await? else { continue };
            records.insert(shard.to_owned(), (record, revision, false));
        } else if let Some(token) = worker_of(&subject) {
            let Some(message) = broker.last(STATE, &subject).await? else { continue };
            let Some(worker) = Announcement::parse(token, &message.body) else { continue };
            said.insert(token.to_owned(), (worker, message.sequence, false));
        }
    }
    Ok((records, said))
}

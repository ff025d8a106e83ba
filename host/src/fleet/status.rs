//! What the broker says of a fleet, for `banhook fleet status`.

use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::broker::Broker;
use super::broker_error::BrokerError;
use super::presence::Presence;
use super::record::Record;
use super::streams::StreamState;
use super::subjects::{EVENTS, META, RECORD_SUBJECT, host_token};
use super::{host_watch, lease, streams};
use crate::config::{Fleet, FleetRole};
use crate::event::Timestamp;

/// How often it is looked whether the worker is alive.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// What the broker says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct BrokerStatus {
    /// Its release.
    pub version: String,
    /// Who works; `None`: nobody.
    pub worker: Option<String>,
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

/// Asks the broker.
///
/// # Errors
/// When it cannot be asked.
pub(crate) async fn broker_status(fleet: &Fleet, host: &str) -> Result<BrokerStatus, BrokerError> {
    let broker = Broker::connect(fleet, &host_token(host), &format!("banhook status {host}")).await?;
    let (record, is_alive, clock_ahead_ms) = read_record(&broker).await?;
    let stream = match fleet.role {
        FleetRole::Worker => {
            let info = streams::info(&broker, EVENTS).await?;
            let (max_bytes, replicas, is_in_cluster) = (info.max_bytes(), info.replicas(), info.is_in_cluster());
            let StreamState { messages, bytes, last, .. } = info.state;
            Some(StreamStatus { messages, bytes, last, max_bytes, replicas, is_in_cluster })
        }
        FleetRole::Host => None,
    };
    let hosts = match fleet.role {
        FleetRole::Worker => hosts(&broker).await?,
        FleetRole::Host => None,
    };
    let worker = record.as_ref().map(|record| record.worker.as_str()).filter(|_| is_alive);
    Ok(BrokerStatus {
        version: broker.version(),
        worker: worker.map(|worker| worker.split(' ').next().unwrap_or_default().to_owned()),
        settled: record.as_ref().map_or(0, |record| record.settled),
        clock_ahead_ms,
        stream,
        hosts,
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

/// Returns the worker's record, whether a worker is alive, and how far this clock is ahead of the broker's, in ms. The worker is
/// alive if its record changes within half of its lease, for which no clocks are compared. The change has just been stored.
async fn read_record(broker: &Broker) -> Result<(Option<Record>, bool, Option<i64>), BrokerError> {
    let Some((record, first)) = lease::read(broker).await? else { return Ok((None, false, None)) };
    if record.worker.is_empty() {
        return Ok((Some(record), false, None));
    }
    let deadline = Instant::now() + Duration::from_millis(record.lease_ms / 2);
    loop {
        let found = broker.last(META, RECORD_SUBJECT).await?;
        match found {
            Some(message) if message.sequence != first => {
                let record = Record::parse(&message.body).map_err(BrokerError::Answer)?;
                let ahead = message.stored_at.map(|stored_at| Timestamp::now().0.saturating_sub(stored_at.0));
                let is_alive = !record.worker.is_empty();
                return Ok((Some(record), is_alive, ahead));
            }
            None => return Ok((None, false, None)),
            Some(_) if Instant::now() >= deadline => return Ok((Some(record), false, None)),
            Some(_) => sleep(POLL_INTERVAL).await,
        }
    }
}

//! What the broker says of a fleet, for `banhook fleet status`.

use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::broker::Broker;
use super::broker_error::BrokerError;
use super::record::Record;
use super::subjects::{EVENTS, host_token};
use super::{lease, streams};
use crate::config::{Fleet, FleetRole};

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
    /// The stream, for the worker.
    pub stream: Option<StreamStatus>,
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
}

/// Asks the broker.
///
/// # Errors
/// When it cannot be asked.
pub(crate) async fn broker_status(fleet: &Fleet, host: &str) -> Result<BrokerStatus, BrokerError> {
    let broker = Broker::connect(fleet, &host_token(host), &format!("banhook status {host}")).await?;
    let (record, is_alive) = read_record(&broker).await?;
    let stream = match fleet.role {
        FleetRole::Worker => {
            let state = streams::info(&broker, EVENTS).await?.state;
            Some(StreamStatus { messages: state.messages, bytes: state.bytes, last: state.last })
        }
        FleetRole::Host => None,
    };
    let worker = record.as_ref().map(|record| record.worker.as_str()).filter(|_| is_alive);
    Ok(BrokerStatus {
        version: broker.version(),
        worker: worker.map(|worker| worker.split(' ').next().unwrap_or_default().to_owned()),
        settled: record.as_ref().map_or(0, |record| record.settled),
        stream,
    })
}

/// Returns the worker's record, and whether a worker is alive: its record changes within half of its lease. No clocks are
/// compared.
async fn read_record(broker: &Broker) -> Result<(Option<Record>, bool), BrokerError> {
    let Some((record, first)) = lease::read(broker).await? else { return Ok((None, false)) };
    if record.worker.is_empty() {
        return Ok((Some(record), false));
    }
    let deadline = Instant::now() + Duration::from_millis(record.lease_ms / 2);
    loop {
        match lease::read(broker).await? {
            Some((record, revision)) if revision != first => {
                let is_alive = !record.worker.is_empty();
                return Ok((Some(record), is_alive));
            }
            None => return Ok((None, false)),
            Some(_) if Instant::now() >= deadline => return Ok((Some(record), false)),
            Some(_) => sleep(POLL_INTERVAL).await,
        }
    }
}

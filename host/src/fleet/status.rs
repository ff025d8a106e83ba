//! What the broker says of a fleet, for `banhook fleet status`.

use serde::Serialize;

use super::broker::Broker;
use super::broker_error::BrokerError;
use super::subjects::{EVENTS, host_token};
use super::{lease, streams};
use crate::config::{Fleet, FleetRole};

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
    let record = lease::read(&broker).await?;
    let stream = match fleet.role {
        FleetRole::Worker => {
            let state = streams::info(&broker, EVENTS).await?.state;
            Some(StreamStatus { messages: state.messages, bytes: state.bytes, last: state.last })
        }
        FleetRole::Host => None,
    };
    let worker = record.as_ref().map(|(record, _)| record.worker.as_str()).filter(|worker| !worker.is_empty());
    Ok(BrokerStatus {
        version: broker.version(),
        worker: worker.map(|worker| worker.split(' ').next().unwrap_or_default().to_owned()),
        settled: record.as_ref().map_or(0, |(record, _)| record.settled),
        stream,
    })
}

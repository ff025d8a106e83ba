//! `banhook fleet status`: this host's part in its fleet, and what the broker says.

use std::io::{self, Write as _};
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use serde::Serialize;
use tokio::runtime::Builder;

use crate::cli::command_error::{CommandError, Outcome};
use crate::cli::global_options::{GlobalOptions, OutputFormat, host_name};
use crate::config::{Fleet, FleetRole, duration_text, size_text};
use crate::event::Timestamp;
use crate::fleet::{BrokerStatus, HostBacklog, HostsStatus, Shards, broker_status};
use crate::message::one_line;
use crate::phrase::counted;
use crate::store::Store;

/// Show this host's part in its fleet, and ask the broker
///
/// The exit code is 1 if the broker cannot be asked, or no worker is running; on a worker, also if a webhook has none.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// Output format
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    format: OutputFormat,
}

#[derive(Serialize)]
struct FleetStatus {
    role: &'static str,
    host: String,
    /// Of a host: events that the broker has.
    #[serde(skip_serializing_if = "Option::is_none")]
    forwarded: Option<u64>,
    /// Of a host: events that it does not have yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<u64>,
    /// Of a host: for how long the oldest of them is there, in s.
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_s: Option<u64>,
    /// Of a host: the message of the stream that was acknowledged last.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_acknowledged: Option<u64>,
    /// Of a worker: up to which sequence the stream is received.
    #[serde(skip_serializing_if = "Option::is_none")]
    received: Option<u64>,
    broker: Option<BrokerStatus>,
    /// Why the broker could not be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Prints the status.
pub(super) fn status(global: &GlobalOptions, StatusArgs { format }: &StatusArgs) -> Outcome {
    let config = global.config()?;
    let Some(fleet) = config.fleet.clone() else {
        let shown = global.config.display();
        return Err(CommandError::Input(anyhow!("{shown} has no [fleet]: this host belongs to none")));
    };
    let host = config.event_defaults(&host_name()).host;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let asked = runtime.block_on(broker_status(&fleet, &host, &Shards::of(&config)));
    let store = global.existing_store()?.map(|(_, store)| store);
    let status = gather(&fleet, host, store.as_ref(), asked)?;
    let mut out = io::stdout();
    match format {
        OutputFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(&status)?)?,
        OutputFormat::Text => write!(out, "{}", text(&status))?,
    }
    let has_worker =
        |broker: BrokerStatus| broker.worker.is_some() && broker.shards.iter().all(|shard| shard.worker.is_some());
    Ok(status.broker.is_some_and(has_worker))
}

fn gather(
    fleet: &Fleet,
    host: String,
    store: Option<&Store>,
    asked: Result<BrokerStatus, crate::fleet::BrokerError>,
) -> Result<FleetStatus, CommandError> {
    let ledger = store.map(Store::ledger).transpose()?.unwrap_or_default();
    let is_host = fleet.role == FleetRole::Host;
    let (broker, error) = match asked {
        Ok(broker) => (Some(broker), None),
        Err(error) => (None, Some(one_line(&error.to_string()))),
    };
    let received = match store.filter(|_| !is_host) {
        Some(store) => store.last_stream_position()?.map(|position| position.sequence),
        None => None,
    };
    let of_host = store.filter(|_| is_host);
    let last_acknowledged = of_host.map(Store::last_forwarded).transpose()?.flatten().map(|last| last.stream_seq);
    let oldest = of_host.map(|store| store.unrouted(1)).transpose()?.unwrap_or_default();
    let age = |since: Timestamp| u64::try_from(Timestamp::now().0.saturating_sub(since.0) / 1_000).unwrap_or_default();
    Ok(FleetStatus {
        oldest_s: oldest.first().map(|event| age(event.received_at)),
        last_acknowledged: last_acknowledged.filter(|sequence| *sequence > 0),
        role: if is_host { "host" } else { "worker" },
        host,
        forwarded: is_host.then_some(ledger.forwarded),
        waiting: is_host.then_some(ledger.unrouted),
        received,
        broker,
        error,
    })
}

fn text(status: &FleetStatus) -> String {
    let mut lines = vec![format!("{} {} of a fleet", status.role, status.host)];
    if let (Some(forwarded), Some(waiting)) = (status.forwarded, status.waiting) {
        let oldest = status.oldest_s.map(|age| format!(", the oldest for {}", duration_text(Duration::from_secs(age))));
        lines.push(format!("events: {forwarded} forwarded, {waiting} waiting{}", oldest.unwrap_or_default()));
    }
    if let Some(received) = status.received {
        let last = status.broker.as_ref().and_then(|broker| Some(broker.stream?.last));
        let behind = last.map(|last| last.saturating_sub(received)).filter(|behind| *behind > 0);
        let behind = behind.map(|behind| format!(", {} behind", counted(behind, "message"))).unwrap_or_default();
        lines.push(format!("stream: received up to message {received}{behind}"));
    }
    match (&status.broker, &status.error) {
        (Some(broker), _) => {
            lines.push(format!("broker: nats-server {}", one_line(&broker.version)));
            if let Some(stream) = &broker.stream {
                let bytes =
                    if stream.bytes < 1 << 10 { counted(stream.bytes, "byte") } else { size_text(stream.bytes) };
                let used = stream.bytes.saturating_mul(100).checked_div(stream.max_bytes).unwrap_or_default();
                lines.push(format!(
                    "        {} of {bytes} ({used} % of {}), up to message {}; all up to {} settled",
                    counted(stream.messages, "message"),
                    size_text(stream.max_bytes),
                    stream.last,
                    broker.settled
                ));
            }
            lines.extend(broker.hosts.as_ref().map(hosts));
            lines.extend(workers(&status.host, broker));
        }
        (None, Some(error)) => lines.push(format!("broker: {error}")),
        (None, None) => {}
    }
    lines.push(String::new());
    lines.join("\n")
}

/// Who works; where there are several workers or shards, on which shard.
fn workers(own: &str, BrokerStatus { worker, shards, workers, .. }: &BrokerStatus) -> Vec<String> {
    let mut lines = Vec::new();
    if shards.len() < 2 && workers.len() < 2 {
        lines.push(match worker {
            Some(worker) => format!("worker: {}", one_line(worker)),
            None => "worker: none; events wait with the broker".to_owned(),
        });
    } else {
        let shown = |name: &str| if name == own { format!("{} (this one)", one_line(name)) } else { one_line(name) };
        let names: Vec<_> = workers.iter().map(|worker| shown(&worker.name)).collect();
        let names = if names.is_empty() { "none; events wait with the broker".to_owned() } else { names.join(", ") };
        lines.push(format!("workers: {names}"));
        lines.extend(shards.iter().map(|shard| {
            let worker = shard.worker.as_deref().map_or_else(|| "no worker".to_owned(), shown);
            format!("        {}: {worker}, settled up to {}", one_line(&shard.name), shard.settled)
        }));
    }
    for worker in workers.iter().filter(|worker| !worker.differs.is_empty()) {
        let shards: Vec<_> = worker.differs.iter().map(|shard| one_line(shard)).collect();
        lines.push(format!(
            "        {} (banhook {}) has another configuration of {}",
            one_line(&worker.name),
            one_line(&worker.version),
            shards.join(", ")
        ));
    }
    lines
}

/// Names that a line lists.
const LISTED: usize = 20;

/// `hosts: 48 heard, 2 silent (web-7, web-9), 1 with a backlog (web-3: 12 events, 5 min)`
fn hosts(HostsStatus { heard, silent, with_backlog }: &HostsStatus) -> String {
    let mut parts = vec![format!("{heard} heard")];
    let names = |names: Vec<String>| {
        let more = names.len().saturating_sub(LISTED);
        let shown = names.into_iter().take(LISTED).map(|name| one_line(&name)).collect::<Vec<_>>().join(", ");
        if more > 0 { format!("{shown} and {more} more") } else { shown }
    };
    if !silent.is_empty() {
        parts.push(format!("{} silent ({})", silent.len(), names(silent.clone())));
    }
    if !with_backlog.is_empty() {
        let backlog = |host: &HostBacklog| {
            let oldest = duration_text(Duration::from_secs(host.oldest_s));
            format!("{}: {} for {oldest}", host.host, counted(u32::try_from(host.waiting).unwrap_or(u32::MAX), "event"))
        };
        let listed = names(with_backlog.iter().map(backlog).collect());
        parts.push(format!("{} with a backlog ({listed})", with_backlog.len()));
    }
    format!("hosts:  {}", parts.join(", "))
}

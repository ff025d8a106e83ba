//! Whether the broker of a fleet can be reached, and a worker reads from it.

use tokio::runtime::Builder;

use super::finding::Finding;
use crate::cli::global_options::host_name;
use crate::config::{Config, Fleet, size_text};
use crate::fleet::{BrokerStatus, HostsStatus, Shards, StreamStatus, WorkerStatus, broker_status};
use crate::message::one_line;
use crate::phrase::{counted, listed};

const CHECK: &str = "fleet";

/// How much of the stream may be in use before somebody should look, in percent.
const USED_MAX: u64 = 80;

/// How far this machine's clock may be from the broker's before somebody should look, in ms.
const CLOCK_MAX_MS: u64 = 30_000;

/// Silent hosts that are named.
const NAMED: usize = 5;

/// Asks the broker, which answers or not within some seconds.
pub(super) fn findings(config: &Config, fleet: &Fleet) -> Vec<Finding> {
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return vec![Finding::warn(CHECK, format!("not checked: {error}"), "run doctor again")],
    };
    let host = config.event_defaults(&host_name()).host;
    let status = runtime.block_on(broker_status(fleet, &host, &Shards::of(config)));
    // A name that the system still looks up would hold the runtime.
    runtime.shutdown_background();
    match status {
        Ok(BrokerStatus { version, worker: Some(worker), stream, hosts, workers, clock_ahead_ms, .. }) => {
            let who = match &workers[..] {
                [] | [_] => format!("{worker} is the worker"),
                several => {
                    let names: Vec<_> = several.iter().map(|worker| one_line(&worker.name)).collect();
                    format!("{} are the workers", listed(names.iter().map(String::as_str), "and"))
                }
            };
            let answers = Finding::ok(CHECK, format!("the broker (nats-server {version}) answers, and {who}"));
            let of_worker = stream.map(of_stream).into_iter().chain(hosts.as_ref().and_then(of_hosts));
            let of_clock = clock_ahead_ms.and_then(of_clock);
            [answers].into_iter().chain(of_clock).chain(of_worker).chain(workers.iter().filter_map(differing)).collect()
        }
        Ok(BrokerStatus { version, worker: None, .. }) => vec![Finding::fail(
            CHECK,
            format!("the broker (nats-server {version}) answers, and no worker is running: events wait there"),
            "start banhook on the worker (systemctl start banhook)",
        )],
        Err(error) => vec![Finding::fail(
            CHECK,
            error.to_string(),
            "see that servers and nkey_file under [fleet] are right, and that nats-server is running",
        )],
    }
}

/// Warns of a clock that is far from the broker's: the times of events are those of the hosts' clocks.
fn of_clock(ahead_ms: i64) -> Option<Finding> {
    let seconds = ahead_ms.unsigned_abs() / 1_000;
    let which = if ahead_ms > 0 { "ahead of" } else { "behind" };
    let problem = format!("this machine's clock is {seconds} s {which} the broker's");
    let remedy = "have both set by NTP (timedatectl set-ntp true): the times of bans come from the hosts";
    (ahead_ms.unsigned_abs() > CLOCK_MAX_MS).then(|| Finding::warn(CHECK, problem, remedy))
}

/// How much of the stream is in use, and whether another server has it, too.
fn of_stream(StreamStatus { bytes, max_bytes, replicas, is_in_cluster, .. }: StreamStatus) -> Finding {
    let used = bytes.saturating_mul(100).checked_div(max_bytes).unwrap_or_default();
    let most = size_text(max_bytes);
    if used >= USED_MAX {
        let problem = format!("the broker's stream has {used} % of the {most} that it takes; hosts hold events then");
        return Finding::warn(CHECK, problem, "see `banhook status` for suspended webhooks, or raise stream_size");
    }
    let copies = match replicas {
        0 | 1 => "on one server, which has to sync each event (sync_interval: always)".to_owned(),
        more => format!("on {more} servers"),
    };
    let found = Finding::ok(CHECK, format!("the stream has {used} % of {most}, {copies}"));
    // Nothing is lost, but nothing is delivered while that one is down.
    let better = "the broker is a cluster: replicas = 3 on the worker has the streams on three servers";
    Finding { remedy: (is_in_cluster && replicas <= 1).then(|| better.to_owned()), ..found }
}

/// Warns of a worker with another configuration.
fn differing(WorkerStatus { name, version, differs }: &WorkerStatus) -> Option<Finding> {
    let shards: Vec<_> = differs.iter().take(NAMED).map(|shard| format!("\"{}\"", one_line(shard))).collect();
    let more = differs.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let problem = format!(
        "the worker {} (banhook {}) has another configuration of what is sent to {}{more}",
        one_line(name),
        one_line(version),
        shards.join(", ")
    );
    let remedy = "have the same webhooks, routes, plugins and release of banhook on all workers";
    (!differs.is_empty()).then(|| Finding::warn(CHECK, problem, remedy))
}

/// Warns of silent hosts.
fn of_hosts(HostsStatus { silent, .. }: &HostsStatus) -> Option<Finding> {
    let named: Vec<_> = silent.iter().take(NAMED).map(|host| one_line(host)).collect();
    let more = match silent.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let count = counted(silent.len() as u64, "host");
    let remedy = "run `banhook doctor` there; `banhook fleet status` lists all of them";
    (!silent.is_empty()).then(|| Finding::warn(CHECK, format!("{count} silent: {}{more}", named.join(", ")), remedy))
}

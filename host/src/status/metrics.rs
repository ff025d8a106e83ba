//! The state of a store as metrics, in the text format of Prometheus.
//!
//! What a store holds now is a gauge: the number of dead messages falls when they are retried. What only ever happens is a
//! counter, and most of these are a daemon's (`counters`).

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{Gauge, GaugeVec, IntCounter, Opts, Registry, TextEncoder};

use super::logs::LogStatus;
use super::report::StatusReport;
use crate::counters::{Counters, OTHER};
use crate::event::Timestamp;

/// Logs that have metrics of their own; the others' count as one.
const LOGS_MAX: usize = 100;

/// Writes the report, and what a daemon counted, as of `now`.
pub(crate) fn metrics(
    report: &StatusReport,
    counters: Option<&Counters>,
    now: Timestamp,
) -> Result<String, prometheus::Error> {
    let gauges = Metrics(Registry::new());
    gauges.of_store(report, now)?;
    gauges.of_webhooks(report, now)?;
    gauges.of_plugins(report, now)?;
    gauges.of_logs(report)?;
    gauges.of_forwarding(report, now)?;
    let mut families = gauges.0.gather();
    families.extend(counters.map(Counters::families).unwrap_or_default());
    TextEncoder::new().encode_to_string(&families)
}

struct Metrics(Registry);

impl Metrics {
    fn register<C: Collector + Clone + 'static>(&self, collector: &C) -> Result<(), prometheus::Error> {
        self.0.register(Box::new(collector.clone()))
    }

    fn gauge(&self, name: &str, help: &str, value: f64) -> Result<(), prometheus::Error> {
        let gauge = Gauge::new(name, help)?;
        gauge.set(value);
        self.register(&gauge)
    }

    fn gauges<'a, const N: usize>(
        &self,
        (name, help): (&str, &str),
        labels: [&str; N],
        values: impl IntoIterator<Item = ([&'a str; N], f64)>,
    ) -> Result<(), prometheus::Error> {
        let gauges = GaugeVec::new(Opts::new(name, help), &labels)?;
        for (labels, value) in values {
            gauges.with_label_values(&labels).set(value);
        }
        self.register(&gauges)
    }

    fn of_store(&self, report: &StatusReport, now: Timestamp) -> Result<(), prometheus::Error> {
        let version = env!("CARGO_PKG_VERSION");
        self.gauges(("banhook_build_info", "The version of banhook; always 1."), ["version"], [([version], 1.0)])?;
        self.gauge("banhook_metrics_timestamp_seconds", "When these metrics were written.", seconds(now))?;
        self.gauge("banhook_running", "Whether a process routes and delivers.", flag(report.running))?;
        let is_valid = flag(report.configuration_error.is_none());
        self.gauge("banhook_configuration_valid", "Whether the configuration can be loaded.", is_valid)?;
        let help = "Whether every event is counted in exactly one state.";
        self.gauge("banhook_ledger_balanced", help, flag(report.balances))?;
        self.gauge("banhook_mutes", "Mutes that have not ended.", count(report.mutes.len() as u64))?;
        let problems = count(report.spool.len() as u64);
        self.gauge("banhook_spool_problems", "What keeps events in the spool from being received.", problems)?;
        let ledger = &report.ledger;
        let received = IntCounter::new("banhook_events_received_total", "Events that were stored.")?;
        received.inc_by(ledger.received);
        self.register(&received)?;
        self.gauges(
            ("banhook_events", "Events by state: the sum is banhook_events_received_total."),
            ["state"],
            [
                (["unrouted"], count(ledger.unrouted)),
                (["unmatched"], count(ledger.unmatched)),
                (["forwarded"], count(ledger.forwarded)),
                (["quarantined"], count(ledger.quarantined)),
                (["routed"], count(ledger.routed)),
            ],
        )?;
        let of_route = ledger.routes.iter().flat_map(|(route, counts)| {
            [
                ("posted", counts.posted),
                ("digested", counts.digested),
                ("skipped", counts.skipped),
                ("dead", counts.dead),
                ("pending", counts.pending),
            ]
            .map(|(state, events)| ([route.as_str(), state], count(events)))
        });
        self.gauges(("banhook_route_events", "Events that the route matched, by state."), ["route", "state"], of_route)
    }

    fn of_webhooks(&self, report: &StatusReport, now: Timestamp) -> Result<(), prometheus::Error> {
        let messages = report.webhooks.iter().flat_map(|(webhook, queue)| {
            [("pending", queue.pending), ("open", queue.open), ("dead", queue.dead)]
                .map(|(state, messages)| ([webhook.as_str(), state], count(messages)))
        });
        let help = "Messages that are not sent: pending, open (digests that events still join) or dead.";
        self.gauges(("banhook_messages", help), ["webhook", "state"], messages)?;
        let ages = report.webhooks.iter().map(|(webhook, queue)| {
            let age = queue.oldest_pending_at.map_or(0.0, |at| seconds(Timestamp(now.0.saturating_sub(at.0))));
            ([webhook.as_str()], age)
        });
        let help = "Time since the first event of all pending messages and open digests was received; 0 without any.";
        self.gauges(("banhook_oldest_pending_age_seconds", help), ["webhook"], ages)?;
        let suspended =
            report.webhooks.iter().map(|(name, queue)| ([name.as_str()], flag(queue.suspended_at.is_some())));
        let help = "Whether the webhook takes no more messages until its URL is corrected.";
        self.gauges(("banhook_webhook_suspended", help), ["webhook"], suspended)
    }

    fn of_plugins(&self, report: &StatusReport, now: Timestamp) -> Result<(), prometheus::Error> {
        let failing = report.plugins.iter().map(|(route, plugin)| ([route.as_str()], flag(plugin.error.is_some())));
        let help = "Whether the plugin, or a newer version of it, could not be loaded, or its last call failed.";
        self.gauges(("banhook_plugin_failing", help), ["route"], failing)?;
        let is_paused = |until: Option<Timestamp>| flag(until.is_some_and(|until| now < until));
        let paused = report.plugins.iter().map(|(route, plugin)| ([route.as_str()], is_paused(plugin.paused_until)));
        self.gauges(("banhook_plugin_paused", "Whether the plugin is paused after failures."), ["route"], paused)
    }

    /// Of a host of a fleet.
    fn of_forwarding(&self, report: &StatusReport, now: Timestamp) -> Result<(), prometheus::Error> {
        let Some(events) = report.to_forward else { return Ok(()) };
        let help = "On a host of a fleet: events that are to be forwarded to the broker, again or for the first time.";
        self.gauge("banhook_fleet_waiting_events", help, count(events))?;
        let age = |since: Timestamp| seconds(Timestamp(now.0.saturating_sub(since.0)));
        let help = "Time since the oldest event was received that the broker has never had; 0 without any.";
        self.gauge("banhook_fleet_oldest_waiting_age_seconds", help, report.unforwarded_since.map_or(0.0, age))
    }

    fn of_logs(&self, report: &StatusReport) -> Result<(), prometheus::Error> {
        let mut logs: Vec<_> = report.logs.iter().map(|(name, log)| (name.as_str(), of_log(log))).collect();
        if logs.len() > LOGS_MAX {
            let others = logs.split_off(LOGS_MAX);
            let lag = others.iter().map(|(_, (lag, ..))| lag).sum();
            let problem = others.iter().fold(0.0, |any: f64, (_, (_, problem, _))| any.max(*problem));
            logs.push((OTHER, (lag, problem, None)));
        }
        let lags = logs.iter().map(|(log, (lag, ..))| ([*log], *lag));
        self.gauges(("banhook_log_lag_bytes", "What has not been read of the log."), ["log"], lags)?;
        let problems = logs.iter().map(|(log, (_, problem, _))| ([*log], *problem));
        let help = "Whether the log, or one of them, cannot be read or understood.";
        self.gauges(("banhook_log_problem", help), ["log"], problems)?;
        let last = logs.iter().filter_map(|(log, (.., last))| Some(([*log], (*last)?)));
        self.gauges(("banhook_log_last_event_timestamp_seconds", "The time of the log's last event."), ["log"], last)
    }
}

/// The lag, whether there is a problem, and the time of the last event.
fn of_log(log: &LogStatus) -> (f64, f64, Option<f64>) {
    (log.lag.map_or(0.0, count), flag(log.problem.is_some()), log.last_event_at.map(seconds))
}

fn flag(is_set: bool) -> f64 {
    f64::from(u8::from(is_set))
}

/// A count, exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "Prometheus has floating-point numbers only")]
fn count(count: u64) -> f64 {
    count as f64
}

/// Seconds since 1970, or 0 before.
fn seconds(at: Timestamp) -> f64 {
    let since = Duration::from_millis(at.0.try_into().unwrap_or_default());
    since.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::store::{Ledger, StateDir};

    #[test]
    fn logs_beyond_the_limit_count_as_other() {
        let folder = tempfile::tempdir().unwrap();
        let folder = StateDir::new(folder.path().join("state"));
        let mut report = StatusReport::read(&folder, None, |_| None, false).unwrap();
        assert_eq!(report.ledger, Ledger::default());
        let log = |n: u64| LogStatus {
            lag: Some(n),
            problem: (n == 150).then(|| "unread".to_owned()),
            last_event_at: Some(Timestamp(1_500)),
            ..LogStatus::default()
        };
        report.logs = (0..200).map(|n| (format!("/log/{n:03}\"\n"), log(n))).collect::<BTreeMap<_, _>>();
        let text = metrics(&report, None, Timestamp(2_500)).unwrap();
        let lines: Vec<_> = text.lines().filter(|line| line.starts_with("banhook_log_lag_bytes{")).collect();
        assert_eq!(lines.len(), LOGS_MAX + 1);
        assert!(lines.contains(&"banhook_log_lag_bytes{log=\"/log/099\\\"\\n\"} 99"), "{text}");
        let rest: u64 = (100..200).sum();
        assert!(lines.contains(&&*format!("banhook_log_lag_bytes{{log=\"other\"}} {rest}")), "{text}");
        assert!(text.contains("\nbanhook_log_problem{log=\"other\"} 1\n"), "{text}");
        assert!(text.contains("\nbanhook_log_last_event_timestamp_seconds{log=\"/log/000\\\"\\n\"} 1.5\n"), "{text}");
        assert!(text.contains("\nbanhook_metrics_timestamp_seconds 2.5\n"), "{text}");
    }
}

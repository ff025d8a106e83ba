//! What a daemon counts while it runs: the events that it routes, its attempts to deliver, and its calls of plugins.
//!
//! The counts begin at 0 with the daemon, which Prometheus expects of counters. What the store knows is in `status`.
//!
//! No label has an address: each would become a time series that is kept for ever. Names of jails and hosts come from
//! outside, so only the first ones have a series of their own.

mod fleet;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus::proto::MetricFamily;
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry};

use crate::event::{Event, Kind};
pub(crate) use fleet::{BrokerGauges, ForwardingGauges, Refusal, StreamGauges, StreamPlaces};

/// Jails that are counted under their own names. The events of all others count under [`OTHER`].
pub(crate) const JAILS_MAX: usize = 100;

/// Hosts that are counted under their own names.
pub(crate) const HOSTS_MAX: usize = 100;

/// The name under which everything beyond a limit counts.
pub(crate) const OTHER: &str = "other";

/// Bytes of a jail's or host's name that are kept.
const NAME_BYTES: usize = 100;

/// Upper bounds of the time that a plugin takes, in seconds. The template plugin takes about 0.1 ms.
const CALL_SECONDS: [f64; 10] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0];

/// The counters, which clones share.
#[derive(Clone)]
pub(crate) struct Counters {
    registry: Registry,
    jail_events: IntCounterVec,
    host_events: IntCounterVec,
    attempts: IntCounterVec,
    finished: IntCounterVec,
    plugin_calls: HistogramVec,
    plugin_failures: IntCounterVec,
    fleet_hosts: IntGaugeVec,
    jails: Arc<Names>,
    hosts: Arc<Names>,
}

/// How a message ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finished {
    /// The webhook accepted it.
    Sent,
    /// It is not sent any more, unless somebody retries it.
    Dead,
}

impl Counters {
    /// Returns counters that are all 0.
    ///
    /// # Errors
    /// Never with the names below.
    pub(crate) fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let seconds = HistogramOpts::new("banhook_plugin_call_seconds", "Time that calls of the plugin took.")
            .buckets(CALL_SECONDS.to_vec());
        let plugin_calls = HistogramVec::new(seconds, &["route"])?;
        registry.register(Box::new(plugin_calls.clone()))?;
        let fleet_hosts = IntGaugeVec::new(
            Opts::new(
                "banhook_fleet_hosts",
                "On the worker of a fleet: hosts that are heard, silent, or have events for over a minute.",
            ),
            &["state"],
        )?;
        registry.register(Box::new(fleet_hosts.clone()))?;
        Ok(Self {
            fleet_hosts,
            jail_events: counter(
                "banhook_jail_events_total",
                "Events that the daemon routed, by jail; those of further jails count as \"other\".",
                &["jail", "kind"],
            )?,
            host_events: counter(
                "banhook_host_events_total",
                "Events that the daemon routed, by host; those of further hosts count as \"other\".",
                &["host"],
            )?,
            attempts: counter(
                "banhook_delivery_attempts_total",
                "Attempts to deliver a message, by what the answer means.",
                &["webhook", "result"],
            )?,
            finished: counter(
                "banhook_messages_finished_total",
                "Messages that were sent, or became dead: rejected, or too old.",
                &["webhook", "state"],
            )?,
            plugin_failures: counter(
                "banhook_plugin_failures_total",
                "Calls of the plugin that failed, and messages of it that cannot be sent.",
                &["route"],
            )?,
            plugin_calls,
            registry,
            jails: Arc::new(Names::at_most(JAILS_MAX)),
            hosts: Arc::new(Names::at_most(HOSTS_MAX)),
        })
    }

    /// Counts events that were routed.
    pub(crate) fn events(&self, counts: &EventCounts) {
        for (jail, kinds) in &counts.jails {
            let jail = self.jails.admit(jail);
            for (kind, events) in kinds {
                self.jail_events.with_label_values(&[jail, kind.as_str()]).inc_by(*events);
            }
        }
        for (host, events) in &counts.hosts {
            self.host_events.with_label_values(&[self.hosts.admit(host)]).inc_by(*events);
        }
    }

    /// Counts an attempt. `result`: one of a few words.
    pub(crate) fn attempt(&self, webhook: &str, result: &'static str) {
        self.attempts.with_label_values(&[webhook, result]).inc();
    }

    /// Notes how many hosts of a fleet are in each state.
    pub(crate) fn hosts_of_fleet(&self, states: [(&str, u64); 3]) {
        for (state, hosts) in states {
            self.fleet_hosts.with_label_values(&[state]).set(i64::try_from(hosts).unwrap_or(i64::MAX));
        }
    }

    /// Adds what a member of a fleet knows of its broker. To be called once.
    pub(crate) fn of_broker(&self) -> Result<BrokerGauges, prometheus::Error> {
        BrokerGauges::new(&self.registry)
    }

    /// Adds what becomes of the events of a host of a fleet. To be called once.
    pub(crate) fn of_forwarding(&self) -> Result<ForwardingGauges, prometheus::Error> {
        ForwardingGauges::new(&self.registry)
    }

    /// Adds where the worker of a fleet is in the stream. To be called once.
    pub(crate) fn of_stream(&self) -> Result<StreamGauges, prometheus::Error> {
        StreamGauges::new(&self.registry)
    }

    /// Counts messages that ended.
    pub(crate) fn finished(&self, webhook: &str, state: Finished, messages: u64) {
        let state = match state {
            Finished::Sent => "sent",
            Finished::Dead => "dead",
        };
        self.finished.with_label_values(&[webhook, state]).inc_by(messages);
    }

    /// Returns the counters of a route's plugin, looked up once and not for each event.
    pub(crate) fn of_plugin(&self, route: &str) -> PluginCounters {
        PluginCounters {
            calls: self.plugin_calls.with_label_values(&[route]),
            failures: self.plugin_failures.with_label_values(&[route]),
        }
    }

    /// Lets the counters of these routes exist before their first event, so that the first failure is an increase.
    pub(crate) fn prepare<'a>(
        &self,
        routes: impl IntoIterator<Item = &'a str>,
        webhooks: impl IntoIterator<Item = &'a str>,
    ) {
        for route in routes {
            self.of_plugin(route);
        }
        for webhook in webhooks {
            self.finished(webhook, Finished::Sent, 0);
            self.finished(webhook, Finished::Dead, 0);
        }
    }

    /// Returns what was counted.
    pub(crate) fn families(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }
}

/// The counters of one route's plugin.
pub(crate) struct PluginCounters {
    calls: Histogram,
    failures: IntCounter,
}

impl PluginCounters {
    /// Counts a call.
    pub(crate) fn call(&self, took: Duration) {
        self.calls.observe(took.as_secs_f64());
    }

    /// Counts a call that failed, or a message that cannot be sent.
    pub(crate) fn failure(&self) {
        self.failures.inc();
    }
}

/// How many events there were.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct EventCounts {
    jails: BTreeMap<String, BTreeMap<Kind, u64>>,
    hosts: BTreeMap<String, u64>,
}

impl EventCounts {
    /// Adds an event.
    pub(crate) fn add(&mut self, event: &Event) {
        let kind = event.kind();
        match self.jails.get_mut(&event.jail) {
            Some(kinds) => *kinds.entry(kind).or_default() += 1,
            None => drop(self.jails.insert(event.jail.clone(), BTreeMap::from([(kind, 1)]))),
        }
        match self.hosts.get_mut(&event.host) {
            Some(events) => *events += 1,
            None => drop(self.hosts.insert(event.host.clone(), 1)),
        }
    }
}

/// The names that have a series of their own: the first ones that came.
struct Names {
    admitted: Mutex<BTreeSet<String>>,
    max: usize,
}

impl Names {
    fn at_most(max: usize) -> Self {
        Self { admitted: Mutex::default(), max }
    }

    /// Returns the name, or [`OTHER`] if there are enough others already, or it is too long.
    fn admit<'a>(&self, name: &'a str) -> &'a str {
        let mut admitted = self.admitted.lock().unwrap_or_else(PoisonError::into_inner);
        if admitted.contains(name) {
            return name;
        }
        if admitted.len() >= self.max || name.len() > NAME_BYTES {
            return OTHER;
        }
        admitted.insert(name.to_owned());
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Ban, EventDetails, Timestamp};

    #[test]
    fn names_beyond_the_limit_count_as_other() {
        let counters = Counters::new().unwrap();
        let event = |jail: String, host: String| Event {
            id: String::new(),
            at: Timestamp(0),
            host,
            jail,
            details: EventDetails::Ban(Ban::default()),
            labels: BTreeMap::new(),
        };
        let count = |event: Event| {
            let mut counts = EventCounts::default();
            counts.add(&event);
            counters.events(&counts);
        };
        for n in 0..1_000 {
            count(event(format!("jail-{n}"), format!("host-{n}")));
        }
        count(event("jail-0".to_owned(), "h".repeat(NAME_BYTES + 1)));
        let families = counters.families();
        let series = |name: &str| {
            let family = families.iter().find(|family| family.name() == name).unwrap();
            let of = |label: &str| {
                let has = |metric: &&prometheus::proto::Metric| metric.get_label().iter().any(|l| l.value() == label);
                family.get_metric().iter().find(has).map(|metric| metric.get_counter().get_value())
            };
            (family.get_metric().len(), of(OTHER), of("jail-0"), of("jail-999"))
        };
        assert_eq!(series("banhook_jail_events_total"), (JAILS_MAX + 1, Some(900.0), Some(2.0), None));
        assert_eq!(series("banhook_host_events_total"), (HOSTS_MAX + 1, Some(901.0), None, None));
    }
}

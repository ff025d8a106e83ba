//! What a daemon of a fleet knows of its broker: that it is connected, what a host's events met there, and how far the worker is.

use prometheus::core::Collector;
use prometheus::{Gauge, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// The connection to the broker.
#[derive(Clone)]
pub(crate) struct BrokerGauges {
    up: IntGauge,
    info: IntGaugeVec,
}

/// What becomes of a host's events.
#[derive(Clone)]
pub(crate) struct ForwardingGauges {
    acknowledged_at: Gauge,
    again: IntCounter,
    refused: IntCounterVec,
}

/// Why the broker does not take an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The stream is full.
    StreamFull,
    /// It has as many events of the host as it takes.
    HostFull,
    /// Another reason, such as rights.
    Other,
}

impl Refusal {
    const ALL: [Self; 3] = [Self::StreamFull, Self::HostFull, Self::Other];

    const fn label(self) -> &'static str {
        match self {
            Self::StreamFull => "stream_full",
            Self::HostFull => "host_full",
            Self::Other => "other",
        }
    }
}

/// Where the worker is in the stream.
#[derive(Clone)]
pub(crate) struct StreamGauges {
    last: IntGauge,
    received: IntGauge,
    settled: IntGauge,
    oldest_unsettled: Gauge,
    bytes: IntGauge,
    max_bytes: IntGauge,
}

/// Where the worker is in the stream, by sequences of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StreamPlaces {
    /// The last message that the broker has.
    pub last: u64,
    /// The last one that the worker has received.
    pub received: u64,
    /// All up to this one are settled.
    pub settled: u64,
    /// For how long the one after that is with the broker, in ms.
    pub oldest_unsettled_ms: u64,
    /// What the stream has, and takes at most.
    pub bytes: u64,
    pub max_bytes: u64,
}

fn registered<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> Result<C, prometheus::Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

impl BrokerGauges {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let up = "On a member of a fleet: whether it is connected to the broker.";
        let info = Opts::new("banhook_fleet_broker_info", "The release of the broker; always 1.");
        Ok(Self {
            up: registered(registry, IntGauge::new("banhook_fleet_broker_up", up)?)?,
            info: registered(registry, IntGaugeVec::new(info, &["version"])?)?,
        })
    }

    /// Notes that it is connected, or was when it was last asked; `None`: it is not.
    pub(crate) fn set(&self, version: Option<&str>) {
        self.up.set(i64::from(version.is_some()));
        if let Some(version) = version {
            self.info.reset();
            self.info.with_label_values(&[version]).set(1);
        }
    }
}

impl ForwardingGauges {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let acknowledged = "When the broker acknowledged an event last, since the daemon was started; 0 before.";
        let again = "Events that the broker had lost, and that are forwarded again.";
        let refused = Opts::new("banhook_fleet_refused_total", "Answers of the broker that it does not take an event.");
        let gauges = Self {
            acknowledged_at: registered(
                registry,
                Gauge::new("banhook_fleet_last_acknowledged_timestamp_seconds", acknowledged)?,
            )?,
            again: registered(registry, IntCounter::new("banhook_fleet_forwarded_again_total", again)?)?,
            refused: registered(registry, IntCounterVec::new(refused, &["reason"])?)?,
        };
        // So that the first one is an increase.
        for reason in Refusal::ALL {
            gauges.refused.with_label_values(&[reason.label()]).inc_by(0);
        }
        Ok(gauges)
    }

    /// Notes that events were acknowledged, at a time in s since 1970.
    pub(crate) fn acknowledged(&self, at_s: f64) {
        self.acknowledged_at.set(at_s);
    }

    /// Counts events that are to be forwarded again.
    pub(crate) fn again(&self, events: u64) {
        self.again.inc_by(events);
    }

    /// Counts an answer that the broker does not take an event.
    pub(crate) fn refused(&self, reason: Refusal) {
        self.refused.with_label_values(&[reason.label()]).inc();
    }
}

impl StreamGauges {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str| registered(registry, IntGauge::new(name, help)?);
        let age = "For how long the oldest event is with the broker that is not settled; 0 without any.";
        Ok(Self {
            last: gauge("banhook_fleet_stream_last_sequence", "The number of the broker's last event.")?,
            received: gauge("banhook_fleet_stream_received_sequence", "The number of the last event received.")?,
            settled: gauge("banhook_fleet_stream_settled_sequence", "All events up to this number are settled.")?,
            oldest_unsettled: registered(registry, Gauge::new("banhook_fleet_oldest_unsettled_age_seconds", age)?)?,
            bytes: gauge("banhook_fleet_stream_bytes", "Bytes of the events that the broker has.")?,
            max_bytes: gauge("banhook_fleet_stream_max_bytes", "Bytes that the broker takes: stream_size.")?,
        })
    }

    /// Notes where it is.
    pub(crate) fn set(&self, places: StreamPlaces) {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.last.set(number(places.last));
        self.received.set(number(places.received));
        self.settled.set(number(places.settled));
        self.oldest_unsettled.set(std::time::Duration::from_millis(places.oldest_unsettled_ms).as_secs_f64());
        self.bytes.set(number(places.bytes));
        self.max_bytes.set(number(places.max_bytes));
    }
}

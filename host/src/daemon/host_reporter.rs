//! The thread of a fleet's worker that watches the hosts and announces those of which nothing is heard any more, in the log and
//! in the webhook of `[health]`.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::runtime::Builder;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::config::{Config, FleetRole};
use crate::counters::{Counters, StreamPlaces};
use crate::deliver::HealthWebhook;
use crate::event::Timestamp;
use crate::fleet::{HostChanges, HostCounts, HostWatch, Seen, StreamSeen};
use crate::message::one_line;
use crate::store::{Notice, Store, StoreError};

/// Names that a line of the log has.
const LOGGED: usize = 100;

/// The daemon's side of the thread; ends it on drop.
pub(super) struct HostReporter {
    health: watch::Sender<Option<HealthWebhook>>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread shares with the daemon.
pub(super) struct ReporterContext {
    /// Is notified of messages to be sent.
    pub sent: Arc<Notify>,
    pub system_host: String,
    pub now: fn() -> Timestamp,
    pub counters: Counters,
}

impl HostReporter {
    /// Starts the thread, if this is the worker of a fleet. What fails is logged: messages are delivered without it, too.
    /// `first_until`: until when the first shard is this worker's, which then reports what has changed.
    pub(super) fn start(
        config: &Config,
        store: &Store,
        context: ReporterContext,
        first_until: Option<watch::Receiver<Instant>>,
    ) -> Self {
        let (health, configured) = watch::channel(HealthWebhook::new(config));
        let (stop, stopped) = watch::channel(false);
        let mut reporter = Self { health, stop, thread: None };
        let fleet = config.fleet.clone().filter(|fleet| fleet.role == FleetRole::Worker);
        let Some((fleet, first_until)) = fleet.zip(first_until) else { return reporter };
        let host = config.event_defaults(&context.system_host).host;
        let watch = HostWatch::new(fleet, host, first_until);
        match begin(watch, store, context, configured, stopped) {
            Ok(thread) => reporter.thread = Some(thread),
            Err(error) => tracing::error!("the hosts of the fleet are not watched: {error}"),
        }
        reporter
    }

    /// Announces in the webhook of this configuration.
    pub(super) fn configure(&self, config: &Config) {
        self.health.send_replace(HealthWebhook::new(config));
    }
}

impl Drop for HostReporter {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        // A panic in it is no reason for the daemon to fail.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn begin(
    watch: HostWatch,
    store: &Store,
    context: ReporterContext,
    health: watch::Receiver<Option<HealthWebhook>>,
    stop: watch::Receiver<bool>,
) -> Result<JoinHandle<()>, Box<dyn std::error::Error>> {
    let (mut store, received) = (store.new_connection()?, store.new_connection()?);
    let (broker, stream) = (context.counters.of_broker()?, context.counters.of_stream()?);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let thread: io::Result<_> = std::thread::Builder::new().name("hosts".into()).spawn(move || {
        let report = |changes: &HostChanges| {
            log(changes);
            let announced = announce(&mut store, health.borrow().as_ref(), changes, (context.now)());
            if let Err(error) = &announced {
                tracing::error!("silent hosts are not announced, and tried again: {error}");
            }
            context.sent.notify_one();
            announced.is_ok()
        };
        let count = |seen: Seen| match seen {
            Seen::Connected(version) => broker.set(Some(&version)),
            Seen::Disconnected => broker.set(None),
            Seen::Hosts(HostCounts { heard, silent, with_backlog }) => {
                context.counters.hosts_of_fleet([("heard", heard), ("silent", silent), ("backlog", with_backlog)]);
            }
            Seen::Stream(seen) => stream.set(places(seen, &received)),
        };
        runtime.block_on(watch.run(report, count, stop));
    });
    Ok(thread?)
}

/// Says where the worker is. What it has received is known once something is, and its receipts stay until it is settled.
fn places(seen: StreamSeen, store: &Store) -> StreamPlaces {
    let StreamSeen { last, settled, oldest_unsettled_ms, bytes, max_bytes } = seen;
    let received = store.last_stream_position().unwrap_or_else(|error| {
        tracing::warn!("the metrics do not say how far the stream is read: {error}");
        None
    });
    let received = received.map_or(settled, |position| position.sequence.max(settled));
    StreamPlaces { last, received, settled, oldest_unsettled_ms, bytes, max_bytes }
}

fn log(HostChanges { silent, back }: &HostChanges) {
    let shown = |names: &[String]| names.iter().take(LOGGED).map(|name| one_line(name)).collect::<Vec<_>>().join(" ");
    if !silent.is_empty() {
        tracing::error!(hosts = silent.len(), "HOSTS SILENT: nothing is heard any more of {}", shown(silent));
    }
    if !back.is_empty() {
        tracing::info!(hosts = back.len(), "hosts are heard again: {}", shown(back));
    }
}

fn announce(
    store: &mut Store,
    health: Option<&HealthWebhook>,
    changes: &HostChanges,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(health) = health else { return Ok(()) };
    let notices: Vec<Notice> = [(&changes.silent, true), (&changes.back, false)]
        .into_iter()
        .filter(|(hosts, _)| !hosts.is_empty())
        .map(|(hosts, are_silent)| health.hosts(hosts, are_silent, now))
        .collect();
    store.announce(&notices, now)
}

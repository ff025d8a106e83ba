//! The thread that sends reports when they are due, and says when a route has heard of no ban for long.
//!
//! It has a connection to the store of its own, and counts bans for as long as that takes: no message waits for it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::civil::Date;
use tokio::sync::Notify;

use super::fleet_part::FleetPart;
use super::silence;
use crate::config::{Config, Report, Route, duration_text};
use crate::event::{Kind, Timestamp};
use crate::message::banhooks_own;
use crate::receive::heartbeat;
use crate::report::{Span, latest_slot, message, summarize};
use crate::store::{Notice, Store, StoreError};

/// How often it is looked whether a report is due.
const POLL_INTERVAL: Duration = Duration::from_secs(20);

/// How long after its start a daemon says nothing of silence.
const SETTLING_TIME: Duration = Duration::from_secs(30);

/// How late a report says that it is late, in ms.
const LATE_MS: i64 = 3_600_000;

/// How long after it was due another worker of the fleet has sent a report for sure.
const SENT_ELSEWHERE_MS: i64 = 600_000;

/// The daemon's side of the thread; ends it on drop.
pub(super) struct Reporter {
    configured: Option<Sender<Arc<Config>>>,
    thread: Option<JoinHandle<()>>,
    context: ReportContext,
}

impl Reporter {
    /// Starts nothing yet.
    pub(super) const fn new(context: ReportContext) -> Self {
        Self { configured: None, thread: None, context }
    }

    /// Sends the reports of this configuration. Starts the thread when that is needed for the first time. What fails is
    /// logged: messages are delivered without reports, too.
    pub(super) fn configure(&mut self, config: &Config, store: &Store) {
        if let Some(sender) = &self.configured {
            let _ = sender.send(Arc::new(config.clone()));
        } else if config.reports.is_empty() && watched(config).next().is_none() {
            // Of an earlier configuration nothing is left, also when it is that again.
            match store.new_connection() {
                Ok(mut store) => prepare(&mut store, config),
                Err(error) => tracing::error!("reports that are no longer configured are not forgotten: {error}"),
            }
        } else if let Err(error) = self.start(config, store) {
            tracing::error!("no reports are sent: {error}");
        }
    }

    fn start(&mut self, config: &Config, store: &Store) -> Result<(), Box<dyn std::error::Error>> {
        let (sender, receiver) = channel();
        let (store, config) = (store.new_connection()?, Arc::new(config.clone()));
        let context = self.context.clone();
        let thread =
            std::thread::Builder::new().name("reports".into()).spawn(move || context.run(store, config, &receiver))?;
        (self.configured, self.thread) = (Some(sender), Some(thread));
        Ok(())
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        self.configured = None;
        // A panic in it is no reason for the daemon to fail.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// What the thread needs.
#[derive(Clone)]
pub(super) struct ReportContext {
    /// Is notified of messages to be sent.
    pub sent: Arc<Notify>,
    pub system_host: String,
    pub now: fn() -> Timestamp,
    /// Of a fleet's worker.
    pub part: Option<FleetPart>,
}

impl ReportContext {
    /// Whether what is said of a route is said here, and not by another worker of the fleet.
    fn speaks_of(&self, route: &str) -> bool {
        self.part.as_ref().is_none_or(|part| part.term_for_route(route).is_some_and(|term| term.has_begun()))
    }

    fn run(&self, mut store: Store, mut config: Arc<Config>, configured: &Receiver<Arc<Config>>) {
        let begun = Instant::now();
        prepare(&mut store, &config);
        loop {
            // What was left while there was no daemon has been received by then.
            if begun.elapsed() >= SETTLING_TIME {
                self.watch_for_silence(&mut store, &config);
            }
            let mut newest = None;
            for report in &config.reports {
                // To count takes seconds, and whoever stops the daemon waits.
                match configured.try_recv() {
                    Ok(newer) => newest = Some(newer),
                    Err(TryRecvError::Disconnected) => return,
                    Err(TryRecvError::Empty) => {}
                }
                if newest.is_some() {
                    break;
                }
                if let Err(error) = self.send_if_due(&mut store, &config, report) {
                    let (route, at) = (&report.route, report.at.to_string());
                    tracing::error!(route, at, "report is not sent, and tried again: {error}");
                }
            }
            let newest = newest.map_or_else(|| configured.recv_timeout(POLL_INTERVAL), Ok);
            match newest {
                Ok(newer) => {
                    config = newer;
                    prepare(&mut store, &config);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn watch_for_silence(&self, store: &mut Store, config: &Config) {
        let host = config.event_defaults(&self.system_host).host;
        for route in watched(config) {
            match silence::watch(store, (config, &host), route, self.speaks_of(&route.name), (self.now)()) {
                Ok(true) => self.sent.notify_one(),
                Ok(false) => {}
                Err(error) => {
                    let route = &route.name;
                    tracing::error!(route, "whether it is silent is not known, and asked again: {error}");
                }
            }
        }
    }

    fn send_if_due(&self, store: &mut Store, config: &Config, report: &Report) -> Result<(), StoreError> {
        let Some(route) = config.routes.iter().find(|route| route.name == report.route) else { return Ok(()) };
        let now = (self.now)();
        let Some((day, due)) = latest_slot(report.at, &route.timezone, now) else { return Ok(()) };
        let (key, tomorrow) = (report.key(), day.tomorrow().unwrap_or(day));
        match store.last_report(&key)?.and_then(|last| last.parse::<Date>().ok()) {
            // Also where the clock was set back.
            Some(last) if (day..=tomorrow).contains(&last) => return Ok(()),
            Some(last) if last < day => {}
            // A report that was just configured is sent when it is due next. So is one that another clock has recorded.
            Some(_) | None => return store.record_report(&key, &day.to_string(), None, now),
        }
        if !self.speaks_of(&route.name) {
            // Another worker sends it. Should it not be there any more, this one does.
            let is_sent = now.0.saturating_sub(due.0) > SENT_ELSEWHERE_MS;
            return if is_sent { store.record_report(&key, &day.to_string(), None, now) } else { Ok(()) };
        }
        let lengths = (report.period, config.retention.history);
        let span = Span::ending(store, due, lengths, route.timezone.clone())?;
        let may_see = |jail: &str| route.mismatch(jail, Kind::Ban).is_none();
        let summary = summarize(store, &route.name, &may_see, &span, &report.geo)?;
        if let Some(fault) = summary.as_ref().and_then(|summary| summary.geo_fault.as_ref()) {
            tracing::warn!(route = route.name, "report without all countries and networks: {fault}");
        }
        let message = match (&summary, config.webhooks.get(&route.webhook)) {
            (Some(summary), Some(webhook)) => {
                let host = config.event_defaults(&self.system_host).host;
                let title = format!("{host}: {} on the route {}", duration_text(report.period), route.name);
                let late_since = Some(due).filter(|due| now.0.saturating_sub(due.0) > LATE_MS);
                let body = message(&title, summary, &span, late_since, route.redacted_fallback);
                Some(Notice {
                    webhook: route.webhook.clone(),
                    key: format!("report {key}"),
                    body: banhooks_own(&body, webhook.target),
                })
            }
            _ => {
                tracing::warn!(route = route.name, "report left out: the history cannot be counted within seconds");
                None
            }
        };
        store.record_report(&key, &day.to_string(), message.as_ref(), now)?;
        self.sent.notify_one();
        Ok(())
    }
}

/// The routes that say when they are silent.
fn watched(config: &Config) -> impl Iterator<Item = &Route> {
    config.routes.iter().filter(|route| route.quiet.is_some())
}

/// Forgets what is no longer configured, and has fail2ban asked if a route wants to know.
fn prepare(store: &mut Store, config: &Config) {
    let reports = config.reports.iter().map(Report::key);
    let keys: Vec<String> = reports.chain(watched(config).map(silence::key)).collect();
    if let Err(error) = store.keep_reports(&keys) {
        tracing::error!("reports that are no longer configured are not forgotten: {error}");
    }
    if let Err(error) = heartbeat::request(store.folder(), watched(config).next().is_some() && config.fleet.is_none()) {
        tracing::error!("whether fail2ban is asked if it runs cannot be changed: {error}");
    }
}

#[cfg(test)]
#[path = "reporter_tests.rs"]
mod tests;

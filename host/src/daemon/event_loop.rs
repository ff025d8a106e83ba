//! The event loop of a daemon: it waits for signals, changed files, the wake pipe and delivery, and acts on them.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::signal::unix::Signal;
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};

use super::daemon::{Daemon, ExitReason, RunMode};
use super::delivery_workers::DeliveryWorkers;
use super::error::DaemonError;
use super::exporter::Exporter;
use super::fleet_part::FleetPart;
use super::host_reporter::{HostReporter, ReporterContext};
use super::reporter::{ReportContext, Reporter};
use super::route_worker::WorkerContext;
use super::router::RouterCommand;
use super::watcher::{SETTLE_TIME, Watcher};
use crate::config::Config;
use crate::deliver::DeliveryError;
use crate::store::{Remaining, StoreError, YIELD};

/// How often the queues are polled without a wake-up.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How long a short run that gets SIGTERM goes on if something is left: what ends with fail2ban's service still has
/// "fail2ban stopped" to deliver.
const LAST_CHANCE: Duration = Duration::from_secs(4);

/// A daemon is ready without the plugins that take longer than this to load, and without the broker of its fleet; events stay
/// pending meanwhile.
const READY_TIMEOUT: Duration = Duration::from_secs(5);

/// How often it is said that the daemon is alive.
const ALIVE_INTERVAL: Duration = Duration::from_secs(1);

/// Longer than anything runs, and still a time that can be added to now.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Why the loop woke up.
enum Wakeup {
    Terminate,
    Interrupt,
    HangUp,
    FilesChanged,
    FilesSettled,
    TimeUp,
    DeliveryEnded(Result<(), DeliveryError>),
    /// Something came through the wake pipe; whether a daemon asked a short run to end.
    Pipe {
        yield_requested: bool,
    },
    /// Messages may be pending, or the poll interval has passed.
    Delivery,
}

pub(super) struct EventLoop<'a> {
    daemon: &'a Daemon<'a>,
    mode: RunMode,
    router: Sender<RouterCommand>,
    context: &'a WorkerContext,
    delivery: DeliveryWorkers,
    delivery_progress: Arc<Notify>,
    exporter: Exporter,
    reporter: Reporter,
    host_reporter: HostReporter,
    watcher: Watcher,
    files_changed: Arc<Notify>,
    /// When files that have changed are expected to be complete.
    settled_at: Option<Instant>,
    pipe: pipe::Receiver,
    time_up: Pin<Box<Sleep>>,
    is_last_chance: bool,
    /// When it is to be said next that the daemon is alive.
    alive_at: Instant,
    /// Whether a thread was stuck when that was looked at last.
    is_stuck: bool,
}

impl<'a> EventLoop<'a> {
    /// Sets everything up. To be called within the runtime.
    pub(super) fn new(
        daemon: &'a Daemon<'a>,
        mode: RunMode,
        router: Sender<RouterCommand>,
        context: &'a WorkerContext,
    ) -> Result<Self, DaemonError> {
        let folder = daemon.store.folder();
        let pipe = folder.make_wake_pipe().map_err(StoreError::from)?;
        // Also open for writing, so that it never comes to an end.
        let pipe = pipe::OpenOptions::new()
            .read_write(true)
            .open_receiver(pipe)
            .map_err(|reason| DaemonError::System { what: "open the wake pipe", reason })?;
        let delivery_progress = Arc::new(Notify::new());
        let (config, progress) = (&daemon.config, Arc::clone(&delivery_progress));
        let counters = context.counters.clone();
        let mut exporter = Exporter::new(&counters);
        let of_reports = ReportContext {
            sent: Arc::clone(&context.formatted),
            system_host: daemon.system_host.clone(),
            now: daemon.now,
            part: context.part.clone(),
        };
        let mut reporter = Reporter::new(of_reports);
        // A run that ends by itself has nothing to show for long.
        if mode == RunMode::Forever {
            exporter.configure(config, daemon.store);
            reporter.configure(config, daemon.store);
        }
        let (host, part) = (&daemon.system_host, context.part.clone());
        let of_hosts = ReporterContext {
            sent: Arc::clone(&context.formatted),
            system_host: host.clone(),
            now: daemon.now,
            counters: counters.clone(),
        };
        let first_until = part.as_ref().map(|part| part.first_until.clone());
        let host_reporter = HostReporter::start(config, daemon.store, of_hosts, first_until);
        let delivery = DeliveryWorkers::new(config, host, progress, daemon.now, counters, part);
        // Whoever starts a daemon or drains may have fixed something that cannot be seen from here.
        delivery.retry_suspended(daemon.store, mode != RunMode::UntilIdle)?;
        let files_changed = Arc::new(Notify::new());
        let mut watcher = Watcher::new(Arc::clone(&files_changed));
        watcher.watch(&daemon.config.files);
        let time = match mode {
            RunMode::UntilIdleOr(time) => time,
            RunMode::UntilIdle | RunMode::Forever => FOREVER,
        };
        Ok(Self {
            daemon,
            mode,
            router,
            context,
            delivery,
            delivery_progress,
            exporter,
            reporter,
            host_reporter,
            watcher,
            files_changed,
            settled_at: None,
            pipe,
            time_up: Box::pin(tokio::time::sleep(time)),
            is_last_chance: false,
            alive_at: Instant::now(),
            is_stuck: false,
        })
    }

    /// Runs until the end; then the router's commands end and delivery is stopped. `signals`: SIGTERM, SIGINT, SIGHUP.
    /// `ended`: whether a thread of the daemon has ended. `ready`: see [`Daemon::run`].
    pub(super) async fn run(
        mut self,
        mut signals: [&mut Signal; 3],
        ended: impl Fn() -> Option<ExitReason>,
        ready: impl FnOnce(),
    ) -> Result<ExitReason, DaemonError> {
        let ready_at = Instant::now() + READY_TIMEOUT;
        let mut ready = Some(ready);
        self.delivery.wake(self.daemon.store)?;
        let exit = loop {
            if let Some(exit) = ended() {
                break exit;
            }
            self.report_progress();
            let all_loaded = self.context.loading.load(Ordering::SeqCst) == 0
                && self.context.part.as_ref().is_none_or(FleetPart::has_begun);
            if (all_loaded || Instant::now() >= ready_at)
                && let Some(ready) = ready.take()
            {
                ready();
                self.delivery.prepare();
            }
            if self.mode != RunMode::Forever && self.is_idle()? {
                break ExitReason::Idle;
            }
            if self.daemon.store.was_replaced() {
                return Err(StoreError::removed(self.daemon.store.folder()).into());
            }
            let wakeup = self.wait(&mut signals).await;
            if let Some(exit) = self.handle(wakeup)? {
                break exit;
            }
        };
        // Ends the router.
        drop(self.router);
        self.delivery.stop().await?;
        Ok(exit)
    }

    /// Says that the daemon is alive, unless a thread of it is stuck.
    fn report_progress(&mut self) {
        if Instant::now() < self.alive_at {
            return;
        }
        self.alive_at = Instant::now() + ALIVE_INTERVAL;
        let longest = self.context.pulses.longest_step();
        let was_stuck = std::mem::replace(&mut self.is_stuck, longest > self.daemon.stuck_after);
        match (was_stuck, self.is_stuck) {
            (_, false) => (self.daemon.alive)(),
            (false, true) => tracing::error!("a thread has made no progress for {} s", longest.as_secs()),
            (true, true) => {}
        }
    }

    /// Returns whether nothing is left to be done.
    fn is_idle(&mut self) -> Result<bool, DaemonError> {
        let store = self.daemon.store;
        if store.remaining((self.daemon.now)())? == Remaining::Work {
            return Ok(false);
        }
        // The messages of a webhook that has just been suspended may fail over to another one.
        self.delivery.wake(store)?;
        Ok(store.remaining((self.daemon.now)())? != Remaining::Work)
    }

    async fn wait(&mut self, signals: &mut [&mut Signal; 3]) -> Wakeup {
        let [terminate, interrupt, hang_up] = signals;
        let mut bytes = [0; 512];
        tokio::select! {
            _ = terminate.recv() => Wakeup::Terminate,
            _ = interrupt.recv() => Wakeup::Interrupt,
            _ = hang_up.recv() => Wakeup::HangUp,
            () = self.files_changed.notified() => Wakeup::FilesChanged,
            () = at(self.settled_at) => Wakeup::FilesSettled,
            () = &mut self.time_up => Wakeup::TimeUp,
            ended = self.delivery.ended() => Wakeup::DeliveryEnded(ended),
            read = self.pipe.read(&mut bytes) => {
                let received = bytes.get(..read.unwrap_or_default()).unwrap_or_default();
                Wakeup::Pipe { yield_requested: received.contains(&YIELD) }
            }
            () = self.context.formatted.notified() => Wakeup::Delivery,
            // Messages may have been reassigned to another webhook.
            () = self.delivery_progress.notified() => Wakeup::Delivery,
            () = tokio::time::sleep(POLL_INTERVAL) => Wakeup::Delivery,
        }
    }

    /// Acts on a wake-up. Returns why the daemon ends, if it does.
    fn handle(&mut self, wakeup: Wakeup) -> Result<Option<ExitReason>, DaemonError> {
        match wakeup {
            Wakeup::Terminate if self.mode == RunMode::UntilIdle && !self.is_last_chance => {
                self.is_last_chance = true;
                self.context.close_digests.store(true, Ordering::SeqCst);
                self.command(RouterCommand::CloseDigests);
                self.time_up.as_mut().reset(Instant::now() + LAST_CHANCE);
            }
            Wakeup::Terminate | Wakeup::Interrupt => return Ok(Some(ExitReason::Stopped)),
            Wakeup::HangUp => {
                self.delivery.retry_suspended(self.daemon.store, true)?;
                self.delivery.wake(self.daemon.store)?;
                return Ok(self.reload());
            }
            Wakeup::FilesChanged => self.settled_at = Some(Instant::now() + SETTLE_TIME),
            Wakeup::FilesSettled => {
                self.settled_at = None;
                return Ok(self.reload());
            }
            Wakeup::TimeUp if self.is_last_chance => return Ok(Some(ExitReason::Stopped)),
            Wakeup::TimeUp => return Ok(Some(ExitReason::TimeUp)),
            // One that was stopped: another one may begin.
            Wakeup::DeliveryEnded(ended) => {
                ended?;
                self.delivery.wake(self.daemon.store)?;
            }
            Wakeup::Pipe { yield_requested: true } if self.mode == RunMode::UntilIdle => {
                return Ok(Some(ExitReason::Yielded));
            }
            Wakeup::Pipe { .. } => self.command(RouterCommand::Wake),
            Wakeup::Delivery => self.delivery.wake(self.daemon.store)?,
        }
        Ok(None)
    }

    /// Applies the configuration as it is now, if it can be used.
    fn reload(&mut self) -> Option<ExitReason> {
        let Some(config) = (self.daemon.reread)() else {
            self.exporter.configuration_rejected();
            return None;
        };
        // A run that ends by itself reads no logs.
        if self.mode == RunMode::Forever && has_other_sources(&config, &self.daemon.config) {
            return Some(ExitReason::SourcesChanged);
        }
        self.watcher.watch(&config.files);
        if let Some(part) = &self.context.part {
            part.configure(&config);
        }
        self.delivery.configure(&config);
        self.host_reporter.configure(&config);
        if self.mode == RunMode::Forever {
            self.exporter.configure(&config, self.daemon.store);
            self.reporter.configure(&config, self.daemon.store);
        }
        self.command(RouterCommand::Reconfigure(Arc::new(config)));
        None
    }

    fn command(&self, command: RouterCommand) {
        // The router is gone only if it failed, which the next turn of the loop sees.
        let _ = self.router.send(command);
    }
}

/// Returns whether the events come from elsewhere than before, or go elsewhere than to routes.
fn has_other_sources(config: &Config, before: &Config) -> bool {
    let is_renamed = config.fleet.is_some() && config.host != before.host;
    config.sources != before.sources || config.fleet != before.fleet || is_renamed
}

/// Ends at that time; never, if there is none.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

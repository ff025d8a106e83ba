//! Daemon on a state folder, from taking it up to its end.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::signal::unix::Signal;
use tokio::sync::{Notify, watch};

use super::delivery_workers::DeliveryWorkers;
use super::route_worker::WorkerContext;
use super::router::RouterCommand;
use super::tailers::{Tailers, Tails};
use super::watcher::{SETTLE, Watcher};
use super::{Signals, router};
use crate::config::Config;
use crate::deliver::DeliveryError;
use crate::event::Timestamp;
use crate::plugin::{GeoDatabases, Runtime};
use crate::receive::tail::TailError;
use crate::store::{Remaining, Store, StoreError, YIELD};

/// How often the queues are looked at without a wake-up.
const LOOK: Duration = Duration::from_secs(1);

/// How long a short run that is told to stop goes on if something is left.
const LAST_CHANCE: Duration = Duration::from_secs(4);

/// A run is ready without the plugins that take longer than this to load; their events wait for them.
const READY_WITHOUT: Duration = Duration::from_secs(5);

/// Bytes of stack that a thread has for itself, as Rust gives one.
const OWN_STACK: usize = 2 << 20;

/// Longer than anything runs, and still a time that can be added to now.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// When work is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunMode {
    /// On a signal.
    Stopped,
    /// When nothing is waiting or pending, or on a signal.
    Idle,
    /// As `Idle`, or after this long.
    IdleOr(Duration),
}

/// Why work is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitReason {
    /// SIGTERM or SIGINT.
    Stopped,
    /// Nothing is waiting, held or pending, but for webhooks that are gone.
    Idle,
    /// The time was up.
    TimeUp,
    /// Everything that was to be read has been read.
    Read,
    /// Other logs are to be read than before.
    Reload,
}

/// Daemon broke off.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Delivery failed.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    /// The system refused what every daemon needs.
    #[error("cannot {what}: {reason}")]
    System {
        /// What was to be done.
        what: &'static str,
        /// The system's reason.
        reason: io::Error,
    },
    /// A thread of ours died.
    #[error("the pipeline broke off")]
    Pipeline,
    /// A log could not be read.
    #[error(transparent)]
    Tail(#[from] TailError),
    /// A thread of ours died.
    #[error("the tailer broke off")]
    Tailer,
}

/// The signals, apart from the runtime that they are awaited in.
struct Listened<'a> {
    terminate: &'a mut Signal,
    interrupt: &'a mut Signal,
    hang_up: &'a mut Signal,
}

/// What is needed to work on a state folder; whoever holds it holds the work lock.
pub struct Daemon<'a> {
    /// The configuration to begin with.
    pub config: Config,
    /// The configuration as it is now, if it can be read; says itself what is wrong with it.
    pub reread: &'a dyn Fn() -> Option<Config>,
    /// Where plugins run.
    pub runtime: Arc<Runtime>,
    /// The name of this host, as the system has it.
    pub system_host: String,
    /// The store, opened for work.
    pub store: &'a Store,
    /// What is read meanwhile.
    pub tails: &'a Tails,
    /// The clock.
    pub now: fn() -> Timestamp,
}

impl Daemon<'_> {
    /// Routes and delivers until the end. `ready` is called once it is at work and the plugins are loaded; those that
    /// take long to compile are not waited for.
    ///
    /// # Errors
    /// When the store or the system fails; nothing that was stored is lost.
    pub fn run(self, signals: &mut Signals, until: RunMode, ready: impl FnOnce()) -> Result<ExitReason, DaemonError> {
        let (tell, told) = mpsc::channel();
        let context = WorkerContext {
            runtime: Arc::clone(&self.runtime),
            databases: GeoDatabases::default(),
            state: self.store.folder().clone(),
            system_host: self.system_host.clone(),
            thread_stack: self.config.sandbox.stack + OWN_STACK,
            now: self.now,
            formatted: Arc::new(Notify::new()),
            loading: Arc::new(AtomicUsize::new(self.config.routes.len())),
            // Whoever waits for the end does not wait for windows.
            close_digests: Arc::new(AtomicBool::new(matches!(until, RunMode::IdleOr(_)))),
        };
        std::thread::scope(|scope| {
            let (config, store) = (Arc::new(self.config.clone()), self.store.new_routing_connection()?);
            let for_router = context.clone();
            let router = std::thread::Builder::new()
                .name("router".into())
                .spawn_scoped(scope, move || router::run(config, store, &for_router, &told))
                .map_err(|reason| DaemonError::System { what: "start a thread", reason })?;
            let tailers = Tailers::start(scope, self.tails, self.store, self.now)?;
            let over = || match (router.is_finished(), tailers.are_done()) {
                (true, _) => Some(ExitReason::Stopped),
                (false, done) => done.then_some(ExitReason::Read),
            };
            // `tell` goes with it, which ends the router.
            let end = self.deliver(signals, until, tell, &context, over, ready);
            tailers.stop()?;
            router.join().map_err(|_| DaemonError::Pipeline)??;
            end
        })
    }

    fn deliver(
        &self,
        signals: &mut Signals,
        until: RunMode,
        tell: mpsc::Sender<RouterCommand>,
        context: &WorkerContext,
        over: impl Fn() -> Option<ExitReason>,
        ready: impl FnOnce(),
    ) -> Result<ExitReason, DaemonError> {
        let Signals { runtime, terminate, interrupt, hang_up } = signals;
        let mut listened = Listened { terminate, interrupt, hang_up };
        runtime.block_on(self.deliver_until(&mut listened, until, tell, context, over, ready))
    }

    async fn deliver_until(
        &self,
        signals: &mut Listened<'_>,
        until: RunMode,
        tell: mpsc::Sender<RouterCommand>,
        context: &WorkerContext,
        over: impl Fn() -> Option<ExitReason>,
        ready: impl FnOnce(),
    ) -> Result<ExitReason, DaemonError> {
        let system = |what| move |reason| DaemonError::System { what, reason };
        let identity = self.store.folder().identity()?;
        let pipe = self.store.folder().make_wake_pipe()?;
        // Also open for writing, so that it never comes to an end.
        let mut pipe =
            pipe::OpenOptions::new().read_write(true).open_receiver(pipe).map_err(system("open the wake pipe"))?;
        let (stop, stopped) = watch::channel(false);
        let done = Arc::new(Notify::new());
        let mut delivery_workers = DeliveryWorkers::new(&self.config, Arc::clone(&done), stopped, self.now);
        // Somebody who starts a daemon or drains may have mended something that cannot be seen from here.
        delivery_workers.retry_suspended(self.store, until != RunMode::Idle)?;
        let changed = Arc::new(Notify::new());
        let mut watcher = Watcher::new(Arc::clone(&changed));
        watcher.watch(&self.config.files);
        let time = match until {
            RunMode::IdleOr(time) => time,
            RunMode::Idle | RunMode::Stopped => FOREVER,
        };
        let time_up = tokio::time::sleep(time);
        tokio::pin!(time_up);
        let loaded_late = tokio::time::Instant::now() + READY_WITHOUT;
        let mut ready = Some(ready);
        let mut last_chance = false;
        let (mut look, mut reload) = (true, false);
        // When files that have changed are at rest.
        let mut settled = None;
        let mut bytes = [0; 512];
        let end = loop {
            if std::mem::take(&mut look) {
                delivery_workers.send_out(self.store)?;
            }
            if std::mem::take(&mut reload)
                && let Some(config) = (self.reread)()
            {
                // A run that ends by itself reads no logs.
                if until == RunMode::Stopped && config.sources != self.config.sources {
                    break ExitReason::Reload;
                }
                watcher.watch(&config.files);
                delivery_workers.configure(&config);
                // The router is gone only if it failed, which the next lines see.
                let _ = tell.send(RouterCommand::Reconfigure(Arc::new(config)));
            }
            if let Some(end) = over() {
                break end;
            }
            let all_loaded = context.loading.load(Ordering::SeqCst) == 0;
            if (all_loaded || tokio::time::Instant::now() >= loaded_late)
                && let Some(ready) = ready.take()
            {
                ready();
                delivery_workers.prepare();
            }
            if until != RunMode::Stopped && self.store.remaining((self.now)())? != Remaining::Work {
                // What waits for a webhook that has just turned out to be gone may go to another one.
                delivery_workers.send_out(self.store)?;
                if self.store.remaining((self.now)())? != Remaining::Work {
                    break ExitReason::Idle;
                }
            }
            if self.store.folder().identity().ok() != Some(identity) {
                return Err(StoreError::Removed { path: self.store.folder().path().to_owned() }.into());
            }
            tokio::select! {
                // What ends with fail2ban's service still has "fail2ban stopped" to deliver.
                _ = signals.terminate.recv() => {
                    if until != RunMode::Idle || last_chance {
                        break ExitReason::Stopped;
                    }
                    last_chance = true;
                    context.close_digests.store(true, Ordering::SeqCst);
                    let _ = tell.send(RouterCommand::CloseDigests);
                    time_up.as_mut().reset(tokio::time::Instant::now() + LAST_CHANCE);
                }
                _ = signals.interrupt.recv() => break ExitReason::Stopped,
                _ = signals.hang_up.recv() => {
                    delivery_workers.retry_suspended(self.store, true)?;
                    (look, reload) = (true, true);
                }
                () = changed.notified() => settled = Some(tokio::time::Instant::now() + SETTLE),
                () = at(settled) => {
                    settled = None;
                    reload = true;
                }
                () = &mut time_up => break if last_chance { ExitReason::Stopped } else { ExitReason::TimeUp },
                failed = delivery_workers.failure() => { failed?; break ExitReason::Stopped }
                read = pipe.read(&mut bytes) => {
                    let told = bytes.get(..read.unwrap_or_default()).unwrap_or_default();
                    if until == RunMode::Idle && told.contains(&YIELD) {
                        break ExitReason::Stopped;
                    }
                    // The router is gone only if it failed, which the next round sees.
                    let _ = tell.send(RouterCommand::Wake);
                }
                () = context.formatted.notified() => look = true,
                // A message may have been handed over to another webhook.
                () = done.notified() => look = true,
                () = tokio::time::sleep(LOOK) => look = true,
            }
        };
        drop(tell);
        // Nobody listening means that all have ended.
        let _ = stop.send(true);
        delivery_workers.ended().await?;
        Ok(end)
    }
}

/// Ends at that time; never, if there is none.
async fn at(time: Option<tokio::time::Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

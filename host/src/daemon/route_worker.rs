//! The thread of one route: it words that route's events, in its own time, so that what one plugin does delays no other
//! route.
//!
//! Plugins are loaded on a further thread, while the one before goes on; the new one takes over between two events.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::DaemonError;
use crate::config::Route;
use crate::event::EventDefaults;
use crate::event::Timestamp;
use crate::format::{LoadedRoute, RouteContext, WebhookProfiles};
use crate::message::{cut, one_line};
use crate::plugin::{GeoDatabases, Runtime};
use crate::store::{PluginState, StateDir, Store, StoreError};

/// How often the route's events are looked at without a wake-up. The router's orders cannot get lost, so this is only a net
/// below, and an idle daemon with many routes stays idle.
const LOOK: Duration = Duration::from_secs(30);

/// The same while digests are open: by then the clock may have been set.
const LOOK_AT_OPEN: Duration = Duration::from_secs(1);

/// A batch is cut short after this long: what a slow plugin has decided must not wait for what it has not.
const BATCH_TIME: Duration = Duration::from_millis(100);

/// Characters of what is wrong with a plugin that are logged.
const LOG_CHARS: usize = 1_000;

/// What all workers of a run share.
#[derive(Clone)]
pub(super) struct WorkerContext {
    pub(super) runtime: Arc<Runtime>,
    pub(super) databases: GeoDatabases,
    pub(super) state: StateDir,
    pub(super) system_host: String,
    /// Bytes of stack of a thread that calls plugins: theirs, and ours beneath it.
    pub(super) thread_stack: usize,
    pub(super) now: fn() -> Timestamp,
    /// RouterCommand whenever a batch of events was formatted, and when a route is ready.
    pub(super) formatted: Arc<Notify>,
    /// Routes whose plugin has not been loaded once yet.
    pub(super) loading: Arc<AtomicUsize>,
    /// Whether digests are to be closed as soon as no event is left.
    pub(super) close_digests: Arc<AtomicBool>,
}

/// What a worker is told.
pub(super) enum WorkerCommand {
    /// Something may be there to be formatted.
    Wake,
    /// The route as it is from now on.
    Load(Box<Route>, EventDefaults, WebhookProfiles),
    /// What came of the order to load with this number.
    Loaded(u64, Box<LoadedRoute>),
    /// ExitReason, after the event in hand.
    Stop,
}

pub(super) struct Worker {
    orders: Sender<WorkerCommand>,
    thread: JoinHandle<Result<(), StoreError>>,
}

impl Worker {
    pub(super) fn start(route: &str, store: Store, context: &WorkerContext) -> Result<Self, DaemonError> {
        let (orders, received) = mpsc::channel();
        let at_work = RouteWorker {
            store,
            context: context.clone(),
            to_self: orders.clone(),
            loaded: None,
            loads: 0,
            recorded: None,
        };
        let thread = Builder::new()
            .name(route.to_owned())
            .stack_size(context.thread_stack)
            .spawn(move || at_work.run(&received))
            .map_err(|reason| DaemonError::System { what: "start a thread", reason })?;
        Ok(Self { orders, thread })
    }

    /// Nobody listens only after it has ended, which the router sees by itself.
    pub(super) fn tell(&self, order: WorkerCommand) {
        let _ = self.orders.send(order);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    pub(super) fn join(self) -> Result<(), DaemonError> {
        Ok(self.thread.join().map_err(|_| DaemonError::Pipeline)??)
    }
}

struct RouteWorker {
    store: Store,
    context: WorkerContext,
    to_self: Sender<WorkerCommand>,
    /// None until it is loaded: its events wait meanwhile.
    loaded: Option<LoadedRoute>,
    /// The number of the last order to load. What comes of an earlier one is late, and not wanted any more.
    loads: u64,
    /// As `status` has it.
    recorded: Option<PluginState>,
}

impl RouteWorker {
    fn run(mut self, orders: &Receiver<WorkerCommand>) -> Result<(), StoreError> {
        loop {
            loop {
                match orders.try_recv() {
                    Ok(order) => {
                        if !self.follow(order)? {
                            return Ok(());
                        }
                    }
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return Ok(()),
                }
            }
            if self.advance()? > 0 {
                continue;
            }
            match orders.recv_timeout(self.until_closing()?) {
                Ok(order) => {
                    if !self.follow(order)? {
                        return Ok(());
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    /// False: the end.
    fn follow(&mut self, order: WorkerCommand) -> Result<bool, StoreError> {
        match order {
            WorkerCommand::Wake => {}
            WorkerCommand::Load(route, defaults, profiles) => self.load(*route, defaults, profiles),
            WorkerCommand::Loaded(load, fresh) if load == self.loads => self.install(*fresh)?,
            WorkerCommand::Loaded(..) => {}
            WorkerCommand::Stop => return Ok(false),
        }
        Ok(true)
    }

    fn load(&mut self, route: Route, defaults: EventDefaults, profiles: WebhookProfiles) {
        if let Some(loaded) = &mut self.loaded {
            loaded.redirect(&route, &profiles);
        }
        let context = RouteContext {
            defaults,
            profiles,
            runtime: Arc::clone(&self.context.runtime),
            databases: self.context.databases.clone(),
            state: Some(self.context.state.clone()),
        };
        self.loads += 1;
        let (load, now, to_self) = (self.loads, self.context.now, self.to_self.clone());
        let job = move || {
            let fresh = LoadedRoute::load(&route, &context, now());
            // Nobody listens after a stop.
            let _ = to_self.send(WorkerCommand::Loaded(load, Box::new(fresh)));
        };
        // Not joined: compiling may take longer than a stop may.
        if let Err(error) = Builder::new().name("load".into()).stack_size(self.context.thread_stack).spawn(job) {
            tracing::error!("cannot start a thread: {error}");
        }
    }

    fn install(&mut self, fresh: LoadedRoute) -> Result<(), StoreError> {
        let taken = match &mut self.loaded {
            None => {
                self.loaded = Some(fresh);
                let loading = &self.context.loading;
                // Routes that come later are not among those that the beginning waits for.
                let _ = loading.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
                self.context.formatted.notify_one();
                true
            }
            Some(loaded) => {
                let taken = loaded.replace(fresh);
                if taken {
                    let sha256 = loaded.state().sha256;
                    tracing::info!(route = loaded.name(), sha256, "took up a new version of the route or its plugin");
                }
                taken
            }
        };
        for fault in self.loaded.iter().filter(|_| taken).flat_map(LoadedRoute::faults) {
            tracing::error!(
                route = fault.route,
                "plugin {} {}",
                fault.plugin,
                one_line(&cut(&fault.error.to_string(), LOG_CHARS))
            );
        }
        self.record()
    }

    fn advance(&mut self) -> Result<usize, StoreError> {
        let Some(loaded) = &mut self.loaded else { return Ok(0) };
        let (begun, close_digests) = (Instant::now(), self.context.close_digests.load(Ordering::SeqCst));
        let now = (self.context.now)();
        let formatted = loaded.advance(&mut self.store, now, close_digests, || begun.elapsed() > BATCH_TIME)?;
        if formatted > 0 {
            self.context.formatted.notify_one();
            self.record()?;
        }
        Ok(formatted)
    }

    /// How long nothing is to be done without an order.
    fn until_closing(&self) -> Result<Duration, StoreError> {
        let Some(loaded) = &self.loaded else { return Ok(LOOK) };
        let Some(at) = loaded.next_closing(&self.store)? else { return Ok(LOOK) };
        let left = at.0.saturating_sub((self.context.now)().0).max(1);
        Ok(Duration::from_millis(left.unsigned_abs()).min(LOOK_AT_OPEN))
    }

    /// Tells `status`, if it is any different from what that says.
    fn record(&mut self) -> Result<(), StoreError> {
        let Some(loaded) = &self.loaded else { return Ok(()) };
        let state = loaded.state();
        if self.recorded.as_ref() != Some(&state) {
            self.store.record_plugin(loaded.name(), &state)?;
            self.recorded = Some(state);
        }
        Ok(())
    }
}

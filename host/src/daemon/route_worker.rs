//! The thread of one route: it formats that route's events in its own time, so that a slow plugin delays no other route.
//!
//! Plugins are loaded on a further thread while the previous version goes on; the new one is installed between two events.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::descriptors::{StoreSlot, StoreSlots};
use super::error::DaemonError;
use super::fleet_part::FleetPart;
use super::pulse::Pulses;
use crate::config::Route;
use crate::counters::Counters;
use crate::event::{EventDefaults, Timestamp};
use crate::fleet::Term;
use crate::format::{LoadedRoute, RouteContext, WebhookProfiles};
use crate::message::{cut, one_line};
use crate::plugin::Runtime;
use crate::store::{PluginState, StateDir, Store, StoreError};

/// How often a worker polls without a command. Commands cannot get lost, so this is only a safety net, and an idle daemon
/// with many routes stays idle.
const POLL_INTERVAL: Duration = Duration::from_secs(30);

/// The same while digests are open: the clock may be set before they close.
const OPEN_DIGEST_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How long the store stays open after something was formatted: events come in bursts.
const KEEP_STORE_OPEN: Duration = Duration::from_secs(2);

/// A batch is cut short after this long: what a slow plugin has decided must not wait for what it has not.
const BATCH_TIME: Duration = Duration::from_millis(100);

/// Characters of a plugin's error that are logged.
const LOG_CHARS: usize = 1_000;

/// What a worker is asked to do.
pub(super) enum WorkerCommand {
    /// Look for events to format.
    Wake,
    /// Load the route as it is configured now.
    Load(Box<Route>, EventDefaults, WebhookProfiles),
    /// Install the result of the `Load` with this number.
    Loaded(u64, Box<LoadedRoute>),
    /// On a fleet's worker: format for as long as this term lasts, or not at all.
    Own(Option<Arc<Term>>),
    /// End after the current event.
    Stop,
}

/// The router's side of a worker.
pub(super) struct RouteWorkerHandle {
    commands: Sender<WorkerCommand>,
    thread: JoinHandle<Result<(), StoreError>>,
}

impl RouteWorkerHandle {
    pub(super) fn start(route: &str, context: &WorkerContext) -> Result<Self, DaemonError> {
        let (commands, received) = mpsc::channel();
        let worker = RouteWorker {
            store: None,
            context: context.clone(),
            to_self: commands.clone(),
            loaded: None,
            loads: 0,
            recorded: None,
            term: None,
        };
        let thread = Builder::new()
            .name(route.to_owned())
            .stack_size(context.thread_stack)
            .spawn(move || worker.run(&received))
            .map_err(|reason| DaemonError::System { what: "start a thread", reason })?;
        Ok(Self { commands, thread })
    }

    /// Sends a command. It is lost only if the worker has ended, which the router notices by itself.
    pub(super) fn send(&self, command: WorkerCommand) {
        let _ = self.commands.send(command);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    pub(super) fn join(self) -> Result<(), DaemonError> {
        Ok(self.thread.join().map_err(|_| DaemonError::Router)??)
    }
}

/// The thread's side of a worker.
struct RouteWorker {
    /// Open while there is something to do: hundreds of routes would otherwise use up the process's file descriptors.
    store: Option<OpenStore>,
    context: WorkerContext,
    to_self: Sender<WorkerCommand>,
    /// None until it is loaded; events stay pending meanwhile.
    loaded: Option<LoadedRoute>,
    /// The number of the last `Load`. The result of an earlier one is out of date.
    loads: u64,
    /// The state that `status` shows.
    recorded: Option<PluginState>,
    /// Of a fleet's worker: while the route's shard is its own.
    term: Option<Arc<Term>>,
}

impl RouteWorker {
    fn run(mut self, commands: &Receiver<WorkerCommand>) -> Result<(), StoreError> {
        let mut busy_at = None;
        let pulse = self.context.pulses.add();
        loop {
            pulse.step();
            loop {
                match commands.try_recv() {
                    Ok(command) => {
                        if !self.follow(command)? {
                            return Ok(());
                        }
                    }
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return Ok(()),
                }
            }
            if self.advance()? > 0 {
                busy_at = Some(Instant::now());
                continue;
            }
            let mut poll_interval = self.poll_interval()?;
            let is_kept = |idle: &Duration| *idle < KEEP_STORE_OPEN && self.context.stores.are_free();
            match busy_at.map(|at| at.elapsed()).filter(is_kept) {
                Some(idle) => poll_interval = poll_interval.min(KEEP_STORE_OPEN.saturating_sub(idle)),
                None => self.store = None,
            }
            pulse.wait();
            let received = commands.recv_timeout(poll_interval);
            pulse.step();
            match received {
                Ok(command) => {
                    if !self.follow(command)? {
                        return Ok(());
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    /// Returns false when the worker is to end.
    fn follow(&mut self, command: WorkerCommand) -> Result<bool, StoreError> {
        match command {
            WorkerCommand::Wake => {}
            WorkerCommand::Load(route, defaults, profiles) => self.load(*route, defaults, profiles),
            WorkerCommand::Loaded(load, fresh) if load == self.loads => self.install(*fresh)?,
            WorkerCommand::Loaded(..) => {}
            WorkerCommand::Own(term) => self.term = term,
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
            state: Some(self.context.state.clone()),
        };
        self.loads += 1;
        let (load, now, to_self) = (self.loads, self.context.now, self.to_self.clone());
        let counters = self.context.counters.clone();
        let job = Arc::new(move || {
            let fresh = LoadedRoute::load(&route, &context, now()).counting(&counters);
            // Nobody listens after a stop.
            let _ = to_self.send(WorkerCommand::Loaded(load, Box::new(fresh)));
        });
        let thread = Builder::new().name("load".into()).stack_size(self.context.thread_stack);
        let on_thread = Arc::clone(&job);
        // Not joined: compiling may take longer than a stop may.
        if let Err(error) = thread.spawn(move || on_thread()) {
            tracing::error!("a plugin is loaded while its route waits: cannot start a thread: {error}");
            job();
        }
    }

    fn install(&mut self, fresh: LoadedRoute) -> Result<(), StoreError> {
        let installed = match &mut self.loaded {
            None => {
                self.loaded = Some(fresh);
                let loading = &self.context.loading;
                // Routes that are added later are not among those that readiness waits for.
                let _ = loading.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
                self.context.formatted.notify_one();
                true
            }
            Some(loaded) => {
                let installed = loaded.replace(fresh);
                if installed {
                    let sha256 = loaded.state().sha256;
                    tracing::info!(route = loaded.name(), sha256, "new version of the route or its plugin installed");
                }
                installed
            }
        };
        for found in self.loaded.iter().filter(|_| installed).flat_map(LoadedRoute::findings) {
            let (route, plugin) = (found.route, found.plugin);
            let why = one_line(&cut(&found.error.to_string(), LOG_CHARS));
            if found.error.is_warning() {
                tracing::warn!(route, "plugin {plugin} {why}");
            } else {
                tracing::error!(route, "plugin {plugin} {why}");
            }
        }
        self.record()
    }

    /// Whether the route's events are another worker's.
    fn is_elsewhere(&self) -> bool {
        self.context.part.is_some() && self.term.is_none()
    }

    fn advance(&mut self) -> Result<usize, StoreError> {
        if self.is_elsewhere() {
            return Ok(0);
        }
        let Some(loaded) = &mut self.loaded else { return Ok(0) };
        let store = opened(&mut self.store, &self.context)?;
        let (began, close_digests) = (Instant::now(), self.context.close_digests.load(Ordering::SeqCst));
        let now = (self.context.now)();
        let formatted = loaded.advance(store, now, close_digests, || began.elapsed() > BATCH_TIME)?;
        if formatted > 0 {
            self.context.formatted.notify_one();
            self.record()?;
        }
        Ok(formatted)
    }

    /// Returns how long there is nothing to do without a command.
    fn poll_interval(&mut self) -> Result<Duration, StoreError> {
        if self.is_elsewhere() {
            return Ok(POLL_INTERVAL);
        }
        let Some(loaded) = &self.loaded else { return Ok(POLL_INTERVAL) };
        let store = opened(&mut self.store, &self.context)?;
        let Some(at) = loaded.next_closing(store)? else { return Ok(POLL_INTERVAL) };
        let left = at.0.saturating_sub((self.context.now)().0).max(1);
        Ok(Duration::from_millis(left.unsigned_abs()).min(OPEN_DIGEST_POLL_INTERVAL))
    }

    /// Stores the plugin's state for `status`, if it has changed.
    fn record(&mut self) -> Result<(), StoreError> {
        let Some(loaded) = &self.loaded else { return Ok(()) };
        let state = loaded.state();
        if self.recorded.as_ref() != Some(&state) {
            opened(&mut self.store, &self.context)?.record_plugin(loaded.name(), &state)?;
            self.recorded = Some(state);
        }
        Ok(())
    }
}

/// The store while a route has it open.
struct OpenStore {
    store: Store,
    /// Given back once the store is closed.
    _slot: StoreSlot,
}

/// Returns the store, opened unless it is open.
fn opened<'a>(open: &'a mut Option<OpenStore>, context: &WorkerContext) -> Result<&'a mut Store, StoreError> {
    let open = match open {
        Some(open) => open,
        None => {
            let _slot = context.stores.take();
            open.insert(OpenStore { store: Store::connect_for_routing(&context.state)?, _slot })
        }
    };
    Ok(&mut open.store)
}

/// Shared by the threads that route and format.
#[derive(Clone)]
pub(super) struct WorkerContext {
    pub(super) runtime: Arc<Runtime>,
    pub(super) state: StateDir,
    pub(super) stores: Arc<StoreSlots>,
    pub(super) system_host: String,
    /// Bytes of stack of a thread that calls plugins: theirs, and ours below it.
    pub(super) thread_stack: usize,
    pub(super) now: fn() -> Timestamp,
    /// Notified whenever a batch of events was formatted, and when a route is ready.
    pub(super) formatted: Arc<Notify>,
    /// Routes whose plugin has not been loaded once yet.
    pub(super) loading: Arc<AtomicUsize>,
    /// Whether digests are closed as soon as no event is left.
    pub(super) close_digests: Arc<AtomicBool>,
    /// Of these threads.
    pub(super) pulses: Arc<Pulses>,
    pub(super) counters: Counters,
    /// Of a fleet's worker.
    pub(super) part: Option<FleetPart>,
}

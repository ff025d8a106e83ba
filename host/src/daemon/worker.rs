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
use crate::event::Timestamp;
use crate::message::{cut, one_line};
use crate::pipeline::{Destinations, LiveRoute, Naming, Surroundings};
use crate::plugin::{Databases, Runtime};
use crate::store::{PluginState, StateFolder, Store, StoreError};

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
pub(super) struct Circumstances {
    pub(super) runtime: Arc<Runtime>,
    pub(super) databases: Databases,
    pub(super) state: StateFolder,
    pub(super) system_host: String,
    /// Bytes of stack of a thread that calls plugins: theirs, and ours beneath it.
    pub(super) thread_stack: usize,
    pub(super) now: fn() -> Timestamp,
    /// Told whenever a batch of events was worded, and when a route is ready.
    pub(super) worded: Arc<Notify>,
    /// Routes whose plugin has not been loaded once yet.
    pub(super) loading: Arc<AtomicUsize>,
    /// Whether digests are to be closed as soon as no event is left.
    pub(super) hurry: Arc<AtomicBool>,
}

/// What a worker is told.
pub(super) enum Order {
    /// Something may be there to be worded.
    Look,
    /// The route as it is from now on.
    Load(Box<Route>, Naming, Destinations),
    /// What came of the order to load with this number.
    Loaded(u64, Box<LiveRoute>),
    /// End, after the event in hand.
    Stop,
}

pub(super) struct Worker {
    orders: Sender<Order>,
    thread: JoinHandle<Result<(), StoreError>>,
}

impl Worker {
    pub(super) fn start(route: &str, store: Store, circumstances: &Circumstances) -> Result<Self, DaemonError> {
        let (orders, received) = mpsc::channel();
        let at_work = AtWork {
            store,
            circumstances: circumstances.clone(),
            to_self: orders.clone(),
            live: None,
            loads: 0,
            recorded: None,
        };
        let thread = Builder::new()
            .name(route.to_owned())
            .stack_size(circumstances.thread_stack)
            .spawn(move || at_work.run(&received))
            .map_err(|reason| DaemonError::System { what: "start a thread", reason })?;
        Ok(Self { orders, thread })
    }

    /// Nobody listens only after it has ended, which the router sees by itself.
    pub(super) fn tell(&self, order: Order) {
        let _ = self.orders.send(order);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    pub(super) fn join(self) -> Result<(), DaemonError> {
        Ok(self.thread.join().map_err(|_| DaemonError::Pipeline)??)
    }
}

struct AtWork {
    store: Store,
    circumstances: Circumstances,
    to_self: Sender<Order>,
    /// None until it is loaded: its events wait meanwhile.
    live: Option<LiveRoute>,
    /// The number of the last order to load. What comes of an earlier one is late, and not wanted any more.
    loads: u64,
    /// As `status` has it.
    recorded: Option<PluginState>,
}

impl AtWork {
    fn run(mut self, orders: &Receiver<Order>) -> Result<(), StoreError> {
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
    fn follow(&mut self, order: Order) -> Result<bool, StoreError> {
        match order {
            Order::Look => {}
            Order::Load(route, naming, destinations) => self.load(*route, naming, destinations),
            Order::Loaded(load, fresh) if load == self.loads => self.take_up(*fresh)?,
            Order::Loaded(..) => {}
            Order::Stop => return Ok(false),
        }
        Ok(true)
    }

    fn load(&mut self, route: Route, naming: Naming, destinations: Destinations) {
        if let Some(live) = &mut self.live {
            live.redirect(&route, &destinations);
        }
        let around = Surroundings {
            naming,
            destinations,
            runtime: Arc::clone(&self.circumstances.runtime),
            databases: self.circumstances.databases.clone(),
            state: Some(self.circumstances.state.clone()),
        };
        self.loads += 1;
        let (load, now, to_self) = (self.loads, self.circumstances.now, self.to_self.clone());
        let job = move || {
            let fresh = LiveRoute::load(&route, &around, now());
            // Nobody listens after a stop.
            let _ = to_self.send(Order::Loaded(load, Box::new(fresh)));
        };
        // Not joined: compiling may take longer than a stop may.
        if let Err(error) = Builder::new().name("load".into()).stack_size(self.circumstances.thread_stack).spawn(job) {
            tracing::error!("cannot start a thread: {error}");
        }
    }

    fn take_up(&mut self, fresh: LiveRoute) -> Result<(), StoreError> {
        let taken = match &mut self.live {
            None => {
                self.live = Some(fresh);
                let loading = &self.circumstances.loading;
                // Routes that come later are not among those that the beginning waits for.
                let _ = loading.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
                self.circumstances.worded.notify_one();
                true
            }
            Some(live) => {
                let taken = live.replace(fresh);
                if taken {
                    let sha256 = live.state().sha256;
                    tracing::info!(route = live.name(), sha256, "took up a new version of the route or its plugin");
                }
                taken
            }
        };
        for fault in self.live.iter().filter(|_| taken).flat_map(LiveRoute::faults) {
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
        let Some(live) = &mut self.live else { return Ok(0) };
        let (begun, hurry) = (Instant::now(), self.circumstances.hurry.load(Ordering::SeqCst));
        let now = (self.circumstances.now)();
        let worded = live.advance(&mut self.store, now, hurry, || begun.elapsed() > BATCH_TIME)?;
        if worded > 0 {
            self.circumstances.worded.notify_one();
            self.record()?;
        }
        Ok(worded)
    }

    /// How long nothing is to be done without an order.
    fn until_closing(&self) -> Result<Duration, StoreError> {
        let Some(live) = &self.live else { return Ok(LOOK) };
        let Some(at) = live.next_closing(&self.store)? else { return Ok(LOOK) };
        let left = at.0.saturating_sub((self.circumstances.now)().0).max(1);
        Ok(Duration::from_millis(left.unsigned_abs()).min(LOOK_AT_OPEN))
    }

    /// Tells `status`, if it is any different from what that says.
    fn record(&mut self) -> Result<(), StoreError> {
        let Some(live) = &self.live else { return Ok(()) };
        let state = live.state();
        if self.recorded.as_ref() != Some(&state) {
            self.store.record_plugin(live.name(), &state)?;
            self.recorded = Some(state);
        }
        Ok(())
    }
}

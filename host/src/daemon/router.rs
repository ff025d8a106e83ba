//! The thread that assigns waiting events to routes, and keeps a worker for each of these.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use super::DaemonError;
use super::worker::{Circumstances, Order, Worker};
use crate::config::Config;
use crate::event::Timestamp;
use crate::message::one_line;
use crate::pipeline::{self, Naming};
use crate::store::{Inbox, Keep, Store};

/// How often the inbox is looked at without a wake-up.
const LOOK: Duration = Duration::from_secs(1);

/// How often what is past its time is looked for.
const PRUNE_EVERY: Duration = Duration::from_secs(60);

/// How often it is looked whether the built-in plugin is compiled: mostly that takes a millisecond.
const LOOK_WHILE_PREPARING: Duration = Duration::from_millis(1);

/// What the router is told. Once nobody can tell it anything any more, it ends.
pub(super) enum Told {
    /// Something may be waiting.
    Look,
    /// Digests are to be closed as soon as no event is left.
    Hurry,
    /// This counts from now on; plugins are loaded anew where they or their files have changed.
    Configured(Arc<Config>),
}

/// Routes events until the other end of `told` is gone.
pub(super) fn run(
    config: Arc<Config>,
    mut store: Store,
    circumstances: &Circumstances,
    told: &Receiver<Told>,
) -> Result<(), DaemonError> {
    let Some(config) = prepared(config, circumstances, told) else { return Ok(()) };
    let naming = Naming::new(&config, &circumstances.system_host);
    let inbox = store.inbox()?;
    let mut router = Router {
        config,
        naming,
        workers: BTreeMap::new(),
        leaving: Vec::new(),
        circumstances,
        inbox,
        prune_from: 0,
        pruned_at: None,
    };
    router.configure(&mut store)?;
    loop {
        router.check_workers()?;
        loop {
            match told.try_recv() {
                Ok(Told::Look) => {}
                Ok(Told::Hurry) => router.hurry(&mut store)?,
                Ok(Told::Configured(config)) => router.reconfigure(config, &mut store)?,
                Err(TryRecvError::Disconnected) => return router.stop(),
                Err(TryRecvError::Empty) => break,
            }
        }
        if router.advance(&mut store)? > 0 {
            store.checkpoint_if_very_long()?;
            continue;
        }
        store.checkpoint_if_long()?;
        router.inbox.checkpoint_if_long()?;
        if router.prune(&mut store)? {
            continue;
        }
        match told.recv_timeout(LOOK) {
            Ok(Told::Configured(config)) => router.reconfigure(config, &mut store)?,
            Ok(Told::Hurry) => router.hurry(&mut store)?,
            Ok(Told::Look) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return router.stop(),
        }
    }
}

/// The configuration, once the built-in plugin is compiled; none, if it is to end before.
fn prepared(mut config: Arc<Config>, circumstances: &Circumstances, told: &Receiver<Told>) -> Option<Arc<Config>> {
    let (routes, runtime) = (config.routes.clone(), Arc::clone(&circumstances.runtime));
    // Not joined: compiling may take longer than a stop may.
    let preparing = thread::spawn(move || pipeline::prepare(&routes, &runtime));
    while !preparing.is_finished() {
        match told.recv_timeout(LOOK_WHILE_PREPARING) {
            Ok(Told::Configured(newer)) => config = newer,
            // Whether to hurry, workers see for themselves.
            Ok(Told::Look | Told::Hurry) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
    Some(config)
}

struct Router<'a> {
    config: Arc<Config>,
    naming: Naming,
    workers: BTreeMap<String, Worker>,
    /// Those of removed routes, until they have ended.
    leaving: Vec<Worker>,
    circumstances: &'a Circumstances,
    /// For what retention removes.
    inbox: Inbox,
    /// Up to where that has been looked at, and when it was last looked at all.
    prune_from: i64,
    pruned_at: Option<Instant>,
}

impl Router<'_> {
    /// Takes up another configuration, or other files behind the same.
    fn reconfigure(&mut self, config: Arc<Config>, store: &mut Store) -> Result<(), DaemonError> {
        self.config = config;
        let databases = self.circumstances.databases.clone();
        // Not joined: a large file takes a while, and the old one serves meanwhile.
        thread::spawn(move || {
            for (path, read) in databases.reload_if_changed() {
                match read {
                    Ok(()) => tracing::info!("read {} again", path.display()),
                    Err(error) => tracing::error!("the one before stays at work: {}", one_line(&error.to_string())),
                }
            }
        });
        self.configure(store)
    }

    /// Has a worker for each route, with its route as it is now.
    fn configure(&mut self, store: &mut Store) -> Result<(), DaemonError> {
        self.naming = Naming::new(&self.config, &self.circumstances.system_host);
        let names: Vec<_> = self.config.routes.iter().map(|route| route.name.as_str()).collect();
        store.keep_plugins(&names)?;
        let gone: Vec<_> = self.workers.keys().filter(|name| !names.contains(&name.as_str())).cloned().collect();
        for name in gone {
            if let Some(worker) = self.workers.remove(&name) {
                worker.tell(Order::Stop);
                self.leaving.push(worker);
            }
        }
        let destinations = pipeline::destinations(&self.config);
        for route in &self.config.routes {
            let order = Order::Load(Box::new(route.clone()), self.naming.clone(), destinations.clone());
            match self.workers.get(&route.name) {
                Some(worker) => worker.tell(order),
                None => {
                    let store = store.another_for_routing()?;
                    let worker = Worker::start(&route.name, store, self.circumstances)?;
                    worker.tell(order);
                    self.workers.insert(route.name.clone(), worker);
                }
            }
        }
        self.word_removed(store)
    }

    /// Assigns one batch. Says how many events that were.
    fn advance(&self, store: &mut Store) -> Result<usize, DaemonError> {
        let (assigned, routes) = pipeline::assign(&self.config.routes, &self.naming, store)?;
        for worker in routes.iter().filter_map(|route| self.workers.get(route)) {
            worker.tell(Order::Look);
        }
        if assigned > 0 && routes.is_empty() {
            // What an idle run waits for.
            self.circumstances.worded.notify_one();
        }
        Ok(assigned)
    }

    /// Words what is left of routes that are gone.
    fn word_removed(&self, store: &mut Store) -> Result<(), DaemonError> {
        for route in store.unfinished_routes()? {
            if self.workers.contains_key(&route) {
                continue;
            }
            while pipeline::word_removed(&route, &self.config, &self.naming, store, (self.circumstances.now)())? > 0 {}
            self.circumstances.worded.notify_one();
        }
        Ok(())
    }

    /// Has workers close what is open.
    fn hurry(&self, store: &mut Store) -> Result<(), DaemonError> {
        for worker in self.workers.values() {
            worker.tell(Order::Look);
        }
        self.word_removed(store)
    }

    /// Removes a little of what is past its time, now and then. Says whether there is more.
    fn prune(&mut self, store: &mut Store) -> Result<bool, DaemonError> {
        if self.prune_from == 0 && self.pruned_at.is_some_and(|at| at.elapsed() < PRUNE_EVERY) {
            return Ok(false);
        }
        self.pruned_at = Some(Instant::now());
        let retention = &self.config.retention;
        let before = |age: Duration| {
            let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
            Timestamp((self.circumstances.now)().0.saturating_sub(age))
        };
        let keep = Keep {
            events_since: before(retention.history),
            events: retention.events,
            dead_since: before(retention.dead_letters),
            dead: retention.dead_messages,
        };
        let pruned = store.prune(&mut self.inbox, &keep, self.prune_from)?;
        self.prune_from = pruned.next;
        Ok(pruned.next > 0)
    }

    /// A worker ends by itself only with an error.
    fn check_workers(&mut self) -> Result<(), DaemonError> {
        let ended: Vec<_> =
            self.workers.iter().filter(|(_, worker)| worker.has_ended()).map(|(name, _)| name.clone()).collect();
        for name in ended {
            if let Some(worker) = self.workers.remove(&name) {
                worker.join()?;
            }
        }
        Ok(())
    }

    fn stop(self) -> Result<(), DaemonError> {
        for worker in self.workers.values() {
            worker.tell(Order::Stop);
        }
        self.workers.into_values().chain(self.leaving).try_for_each(Worker::join)
    }
}

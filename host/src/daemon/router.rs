//! The thread that assigns waiting events to routes, and keeps a worker for each of these.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use super::DaemonError;
use super::pruner::Pruner;
use super::route_worker::{Worker, WorkerCommand, WorkerContext};
use crate::config::Config;
use crate::event::EventDefaults;
use crate::format;
use crate::message::one_line;
use crate::route::Enricher;
use crate::route::{self, Enrichment, RoutingPass};
use crate::store::{Inbox, Store};

/// How often the inbox is looked at without a wake-up.
const LOOK: Duration = Duration::from_secs(1);

/// How soon an event is looked at again that waits for fail2ban's database.
const LOOK_FOR_MORE: Duration = Duration::from_millis(50);

/// How often it is looked whether the built-in plugin is compiled: mostly that takes a millisecond.
const LOOK_WHILE_PREPARING: Duration = Duration::from_millis(1);

/// What the router is told. Once nobody can tell it anything any more, it ends.
pub(super) enum RouterCommand {
    /// Something may be waiting.
    Wake,
    /// Digests are to be closed as soon as no event is left.
    CloseDigests,
    /// This counts from now on; plugins are loaded anew where they or their files have changed.
    Reconfigure(Arc<Config>),
}

/// Routes events until the other end of `told` is gone.
pub(super) fn run(
    config: Arc<Config>,
    mut store: Store,
    context: &WorkerContext,
    told: &Receiver<RouterCommand>,
) -> Result<(), DaemonError> {
    let Some(config) = prepared(config, context, told) else { return Ok(()) };
    let defaults = config.event_defaults(&context.system_host);
    let inbox = store.open_routing_inbox()?;
    let enricher = Enricher::new(config.fail2ban.database.clone(), config.fail2ban.configured);
    let mut router = Router {
        config,
        defaults,
        workers: BTreeMap::new(),
        context,
        inbox,
        enricher,
        later: false,
        pruner: Pruner::new(&store)?,
    };
    router.configure(&mut store)?;
    let mut looked_after = Instant::now();
    loop {
        router.check_workers()?;
        // Not only when nothing else happens: on a busy host something always does.
        if looked_after.elapsed() >= LOOK {
            looked_after = Instant::now();
            router.look_after(&mut store)?;
        }
        loop {
            match told.try_recv() {
                Ok(RouterCommand::Wake) => {}
                Ok(RouterCommand::CloseDigests) => router.close_digests(&mut store)?,
                Ok(RouterCommand::Reconfigure(config)) => router.reconfigure(config, &mut store)?,
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
        if router.pruner.step(&router.config.retention, (context.now)())? {
            continue;
        }
        match told.recv_timeout(if router.later { LOOK_FOR_MORE } else { LOOK }) {
            Ok(RouterCommand::Reconfigure(config)) => router.reconfigure(config, &mut store)?,
            Ok(RouterCommand::CloseDigests) => router.close_digests(&mut store)?,
            Ok(RouterCommand::Wake) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return router.stop(),
        }
    }
}

/// The configuration, once the built-in plugin is compiled; none, if it is to end before.
fn prepared(mut config: Arc<Config>, context: &WorkerContext, told: &Receiver<RouterCommand>) -> Option<Arc<Config>> {
    let (routes, runtime) = (config.routes.clone(), Arc::clone(&context.runtime));
    // Not joined: compiling may take longer than a stop may.
    let preparing = thread::spawn(move || format::prepare(&routes, &runtime));
    while !preparing.is_finished() {
        match told.recv_timeout(LOOK_WHILE_PREPARING) {
            Ok(RouterCommand::Reconfigure(newer)) => config = newer,
            // Whether to close_digests, workers see for themselves.
            Ok(RouterCommand::Wake | RouterCommand::CloseDigests) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
    Some(config)
}

struct Router<'a> {
    config: Arc<Config>,
    defaults: EventDefaults,
    workers: BTreeMap<String, Worker>,
    context: &'a WorkerContext,
    /// For what fail2ban's database adds.
    inbox: Inbox,
    enricher: Enricher,
    /// Whether an event waits for that database.
    later: bool,
    pruner: Pruner,
}

impl Router<'_> {
    /// Takes up another configuration, or other files behind the same.
    fn reconfigure(&mut self, config: Arc<Config>, store: &mut Store) -> Result<(), DaemonError> {
        if config.fail2ban != self.config.fail2ban {
            self.enricher = Enricher::new(config.fail2ban.database.clone(), config.fail2ban.configured);
        }
        self.config = config;
        let databases = self.context.databases.clone();
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
        self.defaults = self.config.event_defaults(&self.context.system_host);
        let names: Vec<_> = self.config.routes.iter().map(|route| route.name.as_str()).collect();
        let webhooks: Vec<_> = self.config.webhooks.keys().map(String::as_str).collect();
        store.prune_unconfigured(&names, &webhooks)?;
        let gone: Vec<_> = self.workers.keys().filter(|name| !names.contains(&name.as_str())).cloned().collect();
        for name in gone {
            if let Some(worker) = self.workers.remove(&name) {
                worker.tell(WorkerCommand::Stop);
                // Two must not word the same events; it takes no longer than the event in hand.
                worker.join()?;
            }
        }
        let profiles = format::profiles(&self.config);
        for route in &self.config.routes {
            let order = WorkerCommand::Load(Box::new(route.clone()), self.defaults.clone(), profiles.clone());
            match self.workers.get(&route.name) {
                Some(worker) => worker.tell(order),
                None => {
                    let store = store.new_routing_connection()?;
                    let worker = Worker::start(&route.name, store, self.context)?;
                    worker.tell(order);
                    self.workers.insert(route.name.clone(), worker);
                }
            }
        }
        self.format_removed_route(store)
    }

    /// Assigns one batch. Says how many events that were.
    fn advance(&mut self, store: &mut Store) -> Result<usize, DaemonError> {
        let enrichment = Enrichment { enricher: &mut self.enricher, inbox: &mut self.inbox };
        let now = (self.context.now)();
        let RoutingPass { events, routes, later } =
            route::route_events(&self.config.routes, &self.defaults, store, Some(enrichment), now)?;
        self.later = later;
        for worker in routes.iter().filter_map(|route| self.workers.get(route)) {
            worker.tell(WorkerCommand::Wake);
        }
        if events > 0 && routes.is_empty() {
            // What an idle run waits for.
            self.context.formatted.notify_one();
        }
        Ok(events)
    }

    /// Words what is left of routes that are gone.
    fn format_removed_route(&self, store: &mut Store) -> Result<(), DaemonError> {
        for route in store.unfinished_routes()? {
            if self.workers.contains_key(&route) {
                continue;
            }
            while format::format_removed_route(&route, &self.config, &self.defaults, store, (self.context.now)())? > 0 {
            }
            self.context.formatted.notify_one();
        }
        Ok(())
    }

    /// Has workers look that have something to do, and words the rest: `queue retry` may have given some of it back.
    fn look_after(&self, store: &mut Store) -> Result<(), DaemonError> {
        for worker in store.unfinished_routes()?.iter().filter_map(|route| self.workers.get(route)) {
            worker.tell(WorkerCommand::Wake);
        }
        self.format_removed_route(store)
    }

    /// Has workers close what is open.
    fn close_digests(&self, store: &mut Store) -> Result<(), DaemonError> {
        for worker in self.workers.values() {
            worker.tell(WorkerCommand::Wake);
        }
        self.format_removed_route(store)
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
            worker.tell(WorkerCommand::Stop);
        }
        self.workers.into_values().try_for_each(Worker::join)
    }
}

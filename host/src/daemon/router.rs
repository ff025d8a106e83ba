//! The router thread: it receives what `notify` has left in the spool, routes events, and keeps a worker for each route.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use super::error::DaemonError;
use super::fleet_part::FleetPart;
use super::route_worker::{RouteWorkerHandle, WorkerCommand, WorkerContext};
use crate::config::{Config, Retention};
use crate::event::{EventDefaults, Timestamp};
use crate::fleet::Terms;
use crate::format;
use crate::message::one_line;
use crate::route::{self, Enricher, RoutingPass};
use crate::store::{Received, RetentionLimits, SettledBefore, Store, StreamProgress};

/// How often spool and inbox are polled without a command.
pub(super) const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How often an event is tried again that waits for fail2ban's database.
const ENRICHMENT_POLL_INTERVAL: Duration = Duration::from_millis(50);

/// How often the compilation of the built-in plugin is polled; mostly it takes a millisecond.
const PREPARE_POLL_INTERVAL: Duration = Duration::from_millis(1);

/// What the router is asked to do. It ends once nobody can send it a command.
pub(super) enum RouterCommand {
    /// Look for events to route.
    Wake,
    /// Close digests as soon as no event is left.
    CloseDigests,
    /// Use this configuration; plugins are loaded again where they or their files have changed.
    Reconfigure(Arc<Config>),
}

/// Routes events until the other end of `commands` is dropped.
pub(super) fn run(
    config: Arc<Config>,
    mut store: Store,
    context: &WorkerContext,
    commands: &Receiver<RouterCommand>,
) -> Result<(), DaemonError> {
    let Some(config) = prepare(config, context, commands) else { return Ok(()) };
    let pulse = context.pulses.add();
    pulse.step();
    let mut router = Router::new(config, &store, context)?;
    router.configure(&mut store)?;
    let mut checked_at = Instant::now();
    loop {
        pulse.step();
        router.check_workers()?;
        router.begin_terms()?;
        // Not only when there is nothing else to do: on a busy host there always is.
        if checked_at.elapsed() >= POLL_INTERVAL {
            checked_at = Instant::now();
            router.wake_unfinished(&mut store)?;
        }
        loop {
            match commands.try_recv() {
                Ok(command) => router.follow(command, &mut store)?,
                Err(TryRecvError::Disconnected) => return router.stop(),
                Err(TryRecvError::Empty) => break,
            }
        }
        if router.advance(&mut store)? > 0 {
            store.wal_checkpoint_if_very_long()?;
            continue;
        }
        store.wal_checkpoint_if_long()?;
        if router.pruner.step(&router.config, (context.now)())? {
            continue;
        }
        pulse.wait();
        let received = commands.recv_timeout(if router.enriching { ENRICHMENT_POLL_INTERVAL } else { POLL_INTERVAL });
        pulse.step();
        match received {
            Ok(command) => router.follow(command, &mut store)?,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return router.stop(),
        }
    }
}

/// Returns the configuration once the built-in plugin is compiled; `None` if the router is to end before.
fn prepare(
    mut config: Arc<Config>,
    context: &WorkerContext,
    commands: &Receiver<RouterCommand>,
) -> Option<Arc<Config>> {
    let (routes, runtime) = (config.routes.clone(), Arc::clone(&context.runtime));
    // Not joined: compiling may take longer than a stop may.
    let preparing = Builder::new().name("prepare".into()).spawn(move || format::prepare(&routes, &runtime));
    // Otherwise the first route that uses it compiles it.
    let Ok(preparing) = preparing else { return Some(config) };
    while !preparing.is_finished() {
        match commands.recv_timeout(PREPARE_POLL_INTERVAL) {
            Ok(RouterCommand::Reconfigure(newer)) => config = newer,
            // Workers see by themselves whether to close digests.
            Ok(RouterCommand::Wake | RouterCommand::CloseDigests) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
    Some(config)
}

struct Router<'a> {
    config: Arc<Config>,
    defaults: EventDefaults,
    workers: BTreeMap<String, RouteWorkerHandle>,
    context: &'a WorkerContext,
    problems: SpoolProblems,
    enricher: Enricher,
    /// Whether an event waits for that database.
    enriching: bool,
    /// Of a fleet's worker.
    part: Option<Part>,
    pruner: Pruner,
}

/// What the router of a fleet's worker has of its part of the work.
struct Part {
    part: FleetPart,
    /// The shards that are this worker's.
    terms: Terms,
    /// What others had settled of events that are not routed here yet.
    settled_before: Option<SettledBefore>,
    /// A connection that syncs.
    store: Store,
}

impl<'a> Router<'a> {
    fn new(config: Arc<Config>, store: &Store, context: &'a WorkerContext) -> Result<Self, DaemonError> {
        let part = match context.part.clone() {
            Some(part) => {
                Some(Part { part, terms: Terms::new(), settled_before: None, store: store.new_connection()? })
            }
            None => None,
        };
        Ok(Self {
            defaults: config.event_defaults(&context.system_host),
            workers: BTreeMap::new(),
            context,
            problems: SpoolProblems::default(),
            enricher: Enricher::new(config.fail2ban.database.clone(), config.fail2ban.configured),
            enriching: false,
            part,
            pruner: Pruner::new(store)?,
            config,
        })
    }

    fn follow(&mut self, command: RouterCommand, store: &mut Store) -> Result<(), DaemonError> {
        match command {
            RouterCommand::Wake => Ok(()),
            RouterCommand::CloseDigests => self.close_digests(store),
            RouterCommand::Reconfigure(config) => self.reconfigure(config, store),
        }
    }

    /// Applies another configuration, or other files that the same one names.
    fn reconfigure(&mut self, config: Arc<Config>, store: &mut Store) -> Result<(), DaemonError> {
        if config.fail2ban != self.config.fail2ban {
            self.enricher = Enricher::new(config.fail2ban.database.clone(), config.fail2ban.configured);
        }
        self.config = config;
        let runtime = Arc::clone(&self.context.runtime);
        // Not joined: reading a large file takes a while, and the previous version serves meanwhile.
        let reloading = Builder::new().name("reload".into()).spawn(move || {
            for (path, read) in runtime.host().reload() {
                match read {
                    Ok(()) => tracing::info!("file {} reloaded", path.display()),
                    Err(error) => tracing::error!("the previous file stays in use: {}", one_line(&error)),
                }
            }
        });
        if let Err(error) = reloading {
            tracing::error!("files are not reloaded: cannot start a thread: {error}");
        }
        self.configure(store)
    }

    /// Starts and stops workers so that each route has one, with the route as it is configured now.
    fn configure(&mut self, store: &mut Store) -> Result<(), DaemonError> {
        self.defaults = self.config.event_defaults(&self.context.system_host);
        let (routes, webhooks) = names(&self.config);
        store.prune_unconfigured(&routes, &webhooks)?;
        let removed: Vec<_> = self.workers.keys().filter(|name| !routes.contains(&name.as_str())).cloned().collect();
        for name in removed {
            if let Some(worker) = self.workers.remove(&name) {
                worker.send(WorkerCommand::Stop);
                // Two threads must not format the same events; this takes no longer than the current event.
                worker.join()?;
            }
        }
        let profiles = format::profiles(&self.config);
        for route in &self.config.routes {
            let load = WorkerCommand::Load(Box::new(route.clone()), self.defaults.clone(), profiles.clone());
            match self.workers.get(&route.name) {
                Some(worker) => worker.send(load),
                None => {
                    let worker = RouteWorkerHandle::start(&route.name, self.context)?;
                    worker.send(load);
                    self.workers.insert(route.name.clone(), worker);
                }
            }
        }
        self.give_terms();
        self.format_removed_routes(store)
    }

    /// Follows whose shards are whose: of a shard that has become this worker's, what others have settled is not sent here, and
    /// after that its routes are formatted and delivered.
    fn begin_terms(&mut self) -> Result<(), DaemonError> {
        let Some(Part { part, terms, settled_before, store }) = &mut self.part else { return Ok(()) };
        let Some(newer) = part.changed_terms() else { return Ok(()) };
        // Those that are here for longer may have begun with another stream.
        let stream = newer.values().find(|term| !term.has_begun()).or(newer.values().next()).map(|term| &term.stream);
        let mut before = StreamProgress::default();
        for (shard, term) in &newer {
            if Some(&term.stream) == stream {
                before.add_routes(&term.before);
            }
            if term.has_to_heed && !term.has_begun() {
                let settled = store.settle_by_record(&term.stream, &term.before)?;
                if settled > 0 {
                    tracing::info!(
                        shard,
                        settled,
                        "another worker has settled what was pending here; it is not sent again"
                    );
                }
            }
        }
        if let Some(stream) = stream {
            *settled_before = Some(SettledBefore::new(stream.clone(), before));
        }
        *terms = newer;
        terms.values().for_each(|term| term.begin());
        self.give_terms();
        self.context.formatted.notify_one();
        Ok(())
    }

    /// Has the workers of routes work where the shard is this worker's.
    fn give_terms(&self) {
        let Some(Part { part, terms, .. }) = &self.part else { return };
        for (route, worker) in &self.workers {
            // Not one that has not begun yet.
            let term = part.term_for_route(route).filter(|term| terms.values().any(|known| Arc::ptr_eq(known, term)));
            worker.send(WorkerCommand::Own(term));
        }
    }

    /// Whether what is left of a route that is not configured is to be formatted here.
    fn has_removed(&self, route: &str, store: &Store) -> Result<bool, DaemonError> {
        let Some(Part { part, .. }) = &self.part else { return Ok(true) };
        let webhook = store.webhook_of_pending(route)?;
        Ok(webhook.is_some_and(|webhook| part.term_for_webhook(&webhook).is_some()))
    }

    /// Receives and routes one batch of events. Returns how many there were.
    fn advance(&mut self, store: &mut Store) -> Result<usize, DaemonError> {
        let now = (self.context.now)();
        let Received { records, problems } = store.receive(now)?;
        self.problems.report(problems);
        let before = self.part.as_mut().and_then(|part| part.settled_before.as_mut());
        let enricher = Some(&mut self.enricher);
        let RoutingPass { events, routes, later, counts } =
            route::route_events_after(&self.config.routes, &self.defaults, store, enricher, before, now)?;
        self.enriching = later;
        self.context.counters.events(&counts);
        for worker in routes.iter().filter_map(|route| self.workers.get(route)) {
            worker.send(WorkerCommand::Wake);
        }
        if events > 0 && routes.is_empty() {
            // A run that ends when idle waits for this.
            self.context.formatted.notify_one();
        }
        // Repeats are received, and leave nothing to route.
        Ok(events.max(records))
    }

    /// Formats what is left of routes that are no longer configured.
    fn format_removed_routes(&self, store: &mut Store) -> Result<(), DaemonError> {
        for route in store.unfinished_routes()? {
            if self.workers.contains_key(&route) || !self.has_removed(&route, store)? {
                continue;
            }
            while format::format_removed_route(&route, &self.config, &self.defaults, store, (self.context.now)())? > 0 {
            }
            self.context.formatted.notify_one();
        }
        Ok(())
    }

    /// Wakes the workers that have something to do: `queue retry` may have given events back to their routes.
    fn wake_unfinished(&self, store: &mut Store) -> Result<(), DaemonError> {
        for worker in store.unfinished_routes()?.iter().filter_map(|route| self.workers.get(route)) {
            worker.send(WorkerCommand::Wake);
        }
        self.format_removed_routes(store)
    }

    /// Wakes all workers, which see by themselves that digests are to be closed.
    fn close_digests(&self, store: &mut Store) -> Result<(), DaemonError> {
        for worker in self.workers.values() {
            worker.send(WorkerCommand::Wake);
        }
        self.format_removed_routes(store)
    }

    /// Reports the error of a worker that has ended; a worker ends by itself only with one.
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
            worker.send(WorkerCommand::Stop);
        }
        self.workers.into_values().try_for_each(RouteWorkerHandle::join)
    }
}

/// What keeps records of the spool from being received.
#[derive(Default)]
pub(super) struct SpoolProblems(Vec<String>);

impl SpoolProblems {
    /// Logs it, when it changes.
    pub(super) fn report(&mut self, problems: Vec<String>) {
        if problems != self.0 {
            problems.iter().for_each(|problem| tracing::error!("{}", one_line(problem)));
            self.0 = problems;
        }
    }
}

/// How often retention is applied.
const PRUNE_INTERVAL: Duration = Duration::from_secs(60);

pub(super) struct Pruner {
    /// A connection that syncs, unlike those for routing.
    store: Store,
    /// Where the next step begins; 0: at the oldest event, after the interval.
    next: i64,
    last_step_at: Option<Instant>,
}

impl Pruner {
    pub(super) fn new(store: &Store) -> Result<Self, DaemonError> {
        Ok(Self { store: store.new_connection()?, next: 0, last_step_at: None })
    }

    /// Takes a step if it is time for one. Returns whether there is more to do.
    pub(super) fn step(&mut self, config: &Config, now: Timestamp) -> Result<bool, DaemonError> {
        let retention: &Retention = &config.retention;
        if self.next == 0 && self.last_step_at.is_some_and(|at| at.elapsed() < PRUNE_INTERVAL) {
            return Ok(false);
        }
        self.last_step_at = Some(Instant::now());
        self.store.prune_spool(now)?;
        let since = |age: Duration| now.plus_ms(i64::try_from(age.as_millis()).unwrap_or(i64::MAX).saturating_neg());
        let limits = RetentionLimits {
            events_since: since(retention.history),
            max_events: retention.events,
            dead_since: since(retention.dead_message_max_age),
            max_dead: retention.dead_message_max_count,
        };
        let pruned = self.store.prune(&limits, self.next)?;
        self.next = pruned.next_after;
        if pruned.events > 0 && self.next == 0 {
            let (routes, webhooks) = names(config);
            self.store.prune_unconfigured(&routes, &webhooks)?;
        }
        Ok(pruned.next_after > 0)
    }
}

/// The names of the routes and the webhooks.
fn names(config: &Config) -> (Vec<&str>, Vec<&str>) {
    let routes = config.routes.iter().map(|route| route.name.as_str());
    (routes.collect(), config.webhooks.keys().map(String::as_str).collect())
}

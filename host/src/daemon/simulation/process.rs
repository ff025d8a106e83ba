//! The process: what a daemon has in memory, and what it does in the turns that the history gives it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::chats::Chats;
use crate::config::Config;
use crate::deliver::{Endpoint, Endpoints, NextAction, Queue, SendResult, failover, reassign_removed};
use crate::event::{EventDefaults, Timestamp};
use crate::format::{self, LoadedRoute, RouteContext};
use crate::plugin::Runtime;
use crate::route::route_events;
use crate::store::{ConfiguredNames, MessageSelector, OutboundMessage, RetentionLimits, StateDir, Store, WorkLock};

/// More turns than any history needs; a queue that goes round in circles ends here.
const TURNS_MAX: usize = 20_000;

pub(super) struct Process {
    runtime: Arc<Runtime>,
    config: Config,
    endpoints: Endpoints,
    defaults: EventDefaults,
    store: Store,
    routes: BTreeMap<String, LoadedRoute>,
    queues: BTreeMap<String, (Queue, Option<Endpoint>)>,
    /// Released last.
    _lock: WorkLock,
}

impl Process {
    pub(super) fn start(folder: &Path, text: &str, runtime: &Arc<Runtime>, now: Timestamp) -> Self {
        let state = StateDir::new(folder.join("state"));
        state.create().unwrap();
        let lock = state.try_work_lock().unwrap().unwrap();
        let store = Store::open_for_work(&state, &lock).unwrap();
        let config = parse(folder, text);
        let defaults = config.event_defaults("web-1");
        let mut process = Self {
            runtime: Arc::clone(runtime),
            endpoints: Endpoints::new(&config, "web-1"),
            defaults,
            config,
            store,
            routes: BTreeMap::new(),
            queues: BTreeMap::new(),
            _lock: lock,
        };
        for webhook in process.store.suspended_webhooks().unwrap().into_keys() {
            process.store.clear_failures(&webhook).unwrap();
        }
        process.load(now);
        process
    }

    /// Uses another configuration.
    pub(super) fn configure(&mut self, folder: &Path, text: &str, now: Timestamp) {
        self.config = parse(folder, text);
        self.defaults = self.config.event_defaults("web-1");
        self.endpoints = Endpoints::new(&self.config, "web-1");
        self.load(now);
    }

    fn load(&mut self, now: Timestamp) {
        let routes: Vec<_> = self.config.routes.iter().map(|route| route.name.as_str()).collect();
        let webhooks: Vec<_> = self.config.webhooks.keys().map(String::as_str).collect();
        self.store.prune_unconfigured(&routes, &webhooks).unwrap();
        self.routes.retain(|name, _| routes.contains(&name.as_str()));
        let profiles = format::profiles(&self.config);
        let context = RouteContext {
            defaults: self.defaults.clone(),
            profiles: profiles.clone(),
            runtime: Arc::clone(&self.runtime),
            state: Some(self.store.folder().clone()),
        };
        for route in &self.config.routes {
            let fresh = LoadedRoute::load(route, &context, now);
            match self.routes.get_mut(&route.name) {
                Some(loaded) => {
                    loaded.redirect(route, &profiles);
                    loaded.replace(fresh);
                }
                None => {
                    self.routes.insert(route.name.clone(), fresh);
                }
            }
        }
    }

    /// Receives and routes everything.
    pub(super) fn route(&mut self, now: Timestamp) {
        for _ in 0..TURNS_MAX {
            let received = self.store.receive(now).unwrap();
            assert_eq!(received.problems, [""; 0]);
            let pass = route_events(&self.config.routes, &self.defaults, &mut self.store, None, now).unwrap();
            if received.records + pass.events == 0 {
                return;
            }
        }
        panic!("it would route for ever");
    }

    /// Formats what a route has, and what is left of routes that are not configured.
    pub(super) fn format(&mut self, number: usize, now: Timestamp) {
        let routes = self.routes.len();
        if let Some(route) = self.routes.values_mut().nth(number % routes) {
            while route.advance(&mut self.store, now, false, || false).unwrap() > 0 {}
        }
        for route in self.store.unfinished_routes().unwrap() {
            if !self.routes.contains_key(&route) {
                let (config, defaults) = (&self.config, &self.defaults);
                while format::format_removed_route(&route, config, defaults, &mut self.store, now).unwrap() > 0 {}
            }
        }
    }

    /// Works until nothing is due. Returns when something will be.
    pub(super) fn work(&mut self, chats: &mut Chats, now: Timestamp) -> Option<Timestamp> {
        self.route(now);
        for number in 0..self.routes.len() {
            self.format(number, now);
        }
        let delivery = self.deliver(chats, TURNS_MAX, now);
        let closing = self.routes.values().filter_map(|route| route.next_closing(&self.store).unwrap());
        closing.chain(delivery).min()
    }

    /// Sends up to so many messages that are due. Returns when the next one is.
    pub(super) fn deliver(&mut self, chats: &mut Chats, most: usize, now: Timestamp) -> Option<Timestamp> {
        let (mut left, mut next) = (most, None::<Timestamp>);
        // A message may be given to another webhook.
        for _ in 0..3 {
            self.fail_over(now);
            for webhook in self.store.pending_webhooks().unwrap() {
                while left > 0 {
                    left -= 1;
                    match self.next(&webhook, now) {
                        None => {}
                        Some(NextAction::Send(message)) => {
                            self.attempt(&webhook, &message, now, |url, message| {
                                Some(chats.answer(&webhook, url, message, now))
                            });
                        }
                        Some(NextAction::AskAgain) => {}
                        Some(NextAction::WaitUntil(at)) => {
                            next = Some(next.map_or(at, |next| next.min(at)));
                            break;
                        }
                        Some(NextAction::Idle) => break,
                    }
                }
            }
        }
        assert!(most < TURNS_MAX || left > 0, "it would send for ever");
        next
    }

    /// Begins to send a message that is due, if there is one, and is heard of no more.
    pub(super) fn begin_request(&mut self, chats: &mut Chats, accepted: bool, now: Timestamp) {
        self.fail_over(now);
        for webhook in self.store.pending_webhooks().unwrap() {
            if let Some(NextAction::Send(message)) = self.next(&webhook, now) {
                self.attempt(&webhook, &message, now, |_, message| {
                    if accepted {
                        chats.arrive(message, false);
                    }
                    None
                });
                return;
            }
        }
    }

    /// As the daemon does between two messages.
    fn fail_over(&mut self, now: Timestamp) {
        for webhook in self.store.suspended_webhooks().unwrap().into_keys() {
            if let Some((endpoint, policy)) = self.endpoints.webhooks.get(&webhook) {
                failover(&mut self.store, &webhook, policy, &endpoint.url_hash(), now).unwrap();
            }
        }
    }

    /// What a webhook's queue says; `None`: its messages were given to others, or are dead.
    fn next(&mut self, webhook: &str, now: Timestamp) -> Option<NextAction> {
        let Some((endpoint, policy)) = self.endpoints.webhooks.get(webhook).cloned() else {
            let reassigned = reassign_removed(&mut self.store, webhook, &self.endpoints, now).unwrap();
            return (!reassigned).then_some(NextAction::Idle);
        };
        let (queue, tried) =
            self.queues.entry(webhook.to_owned()).or_insert_with(|| (Queue::new(webhook.into()), None));
        if tried.as_ref().is_some_and(|tried| *tried != endpoint) {
            queue.forget_failures(&mut self.store).unwrap();
            *tried = None;
        }
        let action = queue.next(&mut self.store, &policy, &endpoint.url_hash(), now).unwrap();
        if matches!(action, NextAction::Send(_)) {
            *tried = Some(endpoint);
        }
        Some(action)
    }

    /// Sends a message, if it is still to be sent; `send` returns the answer, or `None` if the process ends before there is one.
    fn attempt(
        &mut self,
        webhook: &str,
        message: &OutboundMessage,
        now: Timestamp,
        send: impl FnOnce(&str, &OutboundMessage) -> Option<SendResult>,
    ) {
        let (endpoint, policy) = self.endpoints.webhooks[webhook].clone();
        let (queue, _) = self.queues.get_mut(webhook).unwrap();
        if !queue.begin(&mut self.store, &policy, message, now).unwrap() {
            return;
        }
        if let Some(mut answer) = send(&endpoint.url_hash(), message) {
            if let SendResult::Accepted { reference, .. } = &mut answer {
                let has_reference = policy.target.has_conversations();
                *reference = reference.take().filter(|_| has_reference);
                if let Some(reference) = reference {
                    reference.of.clone_from(&policy.channel);
                }
            }
            let hash = endpoint.url_hash();
            queue.record_result(&mut self.store, &policy, &hash, message, answer, now, 0.5).unwrap();
        }
    }

    /// Removes all finished events.
    pub(super) fn prune(&mut self, now: Timestamp) {
        self.store.prune_spool(now).unwrap();
        let never = Timestamp(0);
        let limits =
            RetentionLimits { events_since: now, max_events: 1, dead_since: never, max_dead: u64::from(u32::MAX) };
        let mut after = 0;
        loop {
            after = self.store.prune(&limits, after).unwrap().next_after;
            if after == 0 {
                return;
            }
        }
    }

    /// Retries all dead messages, as `queue retry --all`.
    pub(super) fn retry(&mut self, now: Timestamp) {
        let configured = ConfiguredNames {
            routes: self.config.routes.iter().map(|route| route.name.clone()).collect(),
            webhooks: self.config.webhooks.keys().cloned().collect(),
        };
        self.store.retry(&MessageSelector::Dead(None), Some(&configured), now).unwrap();
    }

    pub(super) const fn store(&mut self) -> &mut Store {
        &mut self.store
    }
}

fn parse(folder: &Path, text: &str) -> Config {
    let found = Config::parse(text, &folder.join("config.toml"), &|_| None);
    found.unwrap_or_else(|error| panic!("{error:?}\n{text}"))
}

/// How far the clock is moved where nothing is known to become due.
pub(super) const IDLE_TURN: Duration = Duration::from_secs(60);

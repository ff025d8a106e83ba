//! The delivery workers of a daemon, one for each webhook that has had messages.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::error::DaemonError;
use super::fleet_part::FleetPart;
use crate::config::Config;
use crate::counters::Counters;
use crate::deliver::{Client, DeliveryContext, DeliveryError, DeliveryWorker, Endpoints, failover};
use crate::event::Timestamp;
use crate::fleet::Term;
use crate::store::Store;

pub(super) struct DeliveryWorkers {
    client: Client,
    endpoints: watch::Sender<Endpoints>,
    running: BTreeMap<String, Running>,
    tasks: JoinSet<(String, Result<(), DeliveryError>)>,
    /// Webhooks whose workers were stopped and have not ended yet.
    ending: BTreeSet<String>,
    /// Failovers that were logged: the suspended webhook, a route, and the webhook that gets its messages.
    failed_over: BTreeSet<(String, String, String)>,
    progress: Arc<Notify>,
    now: fn() -> Timestamp,
    /// The name of this host, as the system has it.
    system_host: String,
    counters: Counters,
    part: Option<FleetPart>,
}

/// A delivery worker that runs.
struct Running {
    wake: Arc<Notify>,
    stop: watch::Sender<bool>,
    /// On a fleet's worker, its term for the webhook; without one it sends notices alone, which are its own.
    term: Option<Arc<Term>>,
}

impl DeliveryWorkers {
    /// Starts without workers. `progress` is notified by each worker: see [`DeliveryWorker::run`].
    pub(super) fn new(
        config: &Config,
        system_host: &str,
        progress: Arc<Notify>,
        now: fn() -> Timestamp,
        counters: Counters,
        part: Option<FleetPart>,
    ) -> Self {
        Self {
            client: Client::new(),
            endpoints: watch::Sender::new(Endpoints::new(config, system_host)),
            running: BTreeMap::new(),
            tasks: JoinSet::new(),
            ending: BTreeSet::new(),
            failed_over: BTreeSet::new(),
            progress,
            now,
            system_host: system_host.to_owned(),
            counters,
            part,
        }
    }

    /// Applies another configuration.
    pub(super) fn configure(&self, config: &Config) {
        self.endpoints.send_replace(Endpoints::new(config, &self.system_host));
        self.prepare();
        for running in self.running.values() {
            running.wake.notify_one();
        }
    }

    /// Makes suspended webhooks due again: all of them, or those whose URL has changed.
    pub(super) fn retry_suspended(&self, store: &Store, all: bool) -> Result<(), DaemonError> {
        let webhooks = self.endpoints.borrow().webhooks.clone();
        for (name, suspended) in store.suspended_webhooks()? {
            if all || webhooks.get(&name).is_none_or(|(endpoint, _)| endpoint.url_hash() != suspended.url_hash) {
                store.clear_failures(&name)?;
            }
        }
        Ok(())
    }

    /// Wakes the worker of each webhook with pending messages, starting those that do not run yet. On a fleet's worker, those
    /// are stopped whose shard is another worker's from now on, or no longer.
    pub(super) fn wake(&mut self, store: &Store) -> Result<(), DaemonError> {
        if let Some(part) = &self.part {
            self.running.retain(|webhook, running| {
                let is_current = match (&running.term, part.term_for_webhook(webhook)) {
                    (Some(own), Some(term)) => Arc::ptr_eq(own, &term),
                    (own, term) => own.is_none() && term.is_none(),
                };
                if !is_current {
                    running.stop.send_replace(true);
                    self.ending.insert(webhook.clone());
                }
                is_current
            });
        }
        // Here and not in the worker of a suspended webhook, so that nobody finds the queues idle in between.
        self.fail_over(store)?;
        for webhook in store.pending_webhooks()? {
            match self.running.get(&webhook) {
                Some(running) => running.wake.notify_one(),
                // Two would send the same message.
                None if self.ending.contains(&webhook) => {}
                None => self.start(webhook, store)?,
            }
        }
        Ok(())
    }

    fn start(&mut self, webhook: String, store: &Store) -> Result<(), DaemonError> {
        let term = self.part.as_ref().and_then(|part| part.term_for_webhook(&webhook));
        let (stop, stopped) = watch::channel(false);
        let context = DeliveryContext {
            endpoints: self.endpoints.subscribe(),
            client: self.client.clone(),
            stop: stopped,
            now: self.now,
            jitter: fastrand::f64,
            counters: self.counters.clone(),
            send_until: term.as_ref().map(|term| term.send_until()),
        };
        let connection = store.new_connection()?;
        let worker = match (&self.part, &term) {
            (Some(_), None) => DeliveryWorker::of_notices(webhook.clone(), connection, context),
            _ => DeliveryWorker::new(webhook.clone(), connection, context),
        };
        let (wake, progress) = (Arc::new(Notify::new()), Arc::clone(&self.progress));
        let running = Running { wake: Arc::clone(&wake), stop, term: term.clone() };
        self.running.insert(webhook.clone(), running);
        self.tasks.spawn(async move {
            let result = worker.run(&wake, &progress).await;
            // Until now somebody has worked for it.
            drop(term);
            (webhook, result)
        });
        Ok(())
    }

    /// Moves the messages of suspended webhooks to the other webhook of their route.
    fn fail_over(&mut self, store: &Store) -> Result<(), DaemonError> {
        let suspended = store.suspended_webhooks()?;
        self.failed_over.retain(|(webhook, ..)| suspended.contains_key(webhook));
        let is_own = |webhook: &String| self.part.as_ref().is_none_or(|part| part.term_for_webhook(webhook).is_some());
        for webhook in suspended.into_keys().filter(is_own) {
            let endpoints = self.endpoints.borrow();
            let Some((endpoint, policy)) = endpoints.webhooks.get(&webhook) else { continue };
            let reassigned =
                failover(&mut store.new_connection()?, &webhook, policy, &endpoint.url_hash(), (self.now)())?;
            for (route, other) in reassigned {
                // Logged once, and not for each message.
                if self.failed_over.insert((webhook.clone(), route.clone(), other.clone())) {
                    tracing::info!(webhook, route, other, "webhook suspended: messages fail over");
                }
            }
        }
        Ok(())
    }

    /// Sets up the connections that the webhooks need in the background, so that the first message does not wait for it:
    /// reading every certificate of the system takes as long as loading all plugins.
    pub(super) fn prepare(&self) {
        let client = self.client.clone();
        let endpoints: Vec<_> =
            self.endpoints.borrow().webhooks.values().map(|(endpoint, _)| endpoint.clone()).collect();
        tokio::spawn(async move { client.prepare(&endpoints).await });
    }

    /// Waits for the first worker that ends. Waits for ever if there is none.
    pub(super) async fn ended(&mut self) -> Result<(), DeliveryError> {
        match self.tasks.join_next().await {
            Some(ended) => {
                let (webhook, result) = ended?;
                self.ending.remove(&webhook);
                result
            }
            None => std::future::pending().await,
        }
    }

    /// Stops all workers, and waits until they have ended.
    pub(super) async fn stop(&mut self) -> Result<(), DeliveryError> {
        for running in self.running.values() {
            running.stop.send_replace(true);
        }
        while let Some(ended) = self.tasks.join_next().await {
            ended?.1?;
        }
        Ok(())
    }
}

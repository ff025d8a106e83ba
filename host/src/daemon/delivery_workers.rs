//! The delivery workers of a daemon, one for each webhook that has had messages.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::error::DaemonError;
use crate::config::Config;
use crate::counters::Counters;
use crate::deliver::{Client, DeliveryContext, DeliveryError, DeliveryWorker, Endpoints, failover};
use crate::event::Timestamp;
use crate::store::Store;

pub(super) struct DeliveryWorkers {
    client: Client,
    endpoints: watch::Sender<Endpoints>,
    wakes: BTreeMap<String, Arc<Notify>>,
    tasks: JoinSet<Result<(), DeliveryError>>,
    /// Failovers that were logged: the suspended webhook, a route, and the webhook that gets its messages.
    failed_over: BTreeSet<(String, String, String)>,
    progress: Arc<Notify>,
    stop: watch::Receiver<bool>,
    now: fn() -> Timestamp,
    /// The name of this host, as the system has it.
    system_host: String,
    counters: Counters,
    send_until: Option<watch::Receiver<Instant>>,
}

impl DeliveryWorkers {
    /// Starts without workers. `progress` is notified by each worker: see [`DeliveryWorker::run`].
    pub(super) fn new(
        config: &Config,
        system_host: &str,
        progress: Arc<Notify>,
        stop: watch::Receiver<bool>,
        now: fn() -> Timestamp,
        counters: Counters,
        send_until: Option<watch::Receiver<Instant>>,
    ) -> Self {
        Self {
            client: Client::new(),
            endpoints: watch::Sender::new(Endpoints::new(config, system_host)),
            wakes: BTreeMap::new(),
            tasks: JoinSet::new(),
            failed_over: BTreeSet::new(),
            progress,
            stop,
            now,
            system_host: system_host.to_owned(),
            counters,
            send_until,
        }
    }

    /// Applies another configuration.
    pub(super) fn configure(&self, config: &Config) {
        self.endpoints.send_replace(Endpoints::new(config, &self.system_host));
        self.prepare();
        for wake in self.wakes.values() {
            wake.notify_one();
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

    /// Wakes the worker of each webhook with pending messages, starting those that do not run yet.
    pub(super) fn wake(&mut self, store: &Store) -> Result<(), DaemonError> {
        // Here and not in the worker of a suspended webhook, so that nobody finds the queues idle in between.
        self.fail_over(store)?;
        for webhook in store.pending_webhooks()? {
            if let Some(wake) = self.wakes.get(&webhook) {
                wake.notify_one();
                continue;
            }
            let context = DeliveryContext {
                endpoints: self.endpoints.subscribe(),
                client: self.client.clone(),
                stop: self.stop.clone(),
                now: self.now,
                jitter: fastrand::f64,
                counters: self.counters.clone(),
                send_until: self.send_until.clone(),
            };
            let worker = DeliveryWorker::new(webhook.clone(), store.new_connection()?, context);
            let (wake, progress) = (Arc::new(Notify::new()), Arc::clone(&self.progress));
            self.wakes.insert(webhook, Arc::clone(&wake));
            self.tasks.spawn(async move { worker.run(&wake, &progress).await });
        }
        Ok(())
    }

    /// Moves the messages of suspended webhooks to the other webhook of their route.
    fn fail_over(&mut self, store: &Store) -> Result<(), DaemonError> {
        let suspended = store.suspended_webhooks()?;
        self.failed_over.retain(|(webhook, ..)| suspended.contains_key(webhook));
        for webhook in suspended.into_keys() {
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

    /// Waits for the first worker that ends, which is a failure unless they were stopped. Waits for ever if there is none.
    pub(super) async fn ended(&mut self) -> Result<(), DeliveryError> {
        match self.tasks.join_next().await {
            Some(ended) => ended?,
            None => std::future::pending().await,
        }
    }

    /// Waits until all workers have ended, after a stop.
    pub(super) async fn join(&mut self) -> Result<(), DeliveryError> {
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        Ok(())
    }
}

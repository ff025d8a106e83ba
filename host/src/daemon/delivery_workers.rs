//! The delivery_workers that are at work, one for each webhook.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::DaemonError;
use crate::config::{Config, Http, Proxy, Webhook};
use crate::deliver::{
    Client, DeliveryError, DeliveryPolicy, DeliveryWorker, Endpoint, Endpoints, HttpSettings, Via, failover,
};
use crate::event::Timestamp;
use crate::store::Store;

pub(super) struct DeliveryWorkers {
    client: Client,
    endpoints: watch::Sender<Endpoints>,
    wakes: BTreeMap<String, Arc<Notify>>,
    tasks: JoinSet<Result<(), DeliveryError>>,
    /// Webhooks that are suspended, with a route and the webhook that takes over for it.
    failed_over: BTreeSet<(String, String, String)>,
    done: Arc<Notify>,
    stop: watch::Receiver<bool>,
    now: fn() -> Timestamp,
}

impl DeliveryWorkers {
    /// None yet; `done` is told whenever a message came to its end.
    pub(super) fn new(config: &Config, done: Arc<Notify>, stop: watch::Receiver<bool>, now: fn() -> Timestamp) -> Self {
        let endpoints = watch::Sender::new(endpoints(config));
        Self {
            client: Client::new(),
            endpoints,
            wakes: BTreeMap::new(),
            tasks: JoinSet::new(),
            failed_over: BTreeSet::new(),
            done,
            stop,
            now,
        }
    }

    /// Has messages go where the webhooks are now.
    pub(super) fn configure(&self, config: &Config) {
        self.endpoints.send_replace(endpoints(config));
        self.prepare();
        for wake in self.wakes.values() {
            wake.notify_one();
        }
    }

    /// Has webhooks that are suspended tried again: all of them, or those that are somewhere else by now. Before anybody asks
    /// whether there is something to do.
    pub(super) fn retry_suspended(&self, store: &Store, all: bool) -> Result<(), DaemonError> {
        let webhooks = self.endpoints.borrow().webhooks.clone();
        for (name, suspended) in store.suspended_webhooks()? {
            if all || webhooks.get(&name).is_none_or(|(endpoint, _)| endpoint.url_hash() != suspended.url_hash) {
                store.clear_failures(&name)?;
            }
        }
        Ok(())
    }

    /// Sees to it that each webhook with pending messages has a worker, and wakes them. Before that, messages for one that
    /// is suspended go to the one that takes over: here and not in its worker, so that nobody finds nothing to do meanwhile.
    pub(super) fn send_out(&mut self, store: &Store) -> Result<(), DaemonError> {
        let suspended = store.suspended_webhooks()?;
        self.failed_over.retain(|(webhook, ..)| suspended.contains_key(webhook));
        for webhook in suspended.into_keys() {
            if let Some((endpoint, policy)) = self.endpoints.borrow().webhooks.get(&webhook) {
                for (route, other) in
                    failover(&mut store.new_connection()?, &webhook, policy, &endpoint.url_hash(), (self.now)())?
                {
                    // Said once, and not for each message.
                    if self.failed_over.insert((webhook.clone(), route.clone(), other.clone())) {
                        tracing::info!(webhook, route, "suspended: {other} takes over");
                    }
                }
            }
        }
        for webhook in store.pending_webhooks()? {
            if let Some(wake) = self.wakes.get(&webhook) {
                wake.notify_one();
                continue;
            }
            let wake = Arc::new(Notify::new());
            let worker = DeliveryWorker {
                endpoints: self.endpoints.subscribe(),
                webhook: webhook.clone(),
                client: self.client.clone(),
                now: self.now,
                random: fastrand::f64,
            };
            let (store, done, stop) = (store.new_connection()?, Arc::clone(&self.done), self.stop.clone());
            self.wakes.insert(webhook, Arc::clone(&wake));
            self.tasks.spawn(async move { worker.run(store, &wake, &done, stop).await });
        }
        Ok(())
    }

    /// Has the connections set up meanwhile that the webhooks need, so that the first message does not wait for it: reading
    /// every certificate of the system takes as long as all plugins together.
    pub(super) fn prepare(&self) {
        let client = self.client.clone();
        let endpoints: Vec<_> =
            self.endpoints.borrow().webhooks.values().map(|(endpoint, _)| endpoint.clone()).collect();
        tokio::spawn(async move { client.prepare(&endpoints).await });
    }

    /// Waits for the first worker that ends; that is a failure unless they were stopped. Never, if there is none.
    pub(super) async fn failure(&mut self) -> Result<(), DeliveryError> {
        match self.tasks.join_next().await {
            Some(ended) => ended?,
            None => std::future::pending().await,
        }
    }

    /// Waits until all have ended, after a stop.
    pub(super) async fn ended(&mut self) -> Result<(), DeliveryError> {
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        Ok(())
    }
}

fn endpoints(config: &Config) -> Endpoints {
    let webhook = |(name, webhook): (&String, &Webhook)| {
        let Webhook { url, target, .. } = webhook;
        let endpoint = Endpoint::new(url.expose().clone(), url.is_loopback(), *target, settings(&webhook.http));
        (name.clone(), (endpoint, policy(config, webhook)))
    };
    let routes = config.routes.iter().map(|route| (route.name.clone(), route.webhook.clone()));
    Endpoints { webhooks: config.webhooks.iter().map(webhook).collect(), routes: routes.collect() }
}

fn settings(http: &Http) -> HttpSettings {
    HttpSettings {
        connect_timeout: http.connect_timeout,
        timeout: http.timeout,
        via: match &http.proxy {
            Proxy::Environment => Via::Environment,
            Proxy::None => Via::Nothing,
            Proxy::At(url) => Via::Proxy(url.expose().clone()),
        },
        certificates: http.ca_file.as_ref().map(|file| Arc::clone(&file.certificates)).unwrap_or_default(),
    }
}

/// What all routes have to say of a webhook, those included whose messages it takes over.
fn policy(config: &Config, webhook: &Webhook) -> DeliveryPolicy {
    let routes = || config.routes.iter();
    DeliveryPolicy {
        target: webhook.target,
        every: webhook.pace.every,
        burst: webhook.pace.burst,
        max_age: routes().map(|route| (route.name.clone(), route.max_age)).collect(),
        fallbacks: routes()
            .filter_map(|route| Some((route.name.clone(), [route.webhook.clone(), route.fallback_webhook.clone()?])))
            .collect(),
    }
}

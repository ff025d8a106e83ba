//! The couriers that are at work, one for each webhook.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::DaemonError;
use crate::config::{Config, Http, Proxy, Webhook};
use crate::delivery::{Client, Courier, DeliveryError, Endpoint, HttpSettings, Rules, Via, Webhooks, hand_over};
use crate::event::Timestamp;
use crate::store::Store;

pub(super) struct Couriers {
    client: Client,
    webhooks: watch::Sender<Webhooks>,
    wakes: BTreeMap<String, Arc<Notify>>,
    tasks: JoinSet<Result<(), DeliveryError>>,
    done: Arc<Notify>,
    stop: watch::Receiver<bool>,
    now: fn() -> Timestamp,
}

impl Couriers {
    /// None yet; `done` is told whenever a message came to its end.
    pub(super) fn new(config: &Config, done: Arc<Notify>, stop: watch::Receiver<bool>, now: fn() -> Timestamp) -> Self {
        let webhooks = watch::Sender::new(webhooks(config));
        Self { client: Client::new(), webhooks, wakes: BTreeMap::new(), tasks: JoinSet::new(), done, stop, now }
    }

    /// Has messages go where the webhooks are now.
    pub(super) fn configure(&self, config: &Config) {
        self.webhooks.send_replace(webhooks(config));
        self.prepare();
        for wake in self.wakes.values() {
            wake.notify_one();
        }
    }

    /// Has webhooks that are gone tried again: all of them, or those that are somewhere else by now. Before anybody asks
    /// whether there is something to do.
    pub(super) fn try_gone_again(&self, store: &Store, all: bool) -> Result<(), DaemonError> {
        let webhooks = self.webhooks.borrow().clone();
        for (name, gone) in store.gone()? {
            if all || webhooks.get(&name).is_none_or(|(endpoint, _)| endpoint.mark() != gone.url) {
                store.try_again(&name)?;
            }
        }
        Ok(())
    }

    /// Sees to it that each webhook with pending messages has a courier, and wakes them. Before that, messages for one that
    /// is gone go to the one that takes over: here and not in its courier, so that nobody finds nothing to do meanwhile.
    pub(super) fn send_out(&mut self, store: &Store) -> Result<(), DaemonError> {
        for (name, _) in store.gone()? {
            if let Some((endpoint, rules)) = self.webhooks.borrow().get(&name) {
                hand_over(&mut store.another()?, &name, rules, &endpoint.mark(), (self.now)())?;
            }
        }
        for webhook in store.pending_webhooks()? {
            if let Some(wake) = self.wakes.get(&webhook) {
                wake.notify_one();
                continue;
            }
            let wake = Arc::new(Notify::new());
            let courier = Courier {
                webhooks: self.webhooks.subscribe(),
                webhook: webhook.clone(),
                client: self.client.clone(),
                now: self.now,
                random: fastrand::f64,
            };
            let (store, done, stop) = (store.another()?, Arc::clone(&self.done), self.stop.clone());
            self.wakes.insert(webhook, Arc::clone(&wake));
            self.tasks.spawn(async move { courier.run(store, &wake, &done, stop).await });
        }
        Ok(())
    }

    /// Has the connections set up meanwhile that the webhooks need, so that the first message does not wait for it: reading
    /// every certificate of the system takes as long as all plugins together.
    pub(super) fn prepare(&self) {
        let client = self.client.clone();
        let endpoints: Vec<_> = self.webhooks.borrow().values().map(|(endpoint, _)| endpoint.clone()).collect();
        tokio::spawn(async move { client.prepare(&endpoints).await });
    }

    /// Waits for the first courier that ends; that is a failure unless they were stopped. Never, if there is none.
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

fn webhooks(config: &Config) -> Webhooks {
    let webhook = |(name, webhook): (&String, &Webhook)| {
        let Webhook { url, target, .. } = webhook;
        let endpoint = Endpoint::new(url.expose().clone(), url.is_loopback(), *target, settings(&webhook.http));
        (name.clone(), (endpoint, rules(config, webhook)))
    };
    config.webhooks.iter().map(webhook).collect()
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
fn rules(config: &Config, webhook: &Webhook) -> Rules {
    let routes = || config.routes.iter();
    Rules {
        target: webhook.target,
        every: webhook.pace.every,
        burst: webhook.pace.burst,
        max_age: routes().map(|route| (route.name.clone(), route.max_age)).collect(),
        takes_over: routes()
            .filter_map(|route| Some((route.name.clone(), [route.webhook.clone(), route.fallback_webhook.clone()?])))
            .collect(),
    }
}

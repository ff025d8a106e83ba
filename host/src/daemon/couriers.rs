//! The couriers that are at work, one for each webhook.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::DaemonError;
use crate::config::{Config, Webhook};
use crate::delivery::{Client, Courier, DeliveryError, Endpoint, Endpoints};
use crate::event::Timestamp;
use crate::store::Store;

pub(super) struct Couriers {
    /// Made when it is needed: it reads every certificate of the system, which takes as long as all plugins together.
    client: Option<Client>,
    endpoints: watch::Sender<Endpoints>,
    wakes: BTreeMap<String, Arc<Notify>>,
    tasks: JoinSet<Result<(), DeliveryError>>,
    done: Arc<Notify>,
    stop: watch::Receiver<bool>,
    now: fn() -> Timestamp,
}

impl Couriers {
    /// None yet; `done` is told whenever a message came to its end.
    pub(super) fn new(config: &Config, done: Arc<Notify>, stop: watch::Receiver<bool>, now: fn() -> Timestamp) -> Self {
        let endpoints = watch::Sender::new(endpoints(config));
        Self { client: None, endpoints, wakes: BTreeMap::new(), tasks: JoinSet::new(), done, stop, now }
    }

    /// Has messages go where the webhooks are now.
    pub(super) fn configure(&self, config: &Config) {
        self.endpoints.send_replace(endpoints(config));
        for wake in self.wakes.values() {
            wake.notify_one();
        }
    }

    /// Sees to it that each webhook with pending messages has a courier, and wakes them.
    pub(super) fn send_out(&mut self, store: &Store) -> Result<(), DaemonError> {
        for webhook in store.pending_webhooks()? {
            if let Some(wake) = self.wakes.get(&webhook) {
                wake.notify_one();
                continue;
            }
            let wake = Arc::new(Notify::new());
            let courier = Courier {
                endpoints: self.endpoints.subscribe(),
                webhook: webhook.clone(),
                client: self.client()?,
                now: self.now,
                random: fastrand::f64,
            };
            let (store, done, stop) = (store.another()?, Arc::clone(&self.done), self.stop.clone());
            self.wakes.insert(webhook, Arc::clone(&wake));
            self.tasks.spawn(async move { courier.run(store, &wake, &done, stop).await });
        }
        Ok(())
    }

    /// What sends, so that the first message does not wait for it.
    pub(super) fn client(&mut self) -> Result<Client, DaemonError> {
        if let Some(client) = &self.client {
            return Ok(client.clone());
        }
        let client = Client::new().map_err(DaemonError::Client)?;
        self.client = Some(client.clone());
        Ok(client)
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

fn endpoints(config: &Config) -> Endpoints {
    let endpoint = |(name, webhook): (&String, &Webhook)| {
        (name.clone(), Endpoint::new(webhook.url.expose().clone(), webhook.url.is_loopback(), webhook.target))
    };
    config.webhooks.iter().map(endpoint).collect()
}

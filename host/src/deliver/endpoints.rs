//! All webhooks as the configuration has them now: where they are, and the webhook of each route.

use std::collections::BTreeMap;

use super::delivery_policy::DeliveryPolicy;
use super::endpoint::Endpoint;
use crate::config::Config;

/// The configured webhooks and routes, as delivery needs them.
#[derive(Clone)]
pub(crate) struct Endpoints {
    /// The webhooks, by name.
    pub webhooks: BTreeMap<String, (Endpoint, DeliveryPolicy)>,
    /// The webhook of each route.
    pub routes: BTreeMap<String, String>,
}

impl Endpoints {
    /// Returns the webhooks and routes of a configuration.
    #[must_use]
    pub(crate) fn new(config: &Config) -> Self {
        let webhooks = config.webhooks.iter().map(|(name, webhook)| {
            let (url, direct) = (webhook.url.expose().clone(), webhook.url.is_loopback());
            let endpoint = Endpoint::new(url, direct, webhook.target, webhook.http.clone());
            (name.clone(), (endpoint, DeliveryPolicy::new(config, webhook)))
        });
        let routes = config.routes.iter().map(|route| (route.name.clone(), route.webhook.clone()));
        Self { webhooks: webhooks.collect(), routes: routes.collect() }
    }

    /// Returns the webhook that gets a route's messages once theirs is no longer configured: the route's own, or the only
    /// one there is.
    pub(super) fn successor(&self, route: &str) -> Option<&str> {
        let mut webhooks = self.webhooks.keys();
        let only = || webhooks.next().filter(|_| self.webhooks.len() == 1);
        self.routes.get(route).or_else(only).map(String::as_str)
    }
}

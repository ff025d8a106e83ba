//! What routes have to know of the webhooks that their messages go to.

use std::collections::BTreeMap;

use crate::config::{Config, Route, Webhook};
use crate::message::Target;

/// The configuration is checked: a route's webhook is always known.
const UNKNOWN: Destination = Destination { target: Target::Slack, a_minute: 60 };

/// What a route has to know of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Destination {
    /// What it speaks.
    pub target: Target,
    /// Messages that it takes in a minute, at least one.
    pub a_minute: u32,
}

/// Webhooks by their names.
pub type Destinations = BTreeMap<String, Destination>;

/// What routes have to know of the webhooks.
#[must_use]
pub fn destinations(config: &Config) -> Destinations {
    let destination = |webhook: &Webhook| {
        let every = webhook.pace.every.as_millis().max(1);
        Destination { target: webhook.target, a_minute: u32::try_from(60_000 / every).unwrap_or(u32::MAX).max(1) }
    };
    config.webhooks.iter().map(|(name, webhook)| (name.clone(), destination(webhook))).collect()
}

/// A route's own webhook.
pub(super) fn of(route: &Route, destinations: &Destinations) -> Destination {
    destinations.get(&route.webhook).copied().unwrap_or(UNKNOWN)
}

/// The webhook that takes over from that.
pub(super) fn of_fallback(route: &Route, destinations: &Destinations) -> Option<Destination> {
    destinations.get(route.fallback_webhook.as_ref()?).copied()
}

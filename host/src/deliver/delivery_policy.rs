//! What the configuration says of one webhook's delivery: its target, its rate, how old messages may become, and where they
//! fail over to.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::{Config, Rate, Webhook};
use crate::message::Target;

/// How old a message may become whose route is no longer configured.
const REMOVED_ROUTE_MAX_AGE: Duration = Duration::from_secs(86_400);

/// The delivery settings of one webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeliveryPolicy {
    /// The service that the webhook belongs to.
    pub target: Target,
    /// How fast messages are sent.
    pub rate: Rate,
    /// The maximum age of a message, by route.
    pub max_age: BTreeMap<String, Duration>,
    /// The two webhooks between which a route's messages fail over: its own and its `fallback_webhook`.
    pub fallbacks: BTreeMap<String, [String; 2]>,
}

impl DeliveryPolicy {
    /// Returns a webhook's settings, and those of all routes: any route's messages may fail over to it.
    #[must_use]
    pub(crate) fn new(config: &Config, webhook: &Webhook) -> Self {
        let routes = || config.routes.iter();
        Self {
            target: webhook.target,
            rate: webhook.rate,
            max_age: routes().map(|route| (route.name.clone(), route.max_age)).collect(),
            fallbacks: routes()
                .filter_map(|route| {
                    Some((route.name.clone(), [route.webhook.clone(), route.fallback_webhook.clone()?]))
                })
                .collect(),
        }
    }

    /// Returns the maximum age of a route's messages, in ms.
    pub(super) fn max_age_ms(&self, route: &str) -> i64 {
        milliseconds(self.max_age.get(route).copied().unwrap_or(REMOVED_ROUTE_MAX_AGE))
    }

    /// Returns the time between two messages, in ms.
    pub(super) fn every_ms(&self) -> i64 {
        milliseconds(self.rate.interval)
    }

    /// Returns how far ahead of time the rate may be used up, in ms.
    pub(super) fn burst_ms(&self) -> i64 {
        self.every_ms().saturating_mul(i64::from(self.rate.burst))
    }
}

/// Returns a duration in ms, saturating.
pub(super) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

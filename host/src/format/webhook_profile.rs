//! What routes need to know of the webhooks that their messages go to.

use std::collections::BTreeMap;

use crate::config::{Config, Route, Webhook};
use crate::message::Target;

/// The configuration is checked: a route's webhook is always known.
const UNKNOWN: WebhookProfile = WebhookProfile { target: Target::SLACK, messages_per_minute: 60 };

/// What a route needs to know of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WebhookProfile {
    /// The service that it belongs to.
    pub target: Target,
    /// Messages within its rate in a minute, at least one.
    pub messages_per_minute: u32,
}

/// Webhooks by their names.
pub(crate) type WebhookProfiles = BTreeMap<String, WebhookProfile>;

/// Returns the profiles of all webhooks.
#[must_use]
pub(crate) fn profiles(config: &Config) -> WebhookProfiles {
    let profile = |webhook: &Webhook| {
        let interval = webhook.rate.interval.as_millis().max(1);
        WebhookProfile {
            target: webhook.target,
            messages_per_minute: u32::try_from(60_000 / interval).unwrap_or(u32::MAX).max(1),
        }
    };
    config.webhooks.iter().map(|(name, webhook)| (name.clone(), profile(webhook))).collect()
}

/// Returns the profile of a route's own webhook.
pub(super) fn of(route: &Route, profiles: &WebhookProfiles) -> WebhookProfile {
    profiles.get(&route.webhook).copied().unwrap_or(UNKNOWN)
}

/// Returns the profile of its fallback webhook.
pub(super) fn of_fallback(route: &Route, profiles: &WebhookProfiles) -> Option<WebhookProfile> {
    profiles.get(route.fallback_webhook.as_ref()?).copied()
}

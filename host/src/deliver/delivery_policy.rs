//! What the configuration says of one webhook's delivery (its target, its rate, how old messages may become, where they fail
//! over to, and where its trouble is announced), and the deadlines that follow.
//!
//! Deadlines are kept although the clock may jump: a wait that is longer than any wait can be was set by another clock.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::health::HealthWebhook;
use crate::config::{Config, Rate, Webhook};
use crate::event::{EventDefaults, Timestamp};
use crate::hex::hex;
use crate::message::Target;
use crate::store::{ChangeBudget, MAX_WAIT_MS, WebhookState};

/// How fast messages are changed. Slack's method `chat.update` is in its tier 3: more than 50 requests a minute, for an app in
/// a workspace; bursts are tolerated.
const CHANGE_RATE: Rate = Rate { interval: Duration::from_millis(1_200), burst: 10 };

/// Bytes of a token's hash that are kept: enough to tell two apart.
const BUDGET_HASH_BYTES: usize = 12;

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
    /// The two webhooks between which a route's messages fail over: its own and its `fallback_webhook`. Of a route without,
    /// its own twice: messages that its plugin sends to a third webhook fail over to it.
    pub fallbacks: BTreeMap<String, [String; 2]>,
    /// The routes whose plain messages do not say whom they are about.
    pub redacted: BTreeSet<String>,
    /// What events get that have none of their own.
    pub defaults: EventDefaults,
    /// A hash of the channel and of the service: a message that went to another one can neither be changed nor replied to.
    pub channel: String,
    /// How fast messages that were sent are changed; `budget`: what shares this rate.
    pub change_rate: Rate,
    /// A hash of what shares the rate of changes: the token of an app, or else the webhook's URL.
    pub change_budget: String,
    /// Where it is announced that this webhook is suspended, or messages for it are dead; never this webhook itself.
    pub health: Option<HealthWebhook>,
}

impl DeliveryPolicy {
    /// Returns the settings of the webhook `name`, and those of all routes: any route's messages may fail over to it.
    #[must_use]
    pub(crate) fn new(config: &Config, name: &str, webhook: &Webhook, defaults: &EventDefaults) -> Self {
        let routes = || config.routes.iter();
        Self {
            target: webhook.target,
            rate: webhook.rate,
            max_age: routes().map(|route| (route.name.clone(), route.max_age)).collect(),
            fallbacks: routes()
                .filter(|route| route.fallback_webhook.is_some() || !route.plugin_webhooks.is_empty())
                .map(|route| {
                    let fallback = route.fallback_webhook.as_ref().unwrap_or(&route.webhook);
                    (route.name.clone(), [route.webhook.clone(), fallback.clone()])
                })
                .collect(),
            redacted: routes().filter(|route| route.redacted_fallback).map(|route| route.name.clone()).collect(),
            defaults: defaults.clone(),
            change_rate: CHANGE_RATE,
            channel: channel(webhook),
            change_budget: hash_of(
                webhook.app.as_ref().map_or(webhook.url.expose().as_str(), |app| app.token.expose()),
            ),
            health: HealthWebhook::new(config).filter(|health| health.name != name),
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

/// Returns a hash by which a token, a URL or a channel is known, without revealing it.
fn hash_of(secret: &str) -> String {
    let hash = Sha256::digest(secret);
    hex(hash.get(..BUDGET_HASH_BYTES).unwrap_or_default())
}

/// Returns the name of what messages go to, without revealing the token or the URL. A token that is replaced by another one of
/// the same workspace, which it begins with, changes nothing.
fn channel(webhook: &Webhook) -> String {
    let url = webhook.url.expose();
    let text = match &webhook.app {
        Some(app) => {
            let workspace: Vec<_> = app.token.expose().split('-').take(2).collect();
            format!("{url}\n{}\n{}", workspace.join("-"), app.channel)
        }
        None => url.to_string(),
    };
    hash_of(&text)
}

/// Returns a duration in ms, saturating.
pub(super) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Returns a deadline, or `now` if it is further away than any wait may be.
pub(super) fn clamp_deadline(at: Timestamp, now: Timestamp) -> Timestamp {
    clamp_deadline_within(at, now, MAX_WAIT_MS)
}

fn clamp_deadline_within(at: Timestamp, now: Timestamp, longest_ms: i64) -> Timestamp {
    if at > now.plus_ms(longest_ms) { now } else { at }
}

/// Returns whether the clock was set back since the last attempt by more than the time that has passed since.
///
/// Each attempt uses up a part of the rate, never further ahead than the burst allows; a later `next_slot_at` is of another
/// clock, and so is the backoff that was set with it.
pub(super) fn clock_went_back(state: &WebhookState, policy: &DeliveryPolicy, now: Timestamp) -> bool {
    state.next_slot_at > now.plus_ms(policy.burst_ms())
}

/// Returns when one more message is within the rate.
pub(super) fn within_rate(state: &WebhookState, policy: &DeliveryPolicy, now: Timestamp) -> Timestamp {
    let burst_ms = policy.burst_ms();
    clamp_deadline_within(state.next_slot_at, now, burst_ms).plus_ms(policy.every_ms().saturating_sub(burst_ms))
}

/// Returns the theoretical arrival time of the next message once one more is sent now.
pub(super) fn next_slot(state: &WebhookState, policy: &DeliveryPolicy, now: Timestamp) -> Timestamp {
    clamp_deadline_within(state.next_slot_at, now, policy.burst_ms()).max(now).plus_ms(policy.every_ms())
}

/// Returns when one more message may be changed.
pub(super) fn within_change_rate(budget: ChangeBudget, policy: &DeliveryPolicy, now: Timestamp) -> Timestamp {
    let (every_ms, burst_ms) = change_ms(policy);
    clamp_deadline_within(budget.next_slot_at, now, burst_ms)
        .plus_ms(every_ms.saturating_sub(burst_ms))
        .max(clamp_deadline(budget.backoff_until, now))
}

/// Returns what is used of the rate of changes once one more message is changed now.
pub(super) fn next_change_slot(budget: ChangeBudget, policy: &DeliveryPolicy, now: Timestamp) -> ChangeBudget {
    let (every_ms, burst_ms) = change_ms(policy);
    let next_slot_at = clamp_deadline_within(budget.next_slot_at, now, burst_ms).max(now).plus_ms(every_ms);
    ChangeBudget { next_slot_at, ..budget }
}

/// The time between two changes, and how far ahead of time the rate may be used up, in ms.
fn change_ms(policy: &DeliveryPolicy) -> (i64, i64) {
    let every_ms = milliseconds(policy.change_rate.interval);
    (every_ms, every_ms.saturating_mul(i64::from(policy.change_rate.burst)))
}

/// Returns the time after a wait.
pub(super) fn after(now: Timestamp, wait: Duration) -> Timestamp {
    now.plus_ms(milliseconds(wait))
}

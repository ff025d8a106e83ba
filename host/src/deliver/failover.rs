//! Messages that go to another webhook than they were made for: theirs is suspended, or the configuration has it no more.

use super::queue::{DeliveryPolicy, clamp_deadline};
use crate::event::Timestamp;
use crate::store::{DeadReason, Store, StoreError};

/// Messages that wait for a webhook which is suspended go to the other one of their route, unless that is suspended as well: to the
/// fallback, or from there back. `url`: a hash of where it is; what is to be tried again is left alone. Says which routes
/// that concerned, and to which webhooks their messages went.
///
/// # Errors
/// When the disk refuses.
pub fn failover(
    store: &mut Store,
    webhook: &str,
    policy: &DeliveryPolicy,
    url: &str,
    now: Timestamp,
) -> Result<Vec<(String, String)>, StoreError> {
    let mut failed_over = Vec::new();
    let state = store.webhook(webhook)?;
    if state.suspended.is_none_or(|suspended| suspended.url_hash != url)
        || clamp_deadline(state.backoff_until, now) <= now
    {
        return Ok(failed_over);
    }
    for route in store.pending_routes(webhook)? {
        let others = policy.fallbacks.get(&route).into_iter().flatten().filter(|other| *other != webhook);
        for other in others {
            if store.webhook(other)?.suspended.is_none() {
                store.reassign(&route, webhook, other)?;
                failed_over.push((route.clone(), other.clone()));
                break;
            }
        }
    }
    Ok(failed_over)
}

/// Messages that wait for a webhook which the configuration has no more go to another, by their route, or are dead. Says
/// whether there were some.
///
/// # Errors
/// When the disk refuses.
pub(super) fn leave<'a>(
    store: &mut Store,
    webhook: &str,
    instead: impl Fn(&str) -> Option<&'a str>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let routes = store.pending_routes(webhook)?;
    for route in &routes {
        if let Some(other) = instead(route) {
            let messages = store.reassign(route, webhook, other)?;
            tracing::warn!(webhook, route, messages, "no longer configured: {other} gets its messages");
            continue;
        }
        let error = format!("webhook \"{webhook}\" is no longer configured");
        for id in store.mark_all_dead(route, webhook, DeadReason::WebhookRemoved, &error, now)? {
            tracing::error!(webhook, route, id, "dead: {error}");
        }
    }
    Ok(!routes.is_empty())
}

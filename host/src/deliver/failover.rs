//! Messages that go to another webhook than they were made for: theirs is suspended, or no longer configured.

use super::delivery_policy::DeliveryPolicy;
use super::delivery_policy::clamp_deadline;
use super::endpoint::Endpoints;
use crate::event::Timestamp;
use crate::store::{DeadReason, Store, StoreError};

/// Reassigns the messages of a suspended webhook to the other webhook of their route (from its own to its fallback, or
/// back), unless that is suspended as well. Leaves a webhook alone whose next probe is due. `url_hash`: of its URL.
///
/// Returns the routes whose messages were reassigned, each with the other webhook.
///
/// # Errors
/// When the store fails.
pub(crate) fn failover(
    store: &mut Store,
    webhook: &str,
    policy: &DeliveryPolicy,
    url_hash: &str,
    now: Timestamp,
) -> Result<Vec<(String, String)>, StoreError> {
    let mut reassigned = Vec::new();
    let state = store.webhook(webhook)?;
    if state.suspended.is_none_or(|suspended| suspended.url_hash != url_hash)
        || clamp_deadline(state.backoff_until, now) <= now
    {
        return Ok(reassigned);
    }
    for route in store.pending_routes(webhook)? {
        let others = policy.fallbacks.get(&route).into_iter().flatten().filter(|other| *other != webhook);
        for other in others {
            if store.webhook(other)?.suspended.is_none() {
                store.reassign(&route, webhook, other)?;
                reassigned.push((route.clone(), other.clone()));
                break;
            }
        }
    }
    Ok(reassigned)
}

/// Reassigns the messages of a webhook that is no longer configured to their successors, or marks them dead where there is
/// none. Returns whether there were any.
///
/// # Errors
/// When the store fails.
pub(super) fn reassign_removed(
    store: &mut Store,
    webhook: &str,
    endpoints: &Endpoints,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let routes = store.pending_routes(webhook)?;
    for route in &routes {
        if let Some(successor) = endpoints.successor(route) {
            let messages = store.reassign(route, webhook, successor)?;
            tracing::warn!(webhook, route, successor, messages, "webhook no longer configured: messages reassigned");
            continue;
        }
        let error = format!("webhook \"{webhook}\" is no longer configured");
        for id in store.mark_all_dead(route, webhook, DeadReason::WebhookRemoved, &error, now)? {
            tracing::error!(webhook, route, id, error, "message dead");
        }
    }
    Ok(!routes.is_empty())
}

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
        let Some(both @ [own, _]) = policy.fallbacks.get(&route) else { continue };
        for other in both.iter().filter(|other| *other != webhook) {
            if store.webhook(other)?.suspended.is_none() {
                // Its own webhook stands in for nobody.
                store.reassign(&route, (webhook, other), Some(webhook).filter(|_| other != own))?;
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
pub(crate) fn reassign_removed(
    store: &mut Store,
    webhook: &str,
    endpoints: &Endpoints,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let routes = store.pending_routes(webhook)?;
    for route in &routes {
        if let Some(successor) = endpoints.successor(route) {
            let messages = store.reassign(route, (webhook, successor), None)?;
            tracing::warn!(webhook, route, successor, messages, "webhook no longer configured: messages reassigned");
            continue;
        }
        let error = format!("webhook \"{webhook}\" is no longer configured");
        let notice = endpoints.health.as_ref().map(|health| health.dead(webhook, route, &error));
        let reason = (DeadReason::WebhookRemoved, error.as_str());
        for id in store.mark_all_dead((route, webhook), reason, notice.as_ref(), now)? {
            tracing::error!(webhook, route, id, error, "message dead");
        }
    }
    Ok(!routes.is_empty())
}

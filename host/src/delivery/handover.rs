//! Messages that go to another webhook than they were made for: theirs is gone, or the configuration has it no more.

use super::queue::{Rules, believable};
use crate::event::Timestamp;
use crate::store::{Store, StoreError};

/// Messages that wait for a webhook which is gone go to the other one of their route, unless that is gone as well: to the
/// fallback, or from there back. `url`: a hash of where it is; what is to be tried again is left alone. Says which routes
/// that concerned, and to which webhooks their messages went.
///
/// # Errors
/// When the disk refuses.
pub fn hand_over(
    store: &mut Store,
    webhook: &str,
    rules: &Rules,
    url: &str,
    now: Timestamp,
) -> Result<Vec<(String, String)>, StoreError> {
    let mut taken_over = Vec::new();
    let state = store.webhook(webhook)?;
    if state.gone.is_none_or(|gone| gone.url != url) || believable(state.not_before, now) <= now {
        return Ok(taken_over);
    }
    for route in store.pending_routes(webhook)? {
        let others = rules.takes_over.get(&route).into_iter().flatten().filter(|other| *other != webhook);
        for other in others {
            if store.webhook(other)?.gone.is_none() {
                store.hand_over(&route, webhook, other)?;
                taken_over.push((route.clone(), other.clone()));
                break;
            }
        }
    }
    Ok(taken_over)
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
            let messages = store.hand_over(route, webhook, other)?;
            tracing::warn!(webhook, route, messages, "no longer configured: {other} gets its messages");
            continue;
        }
        let error = format!("webhook \"{webhook}\" is no longer configured");
        for id in store.bury_all(route, webhook, &error, now)? {
            tracing::error!(webhook, route, id, "dead: {error}");
        }
    }
    Ok(!routes.is_empty())
}

//! What is left of a route that is no longer configured goes out as plain messages: an alert survives its route.

use super::formatter::{FORMAT_BATCH, unreadable};
use crate::config::Config;
use crate::event::{EventDefaults, Timestamp};
use crate::message::{digest, fallback};
use crate::store::{Disposition, FormattedEvent, Store, StoreError};

/// Formats one batch of the events of a removed route, or closes its digests. Returns how many events and digests there
/// were.
///
/// # Errors
/// When the store fails.
pub(crate) fn format_removed_route(
    route: &str,
    config: &Config,
    defaults: &EventDefaults,
    store: &mut Store,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let why = format!("the route \"{route}\" is no longer configured");
    let target = |webhook: &str| config.webhooks.get(webhook).map(|webhook| webhook.target).unwrap_or_default();
    let formatted: Vec<_> = store
        .unformatted(route, FORMAT_BATCH)?
        .into_iter()
        .map(|unformatted| {
            let disposition = match unformatted.event {
                Ok(event) => Disposition::Send(fallback(&defaults.apply(event), &why, target(&unformatted.webhook))),
                Err(error) => Disposition::Dead(unreadable(&error)),
            };
            FormattedEvent::new(unformatted.seq, disposition)
        })
        .collect();
    if !formatted.is_empty() {
        store.record_formatted(route, None, &formatted, None, now)?;
        return Ok(formatted.len());
    }
    let open = store.digests_to_close(route, now, true)?;
    for digest_to_close in &open {
        if digest_to_close.is_end_of_storm() {
            store.forget_end_of_storm(digest_to_close)?;
            continue;
        }
        let batch = store.digest_batch(digest_to_close, None, &defaults.host, |event| defaults.apply(event))?;
        let body = digest(&batch, None, Some(&why), target(&digest_to_close.webhook));
        store.close_digest(digest_to_close.id, &body, true, now)?;
    }
    Ok(open.len())
}

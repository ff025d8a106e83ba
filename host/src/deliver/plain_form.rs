//! The plain form of a message: what goes out when the webhook rejects the message as it was formatted.

use super::delivery_policy::DeliveryPolicy;
use crate::event::DigestCause;
use crate::message::{Guarded, digest, fallback};
use crate::store::{LivingCounts, OutboundMessage, Store, StoreError};

/// Events of a message that is no digest, of which the last is shown.
const MERGED_MAX: usize = 1_000;

/// Returns the message's events as banhook's own plain message, with the webhook's answer in small print; without events, the
/// message with its charts as text; `None` if it has none of them either.
pub(super) fn plain_form(
    store: &Store,
    policy: &DeliveryPolicy,
    message: &OutboundMessage,
    error: &str,
) -> Result<Option<Guarded>, StoreError> {
    let why = format!("{} rejected the formatted message: {error}", policy.target.name());
    let is_redacted = policy.redacted.contains(&message.route);
    if let Some(closed) = store.closed_digest(message.id)? {
        let defaults = &policy.defaults;
        // What was to change another message is also about that one's events.
        let mut counts = LivingCounts::default();
        let mut changed = message.changes.or_else(|| closed.shown_storm());
        if let Some(beneath) = message.beneath.filter(|_| changed.is_none())
            && store.tells_of_series(beneath, &closed)?
        {
            changed = Some(beneath);
        }
        let changes = changed.map(|changed| (changed, &mut counts));
        let mut batch = store.digest_batch(&closed, changes, &defaults.host, |event| defaults.apply(event))?;
        let is_living = closed.cause == DigestCause::Storm && policy.target.has_conversations();
        batch.over = is_living && store.is_storm_over(message.id)?;
        let batch = if is_redacted { batch.redacted() } else { batch };
        return Ok(Some(digest(&batch, None, Some(&why), policy.target)));
    }
    // Of a ban and its end, the end.
    let events = store.message_events(message.id, MERGED_MAX)?;
    if let Some(event) = events.into_iter().rev().find_map(|unformatted| unformatted.event.ok()) {
        let event = policy.defaults.apply(event);
        return Ok(Some(fallback(&if is_redacted { event.redacted() } else { event }, &why, policy.target)));
    }
    // A report.
    let body = store.message(message.id)?.and_then(|(_, body)| body);
    Ok(body.and_then(|body| Guarded::without_figures(&body, &why, policy.target)))
}

//! What a service shows of a message, as blocks for a preview: the same ways as [`guard`](super::guard()) and its siblings,
//! and never a body that may go out.

use serde_json::Value;

use super::block_kit;
use super::digest::{digest_message, plugin_digest};
use super::fallback::fallback_message;
use super::guard::Policy;
use super::guard_error::GuardError;
use super::lists::cut_lists;
use super::model::Message;
use super::sanitizer::Sanitizer;
use super::target::Target;
use crate::event::{Batch, Event};

/// Returns a plugin's message about an event.
///
/// # Errors
/// As `guard`.
pub(crate) fn preview(decided: &Message, event: &Event, policy: &Policy) -> Result<Value, GuardError> {
    shown(decided, &Sanitizer::new([event], policy.mentions), policy.target)
}

/// Returns a plugin's message about a batch.
///
/// # Errors
/// As `guard`.
pub(crate) fn preview_digest(decided: &Message, batch: &Batch, policy: &Policy) -> Result<Value, GuardError> {
    let (message, sanitizer) = plugin_digest(decided, batch, None, policy);
    shown(&message, &sanitizer, policy.target)
}

/// Returns the fallback message.
pub(crate) fn preview_fallback(event: &Event, why: &str, target: Target) -> Value {
    own(&fallback_message(event, why), target)
}

/// Returns the built-in digest.
pub(crate) fn preview_built_in(batch: &Batch, why: Option<&str>, target: Target) -> Value {
    own(&digest_message(batch, None, why), target)
}

/// Returns a message of banhook's own as Slack shows it, with all its charts.
pub(crate) fn drawn(message: &Message) -> Value {
    block_kit::lower(message, &Sanitizer::new([], false), usize::MAX).unwrap_or_default()
}

fn shown(message: &Message, sanitizer: &Sanitizer, target: Target) -> Result<Value, GuardError> {
    target.preview(&cut_lists(message), sanitizer)
}

/// Returns a message of banhook's own, which no service refuses.
fn own(message: &Message, target: Target) -> Value {
    target.preview(message, &Sanitizer::new([], false)).unwrap_or_default()
}

//! Messages: what a plugin decided becomes a safe body for a webhook.
//!
//! ```text
//! Message ─► guard: lower to the target's JSON (every text escaped or neutralized), lint ─► Guarded ─► outbox
//! Event   ─► fallback: the built-in plain message ─────────────────────────────────────► Guarded ─► outbox
//! Batch   ─► digest: the built-in message, by way of the guard ────────────────────────► Guarded ─► outbox
//! ```
//!
//! Two types carry the rules. [`Mrkdwn`] is finished markup: foreign text gets into it only by [`escape`] and
//! [`code`], a plugin's own markup only by way of the guard. [`Guarded`] is a body that may go out: only
//! [`guard`] and [`guard_digest`], [`fallback`] and [`digest`] make one. Nothing here knows of files, networks or plugins;
//! `target` alone knows the services behind webhooks.

mod block_kit;
mod digest;
mod escape;
mod fallback;
mod guard;
mod guard_error;
mod hints;
mod limits;
mod link;
mod model;
mod raw;
mod rich;
mod sanitizer;
mod slack_compatible;
mod summary;
mod target;
mod values;

#[cfg(test)]
mod active;
#[cfg(test)]
mod tests;

pub use blockkit::text::{clean, cut, one_line};
pub use digest::{StormLimit, digest};
pub use escape::{Mrkdwn, code, escape};
pub use fallback::fallback;
pub use guard::{Guarded, Policy, guard, guard_digest};
pub use guard_error::GuardError;
pub use hints::check_hints;
pub use model::{Block, Button, ButtonStyle, Color, Decision, Field, Hold, Image, Link, Message, Section, Span, Text};
pub use raw::RawError;
pub use summary::summary;
pub use target::{Answer, Service, Target, UrlProblem, Verdict};

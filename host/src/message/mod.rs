//! Messages: what a plugin decided becomes a safe body for a webhook.
//!
//! ```text
//! Message ─► guard: lower to the target's JSON (every text escaped or neutralized), lint ─► Guarded ─► outbox
//! Event   ─► fallback: the built-in plain message ─────────────────────────────────────► Guarded ─► outbox
//! Batch   ─► digest: the built-in message, by way of the guard ────────────────────────► Guarded ─► outbox
//! ```
//!
//! Two types carry the rules. `Mrkdwn` is finished markup: foreign text gets into it only by `escape` and
//! `code`, a plugin's own markup only by way of the guard. [`Guarded`] is a body that may go out: only
//! [`guard`] and `guard_digest`, [`fallback`] and `digest` make one. Nothing here knows of files, networks or plugins;
//! `target` alone knows the services behind webhooks.

mod actions;
mod block_kit;
mod body_template;
mod conversation;
mod digest;
mod escape;
mod facts;
mod fallback;
mod figure;
mod guard;
mod guard_error;
mod hints;
mod html;
mod limits;
mod link;
mod lists;
mod losses;
mod model;
mod paragraphs;
mod preview;
mod raw;
mod rich;
mod sanitizer;
mod slack_compatible;
mod summary;
mod target;
mod unlinked;
mod values;

#[cfg(test)]
mod active;
#[cfg(test)]
mod chat_parsers;
#[cfg(test)]
mod tests;

pub(crate) use blockkit::text::{clean, cut, one_line};
pub(crate) use body_template::BodyTemplate;
pub(crate) use conversation::{ChangeFallback, Conversation, ConversationKey, Reference, Way};
pub(crate) use digest::{StormLimit, digest, guard_digest};
pub use fallback::fallback;
pub(crate) use fallback::{banhooks_own, notice};
pub(crate) use figure::{Figure, POINTS_MAX};
pub use guard::{Guarded, Policy, guard};
pub(crate) use guard_error::GuardError;
pub(crate) use hints::{asks_for_built_in_digest, check_hints, is_never_grouped, unknown_hints, webhook_hint};
pub(crate) use limits::{HOLD_MS_MAX, KEY_CHARS, TAG_CHARS, TAGS_MAX};
pub(crate) use losses::{hold_losses, message_losses};
pub use model::{
    Block, Button, ButtonStyle, Color, ContextElement, Date, DateFormat, Decision, DigestDecision, Field, Hold, Image,
    Link, Mention, Message, Section, Span, Style, Styled, Text, Thumbnail,
};
pub(crate) use preview::{drawn, preview, preview_built_in, preview_digest, preview_fallback};
pub(crate) use summary::summary;
pub use target::Target;
pub(crate) use target::{Access, Address, ChannelForm, HttpAnswer, Question, Request, TokenForm, UrlProblem, Verdict};

//! The message: what a plugin decided, made safe, and made into what a webhook takes.
//!
//! ```text
//! Message ─► guard: lower to Slack's JSON (every text escaped or disarmed) ─► lint ─► Guarded ─► outbox
//! Event   ─► fallback: the built-in plain message ──────────────────────────────────► Guarded ─► outbox
//! ```
//!
//! Two types carry the rules. [`Mrkdwn`] is finished markup: foreign text gets into it only by [`escape`] and
//! [`code`], a plugin's own markup only by way of the guard. [`Guarded`] is a body that may go out: only
//! [`guard`] and [`fallback`] make one. Nothing here knows of files, networks, plugins or webhooks.

mod disarm;
mod escape;
mod fallback;
mod guard;
pub mod limits;
mod link;
mod lint;
mod model;
mod raw;
pub mod render;
mod rich;
mod slack;
mod token;

#[cfg(test)]
mod hostile_tests;

pub use disarm::Policy;
pub use escape::{Mrkdwn, clean, code, cut, escape, one_line};
pub use fallback::{fallback, summary};
pub use guard::{GuardError, Guarded, guard};
pub use lint::{Finding, Rule, Severity, check};
pub use model::{Block, Button, ButtonStyle, Color, Decision, Field, Hold, Image, Link, Message, Section, Span, Text};
pub use raw::RawError;
pub use render::to_terminal;
pub use slack::LowerError;

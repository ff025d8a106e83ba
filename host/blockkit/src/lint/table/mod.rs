//! The table: every object that a message may hold, with its fields, their limits, and where each was read.
//!
//! No rule here was tried on Slack itself. A source is Slack's own package or documents where there is one;
//! where sources name different numbers both stand here, and where only hearsay knows of a field it is `unsure`.

mod attachments;
mod blocks;
mod charts;
mod elements;
mod message;
mod objects;
mod rich_text;
mod tables;

use super::entry::{field, formed, max};
use super::schema::{Field, Form};

#[cfg(test)]
pub use blocks::BLOCKS;
#[cfg(test)]
pub use elements::ELEMENTS;
pub use message::MESSAGE;
pub use objects::{MRKDWN, PLAIN_TEXT};
#[cfg(test)]
pub use rich_text::INLINE;

/// Slack's types, made from its documents: block-kit and message attachments.
pub const TYPES: &str = "@slack/types 3.2.0";
/// Slack's Python SDK: its validators, and what its tests assert.
pub const PYTHON: &str = "slack_sdk 3.47.0";
/// Slack's webhook client.
pub const WEBHOOK: &str = "@slack/webhook 8.0.2";
/// Slack's pages, as others quote them.
pub const DOCS: &str = "docs.slack.dev, quoted";
/// <https://github.com/nicklambourne/slackblocks>: `spec/limits.json` at b881990.
pub const SLACKBLOCKS: &str = "slackblocks b881990";
/// <https://github.com/slack-go/slack> at 73cf207.
pub const GO: &str = "slack-go 73cf207";
/// The crate slack-messaging.
pub const MESSAGING: &str = "slack-messaging 0.8.0";
/// The crate slack-morphism.
pub const MORPHISM: &str = "slack-morphism 2.31.1";
/// Seen, not documented.
pub const OBSERVED: &str = "observed";
/// Nobody's word but everybody's.
pub const HEARSAY: &str = "no source";

/// What every block has.
pub const BLOCK_FIELDS: &[Field] = &[field("block_id", formed(Form::BlockId, max(255))).from(&[TYPES, PYTHON])];
/// What every interactive element has.
pub const ELEMENT_FIELDS: &[Field] = &[field("action_id", formed(Form::ActionId, max(255))).from(&[PYTHON])];

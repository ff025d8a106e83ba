//! Block Kit, offline: what Slack would refuse about the body of an incoming webhook, and what the body looks like.
//!
//! ```
//! use serde_json::json;
//!
//! let body = json!({
//!     "text": "203.0.113.7 banned",
//!     "blocks": [{ "type": "section", "text": { "type": "mrkdwn", "text": "*203.0.113.7* banned in `sshd`" } }],
//! });
//! assert!(blockkit::check(&body).is_empty());
//! assert_eq!(blockkit::to_terminal(&body, false), "203.0.113.7 banned in `sshd`\n");
//!
//! let too_long = json!({ "text": "x", "blocks": [
//!     { "type": "header", "text": { "type": "plain_text", "text": "x".repeat(151) } },
//! ] });
//! let findings = blockkit::check(&too_long);
//! assert_eq!(findings[0].to_string(), "/blocks/0/text/text: 151 characters, at most 150 (too-long)");
//! ```
//!
//! [`check`] and [`check_and_count`] are the linter, [`to_terminal`] and [`to_html`] the preview. Both read JSON only.
//! [`text`], [`token`], [`inline`] and [`emoji`] are how they read text, for programs that write such messages.

pub mod emoji;
pub mod inline;
pub mod limits;
mod link;
mod lint;
mod preview;
pub mod text;
pub mod token;

pub use link::web_url;
pub use lint::{Finding, Rule, Severity, check, check_and_count};
pub use preview::{to_html, to_terminal};

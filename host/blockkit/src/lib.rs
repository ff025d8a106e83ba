//! Block Kit, offline: what Slack would reject about the body of an incoming webhook's request, and what the message looks
//! like.
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
//! let page = blockkit::Page { title: "Messages", sender: "my app" };
//! assert!(blockkit::to_html(&page, [("A ban", &body)]).contains("<b>203.0.113.7</b> banned in <code>sshd</code>"));
//!
//! let header = json!({ "type": "header", "text": { "type": "plain_text", "text": "x".repeat(151) } });
//! let findings = blockkit::check(&json!({ "blocks": [header] }));
//! assert_eq!(findings[0].severity, blockkit::Severity::Error);
//! assert_eq!(findings[0].to_string(), "/blocks/0/text/text: 151 characters, at most 150 (too-long)");
//! ```
//!
//! [`check`] is the linter; [`to_terminal`], [`to_html`] and [`to_svg`] are the preview. All take JSON, do no I/O, and treat
//! every text as hostile. The modules are what both share, for programs that write messages: [`text`] cleans and cuts text,
//! [`token`] splits Slack's markup, [`mrkdwn`] and [`inline`] parse it, [`emoji`] knows Slack's names, and [`limits`] has
//! the lengths of common texts.

pub mod emoji;
pub mod inline;
pub mod limits;
mod link;
mod lint;
pub mod mrkdwn;
mod preview;
pub mod text;
pub mod token;

pub use link::web_url;
pub use lint::{Finding, Rule, Severity, check, check_and_count};
pub use preview::{Page, Picture, Posted, Theme, stylesheet, to_article, to_html, to_svg, to_terminal};

/// Compiles the example in README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

//! The documents and packages that the rules were read in. None of the rules was tried on Slack itself.

/// Slack's types, made from its documents: block-kit and message attachments.
pub const TYPES: &str = "@slack/types 3.2.0";
/// Slack's Python SDK: its validators, and what its tests assert.
pub const PYTHON: &str = "slack_sdk 3.47.0";
/// Slack's webhook client.
pub const WEBHOOK: &str = "@slack/webhook 8.0.2";
/// Slack's pages, as others quote them.
pub const DOCS: &str = "docs.slack.dev, quoted";
/// <https://docs.slack.dev/reference/block-kit/blocks/data-visualization-block>
pub const CHART_PAGE: &str = "docs.slack.dev: data visualization block";
/// <https://docs.slack.dev/reference/block-kit/blocks/data-table-block>
pub const TABLE_PAGE: &str = "docs.slack.dev: data table block";
/// <https://github.com/nicklambourne/slackblocks>: `spec/limits.json` at b881990.
pub const SLACKBLOCKS: &str = "slackblocks b881990";
/// <https://github.com/slack-go/slack> at 73cf207.
pub const GO: &str = "slack-go 73cf207";
/// The crate slack-messaging.
pub const MESSAGING: &str = "slack-messaging 0.8.0";
/// The crate slack-morphism.
pub const MORPHISM: &str = "slack-morphism 2.31.1";
/// Seen in Slack's answers, not documented.
pub const OBSERVED: &str = "observed";
/// Commonly known, but documented nowhere that we found.
pub const UNSOURCED: &str = "no source";

/// The sources of a rule, as a finding names them.
pub type Sources = &'static [&'static str];

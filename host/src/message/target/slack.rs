//! Slack's incoming webhooks, and services with exactly their format.

use blockkit::{Finding, Rule, Severity, check_and_count};
use serde_json::Value;
use url::Url;

use super::super::block_kit;
use super::super::guard_error::GuardError;
use super::super::limits::{BLOCKS_TEXT_MAX, BODY_BYTES_MAX};
use super::super::model::Message;
use super::super::sanitizer::Sanitizer;
use super::service::{HttpAnswer, Verdict};
use super::service::{Service, UrlProblem, segments};

/// Slack.
pub(super) struct Slack;

/// Errors of a webhook that accepts no message, whatever the status.
const DISABLED: [&str; 4] = ["no_service_id", "no_team", "team_disabled", "posting_to_general_channel_denied"];

/// Errors of a webhook that accepts no message, unless the status says that it accepted this one.
const DISABLED_UNLESS_OK: [&str; 6] =
    ["invalid_token", "action_prohibited", "channel_not_found", "channel_is_archived", "no_active_hooks", "no_service"];

/// Errors about a message. Slack's documents list most of all these, under "Sending messages using incoming webhooks".
const REJECTED: [&str; 11] = [
    "invalid_attachments",
    "invalid_blocks",
    "invalid_blocks_format",
    "invalid_payload",
    "message_limit_exceeded",
    "msg_blocks_too_long",
    "no_text",
    "rate_limited",
    "rollup_error",
    "too_many_attachments",
    "user_not_found",
];

/// Rules that are warnings to an author, but errors here: people have seen Slack refuse texts that show nothing, and a link
/// must be http or https.
const ALSO_REFUSED: [Rule; 2] = [Rule::Blank, Rule::Url];

impl Service for Slack {
    fn key(&self) -> &'static str {
        "slack"
    }

    fn name(&self) -> &'static str {
        "Slack"
    }

    fn hosts(&self) -> &'static [&'static str] {
        &["hooks.slack.com", "hooks.slack-gov.com"]
    }

    fn check_path(&self, url: &Url) -> Result<(), UrlProblem> {
        match segments(url).as_slice() {
            ["workflows" | "triggers", ..] => Err(UrlProblem(
                "the URL starts a Slack workflow, which takes no messages; create an incoming webhook (…/services/…)",
            )),
            _ if self.public_path(url).is_empty() => {
                Err(UrlProblem("the path is not that of a Slack webhook: https://hooks.slack.com/services/T…/B…/…"))
            }
            _ => Ok(()),
        }
    }

    /// The workspace and the app, `/services/T012/B345`.
    fn public_path<'u>(&self, url: &'u Url) -> &'u str {
        match segments(url).as_slice() {
            ["services", team, app, secret] if ![team, app, secret].iter().any(|part| part.is_empty()) => {
                url.path().strip_suffix(secret).unwrap_or_default().trim_end_matches('/')
            }
            _ => "",
        }
    }

    fn public_words(&self) -> &'static [&'static str] {
        &["services"]
    }

    /// Refuses what the linter finds, since Slack would refuse it.
    fn lower(&self, message: &Message, sanitizer: &Sanitizer) -> Result<Value, GuardError> {
        let body = block_kit::lower(message, sanitizer)?;
        let (mut findings, text) = check_and_count(&body);
        findings.retain(|finding| finding.severity == Severity::Error || ALSO_REFUSED.contains(&finding.rule));
        findings.extend(own_limit(Rule::BlocksText, "characters of text in blocks", text, BLOCKS_TEXT_MAX));
        findings.extend(own_limit(Rule::Custom("body-size"), "bytes", bytes(&body), BODY_BYTES_MAX));
        if findings.is_empty() { Ok(body) } else { Err(GuardError::Refused(findings)) }
    }

    /// The body is a word, and some words come with any status.
    fn verdict(&self, answer: &HttpAnswer<'_>) -> Option<Verdict> {
        let disabled =
            DISABLED.contains(&answer.body) || !answer.is_success() && DISABLED_UNLESS_OK.contains(&answer.body);
        disabled.then_some(Verdict::EndpointGone)
    }

    fn known_errors(&self) -> Vec<&'static str> {
        [&DISABLED[..], &DISABLED_UNLESS_OK, &REJECTED].concat()
    }
}

/// Checks a limit of banhook's own, where Slack documents none.
fn own_limit(rule: Rule, what: &str, count: usize, max: usize) -> Option<Finding> {
    let number = |count: usize| i64::try_from(count).ok();
    (count > max).then(|| Finding {
        severity: Severity::Error,
        path: String::new(),
        rule,
        message: format!("{count} {what}, at most {max}"),
        value: number(count),
        limit: number(max),
        sources: &[],
    })
}

/// Returns the length of a body in bytes, without the escapes in its strings.
fn bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 4,
        Value::Number(number) => number.to_string().len(),
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| bytes(item) + 1).sum::<usize>() + 2,
        Value::Object(fields) => fields.iter().map(|(key, value)| key.len() + bytes(value) + 4).sum::<usize>() + 2,
    }
}

#[cfg(test)]
#[path = "slack_tests.rs"]
mod tests;

//! Slack's incoming webhooks, and services with exactly their format.

use blockkit::{Finding, Rule, Severity, check_and_count};
use serde_json::Value;
use url::Url;

use super::super::block_kit;
use super::super::escape::escape;
use super::super::figure::CHARTS_MAX;
use super::super::guard_error::GuardError;
use super::super::limits::{BLOCKS_MAX, BLOCKS_TEXT_MAX, BODY_BYTES_MAX};
use super::super::model::Message;
use super::super::sanitizer::Sanitizer;
use super::service::{HttpAnswer, Verdict};
use super::service::{Service, UrlProblem, segments};

/// Slack.
pub(super) struct Slack;

/// The whole answer to a message that was accepted.
const ACCEPTED: &str = "ok";

/// Errors of a webhook that accepts no message, whatever the status. Slack's documents list most of all these errors, under
/// "Sending messages using incoming webhooks"; those of the second half are of `chat.postMessage`, with which relays answer.
const DISABLED: [&str; 24] = [
    "action_prohibited",
    "channel_is_archived",
    "channel_not_found",
    "invalid_token",
    "no_active_hooks",
    "no_service",
    "no_service_id",
    "no_team",
    "posting_to_general_channel_denied",
    "team_disabled",
    "access_denied",
    "account_inactive",
    "ekm_access_denied",
    "invalid_auth",
    "is_archived",
    "missing_scope",
    "no_permission",
    "not_allowed_token_type",
    "not_authed",
    "not_in_channel",
    "org_login_required",
    "restricted_action",
    "token_expired",
    "token_revoked",
];

/// Errors about a message.
const REJECTED: [&str; 10] = [
    "invalid_attachments",
    "invalid_blocks",
    "invalid_blocks_format",
    "invalid_payload",
    "msg_blocks_too_long",
    "msg_too_long",
    "no_text",
    "too_many_attachments",
    "too_many_contact_cards",
    "user_not_found",
];

/// Errors about the number of requests.
pub(super) const LIMITED: [&str; 2] = ["rate_limited", "ratelimited"];

/// Errors of Slack itself, or of a workspace that has posted too much.
const TRANSIENT: [&str; 6] = [
    "fatal_error",
    "internal_error",
    "message_limit_exceeded",
    "request_timeout",
    "rollup_error",
    "service_unavailable",
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

    /// Refuses what the linter finds, since Slack would reject it.
    fn lower(&self, message: &Message, sanitizer: &Sanitizer) -> Result<Value, GuardError> {
        let body = block_kit::lower(message, sanitizer, CHARTS_MAX)?;
        let (mut findings, text) = check_and_count(&body);
        findings.retain(|finding| finding.severity == Severity::Error || ALSO_REFUSED.contains(&finding.rule));
        findings.extend(own_limit(Rule::BlocksText, "characters of text in blocks", text, BLOCKS_TEXT_MAX));
        findings.extend(own_limit(Rule::Custom("body-size"), "bytes", bytes(&body), BODY_BYTES_MAX));
        if findings.is_empty() { Ok(body) } else { Err(GuardError::Refused(findings)) }
    }

    fn without_figures(&self, body: &mut Value) -> bool {
        block_kit::without_figures(body)
    }

    fn add_note(&self, body: &mut Value, note: &str) {
        let shown = match body.get_mut("attachments").and_then(|attachments| attachments.get_mut(0)) {
            Some(attachment) => attachment,
            None => body,
        };
        match shown.get_mut("blocks") {
            Some(Value::Array(blocks)) if blocks.len() < BLOCKS_MAX => blocks.push(block_kit::small_print(note)),
            Some(_) => {}
            None => {
                if let Some(Value::String(text)) = shown.get_mut("text") {
                    text.push_str(&format!("\n{}", escape(note).as_str()));
                }
            }
        }
    }

    fn accepts(&self, answer: &HttpAnswer<'_>) -> bool {
        answer.body == ACCEPTED
    }

    /// The body is a word, or JSON with one, and comes with any status.
    fn verdict(&self, answer: &HttpAnswer<'_>) -> Option<Verdict> {
        let word = match answer.text("error") {
            "" => answer.body.split(|char: char| !char.is_ascii_alphanumeric() && char != '_').next()?,
            error => error,
        };
        let verdicts = [
            (&DISABLED[..], Verdict::EndpointGone),
            (&REJECTED, Verdict::Rejected),
            (&LIMITED, Verdict::RateLimited),
            (&TRANSIENT, Verdict::Transient),
        ];
        let known = verdicts.into_iter().find(|(words, _)| words.contains(&word)).map(|(_, verdict)| verdict);
        known.or_else(|| (answer.json["ok"] == false).then_some(Verdict::Unclear))
    }

    fn known_errors(&self) -> Vec<&'static str> {
        [&DISABLED[..], &REJECTED, &LIMITED, &TRANSIENT].concat()
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

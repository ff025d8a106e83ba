//! What a webhook's answer means, for the message and for the webhook.
//!
//! Slack's documents list the errors of incoming webhooks; some come with any status, so the body decides first. The
//! others answer in JSON, some of them with an error and status 200.

use std::time::Duration;

use serde_json::Value;

use crate::config::Secrets;
use crate::event::Timestamp;
use crate::message::{Target, one_line};

/// What becomes of the message that was sent, and of those behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SendResult {
    /// The webhook has it. `pause`: its budget is used up for so long.
    Accepted { pause: Option<Duration> },
    /// Too many requests: nothing to this webhook for so long. Says nothing about the message.
    RateLimited(Duration, String),
    /// Failed in a way that may pass (5xx, 408, a time-out, the network). `after`: what the webhook asked for.
    Transient { after: Option<Duration>, error: String },
    /// This message, never.
    Rejected(String),
    /// No message, until somebody mends the webhook.
    EndpointGone(String),
}

/// The headers of an answer that matter, as they came.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Headers<'a> {
    /// `Retry-After`: seconds, or a date.
    pub(super) retry_after: Option<&'a str>,
    /// `X-RateLimit-Remaining`: requests that are left. Discord's.
    pub(super) remaining: Option<&'a str>,
    /// `X-RateLimit-Reset-After`: when all of them are there again, in seconds with a fraction. Discord's.
    pub(super) reset_after: Option<&'a str>,
}

/// What an answer is read with.
#[derive(Clone, Copy)]
pub(super) struct AnswerContext<'a> {
    /// What the webhook speaks.
    pub(super) target: Target,
    /// What is not kept of the answer.
    pub(super) secrets: &'a Secrets,
    /// When it came.
    pub(super) now: Timestamp,
}

/// Bodies of Slack's that mean a dead webhook, whatever the status.
const DEAD_WEBHOOK: [&str; 4] = ["no_service_id", "no_team", "team_disabled", "posting_to_general_channel_denied"];

/// Bodies of Slack's that mean a dead webhook with any status but a good one.
const DEAD_UNLESS_OK: [&str; 6] =
    ["invalid_token", "action_prohibited", "channel_not_found", "channel_is_archived", "no_active_hooks", "no_service"];

/// Mattermost's, whatever the status: `HandleIncomingWebhook` of its server. We name no channel, so an error about one is
/// about the webhook's own.
const DEAD_MATTERMOST: [&str; 6] = [
    "web.incoming_webhook.invalid.app_error",
    "web.incoming_webhook.disabled.app_error",
    "web.incoming_webhook.channel.app_error",
    "web.incoming_webhook.user.app_error",
    "web.incoming_webhook.permissions.app_error",
    "api.post.create_post.can_not_post_to_deleted.error",
];

/// Zulip's codes for a bot, an organization or a channel that is no more.
const DEAD_ZULIP: [&str; 5] =
    ["INVALID_API_KEY", "USER_DEACTIVATED", "REALM_DEACTIVATED", "NONEXISTENT_SUBDOMAIN", "STREAM_DOES_NOT_EXIST"];

/// The longest that a webhook's wish is believed: it cannot silence itself for longer by mistake.
const RETRY_AFTER_MOST: Duration = Duration::from_secs(3_600);

/// Characters of an answer that are kept.
const ANSWER_CHARS: usize = 200;

/// Classifies an answer by its status, its headers and its body.
pub(super) fn classify(context: AnswerContext<'_>, status: u16, headers: Headers<'_>, body: &str) -> SendResult {
    let AnswerContext { target, secrets, now } = context;
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    let says = || {
        // Before it is cut, so that no part of a secret stays.
        let shown: String = one_line(secrets.conceal(body).trim()).chars().take(ANSWER_CHARS).collect();
        if shown.is_empty() { status.to_string() } else { format!("{status} {shown}") }
    };
    let body = &one_line(body.trim());
    let good = (200..=299).contains(&status);
    if dead(target, good, &json, body) {
        return SendResult::EndpointGone(says());
    }
    match status {
        // Rocket.Chat says so with other statuses, too.
        _ if target == Target::RocketChat && body.contains("error-too-many-requests") => {
            SendResult::RateLimited(wait(asked(target, headers, &json, now)), says())
        }
        200..=299 if failed(target, &json) => SendResult::Rejected(says()),
        // No webhook of any target answers with a page; what does is a proxy that wants a login, or the wrong URL.
        200..=299 if body.starts_with('<') => SendResult::EndpointGone(format!("{}: a page, and no webhook", says())),
        200..=299 => SendResult::Accepted { pause: pause(headers) },
        300..=399 => SendResult::EndpointGone(format!("{status}: redirects are not followed; check the webhook's URL")),
        // None of these is about what a message says, on any target.
        401 | 403 | 404 | 410 => SendResult::EndpointGone(says()),
        429 => SendResult::RateLimited(wait(asked(target, headers, &json, now)), says()),
        // 407 is a proxy's, which has not let us in; the webhook has not seen the message.
        407 | 408 | 500..=599 => {
            let after = retry_after(headers, now).map(|asked| wait(Some(asked)));
            SendResult::Transient { after, error: says() }
        }
        _ => SendResult::Rejected(says()),
    }
}

/// Whether a body says that the webhook is dead. `good`: the status does not say that anything is wrong.
fn dead(target: Target, good: bool, json: &Value, body: &str) -> bool {
    let is_one_of = |known: &[&str], key: &str| json[key].as_str().is_some_and(|word| known.contains(&word));
    match target {
        Target::Slack => DEAD_WEBHOOK.contains(&body) || (!good && DEAD_UNLESS_OK.contains(&body)),
        Target::Mattermost => !good && is_one_of(&DEAD_MATTERMOST, "id"),
        // A word or a sentence, depending on the version.
        Target::RocketChat => {
            failed(target, json) && (body.contains("invalid-channel") || body.contains("Invalid integration id"))
        }
        Target::Zulip => {
            let words = json["msg"].as_str().unwrap_or_default();
            failed(target, json) && (is_one_of(&DEAD_ZULIP, "code") || words.ends_with("does not exist"))
        }
        Target::Discord => false,
    }
}

/// Whether a body says that the message was not taken, whatever the status says.
fn failed(target: Target, json: &Value) -> bool {
    match target {
        Target::RocketChat => json["success"] == false,
        Target::Zulip => json["result"] == "error",
        Target::Slack | Target::Mattermost | Target::Discord => false,
    }
}

/// Seconds that an answer asks for, by what says it best.
fn asked(target: Target, headers: Headers<'_>, json: &Value, now: Timestamp) -> Option<f64> {
    retry_after(headers, now).or_else(|| seconds(headers.reset_after)).or_else(|| in_body(target, json))
}

/// How long a budget is used up that this message was the last of.
fn pause(headers: Headers<'_>) -> Option<Duration> {
    let used_up = headers.remaining.is_some_and(|remaining| remaining.trim() == "0");
    let after = seconds(headers.reset_after).filter(|after| used_up && *after > 0.0)?;
    Some(capped(after))
}

/// Seconds until what `Retry-After` says, negative if that has passed (RFC 9110, 10.2.3: a number or a date).
fn retry_after(headers: Headers<'_>, now: Timestamp) -> Option<f64> {
    seconds(headers.retry_after).or_else(|| {
        let at = jiff::fmt::rfc2822::parse(headers.retry_after?.trim()).ok()?;
        Some(at.timestamp().duration_since(now.to_jiff()).as_secs_f64())
    })
}

fn seconds(header: Option<&str>) -> Option<f64> {
    header.and_then(|text| text.trim().parse().ok())
}

/// Seconds that a body asks for.
fn in_body(target: Target, json: &Value) -> Option<f64> {
    match target {
        // Seconds with a fraction; the header rounds them up.
        Target::Discord => json["retry_after"].as_f64(),
        Target::Zulip => json["retry-after"].as_f64(),
        // "… You must wait 46 seconds before trying this endpoint again. …"
        Target::RocketChat => {
            let words = json["error"].as_str()?.split_once("wait ")?.1;
            words.split_whitespace().next()?.parse().ok()
        }
        Target::Slack | Target::Mattermost => None,
    }
}

/// At least a second: a 429 without a time still means "slower".
fn wait(seconds: Option<f64>) -> Duration {
    capped(seconds.filter(|seconds| seconds.is_finite()).unwrap_or(1.0).max(1.0))
}

fn capped(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).map_or(RETRY_AFTER_MOST, |time| time.min(RETRY_AFTER_MOST))
}

#[cfg(test)]
#[path = "send_result_tests.rs"]
mod tests;

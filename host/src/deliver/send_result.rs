//! What a webhook's answer means, for the message and for the webhook: what HTTP says, unless the service says more.

use std::time::Duration;

use serde_json::Value;

use super::redaction::Redaction;
use crate::config::SuccessRule;
use crate::event::Timestamp;
use crate::message::{HttpAnswer, Reference, Target, Verdict};

/// What becomes of the message that was sent, and of those after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SendResult {
    /// The webhook has it. `pause`: its budget is used up for this long. `reference`: where it is, if the service says so.
    Accepted { pause: Option<Duration>, reference: Option<Reference> },
    /// Too many requests: nothing to this webhook for this long. Says nothing about the message.
    RateLimited(Duration, String),
    /// A failure that may pass (5xx, 408, a timeout, the network). `after`: the wait that the webhook asked for.
    Transient { after: Option<Duration>, error: String },
    /// An answer that the service does not document (413, 451): the message or something before the service may be at fault.
    /// So it is tried again, but not for ever.
    Unclear { after: Option<Duration>, error: String },
    /// The webhook never takes this message.
    Rejected(String),
    /// The webhook takes no message until somebody repairs it.
    EndpointGone(String),
    /// What the message was to change, or to be beneath, cannot be changed. `lost`: it is not there.
    Detached { lost: bool, error: String },
}

/// What an attempt counts as, in the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AttemptResult {
    /// The webhook has the message.
    Accepted,
    /// Too many requests.
    RateLimited,
    /// No answer, or no connection, in time.
    Timeout,
    /// No connection, or it broke off.
    NoConnection,
    /// An answer that may pass (5xx, 408).
    Unavailable,
    /// An answer that the service does not document.
    Unclear,
    /// The webhook never takes this message.
    Rejected,
    /// The webhook wants a login, or forbids (401, 403).
    Auth,
    /// The webhook takes no message until somebody repairs it.
    EndpointGone,
    /// The daemon was stopped before the answer came.
    Stopped,
}

impl AttemptResult {
    /// Returns what an answer with this status counts as.
    pub(crate) const fn of_answer(result: &SendResult, status: u16) -> Self {
        match (result, status) {
            (SendResult::Accepted { .. }, _) => Self::Accepted,
            (SendResult::RateLimited(..), _) => Self::RateLimited,
            (SendResult::Transient { .. }, _) => Self::Unavailable,
            (SendResult::Unclear { .. }, _) => Self::Unclear,
            (SendResult::Rejected(_) | SendResult::Detached { .. }, _) => Self::Rejected,
            (SendResult::EndpointGone(_), 401 | 403) => Self::Auth,
            (SendResult::EndpointGone(_), _) => Self::EndpointGone,
        }
    }

    /// Returns the value of the label.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::RateLimited => "rate_limited",
            Self::Timeout => "timeout",
            Self::NoConnection => "no_connection",
            Self::Unavailable => "unavailable",
            Self::Unclear => "unclear",
            Self::Rejected => "rejected",
            Self::Auth => "auth",
            Self::EndpointGone => "endpoint_gone",
            Self::Stopped => "stopped",
        }
    }
}

/// What an answer is classified with.
#[derive(Clone, Copy)]
pub(crate) struct AnswerContext<'a> {
    /// The webhook's service.
    pub(crate) target: Target,
    /// What the answer must have, next to what the service documents.
    pub(crate) success: Option<&'a SuccessRule>,
    /// What is left out of the answer.
    pub(crate) redaction: &'a Redaction,
    /// When the answer came.
    pub(crate) now: Timestamp,
}

/// The longest wait that a webhook may ask for: it cannot silence itself for longer by mistake.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);

/// The wait after a 429 that names none, and the shortest.
const RETRY_AFTER_MIN: f64 = 1.0;

/// Seconds, or a date.
const RETRY_AFTER: &str = "retry-after";

/// Classifies an answer by its status, its headers and its body.
pub(crate) fn classify(
    context: AnswerContext<'_>,
    status: u16,
    header: &dyn Fn(&str) -> Option<String>,
    body: &str,
) -> SendResult {
    let AnswerContext { target, success, redaction, now } = context;
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    let answer = HttpAnswer { status, header, body: body.trim(), json: &json };
    let error = || {
        let error = redaction.answer(answer.body, &json);
        let error = if error.is_empty() { status.to_string() } else { format!("{status} {error}") };
        match target.advice(&answer) {
            Some(advice) => format!("{error}: {advice}"),
            None => error,
        }
    };
    let rate_limited = || {
        let seconds = retry_after(&answer, now).or_else(|| target.retry_after(&answer));
        SendResult::RateLimited(wait(seconds), error())
    };
    let after = || retry_after(&answer, now).map(|seconds| wait(Some(seconds)));
    let transient = || SendResult::Transient { after: after(), error: error() };
    if answer.is_success() && target.accepts(&answer) && success.is_none_or(|rule| rule.holds(&json)) {
        let (pause, reference) = (target.pause(&answer).and_then(pause), target.reference(&answer));
        return SendResult::Accepted { pause, reference };
    }
    if answer.is_success() && target.accepts(&answer) {
        return SendResult::Unclear { after: after(), error: format!("{}: success is another answer", error()) };
    }
    match target.verdict(&answer) {
        Some(Verdict::Accepted) => return SendResult::Accepted { pause: None, reference: None },
        Some(Verdict::RateLimited) => return rate_limited(),
        Some(Verdict::Transient) => return transient(),
        Some(Verdict::Unclear) if answer.is_success() => return SendResult::Unclear { after: after(), error: error() },
        Some(Verdict::Rejected) => return SendResult::Rejected(error()),
        Some(Verdict::EndpointGone) => return SendResult::EndpointGone(error()),
        Some(Verdict::Unchangeable) => return SendResult::Detached { lost: false, error: error() },
        Some(Verdict::Unreachable) => return SendResult::Detached { lost: true, error: error() },
        Some(Verdict::Unclear) | None => {}
    }
    match status {
        // No service answers with a page; a proxy that wants a login does, and so does a server at the wrong URL.
        200..=299 if answer.body.starts_with('<') => {
            SendResult::EndpointGone(format!("{status}: the answer is a web page, so this is not a webhook"))
        }
        // Somebody else's answer: nobody has posted the message.
        200..=299 => SendResult::EndpointGone(format!("{}: this is no answer of {}", error(), target.name())),
        300..=399 => SendResult::EndpointGone(format!("{status}: redirects are not followed; check the webhook's URL")),
        // On every service, these are about the webhook and not about the message.
        401 | 403 | 404 | 405 | 410 => SendResult::EndpointGone(error()),
        429 => rate_limited(),
        // 407 is from a proxy that did not let the request through; the webhook has not seen the message.
        // 421, 423, 425 and 449 ask for the same request again.
        407 | 408 | 421 | 423 | 425 | 449 | 500..=599 => transient(),
        _ => SendResult::Unclear { after: after(), error: error() },
    }
}

/// Seconds until what `Retry-After` says, negative if that has passed (RFC 9110, 10.2.3: a number or a date).
fn retry_after(answer: &HttpAnswer<'_>, now: Timestamp) -> Option<f64> {
    answer.header_seconds(RETRY_AFTER).or_else(|| {
        let at = jiff::fmt::rfc2822::parse((answer.header)(RETRY_AFTER)?.trim()).ok()?;
        Some(at.timestamp().duration_since(now.to_jiff()).as_secs_f64())
    })
}

fn wait(seconds: Option<f64>) -> Duration {
    capped(seconds.filter(|seconds| seconds.is_finite()).unwrap_or(RETRY_AFTER_MIN).max(RETRY_AFTER_MIN))
}

fn pause(seconds: f64) -> Option<Duration> {
    (seconds > 0.0).then(|| capped(seconds))
}

fn capped(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).map_or(RETRY_AFTER_MAX, |time| time.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
#[path = "send_result_tests.rs"]
mod tests;

//! What a webhook's answer means for the message.
//!
//! Slack's documents list the errors of incoming webhooks; some come with any status, so the body decides first. The
//! others answer in JSON, some of them with an error and status 200.

use std::time::Duration;

use serde_json::Value;

use crate::message::{Target, one_line};

/// What becomes of the message that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// The webhook has it.
    Accepted,
    /// Not now. Again after this long at the soonest; `None`: whenever the sender thinks fit.
    Later(Option<Duration>, String),
    /// Never.
    Refused(String),
}

/// Bodies of Slack's that mean a dead webhook, whatever the status.
const DEAD_WEBHOOK: [&str; 4] = ["no_service_id", "no_team", "team_disabled", "posting_to_general_channel_denied"];

/// The longest that a webhook's wish is believed: it cannot silence itself for longer by mistake.
const RETRY_AFTER_MOST: Duration = Duration::from_secs(3_600);

/// Characters of an answer that are kept.
const ANSWER_CHARS: usize = 200;

/// Classifies an answer by its status, its `Retry-After` header and its body.
pub(super) fn classify(target: Target, status: u16, retry_after: Option<&str>, body: &str) -> Answer {
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    let body = one_line(body.trim());
    let shown: String = body.chars().take(ANSWER_CHARS).collect();
    let says = if shown.is_empty() { status.to_string() } else { format!("{status} {shown}") };
    if target == Target::Slack && DEAD_WEBHOOK.contains(&body.as_str()) {
        return Answer::Refused(says);
    }
    let asked = header(retry_after).or_else(|| in_body(target, &json));
    match status {
        // Rocket.Chat says so with other statuses, too.
        _ if target == Target::RocketChat && body.contains("error-too-many-requests") => {
            Answer::Later(Some(wait(asked)), says)
        }
        200..=299 if failed(target, &json) => Answer::Refused(says),
        200..=299 => Answer::Accepted,
        300..=399 => Answer::Refused(format!("{status}: redirects are not followed; check the webhook's URL")),
        429 => Answer::Later(Some(wait(asked)), says),
        408 | 500..=599 => Answer::Later(retry_after.map(|_| wait(asked)), says),
        _ => Answer::Refused(says),
    }
}

/// Whether a body says that the message was not taken, though the status says that it was.
fn failed(target: Target, json: &Value) -> bool {
    match target {
        Target::RocketChat => json["success"] == false,
        Target::Zulip => json["result"] == "error",
        Target::Slack | Target::Mattermost | Target::Discord => false,
    }
}

fn header(retry_after: Option<&str>) -> Option<f64> {
    retry_after.and_then(|text| text.trim().parse().ok())
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
    let seconds = seconds.filter(|seconds| seconds.is_finite()).unwrap_or(1.0).max(1.0);
    Duration::try_from_secs_f64(seconds).map_or(RETRY_AFTER_MOST, |time| time.min(RETRY_AFTER_MOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(target: Target, status: u16, retry_after: Option<&str>, body: &str, expected: &Answer) {
        let without_text = match classify(target, status, retry_after, body) {
            Answer::Accepted => Answer::Accepted,
            Answer::Later(after, _) => Answer::Later(after, String::new()),
            Answer::Refused(_) => Answer::Refused(String::new()),
        };
        assert_eq!(without_text, *expected, "{target:?} {status} {retry_after:?} {body}");
    }

    fn later(seconds: f64) -> Answer {
        Answer::Later(Some(Duration::from_secs_f64(seconds)), String::new())
    }

    const REFUSED: Answer = Answer::Refused(String::new());

    #[test]
    fn answers_as_slack_documents_them() {
        for (status, retry_after, body, expected) in [
            (200, None, "ok", Answer::Accepted),
            (200, None, "{\"success\":true}", Answer::Accepted),
            (200, None, "no_team", REFUSED),
            (302, None, "", REFUSED),
            (400, None, "invalid_blocks", REFUSED),
            (403, None, "invalid_token", REFUSED),
            (404, None, "no_service", REFUSED),
            (410, None, "channel_is_archived", REFUSED),
            (429, Some("30"), "", later(30.0)),
            (429, None, "", later(1.0)),
            (429, Some("soon"), "", later(1.0)),
            (429, Some("1e300"), "", later(3_600.0)),
            (429, Some("NaN"), "", later(1.0)),
            (429, None, "{\"retry_after\":64}", later(1.0)),
            (500, None, "rollup_error", Answer::Later(None, String::new())),
            (500, None, "no_service_id", REFUSED),
            (503, Some("5"), "", later(5.0)),
        ] {
            check(Target::Slack, status, retry_after, body, &expected);
        }
        let says = classify(Target::Slack, 404, None, "no_service\n");
        assert_eq!(says, Answer::Refused("404 no_service".into()));
    }

    #[test]
    fn answers_of_the_others() {
        use Target::{Discord, Mattermost, RocketChat, Zulip};
        for (target, status, retry_after, body, expected) in [
            (Mattermost, 200, None, "ok", Answer::Accepted),
            (Mattermost, 400, None, r#"{"id":"web.incoming_webhook.invalid.app_error","message":"…"}"#, REFUSED),
            (Mattermost, 429, Some("2"), "limit exceeded", later(2.0)),
            (Mattermost, 200, None, "no_team", Answer::Accepted),
            (RocketChat, 200, None, r#"{"success":true}"#, Answer::Accepted),
            (RocketChat, 200, None, r#"{"success":false,"error":"error-invalid-channel"}"#, REFUSED),
            (RocketChat, 400, None, r#"{"success":false,"error":"invalid-channel"}"#, REFUSED),
            (
                RocketChat,
                429,
                None,
                r#"{"success":false,"error":"Error, too many requests. Please slow down. You must wait 46 seconds before trying this endpoint again. [error-too-many-requests]"}"#,
                later(46.0),
            ),
            (RocketChat, 400, None, r#"{"success":false,"error":"[error-too-many-requests]"}"#, later(1.0)),
            (Discord, 200, None, "ok", Answer::Accepted),
            (Discord, 204, None, "", Answer::Accepted),
            (
                Discord,
                429,
                None,
                r#"{"message":"You are being rate limited.","retry_after":3.25,"global":false}"#,
                later(3.25),
            ),
            (
                Discord,
                429,
                None,
                r#"{"message":"You are being rate limited.","retry_after":0.3,"global":false}"#,
                later(1.0),
            ),
            (Discord, 429, Some("65"), r#"{"retry_after":64.57}"#, later(65.0)),
            (Discord, 404, None, r#"{"message":"Unknown Webhook","code":10015}"#, REFUSED),
            (Discord, 401, None, r#"{"message":"Invalid Webhook Token","code":50027}"#, REFUSED),
            (Discord, 502, None, "<html>", Answer::Later(None, String::new())),
            (Zulip, 200, None, r#"{"result":"success","msg":""}"#, Answer::Accepted),
            (Zulip, 200, None, r#"{"result":"error","msg":"Stream does not exist"}"#, REFUSED),
            (Zulip, 400, None, r#"{"result":"error","msg":"Unsupported","code":"BAD_REQUEST"}"#, REFUSED),
            (Zulip, 429, None, r#"{"result":"error","code":"RATE_LIMIT_HIT","retry-after":28.7}"#, later(28.7)),
        ] {
            check(target, status, retry_after, body, &expected);
        }
    }

    #[test]
    fn what_is_kept_is_short_and_visible() {
        let Answer::Refused(says) = classify(Target::Mattermost, 400, None, &"\u{1b}[31m\n".repeat(500)) else {
            panic!()
        };
        assert_eq!(says.chars().count(), "400 ".len() + ANSWER_CHARS);
        assert!(says.starts_with("400 \\u{1b}[31m \\u{1b}"), "{says}");
    }
}

//! What a webhook's answer means for the message.
//!
//! Slack's documents list the errors of incoming webhooks; some come with any status, so the body decides first.

use std::time::Duration;

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

/// Bodies that mean a dead webhook, whatever the status.
const DEAD_WEBHOOK: [&str; 4] = ["no_service_id", "no_team", "team_disabled", "posting_to_general_channel_denied"];

/// The longest that `Retry-After` is believed: a webhook cannot silence itself for longer by mistake.
const RETRY_AFTER_MOST: Duration = Duration::from_secs(3_600);

/// Classifies an answer by its status, its `Retry-After` header and its body.
pub(super) fn classify(status: u16, retry_after: Option<&str>, body: &str) -> Answer {
    let body = body.trim();
    let says = if body.is_empty() { status.to_string() } else { format!("{status} {body}") };
    if DEAD_WEBHOOK.contains(&body) {
        return Answer::Refused(says);
    }
    match status {
        200..=299 => Answer::Accepted,
        300..=399 => Answer::Refused(format!("{status}: redirects are not followed; check the webhook's URL")),
        429 => Answer::Later(Some(seconds(retry_after)), says),
        408 | 500..=599 => Answer::Later(retry_after.map(|_| seconds(retry_after)), says),
        _ => Answer::Refused(says),
    }
}

/// At least a second: a 429 without a time still means "slower".
fn seconds(retry_after: Option<&str>) -> Duration {
    let seconds = retry_after.and_then(|text| text.trim().parse::<f64>().ok()).filter(|s| s.is_finite());
    Duration::try_from_secs_f64(seconds.unwrap_or(1.0).max(1.0))
        .map_or(RETRY_AFTER_MOST, |time| time.min(RETRY_AFTER_MOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_as_slack_documents_them() {
        let later = |seconds| Answer::Later(Some(Duration::from_secs(seconds)), String::new());
        for (status, retry_after, body, expected) in [
            (200, None, "ok", Answer::Accepted),
            (200, None, "{\"success\":true}", Answer::Accepted),
            (200, None, "no_team", Answer::Refused(String::new())),
            (302, None, "", Answer::Refused(String::new())),
            (400, None, "invalid_blocks", Answer::Refused(String::new())),
            (403, None, "invalid_token", Answer::Refused(String::new())),
            (404, None, "no_service", Answer::Refused(String::new())),
            (410, None, "channel_is_archived", Answer::Refused(String::new())),
            (429, Some("30"), "", later(30)),
            (429, None, "", later(1)),
            (429, Some("soon"), "", later(1)),
            (429, Some("1e300"), "", later(3_600)),
            (500, None, "rollup_error", Answer::Later(None, String::new())),
            (500, None, "no_service_id", Answer::Refused(String::new())),
            (503, Some("5"), "", later(5)),
        ] {
            let without_text = match classify(status, retry_after, body) {
                Answer::Accepted => Answer::Accepted,
                Answer::Later(after, _) => Answer::Later(after, String::new()),
                Answer::Refused(_) => Answer::Refused(String::new()),
            };
            assert_eq!(without_text, expected, "{status} {retry_after:?} {body}");
        }
        assert_eq!(classify(404, None, "no_service\n"), Answer::Refused("404 no_service".into()));
    }
}

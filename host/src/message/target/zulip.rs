//! Zulip's integration for programs that post to Slack, `slack_incoming`.

use serde_json::Value;

use super::super::guard_error::GuardError;
use super::super::hints::Hints;
use super::super::model::Message;
use super::super::sanitizer::Sanitizer;
use super::super::slack_compatible::{self, Dialect, Markers, Place, begins_block};
use super::service::Service;
use super::service::{HttpAnswer, Verdict};

/// Zulip.
pub(super) struct Zulip;

/// Codes for a bot, an organization or a channel that does not exist anymore.
const DISABLED: [&str; 5] =
    ["INVALID_API_KEY", "USER_DEACTIVATED", "REALM_DEACTIVATED", "NONEXISTENT_SUBDOMAIN", "STREAM_DOES_NOT_EXIST"];

/// Codes about a message.
const REJECTED: [&str; 5] = [
    "BAD_REQUEST",
    "INVALID_JSON",
    "REQUEST_VARIABLE_INVALID",
    "REQUEST_VARIABLE_MISSING",
    "UNSUPPORTED_WEBHOOK_EVENT_TYPE",
];

/// The code of too many requests.
const RATE_LIMITED: &str = "RATE_LIMIT_HIT";

impl Service for Zulip {
    fn key(&self) -> &'static str {
        "zulip"
    }

    fn name(&self) -> &'static str {
        "Zulip"
    }

    fn public_words(&self) -> &'static [&'static str] {
        &["api", "v1", "external", "slack_incoming", "api_key", "stream", "topic"]
    }

    fn lower(&self, message: &Message, sanitizer: &Sanitizer) -> Result<Value, GuardError> {
        let mut body = slack_compatible::lower(message, sanitizer, self).ok_or(GuardError::Empty(self.name()))?;
        if let Some(topic) = Hints::of(message).topic {
            // The integration takes Slack's channel as the topic.
            body.insert("channel".to_owned(), Value::String(topic));
        }
        Ok(Value::Object(body))
    }

    fn accepts(&self, answer: &HttpAnswer<'_>) -> bool {
        answer.json["result"] == "success"
    }

    fn dialect(&self) -> Option<&dyn Dialect> {
        Some(self)
    }

    fn add_note(&self, body: &mut Value, note: &str) {
        slack_compatible::add_note(body, note, self);
    }

    fn verdict(&self, answer: &HttpAnswer<'_>) -> Option<Verdict> {
        if answer.json["result"] != "error" {
            return None;
        }
        let code = answer.text("code");
        if DISABLED.contains(&code) || answer.text("msg").ends_with("does not exist") {
            Some(Verdict::EndpointGone)
        } else if code == RATE_LIMITED {
            Some(Verdict::RateLimited)
        } else {
            Some(if REJECTED.contains(&code) { Verdict::Rejected } else { Verdict::Unclear })
        }
    }

    fn retry_after(&self, answer: &HttpAnswer<'_>) -> Option<f64> {
        answer.json["retry-after"].as_f64()
    }

    fn known_errors(&self) -> Vec<&'static str> {
        [&DISABLED[..], &REJECTED, &[RATE_LIMITED, "UNAUTHORIZED_PRINCIPAL"]].concat()
    }
}

/// Zulip translates Slack's markup first: `*bold*` becomes `**bold**`, and `_italic_` becomes `*italic*`.
impl Dialect for Zulip {
    /// 10,000 characters, of which Zulip's bold takes some more than ours.
    fn text_max(&self, _attached: bool) -> usize {
        9_500
    }

    fn markers(&self) -> Markers {
        Markers { bold: "*", italic: "_", strike: "~~" }
    }

    fn heading(&self) -> Option<&'static str> {
        Some("## ")
    }

    fn divider(&self) -> &'static str {
        "\n----"
    }

    fn date(&self, seconds: i64, _format: &str) -> Option<String> {
        let at = jiff::Timestamp::from_second(seconds).ok()?;
        Some(format!("<time:{}>", at.strftime("%Y-%m-%dT%H:%M:%SZ")))
    }

    /// Zulip makes `@**all**` of it, as of all that is bold.
    fn mention_all(&self, _whom: &str) -> &'static str {
        "@*all*"
    }

    fn has_attachments(&self) -> bool {
        false
    }

    /// An entity begins no block, but spaces begin code.
    fn begins_block(&self, line: &str) -> bool {
        line.starts_with(char::is_whitespace) && begins_block(line)
    }

    /// There are no backslash escapes; HTML entities are resolved after all markup.
    fn escape(&self, place: Place<'_>, out: &mut String) {
        let (before, after) = (place.before, place.after());
        let digit = |char: Option<char>| char.is_some_and(|c| c.is_ascii_digit());
        let acts = match place.char {
            '&' | '<' | '>' | '*' | '_' | '~' | '`' | '[' | ']' | '(' | ')' | '{' | '}' | '@' | '#' | '|' | '!'
            | '\\' | '$' | '^' | ':' => true,
            // It links bare domains.
            '.' => !digit(before) || !digit(after),
            '/' | '-' | '+' | '=' => place.line_start,
            _ => false,
        };
        if acts {
            out.push_str(&format!("&#{};", u32::from(place.char)));
        } else {
            out.push(place.char);
        }
    }
}

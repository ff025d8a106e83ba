//! Mattermost's incoming webhooks.

use serde_json::Value;

use super::super::guard_error::GuardError;
use super::super::model::Message;
use super::super::sanitizer::Sanitizer;
use super::super::slack_compatible::{self, BREAK, Dialect, Markers, Place};
use super::service::Service;
use super::service::{HttpAnswer, Verdict};

/// Mattermost.
pub(super) struct Mattermost;

/// Errors of a webhook that accepts no message, from `HandleIncomingWebhook` of the server. banhook names no channel, so
/// an error about one is about the webhook's own.
const DISABLED: [&str; 7] = [
    "web.incoming_webhook.invalid.app_error",
    "web.incoming_webhook.channel_locked.app_error",
    "web.incoming_webhook.disabled.app_error",
    "web.incoming_webhook.channel.app_error",
    "web.incoming_webhook.user.app_error",
    "web.incoming_webhook.permissions.app_error",
    "api.post.create_post.can_not_post_to_deleted.error",
];

/// Errors about a message; the last is the beginning of several.
const REJECTED: [&str; 5] = [
    "web.incoming_webhook.attachment.app_error",
    "web.incoming_webhook.parse.app_error",
    "web.incoming_webhook.split_props_length.app_error",
    "web.incoming_webhook.text.app_error",
    "model.post.is_valid.",
];

impl Service for Mattermost {
    fn key(&self) -> &'static str {
        "mattermost"
    }

    fn name(&self) -> &'static str {
        "Mattermost"
    }

    fn public_words(&self) -> &'static [&'static str] {
        &["hooks"]
    }

    fn lower(&self, message: &Message, sanitizer: &Sanitizer) -> Result<Value, GuardError> {
        let body = slack_compatible::lower(message, sanitizer, self);
        body.map(Value::Object).ok_or(GuardError::Empty(self.name()))
    }

    fn accepts(&self, answer: &HttpAnswer<'_>) -> bool {
        answer.body == "ok"
    }

    fn dialect(&self) -> Option<&dyn Dialect> {
        Some(self)
    }

    fn add_note(&self, body: &mut Value, note: &str) {
        slack_compatible::add_note(body, note, self);
    }

    fn verdict(&self, answer: &HttpAnswer<'_>) -> Option<Verdict> {
        let id = answer.text("id");
        if DISABLED.contains(&id) {
            return Some(Verdict::EndpointGone);
        }
        REJECTED.iter().any(|error| id.starts_with(error)).then_some(Verdict::Rejected)
    }

    fn known_errors(&self) -> Vec<&'static str> {
        [&DISABLED[..], &REJECTED].concat()
    }
}

impl Dialect for Mattermost {
    /// Mattermost takes 16,383 characters; older servers keep all attachments of a message in 8,000.
    fn text_max(&self, attached: bool) -> usize {
        if attached { 7_000 } else { 16_000 }
    }

    fn markers(&self) -> Markers {
        Markers { bold: "**", italic: "_", strike: "~~" }
    }

    fn heading(&self) -> Option<&'static str> {
        Some("#### ")
    }

    fn divider(&self) -> &'static str {
        "\n---"
    }

    fn mention_all(&self, whom: &str) -> &'static str {
        match whom {
            "here" => "@here",
            "channel" => "@channel",
            _ => "@all",
        }
    }

    /// An entity is shown as its character everywhere, and copied as it.
    fn escape(&self, place: Place<'_>, out: &mut String) {
        match place.char {
            '&' => out.push_str("&amp;"),
            // `&lt;3` is a heart.
            '<' => out.push_str("&#60;"),
            '>' => out.push_str("&gt;"),
            '$' => out.push_str("&#36;"),
            // With a `<` in code before it and a `>` in code after it, the server would make a link of all between.
            '|' => out.push_str("&#124;"),
            char @ ('\\' | '*' | '_' | '`' | '[' | ']') => out.extend(['\\', char]),
            // A channel's name follows it, too.
            '~' => out.extend(['\\', '~', BREAK]),
            char @ ('@' | '#') => out.extend([char, BREAK]),
            // With what follows the text, `:]` or `:)`.
            ':' if place.after().is_none()
                || place.colon_acts()
                || ends_scheme(out, place)
                || place.begins_emoticon(EMOTICONS) =>
            {
                out.push_str("&#58;");
            }
            ';' if place.begins_emoticon(EMOTICONS) => out.push_str("&#59;"),
            // `x-d`
            '-' if matches!(place.before, Some('x' | 'X')) => out.push_str("\\-"),
            '.' if ends_www(out) || begins_domain_end(place) => out.push_str("\\."),
            char => out.push(char),
        }
    }
}

/// Emoticons that begin with a colon or semicolon.
const EMOTICONS: &[&str] = &[
    ":)", ":-)", ";)", ";-)", ":o", ":-o", ":]", ":-]", ":d", ":-d", ":p", ":-p", ":[", ":-[", ":@", ":-@", ":(",
    ":-(", ":'(", ":'-(", ":`(", ":’(", ":/", ":-/", ":s", ":-s", ":|", ":-|", ":$", ":-$", ":x", ":-x", ":’-(",
    ":`-(",
];

/// Returns whether a colon ends what Mattermost takes for a scheme of any name: `http:evil.example`, `tel:110`.
fn ends_scheme(out: &str, place: Place<'_>) -> bool {
    let scheme = |c: &char| c.is_ascii_alphanumeric() || "+-.\\".contains(*c);
    place.after().is_some_and(|c| c.is_alphanumeric() || matches!(c, '/' | '%'))
        && out.chars().rev().take_while(scheme).any(|c| c.is_ascii_alphabetic())
}

/// Returns whether text ends with `www`, or `www2`: a dot after it makes a link.
fn ends_www(text: &str) -> bool {
    let name = text.trim_end_matches(|c: char| c.is_ascii_digit());
    name.get(name.len().saturating_sub(3)..).is_some_and(|end| end.eq_ignore_ascii_case("www"))
}

/// Returns whether the dot is that of `.com/`, which makes a link of what stands before it.
fn begins_domain_end(place: Place<'_>) -> bool {
    let after = place.rest.get(1..).unwrap_or_default();
    let path = after.trim_start_matches(char::is_alphabetic);
    path.len() < after.len() && path.starts_with('/')
}

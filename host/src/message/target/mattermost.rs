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

    fn escape(&self, place: Place<'_>, out: &mut String) {
        match place.char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '$' => out.push_str("&#36;"),
            char @ ('\\' | '*' | '_' | '`' | '[' | ']' | '|') => out.extend(['\\', char]),
            // A channel's name follows it, too.
            '~' => out.extend(['\\', '~', BREAK]),
            char @ ('@' | '#') => out.extend([char, BREAK]),
            ':' if place.colon_acts() => out.extend([':', BREAK]),
            '.' if out.to_ascii_lowercase().ends_with("www") => out.push_str("\\."),
            char => out.push(char),
        }
    }
}

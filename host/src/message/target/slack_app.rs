//! Slack's Web API: an app with a token posts to a channel, and changes and replies to what it has posted.
//!
//! Arguments, answers and errors: <https://docs.slack.dev/reference/methods/chat.postMessage>,
//! <https://docs.slack.dev/reference/methods/chat.update>.

use serde_json::{Map, Value, json};
use url::Url;

use super::super::conversation::{Reference, Way};
use super::super::guard_error::GuardError;
use super::super::model::Message;
use super::super::sanitizer::Sanitizer;
use super::service::{
    Access, Address, ChannelForm, HttpAnswer, Question, Request, Service, TokenForm, UrlProblem, Verdict,
};
use super::slack::{LIMITED, Slack};

/// A Slack app.
pub(super) struct SlackApp;

const POST: &str = "chat.postMessage";
const UPDATE: &str = "chat.update";
const HISTORY: &str = "conversations.history";

/// The type of the metadata that a message carries.
const EVENT_TYPE: &str = "banhook_message";

/// The most messages of a page of the history that are asked for: Slack recommends no more than 200.
const PAGE: &str = "200";

/// Bytes of an answer that are read: several times what a message of the largest body is.
const ANSWER_BYTES: usize = 1 << 20;

/// Errors of a token, an app, a workspace or a channel, with which no message can be posted.
const DISABLED: [&str; 26] = [
    "access_denied",
    "accesslimited",
    "account_inactive",
    "channel_not_found",
    "deprecated_endpoint",
    "ekm_access_denied",
    "enterprise_is_restricted",
    "invalid_auth",
    "is_archived",
    "is_inactive",
    "method_deprecated",
    "missing_scope",
    "no_permission",
    "not_allowed_token_type",
    "not_authed",
    "not_in_channel",
    "org_login_required",
    "restricted_action",
    "restricted_action_read_only_channel",
    "restricted_action_thread_only_channel",
    "slack_connect_file_link_sharing_blocked",
    "team_access_not_granted",
    "team_not_found",
    "token_expired",
    "token_revoked",
    "two_factor_setup_required",
];

/// Errors about a message.
const REJECTED: [&str; 12] = [
    "invalid_arg_name",
    "invalid_arguments",
    "invalid_attachments",
    "invalid_blocks",
    "invalid_blocks_format",
    "invalid_metadata_format",
    "invalid_metadata_schema",
    "metadata_too_large",
    "msg_blocks_too_long",
    "msg_too_long",
    "no_text",
    "too_many_attachments",
];

/// Errors of Slack itself, or of a workspace that has posted too much.
const TRANSIENT: [&str; 9] = [
    "external_channel_migrating",
    "fatal_error",
    "internal_error",
    "message_limit_exceeded",
    "request_timeout",
    "rollup_error",
    "service_unavailable",
    "team_added_to_org",
    "update_failed",
];

/// Errors of a message that can be replied to, but not changed.
const UNCHANGEABLE: [&str; 5] = [
    "block_mismatch",
    "cant_update_message",
    "edit_window_closed",
    "no_dual_broadcast_content_update",
    "streaming_state_conflict",
];

/// Errors of a message that is not there, or that takes no replies.
const UNREACHABLE: [&str; 4] =
    ["cannot_reply_to_message", "message_not_found", "restricted_action_non_threadable_channel", "thread_not_found"];

impl Service for SlackApp {
    fn key(&self) -> &'static str {
        "slack-app"
    }

    fn name(&self) -> &'static str {
        "Slack's Web API"
    }

    fn hosts(&self) -> &'static [&'static str] {
        &["slack.com", "slack-gov.com"]
    }

    fn check_path(&self, url: &Url) -> Result<(), UrlProblem> {
        match url.path() {
            "/api/" => Ok(()),
            _ => Err(UrlProblem("the path is not that of Slack's Web API: https://slack.com/api/")),
        }
    }

    fn public_path<'u>(&self, url: &'u Url) -> &'u str {
        url.path().trim_end_matches('/')
    }

    fn public_words(&self) -> &'static [&'static str] {
        &["api", POST, UPDATE, HISTORY]
    }

    fn lower(&self, message: &Message, sanitizer: &Sanitizer) -> Result<Value, GuardError> {
        Slack.lower(message, sanitizer)
    }

    fn without_figures(&self, body: &mut Value) -> bool {
        Slack.without_figures(body)
    }

    fn add_note(&self, body: &mut Value, note: &str) {
        Slack.add_note(body, note);
    }

    fn accepts(&self, answer: &HttpAnswer<'_>) -> bool {
        answer.json["ok"] == true
    }

    /// An answer with an error has the status 200.
    fn verdict(&self, answer: &HttpAnswer<'_>) -> Option<Verdict> {
        if answer.json["ok"] != false {
            return None;
        }
        let verdicts = [
            (&DISABLED[..], Verdict::EndpointGone),
            (&REJECTED, Verdict::Rejected),
            (&LIMITED, Verdict::RateLimited),
            (&TRANSIENT, Verdict::Transient),
            (&UNCHANGEABLE, Verdict::Unchangeable),
            (&UNREACHABLE, Verdict::Unreachable),
        ];
        let error = answer.text("error");
        let known = verdicts.into_iter().find(|(words, _)| words.contains(&error)).map(|(_, verdict)| verdict);
        Some(known.unwrap_or(Verdict::Unclear))
    }

    fn known_errors(&self) -> Vec<&'static str> {
        [&DISABLED[..], &REJECTED, &LIMITED, &TRANSIENT, &UNCHANGEABLE, &UNREACHABLE].concat()
    }

    fn has_conversations(&self) -> bool {
        true
    }

    fn access(&self) -> Access {
        Access::Channel(ChannelForm {
            token: TokenForm {
                what: "the token of a bot, which begins with xoxb-",
                hint: "copy \"Bot User OAuth Token\" from the app's page \"OAuth & Permissions\"",
                is_token: |text| text.starts_with("xoxb-"),
            },
            api_url: "https://slack.com/api/",
            token_path: None,
            has_history: true,
            has_topics: false,
            what: "a channel's id, such as C012AB3CD, or its name behind a #",
            hint: "add channel = \"C012AB3CD\" (in Slack: the channel's name, About, Channel ID) or \"#alerts\"",
            is_channel,
        })
    }

    /// An answer repeats the message.
    fn answer_bytes(&self) -> usize {
        ANSWER_BYTES
    }

    fn request(&self, address: &Address<'_>, body: String, way: &Way) -> Request {
        // A body that this version did not make goes out as it is, and is rejected.
        let mut fields: Map<String, Value> =
            serde_json::from_str(&body).unwrap_or_else(|_| Map::from_iter([("text".to_owned(), body.into())]));
        let (method, channel) = match way {
            Way::Post => {
                if let Some(id) = address.id {
                    let metadata = json!({ "event_type": EVENT_TYPE, "event_payload": { "id": id } });
                    fields.insert("metadata".to_owned(), metadata);
                }
                (POST, address.channel)
            }
            Way::Beneath(above) => {
                fields.insert("thread_ts".to_owned(), above.parent().into());
                (POST, above.channel.as_str())
            }
            Way::Change(reference) => {
                fields.insert("ts".to_owned(), reference.id.as_str().into());
                // Otherwise Slack finds links and names in the text.
                fields.insert("parse".to_owned(), "none".into());
                // What is left out stays as it was.
                for list in ["blocks", "attachments"] {
                    fields.entry(list).or_insert_with(|| json!([]));
                }
                fields.retain(|name, _| !matches!(name.as_str(), "unfurl_links" | "unfurl_media"));
                (UPDATE, reference.channel.as_str())
            }
        };
        fields.insert("channel".to_owned(), channel.into());
        let url = address.url.join(method).unwrap_or_else(|_| address.url.clone());
        Request { patches: false, url, body: Value::Object(fields).to_string() }
    }

    /// Lists the newest first, without replies. With `oldest`, Slack may begin at that end.
    fn history(&self, url: &Url, channel: &str) -> Option<Question> {
        let form = vec![
            ("channel", channel.to_owned()),
            ("limit", PAGE.to_owned()),
            ("include_all_metadata", "true".to_owned()),
        ];
        Some(Question { url: url.join(HISTORY).ok()?, form })
    }

    fn find(&self, answer: &HttpAnswer<'_>, id: &str) -> Option<Reference> {
        let text = |value: &Value, at: &str| value.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
        let is_it = |message: &&Value| {
            text(message, "/metadata/event_type") == EVENT_TYPE && text(message, "/metadata/event_payload/id") == id
        };
        let found = answer.json.get("messages")?.as_array()?.iter().find(is_it)?;
        Some(Reference { channel: String::new(), id: text(found, "/ts"), of: String::new(), thread: None })
    }

    fn reference(&self, answer: &HttpAnswer<'_>) -> Option<Reference> {
        let text = |key: &str| Some(answer.text(key).to_owned()).filter(|text| !text.is_empty());
        Some(Reference { channel: text("channel")?, id: text("ts")?, of: String::new(), thread: None })
    }
}

/// Returns whether a text is a channel's id (letters and digits, the first of which says that it is a channel, a private one
/// or a direct message), or a name.
fn is_channel(text: &str) -> bool {
    let is_id = text.starts_with(['C', 'G', 'D'])
        && text.len() > 1
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().count() <= 80 && !name.contains(|c: char| c.is_whitespace() || c.is_control())
    };
    is_id || text.strip_prefix('#').is_some_and(is_name)
}

#[cfg(test)]
#[path = "slack_app_tests.rs"]
mod tests;

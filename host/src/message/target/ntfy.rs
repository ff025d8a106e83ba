//! ntfy: a notification for whoever subscribed to a topic, published as JSON at the root of its server.
//!
//! The fields and the limits: <https://docs.ntfy.sh/publish/#publish-as-json>, <https://docs.ntfy.sh/publish/#limitations>. The
//! errors: `server/errors.go` of <https://github.com/binwiederhier/ntfy>.

use blockkit::limits::HEADER_MAX;
use blockkit::text::{cut, one_line};
use serde_json::{Map, Value, json};
use url::Url;

use super::super::actions::{Action, taken_out};
use super::super::conversation::Way;
use super::super::guard_error::GuardError;
use super::super::hints::Hints;
use super::super::model::{Block, Color, Message};
use super::super::paragraphs::{Paragraph, blocks, fitting, of_picture, paragraphs, plain_text, unlink};
use super::super::sanitizer::Sanitizer;
use super::super::unlinked::Unlinked;
use super::service::{Access, Address, HttpAnswer, Request, Service, TokenForm, UrlProblem, Verdict, segments};

/// ntfy.
pub(super) struct Ntfy;

/// Bytes of a message: one of 4,096 or more becomes an attachment, for which a server may have no room.
const MESSAGE_BYTES_MAX: usize = 4_095;
/// Bytes of a message as JSON: the whole body may have twice as many bytes as a message, and has also title and buttons.
const MESSAGE_JSON_BYTES_MAX: usize = 6_000;
/// Buttons of a notification.
const ACTIONS_MAX: usize = 3;
/// Characters of a topic.
const TOPIC_MAX: usize = 64;
/// Bytes of an answer that are read: it repeats the message.
const ANSWER_BYTES: usize = 64 << 10;

/// Codes about a server, a topic or a login with which no message can be published.
const DISABLED: [u64; 5] = [40_009, 40_010, 40_101, 40_301, 40_401];
/// Codes about a message.
const REJECTED: [u64; 10] = [40_007, 40_011, 40_013, 40_014, 40_017, 40_018, 40_021, 40_024, 41_301, 41_303];
/// Codes about a number of messages that is counted by the day: an earlier attempt would be of no use.
const DAILY: [u64; 2] = [42_905, 42_908];
/// Seconds after which a daily limit is asked for.
const DAILY_WAIT: f64 = 3_600.0;
/// Seconds after which a server that was asked too often takes one more request, by default.
const REQUEST_WAIT: f64 = 5.0;

/// The apps find links in plain text.
const UNLINKED: Unlinked = Unlinked { signs: "", addresses: false, code: true };

/// A notification, before it is JSON.
struct Notification {
    title: Option<String>,
    paragraphs: Vec<Paragraph>,
    priority: Option<u8>,
    /// What the apps show as an emoji before the title.
    tag: Option<&'static str>,
    actions: Vec<Action>,
}

impl Service for Ntfy {
    fn key(&self) -> &'static str {
        "ntfy"
    }

    fn name(&self) -> &'static str {
        "ntfy"
    }

    fn access(&self) -> Access {
        Access::UrlAndToken(TokenForm {
            what: "an access token, which begins with tk_",
            hint: "copy one from the account's page \"Access tokens\", or `ntfy token add`",
            is_token: |text| text.starts_with("tk_"),
        })
    }

    /// Whoever knows a topic may read it, unless the server has access control. So it is a secret, as the whole URL is.
    fn check_url(&self, url: &Url) -> Result<(), UrlProblem> {
        let is_topic = |topic: &&str| {
            (1..=TOPIC_MAX).contains(&topic.len())
                && topic.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        match segments(url).last().filter(|topic| is_topic(topic)) {
            Some(_) if url.query().is_none() && url.fragment().is_none() => Ok(()),
            _ => Err(UrlProblem("the URL does not end with a topic: https://ntfy.sh/TOPIC (letters, digits, - and _)")),
        }
    }

    fn public_words(&self) -> &'static [&'static str] {
        &[]
    }

    fn lower(&self, message: &Message, sanitizer: &Sanitizer) -> Result<Value, GuardError> {
        let Notification { title, paragraphs, priority, tag, actions } =
            notification(message, sanitizer).ok_or(GuardError::Empty(self.name()))?;
        let mut body = Map::from_iter([("message".to_owned(), json!(plain_text(&paragraphs)))]);
        body.extend(title.map(|title| ("title".to_owned(), json!(title))));
        body.extend(priority.map(|priority| ("priority".to_owned(), json!(priority))));
        body.extend(tag.map(|tag| ("tags".to_owned(), json!([tag]))));
        if !actions.is_empty() {
            let action = |(label, url)| json!({ "action": "view", "label": label, "url": url });
            body.insert("actions".to_owned(), actions.into_iter().map(action).collect());
        }
        Ok(Value::Object(body))
    }

    fn preview(&self, message: &Message, sanitizer: &Sanitizer) -> Result<Value, GuardError> {
        let Notification { title, paragraphs, priority, tag, actions } =
            notification(message, sanitizer).ok_or(GuardError::Empty(self.name()))?;
        let plain = |text: String| json!({ "type": "plain_text", "text": text, "emoji": false });
        let mut shown: Vec<Value> =
            title.map(|title| json!({ "type": "header", "text": plain(title) })).into_iter().collect();
        shown.extend(blocks(&paragraphs));
        if !actions.is_empty() {
            let button = |(label, url)| json!({ "type": "button", "text": plain(label), "url": url });
            let buttons: Vec<Value> = actions.into_iter().map(button).collect();
            shown.push(json!({ "type": "actions", "elements": buttons }));
        }
        let facts = [tag.map(|tag| format!("tag {tag}")), priority.map(|priority| format!("priority {priority}"))];
        let facts: Vec<String> = facts.into_iter().flatten().collect();
        if !facts.is_empty() {
            shown.push(json!({ "type": "context", "elements": [plain(facts.join(", "))] }));
        }
        Ok(json!({ "blocks": shown }))
    }

    fn add_note(&self, body: &mut Value, note: &str) {
        let Some(Value::String(message)) = body.get_mut("message") else { return };
        let longer = format!("{message}\n\n{}", UNLINKED.of(&one_line(note), None, None));
        if fits(&longer) {
            *message = longer;
        }
    }

    /// The message with its id.
    fn accepts(&self, answer: &HttpAnswer<'_>) -> bool {
        answer.json["event"] == "message" && answer.json["id"].is_string()
    }

    fn verdict(&self, answer: &HttpAnswer<'_>) -> Option<Verdict> {
        let code = answer.json["code"].as_u64()?;
        if DISABLED.contains(&code) {
            Some(Verdict::EndpointGone)
        } else if REJECTED.contains(&code) {
            Some(Verdict::Rejected)
        } else {
            (code / 100 == 429).then_some(Verdict::RateLimited)
        }
    }

    fn retry_after(&self, answer: &HttpAnswer<'_>) -> Option<f64> {
        let code = answer.json["code"].as_u64()?;
        Some(if DAILY.contains(&code) { DAILY_WAIT } else { REQUEST_WAIT })
    }

    fn known_errors(&self) -> Vec<&'static str> {
        vec![
            "JSON body too large",
            "attachment too large, or bandwidth limit reached",
            "attachments not allowed",
            "forbidden",
            "internal server error",
            "limit reached: daily bandwidth",
            "limit reached: too many messages",
            "limit reached: too many requests",
            "message must be UTF-8 encoded",
            "request body must be message JSON",
            "topic invalid",
            "topic name is disallowed",
            "unauthorized",
        ]
    }

    fn answer_bytes(&self) -> usize {
        ANSWER_BYTES
    }

    /// The topic moves from the URL into the body.
    fn request(&self, endpoint: &Address<'_>, body: String, _way: &Way) -> Request {
        let mut url = endpoint.url.clone();
        let topic = segments(&url).last().copied().unwrap_or_default().to_owned();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop();
            path.push("");
        }
        // A body that this version did not make goes out as a text.
        let mut fields: Map<String, Value> =
            serde_json::from_str(&body).unwrap_or_else(|_| Map::from_iter([("message".to_owned(), body.into())]));
        fields.insert("topic".to_owned(), topic.into());
        Request { patches: false, url, body: Value::Object(fields).to_string() }
    }
}

/// Returns the notification; `None` if it would show nothing.
fn notification(message: &Message, sanitizer: &Sanitizer) -> Option<Notification> {
    let (message, title, actions) = taken_apart(message);
    let (mut paragraphs, images) = paragraphs(&message, sanitizer);
    paragraphs.extend(images.iter().flat_map(of_picture));
    // Cut first: an ellipsis may complete a link.
    let paragraphs = fitting(paragraphs, |paragraphs| fits(&plain_text(&unlink(paragraphs, UNLINKED))));
    let paragraphs = unlink(&paragraphs, UNLINKED);
    if plain_text(&paragraphs).trim().is_empty() {
        return None;
    }
    let (priority, tag) = match message.color {
        Some(Color::Danger) => (Some(4), Some("rotating_light")),
        Some(Color::Warning) => (None, Some("warning")),
        Some(Color::Good) => (Some(2), Some("white_check_mark")),
        Some(Color::Rgb(..)) | None => (None, None),
    };
    let priority = Hints::of(&message).priority.or(priority);
    Some(Notification { title, paragraphs, priority, tag, actions })
}

/// Returns a message without what a notification has fields for: a heading that it begins with, if more follows, and the first
/// buttons.
fn taken_apart(message: &Message) -> (Message, Option<String>, Vec<Action>) {
    let (mut message, actions) = taken_out(message, ACTIONS_MAX, UNLINKED);
    let mut title = None;
    if let [Block::Header(header), _, ..] = message.blocks.as_slice() {
        let text = cut(&one_line(header), HEADER_MAX).into_owned();
        title = Some(UNLINKED.of(&text, None, None)).filter(|title| !title.trim().is_empty());
        message.blocks.remove(0);
    }
    (message, title, actions)
}

/// Returns whether a message is taken whole.
fn fits(text: &str) -> bool {
    text.len() <= MESSAGE_BYTES_MAX && json!(text).to_string().len() <= MESSAGE_JSON_BYTES_MAX
}

#[cfg(test)]
#[path = "ntfy_tests.rs"]
mod tests;

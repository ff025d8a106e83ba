//! Telegram's Bot API: a bot with a token sends messages to a chat, or to a topic of it, changes them and replies to them.
//!
//! Methods, limits and answers: <https://core.telegram.org/bots/api#sendmessage>,
//! <https://core.telegram.org/bots/api#editmessagetext>, <https://core.telegram.org/bots/api#messageentity>,
//! <https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this>. The texts of errors, which the API does
//! not list, are those of <https://github.com/tdlib/telegram-bot-api> and of
//! <https://github.com/TelegramBotAPI/errors>.
//!
//! The look of a text is in entities next to it, so no character of it is markup. But the server finds links, mentions, tags and
//! commands in any text that is not code (`MessageEntity.cpp` of <https://github.com/tdlib/td>), and these are broken.

use serde_json::{Map, Value, json};
use url::Url;

use super::super::conversation::{Reference, Way};
use super::super::guard_error::GuardError;
use super::super::model::Message;
use super::super::paragraphs::{
    Paragraph, ParagraphKind, Run, blocks, fitting, of_picture, paragraphs, separator, unlink,
};
use super::super::sanitizer::Sanitizer;
use super::super::slack_compatible::{encoded_url, mark};
use super::super::unlinked::Unlinked;
use super::service::{
    Access, Address, ChannelForm, HttpAnswer, Request, Service, TokenForm, UrlProblem, Verdict, segments,
};

/// Telegram.
pub(super) struct Telegram;

const SEND: &str = "sendMessage";
const EDIT: &str = "editMessageText";

/// UTF-16 code units of a text, in which the API counts offsets; its limit is 4,096 characters.
const TEXT_MAX: usize = 4_096;
/// Entities of a text; the server drops more. Those that it finds by itself count.
const ENTITIES_MAX: usize = 100;
/// Bytes of an answer that are read: it repeats the message, and describes the chat.
const ANSWER_BYTES: usize = 256 << 10;

/// Errors of a chat or a bot, with which no message can be sent.
const DISABLED: [&str; 17] = [
    "CHANNEL_PRIVATE",
    "CHAT_RESTRICTED",
    "CHAT_SEND_PLAIN_FORBIDDEN",
    "CHAT_WRITE_FORBIDDEN",
    "PEER_ID_INVALID",
    "TOPIC_CLOSED",
    "TOPIC_DELETED",
    "Unauthorized",
    "bot was blocked by the user",
    "bot was kicked",
    "chat not found",
    "group chat was deactivated",
    "group chat was upgraded to a supergroup chat",
    "have no rights to send a message",
    "message thread not found",
    "need administrator rights in the channel chat",
    "not enough rights to send text messages to the chat",
];
/// Errors about a message.
const REJECTED: [&str; 7] = [
    "ENTITY_BOUNDS_INVALID",
    "MESSAGE_TOO_LONG",
    "can't parse entities",
    "message is too long",
    "message text is empty",
    "text must be encoded in UTF-8",
    "text must be non-empty",
];
/// Errors of a message that can be replied to, but not changed.
const UNCHANGEABLE: [&str; 2] = ["message can't be edited", "MESSAGE_EDIT_TIME_EXPIRED"];
/// Errors of a message that is not there.
const UNREACHABLE: [&str; 5] = [
    "MESSAGE_ID_INVALID",
    "message to be replied not found",
    "message to edit not found",
    "replied message not found",
    "reply message not found",
];
/// What the server says of a change to what the message says already.
const SAME: &str = "message is not modified";

/// In code the server finds nothing.
const UNLINKED: Unlinked = Unlinked { signs: "#$/+", addresses: true, code: false };
/// Where there are more entities than the server keeps, code may be text.
const UNLINKED_EVERYWHERE: Unlinked = Unlinked { code: true, ..UNLINKED };

impl Service for Telegram {
    fn key(&self) -> &'static str {
        "telegram"
    }

    fn name(&self) -> &'static str {
        "Telegram"
    }

    fn hosts(&self) -> &'static [&'static str] {
        &["api.telegram.org"]
    }

    fn check_path(&self, url: &Url) -> Result<(), UrlProblem> {
        match segments(url).as_slice() {
            [bot, ""] if bot.starts_with("bot") => Ok(()),
            _ => Err(UrlProblem("the path is not that of Telegram's Bot API: https://api.telegram.org/")),
        }
    }

    fn access(&self) -> Access {
        Access::Channel(ChannelForm {
            token: TokenForm {
                what: "the token of a bot, such as 123456:ABC-DEF",
                hint: "copy the one that @BotFather gave you",
                is_token,
            },
            api_url: "https://api.telegram.org/",
            token_path: Some("bot"),
            has_history: false,
            has_topics: true,
            what: "a chat's id in quotes, such as \"-1001234567890\", or the name of a public channel behind an @",
            hint: "add channel = \"-1001234567890\" (https://api.telegram.org/botTOKEN/getUpdates has the id, once somebody has written to the bot there) or \"@name\"",
            is_channel,
        })
    }

    fn public_words(&self) -> &'static [&'static str] {
        &[SEND, EDIT]
    }

    fn lower(&self, message: &Message, sanitizer: &Sanitizer) -> Result<Value, GuardError> {
        let (text, mut entities) = written(&self.shown(message, sanitizer)?);
        entities.truncate(ENTITIES_MAX);
        let mut body = Map::from_iter([
            ("text".to_owned(), json!(text)),
            ("link_preview_options".to_owned(), json!({ "is_disabled": true })),
        ]);
        if !entities.is_empty() {
            body.insert("entities".to_owned(), entities.into());
        }
        Ok(Value::Object(body))
    }

    fn preview(&self, message: &Message, sanitizer: &Sanitizer) -> Result<Value, GuardError> {
        Ok(json!({ "blocks": blocks(&self.shown(message, sanitizer)?) }))
    }

    fn add_note(&self, body: &mut Value, note: &str) {
        let Some(Value::String(text)) = body.get_mut("text") else { return };
        let note = blockkit::text::one_line(note);
        let longer = format!("{text}\n\n{}", UNLINKED.of(&note, None, None));
        if units(&longer) <= TEXT_MAX {
            *text = longer;
        }
    }

    fn accepts(&self, answer: &HttpAnswer<'_>) -> bool {
        answer.json["ok"] == true
    }

    /// Errors are known by their texts, which may have more around them.
    fn verdict(&self, answer: &HttpAnswer<'_>) -> Option<Verdict> {
        if answer.json["ok"] != false {
            return None;
        }
        let description = answer.text("description");
        if description.contains(SAME) {
            return Some(Verdict::Accepted);
        }
        if answer.json["error_code"] == 429 {
            return Some(Verdict::RateLimited);
        }
        let verdicts = [
            (&UNCHANGEABLE[..], Verdict::Unchangeable),
            (&UNREACHABLE, Verdict::Unreachable),
            (&DISABLED, Verdict::EndpointGone),
            (&REJECTED, Verdict::Rejected),
        ];
        let known = verdicts.into_iter().find(|(texts, _)| texts.iter().any(|text| description.contains(text)));
        Some(known.map_or(Verdict::Unclear, |(_, verdict)| verdict))
    }

    fn retry_after(&self, answer: &HttpAnswer<'_>) -> Option<f64> {
        answer.json.pointer("/parameters/retry_after")?.as_f64()
    }

    fn known_errors(&self) -> Vec<&'static str> {
        [&DISABLED[..], &REJECTED, &UNCHANGEABLE, &UNREACHABLE, &["Not Found", "Too Many Requests"]].concat()
    }

    fn has_conversations(&self) -> bool {
        true
    }

    fn answer_bytes(&self) -> usize {
        ANSWER_BYTES
    }

    fn request(&self, address: &Address<'_>, body: String, way: &Way) -> Request {
        // A body that this version did not make goes out as a text.
        let mut fields: Map<String, Value> =
            serde_json::from_str(&body).unwrap_or_else(|_| Map::from_iter([("text".to_owned(), body.into())]));
        let (chat, topic) = address.channel.split_once('/').unwrap_or((address.channel, ""));
        let number = |id: &str| id.parse::<u64>().map_or_else(|_| json!(id), |id| json!(id));
        let (method, chat) = match way {
            Way::Post => (SEND, chat),
            Way::Beneath(above) => {
                let reply = json!({ "message_id": number(above.parent()), "allow_sending_without_reply": false });
                fields.insert("reply_parameters".to_owned(), reply);
                (SEND, above.channel.as_str())
            }
            Way::Change(reference) => {
                fields.insert("message_id".to_owned(), number(&reference.id));
                (EDIT, reference.channel.as_str())
            }
        };
        if method == SEND && !topic.is_empty() {
            fields.insert("message_thread_id".to_owned(), number(topic));
        }
        fields.insert("chat_id".to_owned(), chat.into());
        let url = address.url.join(method).unwrap_or_else(|_| address.url.clone());
        Request { patches: false, url, body: Value::Object(fields).to_string() }
    }

    fn reference(&self, answer: &HttpAnswer<'_>) -> Option<Reference> {
        let number = |pointer: &str| Some(answer.json.pointer(pointer)?.as_i64()?.to_string());
        Some(Reference {
            channel: number("/result/chat/id")?,
            id: number("/result/message_id")?,
            of: String::new(),
            thread: None,
        })
    }
}

impl Telegram {
    fn shown(&self, message: &Message, sanitizer: &Sanitizer) -> Result<Vec<Paragraph>, GuardError> {
        let (mut paragraphs, images) = paragraphs(message, sanitizer);
        paragraphs.extend(images.iter().flat_map(of_picture));
        if paragraphs.iter().all(|paragraph| paragraph.kind == ParagraphKind::Divider) {
            return Err(GuardError::Empty(self.name()));
        }
        if let (Some(color), Some(first)) = (message.color, paragraphs.first_mut()) {
            let mark = Run { text: format!("{} ", mark(color)), ..Run::default() };
            match first.kind {
                ParagraphKind::Code | ParagraphKind::Divider => {
                    paragraphs.insert(0, Paragraph { kind: ParagraphKind::Text, runs: vec![mark] });
                }
                _ => first.runs.insert(0, mark),
            }
        }
        let unlinked = match written(&paragraphs).1.len() {
            0..=ENTITIES_MAX => UNLINKED,
            _ => UNLINKED_EVERYWHERE,
        };
        // Cut first: an ellipsis may complete a link.
        let paragraphs = fitting(paragraphs, |paragraphs| units(&written(&unlink(paragraphs, unlinked)).0) <= TEXT_MAX);
        Ok(unlink(&paragraphs, unlinked))
    }
}

/// Digits, a colon, and what a URL can have in its path.
fn is_token(text: &str) -> bool {
    let is_secret = |secret: &str| {
        secret.len() >= 3 && secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    text.split_once(':').is_some_and(|(id, secret)| is_number(id) && is_secret(secret))
}

/// The id of a chat, negative for a group, or the name of a public one.
fn is_channel(text: &str) -> bool {
    let is_name = |name: &str| {
        (4..=32).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    is_number(text.strip_prefix('-').unwrap_or(text)) || text.strip_prefix('@').is_some_and(is_name)
}

fn is_number(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// UTF-16 code units of a text.
fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Returns the text of paragraphs, and the entities that say how it looks.
fn written(paragraphs: &[Paragraph]) -> (String, Vec<Value>) {
    let mut text = String::new();
    // In UTF-16 code units; to count the whole text for each entity would take long.
    let mut at = 0;
    let mut entities = Vec::new();
    let mut before = None;
    for paragraph in paragraphs {
        let mut add = |piece: &str| {
            text.push_str(piece);
            at += units(piece);
            at
        };
        let start = match before {
            Some(before) => add(separator(before, paragraph.kind)),
            None => add(""),
        };
        before = Some(paragraph.kind);
        let of_kind = match paragraph.kind {
            ParagraphKind::Text | ParagraphKind::Item => None,
            ParagraphKind::Heading => Some("bold"),
            ParagraphKind::Quote => Some("blockquote"),
            ParagraphKind::Code => Some("pre"),
            ParagraphKind::Divider => {
                add("──────────");
                None
            }
        };
        let mut run_start = start;
        for run in &paragraph.runs {
            let end = add(&run.text);
            let entity = |kind: &str| json!({ "type": kind, "offset": run_start, "length": end - run_start });
            if end > run_start && paragraph.kind != ParagraphKind::Code {
                entities.extend(looks(run).into_iter().map(entity));
                if let Some(url) = &run.link {
                    let mut link = entity("text_link");
                    if let Some(fields) = link.as_object_mut() {
                        fields.insert("url".to_owned(), json!(encoded_url(url)));
                    }
                    entities.push(link);
                }
            }
            run_start = end;
        }
        if let Some(kind) = of_kind.filter(|_| run_start > start) {
            entities.push(json!({ "type": kind, "offset": start, "length": run_start - start }));
        }
    }
    (text, entities)
}

/// The looks of a run. Code can have no other.
fn looks(run: &Run) -> Vec<&'static str> {
    if run.style.code && run.link.is_none() {
        return vec!["code"];
    }
    let looks = [(run.style.bold, "bold"), (run.style.italic, "italic"), (run.style.strike, "strikethrough")];
    looks.into_iter().filter_map(|(on, look)| on.then_some(look)).collect()
}

#[cfg(test)]
#[path = "telegram_tests.rs"]
mod tests;

//! A stand-in for Telegram's Bot API: one chat, in which one bot posts, changes its messages, and replies. It is strict: what the
//! API documents as wrong, or finds in a text by itself, is a violation.
//!
//! From <https://core.telegram.org/bots/api#sendmessage>, <https://core.telegram.org/bots/api#editmessagetext> and
//! <https://core.telegram.org/bots/api#messageentity>.

use std::sync::{Arc, Mutex};

use serde_json::{Map, Value, json};

use crate::http_request::Request;
use crate::polling::until;
use crate::test_env::TestEnv;
use crate::webhook::{Fault, Service, Webhook};

const CHAT: i64 = -1_001_234_567_890;
const TOPIC: u64 = 5;

/// A message of the chat.
#[derive(Debug, Clone)]
struct Posted {
    /// What it has said, one after the other.
    versions: Vec<String>,
    reply_to: Option<u64>,
}

type Chat = Arc<Mutex<Vec<Posted>>>;

struct Telegram {
    token: String,
    chat: Chat,
}

impl Service for Telegram {
    fn answer(&mut self, request: &Request, violations: &mut Vec<String>) -> (&'static str, String) {
        match self.call(request) {
            Ok(result) => ("200 OK", json!({ "ok": true, "result": result }).to_string()),
            Err(description) => {
                let body = String::from_utf8_lossy(&request.body);
                violations.push(format!("{} {}: {description}\n{body}", request.method, request.path));
                let answer = json!({ "ok": false, "error_code": 400, "description": description });
                ("400 Bad Request", answer.to_string())
            }
        }
    }
}

type Error = &'static str;

impl Telegram {
    fn call(&mut self, request: &Request) -> Result<Value, Error> {
        let method = request.path.strip_prefix(&format!("/bot{}/", self.token)).ok_or("Unauthorized")?;
        if request.method != "POST" || !request.content_type.starts_with("application/json") {
            return Err("Bad Request: another request");
        }
        // The token is in the path, and nowhere else.
        if request.authorization.is_some() {
            return Err("Bad Request: a header with a token");
        }
        let fields: Map<String, Value> = serde_json::from_slice(&request.body).map_err(|_| "Bad Request: no JSON")?;
        let own: &[&str] = match method {
            "sendMessage" => &["message_thread_id", "reply_parameters"],
            "editMessageText" => &["message_id"],
            _ => return Err("Not Found"),
        };
        let is_known = |name: &String| {
            ["chat_id", "text", "entities", "link_preview_options"].contains(&name.as_str())
                || own.contains(&name.as_str())
        };
        if !fields.keys().all(is_known) {
            return Err("Bad Request: an unknown argument");
        }
        if fields["chat_id"].as_str() != Some(CHAT.to_string().as_str()) {
            return Err("Bad Request: chat not found");
        }
        if fields["link_preview_options"] != json!({ "is_disabled": true }) {
            return Err("Bad Request: a preview of links");
        }
        let text = read(&fields)?;
        let mut chat = self.chat.lock().unwrap();
        if method == "sendMessage" {
            if fields.get("message_thread_id") != Some(&json!(TOPIC)) {
                return Err("Bad Request: message thread not found");
            }
            let reply_to = match fields.get("reply_parameters") {
                None => None,
                Some(reply) => match reply["message_id"].as_u64() {
                    Some(id @ 1..) if id <= chat.len() as u64 => Some(id),
                    _ => return Err("Bad Request: message to be replied not found"),
                },
            };
            chat.push(Posted { versions: vec![text], reply_to });
            return Ok(message(chat.len()));
        }
        let id = fields.get("message_id").and_then(Value::as_u64).unwrap_or_default() as usize;
        let posted = id.checked_sub(1).and_then(|index| chat.get_mut(index));
        let posted = posted.ok_or("Bad Request: message to edit not found")?;
        if posted.versions.last() == Some(&text) {
            return Err("Bad Request: message is not modified");
        }
        posted.versions.push(text);
        Ok(message(id))
    }
}

fn message(id: usize) -> Value {
    json!({ "message_id": id, "date": 1_795_345_015, "chat": { "id": CHAT, "type": "supergroup", "title": "bans" } })
}

/// Reads a text whose entities are within it, and in which the server finds no mention, link or command.
fn read(fields: &Map<String, Value>) -> Result<String, Error> {
    let text = fields.get("text").and_then(Value::as_str).unwrap_or_default();
    let mut units: Vec<u16> = text.encode_utf16().collect();
    if text.trim().is_empty() || units.len() > 4_096 {
        return Err("Bad Request: message is too long");
    }
    for entity in fields.get("entities").and_then(Value::as_array).into_iter().flatten() {
        const KINDS: [&str; 7] = ["bold", "italic", "strikethrough", "code", "pre", "blockquote", "text_link"];
        let kind = entity["type"].as_str().unwrap_or_default();
        let at = |key: &str| entity[key].as_u64().map(|at| at as usize);
        let (Some(offset), Some(length @ 1..)) = (at("offset"), at("length")) else {
            return Err("Bad Request: ENTITY_BOUNDS_INVALID");
        };
        let covered = units.get_mut(offset..offset + length).ok_or("Bad Request: ENTITY_BOUNDS_INVALID")?;
        if !KINDS.contains(&kind) || entity["url"].is_string() != (kind == "text_link") {
            return Err("Bad Request: can't parse entities");
        }
        if matches!(kind, "code" | "pre") {
            covered.fill(u16::from(b' '));
        }
    }
    let outside = String::from_utf16(&units).map_err(|_| "Bad Request: ENTITY_BOUNDS_INVALID")?;
    let is_found = |word: &str| {
        word.starts_with(['@', '#', '/', '$']) && word[1..].starts_with(|c: char| c.is_ascii_alphanumeric())
            || word.contains("://")
    };
    if outside.split_whitespace().any(is_found) {
        return Err("Bad Request: something that the server finds in a text");
    }
    Ok(text.to_owned())
}

fn env() -> (TestEnv, Chat) {
    let chat = Chat::default();
    let service = Arc::clone(&chat);
    // Its token, and with it its secret, is not in its URL.
    let webhook = Webhook::open_as(
        |_| "/".to_owned(),
        |secret| Box::new(Telegram { token: format!("123456:{secret}"), chat: service }),
    );
    let env = TestEnv::with_app_of(webhook, |webhook| {
        let api_url = webhook.url();
        format!(
            "target = \"telegram\"\ntoken_file = \"telegram.token\"\napi_url = \"{api_url}\"\nchannel = \"{CHAT}\"\ntopic = {TOPIC}"
        )
    });
    env.write_secret("telegram.token", &format!("123456:{}", env.webhook.secret()));
    (env, chat)
}

#[track_caller]
fn wait_for(env: &TestEnv, chat: &Chat, what: &str, check: impl Fn(&[Posted]) -> bool) -> Vec<Posted> {
    until(what, || {
        env.webhook.check();
        let chat = chat.lock().unwrap().clone();
        if check(&chat) { Ok(chat) } else { Err(format!("{chat:#?}")) }
    })
}

#[test]
fn telegram_unban_changes_its_ban_and_another_ban_is_a_reply() {
    let (env, chat) = env();
    let limited = r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 1","parameters":{"retry_after":1}}"#;
    env.webhook.inject(&[Fault::Answer("429 Too Many Requests", limited), Fault::Echo("502 Bad Gateway")]);
    let _daemon = env.daemon();
    env.notify("ban --jail=sshd --ip=203.0.113.7 --time=1763809011");
    wait_for(&env, &chat, "the ban", |chat| chat.len() == 1);
    env.wait_until_idle();
    env.notify("unban --jail=sshd --ip=203.0.113.7 --time=1763809011");
    let changed = wait_for(&env, &chat, "the change", |chat| chat[0].versions.len() == 2);
    assert!(changed[0].versions[0].contains("203.0.113.7") && changed[0].versions[0].contains("banned"));
    assert!(changed[0].versions[1].contains("unbanned"), "{changed:#?}");
    env.notify("ban --jail=sshd --ip=203.0.113.7 --time=1763899011");
    let found = wait_for(&env, &chat, "the reply", |chat| chat.len() == 2);
    assert_eq!(found.iter().map(|posted| posted.reply_to).collect::<Vec<_>>(), [None, Some(1)]);
    let all = env.wait_until_idle().all();
    assert_eq!((all.matched, all.posted), (3, 3), "{all:?}");
    let status = env.status(["status"]).stdout;
    let shown = env.banhook(["config", "show"]).ok().stdout;
    assert!(shown.contains("api_url") && shown.contains("topic = 5"), "{shown}");
    let secret = env.webhook.secret();
    assert!(![&env.log(), &status, &shown].iter().any(|text| text.contains(secret)), "{}", env.log());
}

#[test]
fn telegram_message_that_cannot_be_changed_is_a_reply() {
    let (env, chat) = env();
    let _daemon = env.daemon();
    env.notify("ban --jail=sshd --ip=203.0.113.7 --time=1763809011");
    wait_for(&env, &chat, "the ban", |chat| chat.len() == 1);
    env.wait_until_idle();
    let closed = r#"{"ok":false,"error_code":400,"description":"Bad Request: message can't be edited"}"#;
    env.webhook.inject(&[Fault::Answer("400 Bad Request", closed)]);
    env.notify("unban --jail=sshd --ip=203.0.113.7 --time=1763809011");
    let found = wait_for(&env, &chat, "the reply", |chat| chat.len() == 2);
    assert!(found[0].versions.len() == 1 && found[1].reply_to == Some(1), "{found:#?}");
    assert_eq!(env.wait_until_idle().all().posted, 2);
}

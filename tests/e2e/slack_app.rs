//! A stand-in for the part of Slack's Web API that an app with a token uses: one channel with messages, threads and changes.
//! It is strict: what Slack documents as wrong, or ignores in silence, is a violation.
//!
//! From <https://docs.slack.dev/reference/methods/chat.postMessage>,
//! <https://docs.slack.dev/reference/methods/chat.update>, <https://docs.slack.dev/reference/methods/conversations.history> and
//! <https://docs.slack.dev/apis/web-api>.

use std::fmt;
use std::time::Instant;

use serde_json::{Map, Value, json};

use crate::http_request::Request;
use crate::message::Message;
use crate::webhook::API;

/// The channel's id.
pub const CHANNEL: &str = "C0BANS";
/// The channel's name.
pub const CHANNEL_NAME: &str = "#bans";

/// What may stand before the path of a request: one through a proxy has the URL of the method.
pub const ORIGIN: &str = "http://127.0.0.1:9";

/// What both methods know of a message.
const OF_MESSAGE: [&str; 5] = ["channel", "text", "blocks", "attachments", "metadata"];
/// Arguments of `chat.postMessage` beyond these.
const OF_POST: [&str; 3] = ["thread_ts", "unfurl_links", "unfurl_media"];
/// Arguments of `chat.update` beyond these.
const OF_UPDATE: [&str; 2] = ["ts", "parse"];

/// An app, its token and the channel that it is in.
pub struct SlackApp {
    token: String,
    posted: Vec<Posted>,
}

/// A message of the channel.
#[derive(Clone)]
pub struct Posted {
    /// Its id and time.
    pub ts: String,
    /// The message that it is beneath.
    pub thread_ts: Option<String>,
    /// What it has said, one after the other; the last is shown.
    pub versions: Vec<Message>,
    /// Whether somebody has deleted it.
    pub is_deleted: bool,
    /// When it has said each of these.
    times: Vec<Instant>,
    metadata: Option<Value>,
}

impl fmt::Debug for Posted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ts, thread_ts, versions, is_deleted, times: _, metadata } = self;
        let versions: Vec<_> = versions.iter().map(Message::shown).collect();
        write!(f, "{ts} in {thread_ts:?} {versions:#?} deleted {is_deleted} {metadata:?}")
    }
}

impl Posted {
    /// What the channel shows of it.
    pub fn shown(&self) -> &Message {
        self.versions.last().unwrap()
    }

    /// Returns it as it was then; `None` if it was not there.
    pub fn before(&self, moment: Instant) -> Option<Self> {
        let known = self.times.iter().take_while(|at| **at < moment).count();
        let (versions, times) = (self.versions[..known].to_vec(), self.times[..known].to_vec());
        (known > 0).then(|| Self { versions, times, ..self.clone() })
    }
}

/// An error, as Slack names it.
type Error = &'static str;

impl SlackApp {
    /// An app whose token has this secret, in a channel with these messages.
    pub fn new(secret: &str, posted: Vec<Posted>) -> Self {
        Self { token: token(secret), posted }
    }

    pub fn posted(&self) -> &[Posted] {
        &self.posted
    }

    pub fn delete(&mut self, ts: &str) {
        self.posted.iter_mut().find(|posted| posted.ts == ts).unwrap().is_deleted = true;
    }

    /// Answers a request; returns also the message that it posted.
    pub fn answer(&mut self, request: &Request, violations: &mut Vec<String>) -> (String, Option<Message>) {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        match self.call(request, violations) {
            Ok((answer, message)) => (answer.to_string(), message),
            Err(error) => {
                let is_expected = ["message_not_found", "cant_update_message", "thread_not_found"].contains(&error);
                if !is_expected {
                    violations.push(format!("{} {}: {error}\n{body}", request.method, request.path));
                }
                (json!({ "ok": false, "error": error }).to_string(), None)
            }
        }
    }

    fn call(&mut self, request: &Request, violations: &mut Vec<String>) -> Result<(Value, Option<Message>), Error> {
        let path = request.path.strip_prefix(ORIGIN).unwrap_or(&request.path);
        let method = path.strip_prefix(API).ok_or("unknown_method")?;
        if request.method != "POST" {
            return Err("unknown_method");
        }
        match &request.authorization {
            None => return Err("not_authed"),
            Some(authorization) if *authorization != format!("Bearer {}", self.token) => return Err("invalid_auth"),
            Some(_) => {}
        }
        if method == "conversations.history" {
            return self.history(request);
        }
        if request.content_type != "application/json; charset=utf-8" {
            // Slack takes it without the charset, and warns.
            return Err("invalid_post_type");
        }
        let arguments: Map<String, Value> = serde_json::from_slice(&request.body).map_err(|_| "invalid_json")?;
        match method {
            "chat.postMessage" => self.post(arguments, violations),
            "chat.update" => self.update(arguments, violations),
            _ => Err("unknown_method"),
        }
    }

    /// The newest messages first, without replies.
    fn history(&self, request: &Request) -> Result<(Value, Option<Message>), Error> {
        if request.content_type != "application/x-www-form-urlencoded" {
            return Err("invalid_post_type");
        }
        let fields: Vec<(String, String)> =
            url::form_urlencoded::parse(&request.body).map(|(name, value)| (name.into(), value.into())).collect();
        let field = |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        if field("channel") != Some(CHANNEL) {
            return Err("channel_not_found");
        }
        // With `oldest` alone Slack's documents disagree at which end the page begins.
        if field("oldest").is_some() {
            return Err("invalid_ts_oldest");
        }
        let limit = field("limit").and_then(|limit| limit.parse().ok()).filter(|limit| (1..=999).contains(limit));
        let limit = limit.ok_or("invalid_limit")?;
        let with_metadata = field("include_all_metadata") == Some("true");
        let shown = self.posted.iter().rev().filter(|posted| posted.thread_ts.is_none() && !posted.is_deleted);
        let messages: Vec<Value> = shown
            .take(limit)
            .map(|posted| {
                let mut message = json!({ "type": "message", "ts": posted.ts, "text": posted.shown().text() });
                if let Some(metadata) = posted.metadata.as_ref().filter(|_| with_metadata) {
                    message["metadata"] = metadata.clone();
                }
                message
            })
            .collect();
        Ok((json!({ "ok": true, "messages": messages, "has_more": false }), None))
    }

    fn post(
        &mut self,
        mut arguments: Map<String, Value>,
        violations: &mut Vec<String>,
    ) -> Result<(Value, Option<Message>), Error> {
        check_names(&arguments, &OF_POST)?;
        if ![CHANNEL, CHANNEL_NAME].contains(&text(&arguments, "channel")) {
            return Err("channel_not_found");
        }
        arguments.remove("channel");
        let thread_ts = arguments.remove("thread_ts").map(|ts| ts.as_str().unwrap_or_default().to_owned());
        if let Some(thread_ts) = &thread_ts {
            let parent = self.posted.iter().find(|posted| posted.ts == *thread_ts && !posted.is_deleted);
            // To a reply's ts Slack would reply somewhere.
            if parent.ok_or("thread_not_found")?.thread_ts.is_some() {
                return Err("invalid_thread_ts");
            }
        }
        let metadata = arguments.remove("metadata");
        if let Some(metadata) = &metadata
            && !(metadata["event_type"].is_string() && metadata["event_payload"].is_object())
        {
            return Err("invalid_metadata_format");
        }
        let message = read(arguments, violations)?;
        let ts = format!("1795345015.{:06}", self.posted.len() + 1);
        let answer = json!({
            "ok": true,
            "channel": CHANNEL,
            "ts": ts,
            "message": { "type": "message", "ts": ts, "thread_ts": thread_ts, "text": message.text() },
        });
        let (versions, times) = (vec![message.clone()], vec![Instant::now()]);
        let posted = Posted { ts, thread_ts, versions, is_deleted: false, times, metadata };
        self.posted.push(posted);
        Ok((answer, Some(message)))
    }

    fn update(
        &mut self,
        mut arguments: Map<String, Value>,
        violations: &mut Vec<String>,
    ) -> Result<(Value, Option<Message>), Error> {
        check_names(&arguments, &OF_UPDATE)?;
        // A name is no id.
        if text(&arguments, "channel") != CHANNEL {
            return Err("channel_not_found");
        }
        if text(&arguments, "parse") != "none" {
            // The default would find links and names in the text.
            return Err("invalid_arguments");
        }
        if !["blocks", "attachments"].iter().all(|list| arguments.get(*list).is_some_and(Value::is_array)) {
            // What is left out may stay as it was.
            return Err("invalid_arguments");
        }
        let ts = text(&arguments, "ts").to_owned();
        let posted = self.posted.iter_mut().find(|posted| posted.ts == ts && !posted.is_deleted);
        let posted = posted.ok_or("message_not_found")?;
        for name in ["channel", "ts", "parse"] {
            arguments.remove(name);
        }
        for list in ["blocks", "attachments"] {
            if arguments[list] == json!([]) {
                arguments.remove(list);
            }
        }
        if let Some(metadata) = arguments.remove("metadata") {
            posted.metadata = Some(metadata);
        }
        let message = read(arguments, violations)?;
        let answer = json!({ "ok": true, "channel": CHANNEL, "ts": ts, "text": message.text(), "message": {} });
        posted.versions.push(message);
        posted.times.push(Instant::now());
        Ok((answer, None))
    }
}

/// The token of an app with this secret.
pub fn token(secret: &str) -> String {
    format!("xoxb-1-{secret}")
}

fn text<'a>(arguments: &'a Map<String, Value>, name: &str) -> &'a str {
    arguments.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Slack ignores an argument that it does not know.
fn check_names(arguments: &Map<String, Value>, more: &[&str]) -> Result<(), Error> {
    let is_known = |name: &String| OF_MESSAGE.contains(&name.as_str()) || more.contains(&name.as_str());
    if arguments.keys().all(is_known) { Ok(()) } else { Err("invalid_arg_name") }
}

/// Reads a message as strictly as an incoming webhook does.
fn read(arguments: Map<String, Value>, violations: &mut Vec<String>) -> Result<Message, Error> {
    Message::parse(Value::Object(arguments).to_string().as_bytes()).map_err(|rejection| {
        violations.push(rejection.reason);
        rejection.answer
    })
}

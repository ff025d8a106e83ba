//! A local channel that takes the place of an app's in Slack, and shows what becomes of each message.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use anyhow::{Context, anyhow};
use blockkit::{Page, Posted, to_html, to_terminal};
use serde_json::{Value, json};
use tiny_http::{Response, Server};

use crate::cli::command_error::CommandError;
use crate::cli::time_format::localize_dates;

/// How much of a request is read, in bytes.
const REQUEST_BYTES: u64 = 1 << 20;

/// The channel's id.
const CHANNEL: &str = "C0DEMO";

/// An HTTP server on loopback.
pub(super) struct DemoChannel {
    server: Arc<Server>,
    thread: JoinHandle<()>,
    messages: Arc<Mutex<Vec<Message>>>,
}

/// A message of the channel.
struct Message {
    /// The message that it is beneath.
    thread: Option<String>,
    /// What it says now.
    body: Value,
    changes: usize,
}

impl DemoChannel {
    /// Listens on a free port.
    pub(super) fn start(colors: bool) -> anyhow::Result<Self> {
        let server = Server::http("127.0.0.1:0").map_err(|error| anyhow!("cannot listen on 127.0.0.1: {error}"))?;
        let (server, messages) = (Arc::new(server), Arc::new(Mutex::new(Vec::new())));
        let (in_thread, shown) = (Arc::clone(&server), Arc::clone(&messages));
        let answer = move || {
            for mut request in in_thread.incoming_requests() {
                let method = request.url().rsplit('/').next().unwrap_or_default().to_owned();
                let mut body = String::new();
                let read = request.as_reader().take(REQUEST_BYTES).read_to_string(&mut body).context("reading");
                let read = read.and_then(|_| Ok(serde_json::from_str::<Value>(&body)?));
                let answer = match read {
                    Ok(body) => call(&mut shown.lock().unwrap_or_else(PoisonError::into_inner), &method, body, colors),
                    Err(_) => json!({ "ok": false, "error": "invalid_json" }),
                };
                // A sender that has gone away sends it again.
                let _ = request.respond(Response::from_string(answer.to_string()));
            }
        };
        let thread = std::thread::Builder::new().name("channel".into()).spawn(answer)?;
        Ok(Self { server, thread, messages })
    }

    /// Returns the URL of the methods.
    pub(super) fn api_url(&self) -> String {
        format!("http://{}/api/", self.server.server_addr())
    }

    /// Returns how many messages there are.
    pub(super) fn count(&self) -> usize {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Stops listening, and shows the channel as people see it now. Returns it as a page.
    pub(super) fn stop(self, colors: bool) -> anyhow::Result<String> {
        self.server.unblock();
        let _ = self.thread.join();
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = io::stdout();
        for message in in_order(&messages) {
            let (begin, indent) = if message.thread.is_some() { ("", "    ↳ ") } else { ("\n", "") };
            writeln!(out, "{begin}{}", shown(message, indent, colors))?;
        }
        messages.iter_mut().for_each(|message| localize_dates(&mut message.body));
        let notes: Vec<_> = in_order(&messages).map(|message| (message, changes(message))).collect();
        let posted = notes.iter().map(|(message, heading)| Posted {
            heading,
            body: &message.body,
            is_reply: message.thread.is_some(),
        });
        Ok(to_html(&Page { title: "A demonstration of banhook", sender: "banhook" }, posted))
    }
}

/// Writes a page, without a path into a file in the temporary directory. Returns where it is.
pub(super) fn write_page(html: &str, page: Option<&Path>) -> Result<PathBuf, CommandError> {
    let page = match page {
        Some(page) => page.to_owned(),
        None => {
            let file = tempfile::Builder::new().prefix("banhook-demo-").suffix(".html").tempfile()?;
            file.keep().map_err(anyhow::Error::from)?.1
        }
    };
    fs::write(&page, html).with_context(|| format!("cannot write {}", page.display())).map_err(CommandError::Input)?;
    Ok(page)
}

/// Returns the messages as people see them: each with the replies to it.
fn in_order(messages: &[Message]) -> impl Iterator<Item = &Message> {
    messages.iter().enumerate().filter(|(_, message)| message.thread.is_none()).flat_map(|(index, message)| {
        let id = (index + 1).to_string();
        let replies = messages.iter().filter(move |reply| reply.thread.as_ref() == Some(&id));
        [message].into_iter().chain(replies)
    })
}

/// Returns how often a message has changed, in words.
fn changes(message: &Message) -> String {
    match message.changes {
        0 => String::new(),
        1 => "changed once".to_owned(),
        changes => format!("changed {changes} times"),
    }
}

/// Returns a message as text, each line behind an indent.
fn shown(message: &Message, indent: &str, colors: bool) -> String {
    let text = to_terminal(&message.body, colors);
    let blank = " ".repeat(indent.chars().count());
    let changes = Some(changes(message)).filter(|changes| !changes.is_empty());
    let lines = format!("{}{}", text.trim_end(), changes.map(|changes| format!("\n({changes})")).unwrap_or_default());
    let lines = lines.lines().enumerate().map(|(at, line)| format!("{}{line}", if at == 0 { indent } else { &blank }));
    lines.collect::<Vec<_>>().join("\n")
}

/// Answers a call of a method as Slack does.
fn call(messages: &mut Vec<Message>, method: &str, body: Value, colors: bool) -> Value {
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let (thread, ts) = (text("thread_ts"), text("ts"));
    let (title, ts) = match (method, ts.and_then(|ts| ts.parse::<usize>().ok())) {
        ("chat.postMessage", _) => {
            let title = match &thread {
                Some(above) => format!("reply beneath message {above}"),
                None => format!("message {}", messages.len() + 1),
            };
            messages.push(Message { thread, body, changes: 0 });
            (title, messages.len())
        }
        ("chat.update", Some(ts)) => {
            let Some(message) = messages.get_mut(ts.wrapping_sub(1)) else {
                return json!({ "ok": false, "error": "message_not_found" });
            };
            message.body = body;
            message.changes += 1;
            (format!("message {ts} changes"), ts)
        }
        _ => return json!({ "ok": false, "error": "unknown_method" }),
    };
    if let Some(message) = messages.get(ts.wrapping_sub(1)) {
        // Nobody may read it any more, and the message is delivered all the same.
        let _ = writeln!(io::stdout(), "\n── {title} ──\n{}", to_terminal(&message.body, colors).trim_end());
    }
    json!({ "ok": true, "channel": CHANNEL, "ts": ts.to_string() })
}

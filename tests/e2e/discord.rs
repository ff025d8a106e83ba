//! A stand-in for a webhook of Discord, by its own address.
//!
//! From <https://docs.discord.com/developers/resources/webhook#execute-webhook>,
//! <https://docs.discord.com/developers/resources/webhook#edit-webhook-message> and
//! <https://docs.discord.com/developers/resources/message#embed-object>.

use serde_json::{Map, Value, json};

use crate::http_request::Request;

const CONTENT_MAX: usize = 2_000;
const DESCRIPTION_MAX: usize = 4_096;
const EMBEDS_MAX: usize = 10;
const EMBEDS_TEXT_MAX: usize = 6_000;

/// A webhook and its channel.
pub struct Discord {
    path: String,
    /// What each message has said.
    channel: Vec<Vec<String>>,
}

impl Discord {
    /// The webhook at a path.
    pub fn new(path: &str) -> Self {
        Self { path: path.to_owned(), channel: Vec::new() }
    }

    pub fn channel(&self) -> &[Vec<String>] {
        &self.channel
    }

    /// Answers a request: the status, the body, and what Discord would not take.
    pub fn answer(&mut self, request: &Request) -> (&'static str, String, Option<String>) {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let wrong = |code: u64, message: &str, why: String| {
            let status = if code == 50_035 { "400 Bad Request" } else { "404 Not Found" };
            (status, json!({ "code": code, "message": message }).to_string(), Some(why))
        };
        if request.content_type != "application/json" {
            return wrong(50_035, "Invalid Form Body", format!("content-type {}", request.content_type));
        }
        let text = match serde_json::from_slice(&request.body).map_err(|error| error.to_string()).and_then(read) {
            Ok(text) => text,
            Err(why) => return wrong(50_035, "Invalid Form Body", why),
        };
        let message = path.strip_prefix(&self.path).and_then(|rest| rest.strip_prefix("/messages/"));
        let number = match (request.method.as_str(), message) {
            // Without it the answer is empty.
            ("POST", None) if path == self.path && query == "wait=true" => {
                self.channel.push(vec![text]);
                self.channel.len()
            }
            ("PATCH", Some(id)) => match id.parse().ok().and_then(|id: usize| self.channel.get_mut(id - 1)) {
                Some(versions) => {
                    versions.push(text);
                    id.parse().unwrap()
                }
                None => {
                    let answer = json!({ "code": 10_008, "message": "Unknown Message" }).to_string();
                    return ("404 Not Found", answer, None);
                }
            },
            _ => return wrong(10_015, "Unknown Webhook", format!("{} {}", request.method, request.path)),
        };
        ("200 OK", json!({ "id": number.to_string(), "channel_id": "9", "type": 0 }).to_string(), None)
    }
}

/// The text of a message within Discord's limits.
fn read(body: Map<String, Value>) -> Result<String, String> {
    if let Some(name) = body.keys().find(|name| !["content", "embeds"].contains(&name.as_str())) {
        return Err(format!("unknown field {name}"));
    }
    let content = body.get("content").and_then(Value::as_str).ok_or("no content")?;
    let embeds = body.get("embeds").and_then(Value::as_array).ok_or("no embeds")?;
    let descriptions: Vec<&str> = embeds.iter().filter_map(|embed| embed["description"].as_str()).collect();
    let length = |text: &str| text.chars().count();
    let all: usize = descriptions.iter().map(|text| length(text)).sum();
    let is_too_long = length(content) > CONTENT_MAX
        || descriptions.iter().any(|text| length(text) > DESCRIPTION_MAX)
        || all > EMBEDS_TEXT_MAX
        || embeds.len() > EMBEDS_MAX;
    if is_too_long || content.is_empty() && embeds.is_empty() {
        return Err(format!("too long, or empty: {body:?}"));
    }
    Ok(format!("{content}{}", descriptions.concat()))
}

//! A message as it arrived: the text that a reader sees, and the mentions, links and dates that Slack acts on. `rejection`
//! has the rules by which Slack rejects one.

mod rejection;

use rejection::{Rejection, check_message, reject};
use serde_json::Value;

/// A message that Slack would accept.
#[derive(Debug, Clone)]
pub struct Message {
    json: Value,
    body: Vec<u8>,
}

impl Message {
    /// Reads a request's body as strictly as Slack does.
    pub fn parse(body: &[u8]) -> Result<Self, Rejection> {
        let Ok(json) = serde_json::from_slice::<Value>(body) else {
            return reject("invalid_payload", "not JSON");
        };
        let Value::Object(message) = &json else {
            return reject("invalid_payload", "not an object");
        };
        check_message(message)?;
        Ok(Self { json, body: body.to_owned() })
    }

    /// The request's body, byte by byte.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// All text that a reader sees, in order: the blocks if there are any, otherwise the text.
    pub fn shown(&self) -> String {
        let mut pieces = Vec::new();
        for blocks in self.blocks() {
            visible(blocks, &mut pieces);
        }
        if pieces.is_empty() {
            pieces.push(unescaped(self.text()));
        }
        pieces.join("\n")
    }

    /// The text of the notification.
    pub fn text(&self) -> &str {
        self.json["text"].as_str().unwrap_or_default()
    }

    /// Everything that Slack acts on instead of showing it: mentions, links, dates.
    pub fn live(&self) -> Vec<String> {
        let mut found = entities(self.text());
        walk(&self.json, &mut |object| {
            match object["type"].as_str() {
                Some("mrkdwn") => found.extend(entities(object["text"].as_str().unwrap_or_default())),
                Some(kind @ ("broadcast" | "user" | "usergroup" | "channel")) => found.push(format!("rich {kind}")),
                Some("link") => found.push(object["url"].to_string()),
                _ => {}
            };
            found.extend(object.get("url").filter(|_| object["type"] == "button").map(Value::to_string));
        });
        found
    }

    /// The texts in which markup such as `*bold*` takes effect, without code in backticks.
    pub fn formatted(&self) -> String {
        let mut texts = Vec::new();
        if self.blocks().next().is_none() {
            texts.push(without_code(self.text()));
        }
        walk(&self.json, &mut |object| {
            if object["type"] == "mrkdwn" {
                texts.push(without_code(object["text"].as_str().unwrap_or_default()));
            }
        });
        texts.join("\n")
    }

    /// Whether the visible text contains all of these words in this order, ignoring case.
    pub fn contains(&self, words: &[&str]) -> bool {
        let shown = visible_only(&self.shown()).to_lowercase();
        let mut rest = shown.as_str();
        words.iter().all(|word| {
            let word = word.to_lowercase();
            let found = rest.find(&word);
            rest = found.map_or(rest, |start| &rest[start + word.len()..]);
            found.is_some()
        })
    }

    fn blocks(&self) -> impl Iterator<Item = &Value> {
        let of_attachments = self.json["attachments"].as_array().into_iter().flatten().map(|one| &one["blocks"]);
        std::iter::once(&self.json["blocks"]).chain(of_attachments).filter(|blocks| blocks.is_array())
    }
}

/// `text` without invisible characters, which the host inserts to break up markup.
pub fn visible_only(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')).collect()
}

/// Calls `visit` on every object in `value`, outermost first.
fn walk(value: &Value, visit: &mut impl FnMut(&Value)) {
    match value {
        Value::Object(fields) => {
            visit(value);
            fields.values().for_each(|inner| walk(inner, visit));
        }
        Value::Array(items) => items.iter().for_each(|inner| walk(inner, visit)),
        _ => {}
    }
}

/// Collects the texts in `value` that a reader sees, in order.
fn visible(value: &Value, pieces: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|inner| visible(inner, pieces)),
        Value::Object(object) => match (object.get("type").and_then(Value::as_str), object.get("text")) {
            (Some("mrkdwn"), Some(Value::String(text))) => pieces.push(unescaped(text)),
            (Some("rich_text_section" | "rich_text_quote" | "rich_text_preformatted"), _) => {
                let mut line = Vec::new();
                visible(&object["elements"], &mut line);
                pieces.push(line.concat());
            }
            (Some("emoji"), _) => pieces.push(format!(":{}:", object["name"].as_str().unwrap_or_default())),
            (Some("date"), _) => pieces.push(object.get("fallback").and_then(Value::as_str).unwrap_or_default().into()),
            (_, Some(Value::String(text))) => pieces.push(text.clone()),
            // The text precedes fields and elements, whatever the order of the keys.
            (_, text) => {
                text.into_iter().for_each(|inner| visible(inner, pieces));
                for name in ["title", "caption", "label"] {
                    pieces.extend(object.get(name).and_then(Value::as_str).map(str::to_owned));
                }
                for key in ["title", "fields", "elements", "rows", "chart", "segments", "series", "data"] {
                    object.get(key).into_iter().for_each(|inner| visible(inner, pieces));
                }
            }
        },
        _ => {}
    }
}

/// The entities of mrkdwn: everything between `<` and `>`.
fn entities(mrkdwn: &str) -> Vec<String> {
    mrkdwn.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(entity, _)| entity.to_owned()).collect()
}

/// mrkdwn as a reader sees it: the labels of entities, and escapes decoded.
fn unescaped(mrkdwn: &str) -> String {
    let mut shown = String::new();
    for (index, piece) in mrkdwn.split('<').enumerate() {
        match piece.split_once('>').filter(|_| index > 0) {
            Some((entity, rest)) => {
                shown.push_str(entity.split_once('|').map_or(entity, |(_, label)| label));
                shown.push_str(rest);
            }
            None => shown.push_str(piece),
        }
    }
    shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// mrkdwn without code in single or triple backticks.
fn without_code(mrkdwn: &str) -> String {
    mrkdwn.replace("```", "`").split('`').step_by(2).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_separates_visible_text_and_entities() {
        let body = r#"{"text": "fallback", "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": "*sshd* <!here> &lt;b&gt; <https://a.example|site> `*c*`"}},
            {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [
                {"type": "text", "text": "banned "}, {"type": "text", "text": "203.0.113.7", "style": {"bold": true}}]}]}]}"#;
        let message = Message::parse(body.as_bytes()).unwrap();
        assert_eq!(message.shown(), "*sshd* !here <b> site `*c*`\nbanned 203.0.113.7");
        assert_eq!(message.live(), ["!here", "https://a.example|site"]);
        assert_eq!(message.formatted(), "*sshd* <!here> &lt;b&gt; <https://a.example|site>  ");
        assert!(message.contains(&["SSHD", "banned", "203.0.113.7"]));
        assert!(!message.contains(&["203.0.113.7", "sshd"]));
    }
}

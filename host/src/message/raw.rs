//! Block Kit JSON that a plugin wrote: read, bounded, and sanitized like the rest.

use blockkit::text::clean;
use serde_json::{Map, Value, json};

use super::limits::{RAW_BYTES_MAX, RAW_DEPTH_MAX};
use super::sanitizer::Sanitizer;

/// Why a raw block cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RawError {
    /// More JSON than is read.
    #[error("{bytes} bytes of JSON, at most {RAW_BYTES_MAX}")]
    TooLong {
        /// The size.
        bytes: usize,
    },
    /// Nested deeper than any block.
    #[error("nested more than {RAW_DEPTH_MAX} levels deep")]
    TooDeep,
    /// Not JSON; with the position.
    #[error("not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// JSON, but of another shape.
    #[error("neither a block nor an array of blocks (a block is an object with a \"type\")")]
    NotBlocks,
}

impl Sanitizer {
    /// Returns the blocks in `json`: one, or an array as Block Kit Builder gives it.
    ///
    /// # Errors
    /// When it is too large or too deep, not JSON, or not blocks.
    pub(crate) fn raw(&self, json: &str) -> Result<Vec<Value>, RawError> {
        if json.len() > RAW_BYTES_MAX {
            return Err(RawError::TooLong { bytes: json.len() });
        }
        let blocks = match serde_json::from_str(json)? {
            Value::Array(blocks) => blocks,
            block => vec![block],
        };
        if !blocks.iter().all(|block| block.get("type").is_some_and(Value::is_string)) {
            return Err(RawError::NotBlocks);
        }
        blocks.into_iter().map(|block| self.value(block, 1)).collect()
    }

    fn value(&self, value: Value, depth: usize) -> Result<Value, RawError> {
        if depth > RAW_DEPTH_MAX {
            return Err(RawError::TooDeep);
        }
        match value {
            Value::String(text) => Ok(Value::String(clean(&text).into_owned())),
            Value::Array(items) => items.into_iter().map(|item| self.value(item, depth + 1)).collect(),
            Value::Object(fields) => self.object(fields, depth),
            other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => Ok(other),
        }
    }

    fn object(&self, fields: Map<String, Value>, depth: usize) -> Result<Value, RawError> {
        if let Some(name) = mention(&fields).filter(|_| !self.mentions) {
            return Ok(json!({ "type": "text", "text": clean(&name) }));
        }
        let kind = fields.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut safe = Map::new();
        for (key, value) in fields {
            let value = match (kind.as_str(), key.as_str(), value) {
                ("mrkdwn", "text", Value::String(text)) => Value::String(self.mrkdwn(&text).into_string()),
                ("markdown", "text", Value::String(text)) => Value::String(self.markdown(&text)),
                (_, _, value) => self.value(value, depth + 1)?,
            };
            safe.insert(clean(&key).into_owned(), value);
        }
        if kind == "plain_text" && safe.get("text").and_then(Value::as_str).is_some_and(|text| self.holds_foreign(text))
        {
            // Otherwise Slack shows `:skull:` as an emoji.
            safe.insert("emoji".to_owned(), Value::Bool(false));
        }
        if kind == "mrkdwn" {
            // Otherwise Slack links URLs, channels and names in it, foreign ones included.
            safe.insert("verbatim".to_owned(), Value::Bool(true));
        }
        Ok(Value::Object(safe))
    }
}

/// Returns what is shown for an element of `rich_text` that mentions somebody.
fn mention(fields: &Map<String, Value>) -> Option<String> {
    let text = |key: &str| fields.get(key).and_then(Value::as_str).unwrap_or("?");
    match fields.get("type")?.as_str()? {
        "broadcast" => Some(format!("@{}", text("range"))),
        "user" => Some(format!("@{}", text("user_id"))),
        "usergroup" => Some(format!("@{}", text("usergroup_id"))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::tests::ban;

    fn raw(json: &str, mentions: bool) -> Result<Value, String> {
        let sanitizer = Sanitizer::new([&ban("<https://evil.example|x>")], mentions);
        sanitizer.raw(json).map(Value::Array).map_err(|error| error.to_string())
    }

    #[test]
    fn raw_json_of_one_block_or_many_is_read() {
        let divider = json!({"type": "divider"});
        assert_eq!(raw(r#"{"type":"divider"}"#, false), Ok(json!([divider])));
        assert_eq!(raw(r#"[{"type":"divider"},{"type":"divider"}]"#, false), Ok(json!([divider, divider])));
    }

    #[test]
    fn raw_json_of_anything_else_is_rejected() {
        for (json, error) in [
            ("{", "not JSON: EOF while parsing an object at line 1 column 1".to_owned()),
            ("3", RawError::NotBlocks.to_string()),
            (r#"[{"type":1}]"#, RawError::NotBlocks.to_string()),
            (r#"{"blocks":[]}"#, RawError::NotBlocks.to_string()),
            (
                &format!(r#"{{"type":"x","a":{}{}}}"#, "[".repeat(40), "]".repeat(40)),
                "nested more than 16 levels deep".to_owned(),
            ),
            (&" ".repeat(70_000), "70000 bytes of JSON, at most 65536".to_owned()),
        ] {
            assert_eq!(raw(json, false), Err(error));
        }
    }

    #[test]
    fn raw_texts_are_sanitized() {
        let json = r#"{"type":"context\u202e","elements":[
            {"type":"mrkdwn","text":"<!here> <https://evil.example|x> <https://example.org|ok>","verbatim":false},
            {"type":"plain_text","text":"<!here>\u001b"}]}"#;
        let elements = json!([
            {"type": "mrkdwn", "text": "&lt;!here&gt; &lt;https://evil.example|x&gt; <https://example.org|ok>", "verbatim": true},
            {"type": "plain_text", "text": "<!here>\\u{1b}"},
        ]);
        assert_eq!(raw(json, false), Ok(json!([{"type": "context\\u{202e}", "elements": elements}])));
    }

    #[test]
    fn raw_mentions_need_the_policy() {
        let json = r#"{"type":"rich_text","elements":[{"type":"broadcast","range":"here"},{"type":"user","user_id":"U1"},{"type":"usergroup","usergroup_id":"S1"}]}"#;
        let text = |text: &str| json!({"type": "text", "text": text});
        assert_eq!(
            raw(json, false),
            Ok(json!([{"type": "rich_text", "elements": [text("@here"), text("@U1"), text("@S1")]}]))
        );
        assert_eq!(raw(json, true), Ok(json!([serde_json::from_str::<Value>(json).unwrap()])));
    }
}

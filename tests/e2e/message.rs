//! A message as it arrived: what Slack would refuse in it, what a reader would see of it, what in it is alive.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// What the stand-in takes at the top. `channel`, `username` and `icon_*` have no effect on today's webhooks, so sending
/// them is a mistake.
const TOP_LEVEL: &[&str] =
    &["text", "blocks", "attachments", "thread_ts", "mrkdwn", "unfurl_links", "unfurl_media", "link_names"];
const TEXT_MAX: usize = 40_000;
const BLOCKS_MAX: usize = 50;
const ATTACHMENTS_MAX: usize = 100;
/// Seen to be refused as `msg_blocks_too_long` from about here, in all blocks of a message.
const ALL_BLOCKS_MAX: usize = 13_200;

/// Why Slack refuses a message: the body of its answer, and for the test's reader where it is.
#[derive(Debug)]
pub struct Refusal {
    pub answer: &'static str,
    pub because: String,
}

type Checked = Result<(), Refusal>;

fn refuse<T>(answer: &'static str, because: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { answer, because: because.into() })
}

/// A message that Slack would take.
#[derive(Debug, Clone)]
pub struct Message {
    json: Value,
    body: Vec<u8>,
}

impl Message {
    /// Reads a request's body as strictly as Slack does.
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let Ok(json) = serde_json::from_slice::<Value>(body) else {
            return refuse("invalid_payload", "not JSON");
        };
        let Value::Object(message) = &json else {
            return refuse("invalid_payload", "not an object");
        };
        check_message(message)?;
        Ok(Self { json, body: body.to_owned() })
    }

    /// The request's body, byte by byte.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Everything a reader can see, in order: the blocks if there are any, else the text.
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

    /// The notification.
    pub fn text(&self) -> &str {
        self.json["text"].as_str().unwrap_or_default()
    }

    /// Everything that Slack would act on rather than show: mentions, links, dates.
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

    /// The texts in which `*bold*` and its like take effect, without what stands in backticks.
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

    /// True if each of the words is there, in this order, in whatever case; `|` stands between alternatives.
    pub fn tells(&self, words: &[&str]) -> bool {
        let shown = visible_only(&self.shown()).to_lowercase();
        let mut rest = shown.as_str();
        words.iter().all(|word| {
            let ends = word
                .split('|')
                .filter_map(|word| Some(rest.find(&word.to_lowercase())? + word.to_lowercase().len()))
                .min();
            ends.is_some_and(|end| {
                rest = &rest[end..];
                true
            })
        })
    }

    fn blocks(&self) -> impl Iterator<Item = &Value> {
        let of_attachments = self.json["attachments"].as_array().into_iter().flatten().map(|one| &one["blocks"]);
        std::iter::once(&self.json["blocks"]).chain(of_attachments).filter(|blocks| blocks.is_array())
    }
}

/// `text` without what cannot be seen: a host may break markup up with it.
pub fn visible_only(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')).collect()
}

fn check_message(message: &Map<String, Value>) -> Checked {
    for key in message.keys() {
        if !TOP_LEVEL.contains(&key.as_str()) {
            return refuse("invalid_payload", format!("unknown key {key:?}"));
        }
    }
    let text = message.get("text").map_or(Ok(""), |text| match text.as_str() {
        Some(text) => Ok(text),
        None => refuse("invalid_payload", "text is no string"),
    })?;
    if text.chars().count() > TEXT_MAX {
        return refuse("invalid_payload", "text would be cut");
    }
    let blocks = list(message, "blocks", "invalid_blocks")?;
    let attachments = list(message, "attachments", "invalid_payload")?;
    if text.is_empty() && blocks.is_empty() && attachments.is_empty() {
        return refuse("no_text", "nothing to show");
    }
    if text.trim().is_empty() {
        return refuse("no_text", "the notification would be empty");
    }
    if attachments.len() > ATTACHMENTS_MAX {
        return refuse("too_many_attachments", attachments.len().to_string());
    }
    check_blocks(blocks)?;
    for attachment in attachments {
        let Value::Object(attachment) = attachment else {
            return refuse("invalid_payload", "an attachment is no object");
        };
        check_blocks(list(attachment, "blocks", "invalid_blocks")?)?;
    }
    Ok(())
}

fn list<'a>(of: &'a Map<String, Value>, key: &str, answer: &'static str) -> Result<&'a [Value], Refusal> {
    match of.get(key) {
        None => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => refuse(answer, format!("{key} is no array")),
    }
}

fn check_blocks(blocks: &[Value]) -> Checked {
    if blocks.len() > BLOCKS_MAX {
        return refuse("invalid_blocks", format!("{} blocks", blocks.len()));
    }
    let mut ids = BTreeSet::new();
    let mut tables = 0;
    let mut pieces = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        check_block(block)
            .map_err(|refusal| Refusal { because: format!("/blocks/{index}: {}", refusal.because), ..refusal })?;
        if let Some(id) = block["block_id"].as_str()
            && (id.chars().count() > 255 || !ids.insert(id))
        {
            return refuse("invalid_blocks", format!("/blocks/{index}: block_id {id:?}"));
        }
        tables += usize::from(block["type"] == "table");
        visible(block, &mut pieces);
    }
    let length: usize = pieces.iter().map(|piece| piece.chars().count()).sum();
    if tables > 1 || length > ALL_BLOCKS_MAX {
        return refuse("invalid_blocks", format!("{tables} tables, {length} characters in all"));
    }
    Ok(())
}

fn check_block(block: &Value) -> Checked {
    match block["type"].as_str().unwrap_or_default() {
        "section" => {
            only_keys(block, &["text", "fields", "accessory", "expand"])?;
            if block.get("text").is_none() && block.get("fields").is_none() {
                return refuse("invalid_blocks", "an empty section");
            }
            block.get("text").map_or(Ok(()), |text| check_text(text, ANY, 3000))?;
            block.get("fields").map_or(Ok(()), |fields| each(fields, 1..=10, |field| check_text(field, ANY, 2000)))
        }
        "header" => {
            only_keys(block, &["text"])?;
            check_text(&block["text"], PLAIN, 150)
        }
        "context" => {
            only_keys(block, &["elements"])?;
            each(&block["elements"], 1..=10, |element| match element["type"].as_str() {
                Some("image") => check_image(element),
                _ => check_text(element, ANY, 3000),
            })
        }
        "divider" => only_keys(block, &[]),
        "image" => {
            only_keys(block, &["image_url", "alt_text", "title"])?;
            block.get("title").map_or(Ok(()), |title| check_text(title, PLAIN, 2000))?;
            check_image(block)
        }
        "actions" => {
            only_keys(block, &["elements"])?;
            each(&block["elements"], 1..=25, check_button)
        }
        "rich_text" => {
            only_keys(block, &["elements"])?;
            each(&block["elements"], 1..=usize::MAX, check_rich_text)
        }
        "table" => {
            only_keys(block, &["rows", "column_settings"])?;
            each(&block["rows"], 1..=100, |row| each(row, 1..=20, check_cell))
        }
        other => refuse("invalid_blocks", format!("a block of type {other:?}")),
    }
}

/// Which text objects are allowed somewhere.
type Kinds = &'static [&'static str];
const ANY: Kinds = &["mrkdwn", "plain_text"];
const PLAIN: Kinds = &["plain_text"];

fn check_text(text: &Value, kinds: Kinds, max: usize) -> Checked {
    let kind = text["type"].as_str().unwrap_or_default();
    if !kinds.contains(&kind) {
        return refuse("invalid_blocks", format!("a text of type {kind:?}, not one of {kinds:?}"));
    }
    // A mrkdwn object may not carry `emoji`, a plain one not `verbatim`.
    only_keys(text, if kind == "mrkdwn" { &["text", "verbatim"] } else { &["text", "emoji"] })?;
    check_string(&text["text"], 1, max)
}

fn check_image(image: &Value) -> Checked {
    check_url(&image["image_url"])?;
    check_string(&image["alt_text"], 1, 2000)
}

fn check_button(button: &Value) -> Checked {
    only_keys(button, &["text", "url", "action_id", "style", "value", "accessibility_label"])?;
    check_text(&button["text"], PLAIN, 75)?;
    button.get("url").map_or(Ok(()), check_url)?;
    match button.get("style").map(|style| style.as_str()) {
        None | Some(Some("primary" | "danger")) if button["type"] == "button" => Ok(()),
        other => refuse("invalid_blocks", format!("a {} of style {other:?}", button["type"])),
    }
}

fn check_rich_text(part: &Value) -> Checked {
    match part["type"].as_str().unwrap_or_default() {
        "rich_text_section" | "rich_text_quote" | "rich_text_preformatted" => {
            only_keys(part, &["elements", "border", "language"])?;
            each(&part["elements"], 1..=usize::MAX, check_span)
        }
        "rich_text_list" => each(&part["elements"], 1..=usize::MAX, check_rich_text),
        other => refuse("invalid_blocks", format!("rich text of type {other:?}")),
    }
}

fn check_span(span: &Value) -> Checked {
    match span["type"].as_str().unwrap_or_default() {
        "text" => {
            only_keys(span, &["text", "style"])?;
            check_string(&span["text"], 1, usize::MAX)
        }
        "link" => {
            only_keys(span, &["url", "text", "style", "unsafe"])?;
            check_url(&span["url"])
        }
        "emoji" => check_string(&span["name"], 1, 255),
        "date" if span["timestamp"].is_i64() && span["format"].is_string() => Ok(()),
        "broadcast" | "user" | "usergroup" | "channel" | "team" => Ok(()),
        other => refuse("invalid_blocks", format!("a span of type {other:?}: {span}")),
    }
}

fn check_cell(cell: &Value) -> Checked {
    match cell["type"].as_str().unwrap_or_default() {
        "raw_text" => check_string(&cell["text"], 1, usize::MAX),
        "rich_text" => each(&cell["elements"], 1..=usize::MAX, check_rich_text),
        other => refuse("invalid_blocks", format!("a cell of type {other:?}")),
    }
}

fn check_url(url: &Value) -> Checked {
    check_string(url, 1, 3000)?;
    let url = url.as_str().unwrap_or_default();
    match url.starts_with("http://") || url.starts_with("https://") || url.starts_with("mailto:") {
        true => Ok(()),
        false => refuse("invalid_blocks", format!("no URL: {url:?}")),
    }
}

fn check_string(value: &Value, min: usize, max: usize) -> Checked {
    match value.as_str().map(|text| text.chars().count()) {
        Some(length) if (min..=max).contains(&length) => Ok(()),
        found => refuse("invalid_blocks", format!("length {found:?} is not in {min}..={max}: {value}")),
    }
}

fn each(items: &Value, count: std::ops::RangeInclusive<usize>, check: impl Fn(&Value) -> Checked) -> Checked {
    match items.as_array() {
        Some(items) if count.contains(&items.len()) => items.iter().try_for_each(check),
        _ => refuse("invalid_blocks", format!("not {count:?} items: {items}")),
    }
}

/// `type` and `block_id` are always allowed.
fn only_keys(object: &Value, allowed: &[&str]) -> Checked {
    let Value::Object(object) = object else {
        return refuse("invalid_blocks", format!("no object: {object}"));
    };
    match object.keys().find(|key| !["type", "block_id"].contains(&key.as_str()) && !allowed.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => refuse("invalid_blocks", format!("{key:?} does not belong into {}", object["type"])),
    }
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

/// The texts in `value` that a reader sees, in order.
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
            // Text above fields or elements, whatever the order of the keys.
            (_, text) => {
                text.into_iter().for_each(|inner| visible(inner, pieces));
                for key in ["title", "fields", "elements", "rows"] {
                    object.get(key).into_iter().for_each(|inner| visible(inner, pieces));
                }
            }
        },
        _ => {}
    }
}

/// What stands between `<` and `>` in mrkdwn.
fn entities(mrkdwn: &str) -> Vec<String> {
    mrkdwn.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(entity, _)| entity.to_owned()).collect()
}

/// mrkdwn as it is shown: entities by their label, escapes undone.
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

/// Without what stands in single or triple backticks.
fn without_code(mrkdwn: &str) -> String {
    mrkdwn.replace("```", "`").split('`').step_by(2).collect::<Vec<_>>().join(" ")
}

#[test]
fn slack_would_refuse_these() {
    let long = "x".repeat(3001);
    for (body, answer) in [
        ("ban!", "invalid_payload"),
        (r#"["text"]"#, "invalid_payload"),
        (r#"{"text": ""}"#, "no_text"),
        (r#"{"text": "a", "channel": "general"}"#, "invalid_payload"),
        (r#"{"text": "a", "blocks": [{"type": "section"}]}"#, "invalid_blocks"),
        (r#"{"text": "a", "blocks": [{"type": "header", "text": {"type": "mrkdwn", "text": "h"}}]}"#, "invalid_blocks"),
        (
            r#"{"text": "a", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "h", "emoji": true}}]}"#,
            "invalid_blocks",
        ),
        (
            &format!(
                r#"{{"text": "a", "blocks": [{{"type": "section", "text": {{"type": "mrkdwn", "text": "{long}"}}}}]}}"#
            ),
            "invalid_blocks",
        ),
        (
            &format!(r#"{{"text": "a", "blocks": [{}{{"type": "divider"}}]}}"#, r#"{"type": "divider"},"#.repeat(50)),
            "invalid_blocks",
        ),
    ] {
        assert_eq!(Message::parse(body.as_bytes()).unwrap_err().answer, answer, "{body}");
    }
}

#[test]
fn a_reader_sees_text_and_slack_acts_on_entities() {
    let body = r#"{"text": "fallback", "blocks": [
        {"type": "section", "text": {"type": "mrkdwn", "text": "*sshd* <!here> &lt;b&gt; <https://a.example|site> `*c*`"}},
        {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [
            {"type": "text", "text": "banned "}, {"type": "text", "text": "203.0.113.7", "style": {"bold": true}}]}]}]}"#;
    let message = Message::parse(body.as_bytes()).unwrap();
    assert_eq!(message.shown(), "*sshd* !here <b> site `*c*`\nbanned 203.0.113.7");
    assert_eq!(message.live(), ["!here", "https://a.example|site"]);
    assert_eq!(message.formatted(), "*sshd* <!here> &lt;b&gt; <https://a.example|site>  ");
    assert!(message.tells(&["SSHD", "gone|banned", "203.0.113.7"]));
    assert!(!message.tells(&["203.0.113.7", "sshd"]));
}

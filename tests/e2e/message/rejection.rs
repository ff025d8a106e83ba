//! Slack's rules for messages, as strict as Slack is known to be.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::visible;

/// Keys allowed at the top. `channel`, `username` and `icon_*` have no effect on current webhooks, so sending them is a
/// mistake.
const TOP_LEVEL: &[&str] =
    &["text", "blocks", "attachments", "thread_ts", "mrkdwn", "unfurl_links", "unfurl_media", "link_names"];
const TEXT_MAX: usize = 40_000;
const BLOCKS_MAX: usize = 50;
const ATTACHMENTS_MAX: usize = 100;
/// The length of all blocks together. Observed: from about here Slack answers `msg_blocks_too_long`.
const ALL_BLOCKS_MAX: usize = 13_200;

/// Why Slack rejects a message: the body of its response, and an explanation for the reader of the test.
#[derive(Debug)]
pub struct Rejection {
    pub answer: &'static str,
    pub reason: String,
}

pub type Checked = Result<(), Rejection>;

pub fn reject<T>(answer: &'static str, reason: impl Into<String>) -> Result<T, Rejection> {
    Err(Rejection { answer, reason: reason.into() })
}

/// Checks a whole message.
pub fn check_message(message: &Map<String, Value>) -> Checked {
    for key in message.keys() {
        if !TOP_LEVEL.contains(&key.as_str()) {
            return reject("invalid_payload", format!("unknown key {key:?}"));
        }
    }
    let text = message.get("text").map_or(Ok(""), |text| match text.as_str() {
        Some(text) => Ok(text),
        None => reject("invalid_payload", "text is not a string"),
    })?;
    if text.chars().count() > TEXT_MAX {
        return reject("invalid_payload", "text would be truncated");
    }
    let blocks = list(message, "blocks", "invalid_blocks")?;
    let attachments = list(message, "attachments", "invalid_payload")?;
    if text.is_empty() && blocks.is_empty() && attachments.is_empty() {
        return reject("no_text", "nothing to show");
    }
    // Of a message with a color, the attachment's fallback is the notification.
    let notifies = |attachment: &Value| attachment["fallback"].as_str().is_some_and(|text| !text.trim().is_empty());
    if text.trim().is_empty() && !attachments.iter().any(notifies) {
        return reject("no_text", "the notification would be empty");
    }
    if attachments.len() > ATTACHMENTS_MAX {
        return reject("too_many_attachments", attachments.len().to_string());
    }
    check_blocks(blocks)?;
    for attachment in attachments {
        let Value::Object(attachment) = attachment else {
            return reject("invalid_payload", "an attachment is not an object");
        };
        check_blocks(list(attachment, "blocks", "invalid_blocks")?)?;
    }
    Ok(())
}

fn list<'a>(of: &'a Map<String, Value>, key: &str, answer: &'static str) -> Result<&'a [Value], Rejection> {
    match of.get(key) {
        None => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => reject(answer, format!("{key} is not an array")),
    }
}

fn check_blocks(blocks: &[Value]) -> Checked {
    if blocks.len() > BLOCKS_MAX {
        return reject("invalid_blocks", format!("{} blocks", blocks.len()));
    }
    let mut ids = BTreeSet::new();
    let (mut tables, mut charts) = (0, 0);
    let mut pieces = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        check_block(block)
            .map_err(|rejection| Rejection { reason: format!("/blocks/{index}: {}", rejection.reason), ..rejection })?;
        if let Some(id) = block["block_id"].as_str()
            && (id.chars().count() > 255 || !ids.insert(id))
        {
            return reject("invalid_blocks", format!("/blocks/{index}: block_id {id:?}"));
        }
        tables += usize::from(block["type"] == "table" || block["type"] == "data_table");
        charts += usize::from(block["type"] == "data_visualization");
        visible(block, &mut pieces);
    }
    let length: usize = pieces.iter().map(|piece| piece.chars().count()).sum();
    // That two charts are the most: https://github.com/vercel/chat/pull/696
    if tables > 1 || charts > 2 || length > ALL_BLOCKS_MAX {
        return reject("invalid_blocks", format!("{tables} tables, {charts} charts, {length} characters in all"));
    }
    Ok(())
}

fn check_block(block: &Value) -> Checked {
    match block["type"].as_str().unwrap_or_default() {
        "section" => {
            only_keys(block, &["text", "fields", "accessory", "expand"])?;
            if block.get("text").is_none() && block.get("fields").is_none() {
                return reject("invalid_blocks", "an empty section");
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
        "data_table" => {
            only_keys(block, &["caption", "rows", "page_size", "row_header_column_index"])?;
            check_string(&block["caption"], 1, usize::MAX)?;
            each(&block["rows"], 2..=101, |row| each(row, 1..=20, check_cell))
        }
        "data_visualization" => {
            only_keys(block, &["title", "chart"])?;
            check_string(&block["title"], 1, 50)?;
            check_chart(&block["chart"])
        }
        other => reject("invalid_blocks", format!("a block of type {other:?}")),
    }
}

/// From <https://docs.slack.dev/reference/block-kit/blocks/data-visualization-block>.
fn check_chart(chart: &Value) -> Checked {
    let point = |point: &Value| {
        only_keys(point, &["label", "value"])?;
        check_string(&point["label"], 1, 20)?;
        if point["value"].is_number() { Ok(()) } else { reject("invalid_blocks", format!("a point {point}")) }
    };
    if chart["type"] == "pie" {
        only_keys(chart, &["segments"])?;
        return each(&chart["segments"], 1..=6, |segment| match segment["value"].as_f64() {
            Some(value) if value > 0.0 => point(segment),
            _ => reject("invalid_blocks", format!("a segment {segment}")),
        });
    }
    if !["bar", "line", "area"].iter().any(|kind| chart["type"] == *kind) {
        return reject("invalid_blocks", format!("a chart {chart}"));
    }
    only_keys(chart, &["series", "axis_config"])?;
    let categories = &chart["axis_config"]["categories"];
    each(categories, 1..=20, |category| check_string(category, 1, 20))?;
    each(&chart["series"], 1..=6, |series| {
        only_keys(series, &["name", "data"])?;
        check_string(&series["name"], 1, 20)?;
        each(&series["data"], 1..=20, point)?;
        let labels: Value =
            series["data"].as_array().into_iter().flatten().map(|point| point["label"].clone()).collect();
        if labels == *categories { Ok(()) } else { reject("invalid_blocks", format!("{labels} for {categories}")) }
    })
}

/// The types of text object that are allowed.
type Kinds = &'static [&'static str];
const ANY: Kinds = &["mrkdwn", "plain_text"];
const PLAIN: Kinds = &["plain_text"];

fn check_text(text: &Value, kinds: Kinds, max: usize) -> Checked {
    let kind = text["type"].as_str().unwrap_or_default();
    if !kinds.contains(&kind) {
        return reject("invalid_blocks", format!("a text of type {kind:?}, not one of {kinds:?}"));
    }
    // A mrkdwn object must not have `emoji`, a plain one not `verbatim`.
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
        other => reject("invalid_blocks", format!("a {} of style {other:?}", button["type"])),
    }
}

fn check_rich_text(part: &Value) -> Checked {
    match part["type"].as_str().unwrap_or_default() {
        "rich_text_section" | "rich_text_quote" | "rich_text_preformatted" => {
            only_keys(part, &["elements", "border", "language"])?;
            each(&part["elements"], 1..=usize::MAX, check_span)
        }
        "rich_text_list" => each(&part["elements"], 1..=usize::MAX, check_rich_text),
        other => reject("invalid_blocks", format!("rich text of type {other:?}")),
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
        other => reject("invalid_blocks", format!("a span of type {other:?}: {span}")),
    }
}

fn check_cell(cell: &Value) -> Checked {
    match cell["type"].as_str().unwrap_or_default() {
        "raw_text" => check_string(&cell["text"], 1, usize::MAX),
        "raw_number" if cell["value"].is_number() => check_string(&cell["text"], 1, usize::MAX),
        "rich_text" => each(&cell["elements"], 1..=usize::MAX, check_rich_text),
        other => reject("invalid_blocks", format!("a cell of type {other:?}")),
    }
}

fn check_url(url: &Value) -> Checked {
    check_string(url, 1, 3000)?;
    let url = url.as_str().unwrap_or_default();
    match url.starts_with("http://") || url.starts_with("https://") || url.starts_with("mailto:") {
        true => Ok(()),
        false => reject("invalid_blocks", format!("not a URL: {url:?}")),
    }
}

fn check_string(value: &Value, min: usize, max: usize) -> Checked {
    match value.as_str().map(|text| text.chars().count()) {
        Some(length) if (min..=max).contains(&length) => Ok(()),
        found => reject("invalid_blocks", format!("length {found:?} is not in {min}..={max}: {value}")),
    }
}

fn each(items: &Value, count: std::ops::RangeInclusive<usize>, check: impl Fn(&Value) -> Checked) -> Checked {
    match items.as_array() {
        Some(items) if count.contains(&items.len()) => items.iter().try_for_each(check),
        _ => reject("invalid_blocks", format!("not {count:?} items: {items}")),
    }
}

/// `type` and `block_id` are always allowed.
fn only_keys(object: &Value, allowed: &[&str]) -> Checked {
    let Value::Object(object) = object else {
        return reject("invalid_blocks", format!("not an object: {object}"));
    };
    match object.keys().find(|key| !["type", "block_id"].contains(&key.as_str()) && !allowed.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => reject("invalid_blocks", format!("{key:?} is not a field of {}", object["type"])),
    }
}

#[cfg(test)]
mod tests {
    use crate::message::Message;

    #[test]
    fn parse_invalid_message_is_rejected() {
        let long = "x".repeat(3001);
        for (body, answer) in [
            ("ban!", "invalid_payload"),
            (r#"["text"]"#, "invalid_payload"),
            (r#"{"text": ""}"#, "no_text"),
            (r#"{"text": "a", "channel": "general"}"#, "invalid_payload"),
            (r#"{"text": "a", "blocks": [{"type": "section"}]}"#, "invalid_blocks"),
            (
                r#"{"text": "a", "blocks": [{"type": "data_visualization", "title": "t", "chart": {"type": "pie", "segments": [{"label": "a", "value": 0}]}}]}"#,
                "invalid_blocks",
            ),
            (
                r#"{"text": "a", "blocks": [{"type": "data_visualization", "title": "t", "chart": {"type": "line", "series": [{"name": "n", "data": [{"label": "a", "value": 0}]}], "axis_config": {"categories": ["b"]}}}]}"#,
                "invalid_blocks",
            ),
            (
                r#"{"text": "a", "blocks": [{"type": "header", "text": {"type": "mrkdwn", "text": "h"}}]}"#,
                "invalid_blocks",
            ),
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
                &format!(
                    r#"{{"text": "a", "blocks": [{}{{"type": "divider"}}]}}"#,
                    r#"{"type": "divider"},"#.repeat(50)
                ),
                "invalid_blocks",
            ),
        ] {
            assert_eq!(Message::parse(body.as_bytes()).unwrap_err().answer, answer, "{body}");
        }
    }
}

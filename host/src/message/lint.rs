//! What Slack would refuse about a body, found offline.
//!
//! Covers what `slack` lowers to, and of raw blocks what they share with it.

use std::fmt;

use serde_json::{Map, Value};

use super::escape::{cut, one_line};
use super::limits::{
    ACTIONS_MAX, ALT_MAX, ATTACHMENTS_MAX, BLOCKS_MAX, BLOCKS_TEXT_MAX, BODY_BYTES_MAX, BUTTON_MAX, CONTEXT_MAX,
    FIELD_MAX, FIELDS_MAX, HEADER_MAX, TABLE_COLUMNS_MAX, TABLE_ROWS_MAX, TABLE_TEXT_MAX, TABLES_MAX, TEXT_MAX,
    TEXT_OBJECT_MAX, TITLE_MAX, URL_MAX,
};
use super::link::web_url;

/// Whether Slack would refuse it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// It would.
    Error,
    /// It would not, or nobody knows.
    Warning,
}

/// Something wrong with a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where: a JSON pointer.
    pub path: String,
    /// The rule's name.
    pub rule: &'static str,
    /// What is wrong, with the limit and the value.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "/" } else { &self.path };
        write!(f, "{path}: {} ({})", self.message, self.rule)
    }
}

/// All that is wrong with an incoming webhook's body.
#[must_use]
pub fn check(body: &Value) -> Vec<Finding> {
    let mut check = Check::default();
    check.body(body);
    check.findings
}

#[derive(Default)]
struct Check {
    findings: Vec<Finding>,
    tables: usize,
    /// Characters of text in blocks.
    text: usize,
}

impl Check {
    fn error(&mut self, path: &str, rule: &'static str, message: impl Into<String>) {
        self.findings.push(Finding { severity: Severity::Error, path: path.into(), rule, message: message.into() });
    }

    fn warning(&mut self, path: &str, rule: &'static str, message: impl Into<String>) {
        self.findings.push(Finding { severity: Severity::Warning, path: path.into(), rule, message: message.into() });
    }

    fn at_most(&mut self, path: &str, rule: &'static str, what: &str, count: usize, max: usize) {
        if count > max {
            self.error(path, rule, format!("{count} {what}, at most {max}"));
        }
    }

    fn at_least_one(&mut self, path: &str, rule: &'static str, what: &str, count: usize) {
        if count == 0 {
            self.error(path, rule, format!("no {what}, at least 1"));
        }
    }

    fn body(&mut self, body: &Value) {
        let Some(fields) = body.as_object() else {
            return self.error("", "body-object", "the body is no object");
        };
        self.at_most("", "body-size", "bytes", body.to_string().len(), BODY_BYTES_MAX);
        let text = string(fields, "text").unwrap_or_default();
        let attachments = array(fields, "attachments");
        let shows = |attachment: &Value| {
            // `color` alone shows nothing.
            attachment.as_object().is_some_and(|fields| fields.keys().any(|key| key != "color"))
        };
        let attached = attachments.iter().any(shows);
        if text.trim().is_empty() && array(fields, "blocks").is_empty() && !attached {
            self.error("", "no-content", "neither text nor blocks");
        }
        if text.chars().count() > TEXT_MAX {
            self.warning("/text", "text-length", format!("Slack cuts what is longer than {TEXT_MAX} characters"));
        }
        self.blocks("", fields);
        self.at_most("/attachments", "attachments", "attachments", attachments.len(), ATTACHMENTS_MAX);
        for (index, attachment) in attachments.iter().enumerate() {
            if let Some(attachment) = attachment.as_object() {
                self.blocks(&format!("/attachments/{index}"), attachment);
            }
        }
        self.at_most("", "tables", "tables", self.tables, TABLES_MAX);
        self.at_most("", "blocks-text", "characters of text in blocks", self.text, BLOCKS_TEXT_MAX);
    }

    fn blocks(&mut self, path: &str, owner: &Map<String, Value>) {
        let path = format!("{path}/blocks");
        if owner.get("blocks").is_some_and(|blocks| !blocks.is_array()) {
            self.error(&path, "blocks-array", "blocks are no array");
        }
        let blocks = array(owner, "blocks");
        self.at_most(&path, "blocks", "blocks", blocks.len(), BLOCKS_MAX);
        for (index, block) in blocks.iter().enumerate() {
            let path = format!("{path}/{index}");
            self.inside(&path, block);
            self.block(&path, block);
        }
    }

    /// What holds for a block of its kind; what holds for all is `inside`'s.
    fn block(&mut self, path: &str, block: &Value) {
        let Some((fields, kind)) = block.as_object().and_then(|fields| Some((fields, string(fields, "type")?))) else {
            return self.error(path, "block-type", "a block is an object with a \"type\"");
        };
        match kind {
            "header" => self.text(&format!("{path}/text"), fields.get("text"), HEADER_MAX),
            "section" => self.section(path, fields),
            "context" => self.elements(path, "context-elements", fields, CONTEXT_MAX),
            "actions" => self.elements(path, "actions-elements", fields, ACTIONS_MAX),
            "rich_text" => self.elements(path, "rich-text-elements", fields, usize::MAX),
            "image" => self.image(path, fields),
            "table" => self.table(path, array(fields, "rows")),
            "container" => {
                for (index, child) in array(fields, "child_blocks").iter().enumerate() {
                    self.block(&format!("{path}/child_blocks/{index}"), child);
                }
            }
            _ => {}
        }
    }

    fn section(&mut self, path: &str, fields: &Map<String, Value>) {
        let columns = array(fields, "fields");
        if !fields.contains_key("text") && columns.is_empty() {
            self.error(path, "section-empty", "a section holds neither text nor fields");
        }
        self.at_most(&format!("{path}/fields"), "section-fields", "fields", columns.len(), FIELDS_MAX);
        for (index, field) in columns.iter().enumerate() {
            self.text(&format!("{path}/fields/{index}"), Some(field), FIELD_MAX);
        }
    }

    fn elements(&mut self, path: &str, rule: &'static str, fields: &Map<String, Value>, max: usize) {
        let path = format!("{path}/elements");
        let elements = array(fields, "elements");
        // Of rich text, SDKs hold that it may be empty.
        if max != usize::MAX {
            self.at_least_one(&path, rule, "elements", elements.len());
        }
        self.at_most(&path, rule, "elements", elements.len(), max);
        for (index, element) in elements.iter().enumerate() {
            if element.get("type").and_then(Value::as_str) == Some("button") {
                self.text(&format!("{path}/{index}/text"), element.get("text"), BUTTON_MAX);
            }
        }
    }

    fn image(&mut self, path: &str, fields: &Map<String, Value>) {
        let alt = string(fields, "alt_text").unwrap_or_default();
        self.at_least_one(&format!("{path}/alt_text"), "image-alt", "characters", alt.trim().len());
        self.at_most(&format!("{path}/alt_text"), "image-alt", "characters", alt.chars().count(), ALT_MAX);
        if fields.contains_key("title") {
            self.text(&format!("{path}/title"), fields.get("title"), TITLE_MAX);
        }
    }

    fn table(&mut self, path: &str, rows: &[Value]) {
        self.tables += 1;
        let path = format!("{path}/rows");
        self.at_least_one(&path, "table-rows", "rows", rows.len());
        self.at_most(&path, "table-rows", "rows", rows.len(), TABLE_ROWS_MAX);
        let cells = |row: &Value| row.as_array().map_or(0, Vec::len);
        let width = rows.first().map_or(0, cells);
        for (index, row) in rows.iter().enumerate() {
            let path = format!("{path}/{index}");
            self.at_least_one(&path, "table-cells", "cells", cells(row));
            self.at_most(&path, "table-cells", "cells", cells(row), TABLE_COLUMNS_MAX);
            if cells(row) != width {
                self.error(&path, "table-ragged", format!("{} cells, the first row has {width}", cells(row)));
            }
        }
        let text = rows.iter().filter_map(Value::as_array).flatten().filter_map(|cell| cell.get("text")?.as_str());
        self.at_most(&path, "table-text", "characters", text.map(|text| text.chars().count()).sum(), TABLE_TEXT_MAX);
    }

    /// A text object where one must be, with a limit of its own.
    fn text(&mut self, path: &str, object: Option<&Value>, max: usize) {
        let Some(text) = object.and_then(|object| object.get("text")?.as_str()) else {
            return self.error(path, "text-object", "no text object");
        };
        let count = text.chars().count();
        // What is longer than any text object may be has been found already.
        if count <= TEXT_OBJECT_MAX {
            self.at_most(&format!("{path}/text"), "text-length", "characters", count, max);
        }
    }

    /// What holds for every object in a block.
    fn everywhere(&mut self, path: &str, fields: &Map<String, Value>) {
        let kind = string(fields, "type").unwrap_or_default();
        if let Some(text) = string(fields, "text") {
            let count = text.chars().count();
            self.text += count;
            let path = format!("{path}/text");
            self.at_least_one(&path, "text-empty", "characters", count);
            if matches!(kind, "plain_text" | "mrkdwn") {
                self.at_most(&path, "text-length", "characters", count, TEXT_OBJECT_MAX);
            }
        }
        for (key, value) in fields {
            // A JSON pointer's escapes.
            let path = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
            if let (true, Some(url)) = (key == "url" || key.ends_with("_url"), value.as_str()) {
                self.url(&path, url, kind);
            }
            self.inside(&path, value);
        }
    }

    fn inside(&mut self, path: &str, value: &Value) {
        match value {
            Value::Object(fields) => self.everywhere(path, fields),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.inside(&format!("{path}/{index}"), item);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn url(&mut self, path: &str, url: &str, owner: &str) {
        self.at_most(path, "url-length", "characters", url.chars().count(), URL_MAX);
        let mail = owner == "link" && url.starts_with("mailto:");
        if web_url(url).is_none() && !mail {
            self.error(path, "url-scheme", format!("\"{}\" is no http or https URL", cut(&one_line(url), 100)));
        }
    }
}

fn string<'v>(fields: &'v Map<String, Value>, key: &str) -> Option<&'v str> {
    fields.get(key).and_then(Value::as_str)
}

fn array<'v>(fields: &'v Map<String, Value>, key: &str) -> &'v [Value] {
    fields.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

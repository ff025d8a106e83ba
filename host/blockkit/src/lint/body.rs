//! The rules of the whole body, which definitions of single objects cannot express.

use serde_json::{Map, Value};

use super::checker::{Checker, to_i64};
use super::definitions::MESSAGE;
use super::entry::{by_some, field, max};
use super::finding::Severity;
use super::phrase::type_of;
use super::pointer::Pointer;
use super::rule::Rule;
use super::schema::{Field, Kind, Max};
use super::source::{DOCS, MORPHISM, OBSERVED, PYTHON, SLACKBLOCKS, Sources, TYPES};
use crate::limits::TEXT_MAX;

/// The length of `text` that Slack recommends not to exceed.
const TEXT_RECOMMENDED: usize = 4_000;
/// `table` and `data_table` blocks; Slack's error is `only_one_table_allowed`.
const TABLES: Max = max(1);
/// `data_visualization` blocks; Slack's page does not say so, its answers do (<https://github.com/vercel/chat/pull/696>).
const CHARTS: Max = max(2);
/// All `markdown` blocks together.
const MARKDOWN: Max = max(12_000);
/// All texts in blocks: `msg_blocks_too_long` was seen at 13,297 (<https://github.com/slackapi/bolt-js/issues/2509>)
/// and once at 11,341 (issue 2867 there).
const BLOCKS_TEXT: Max = by_some(13_200);

const SOURCES: Sources = &[DOCS];
static BODY: Field = field("", Kind::Object(&MESSAGE)).from(SOURCES);

/// Checks an incoming webhook's body.
pub fn check<'v>(checker: &mut Checker<'v>, body: &'v Value) {
    let Some(fields) = body.as_object() else {
        let hint = if body.is_array() { "; wrap blocks in {\"blocks\": […]}" } else { "" };
        let text = format!("expected a message object, found {}{hint}", type_of(body));
        return checker.add(Severity::Error, &Pointer::Root, Rule::WrongType, SOURCES, text);
    };
    let text = fields.get("text").and_then(Value::as_str).unwrap_or_default();
    if !has_content(fields, text) {
        let text = "no text, blocks or attachments to show".to_owned();
        checker.add(Severity::Error, &Pointer::Root, Rule::NoContent, SOURCES, text);
    }
    text_length(checker, text);
    checker.object(&Pointer::Root, body, &MESSAGE, &BODY);
    totals(checker);
}

fn totals(checker: &mut Checker<'_>) {
    let (tables, charts) = (checker.totals.tables, checker.totals.charts);
    let (markdown, text) = (checker.totals.markdown, checker.totals.text);
    for (value, nouns, max, rule, sources) in [
        (tables, "tables", TABLES, Rule::TooManyTables, &[DOCS, SLACKBLOCKS][..]),
        (charts, "charts", CHARTS, Rule::TooManyCharts, &[MORPHISM, OBSERVED]),
        (markdown, "characters in all markdown blocks", MARKDOWN, Rule::MarkdownTotal, &[DOCS, TYPES, PYTHON]),
        (text, "characters of text in all blocks", BLOCKS_TEXT, Rule::BlocksText, &[OBSERVED]),
    ] {
        checker.total(&Pointer::Root, value, nouns, max, rule, sources);
    }
}

/// Returns whether a reader would see anything. A list of another type counts: its definition has the finding.
fn has_content(fields: &Map<String, Value>, text: &str) -> bool {
    let holds = |key: &str, shows: fn(&Value) -> bool| match fields.get(key) {
        None | Some(Value::Null) => false,
        Some(Value::Array(items)) => items.iter().any(shows),
        Some(_) => true,
    };
    // A colour alone shows nothing.
    let attached =
        |attachment: &Value| attachment.as_object().is_none_or(|fields| fields.keys().any(|key| key != "color"));
    !text.trim().is_empty() || holds("blocks", |_| true) || holds("attachments", attached)
}

fn text_length(checker: &mut Checker<'_>, text: &str) {
    if text.len() <= TEXT_RECOMMENDED {
        return;
    }
    let count = text.chars().count();
    let (limit, rest) = if count > TEXT_MAX {
        (TEXT_MAX, "Slack truncates text longer than")
    } else if count > TEXT_RECOMMENDED {
        (TEXT_RECOMMENDED, "Slack recommends at most")
    } else {
        return;
    };
    let text = format!("{count} characters; {rest} {limit}");
    let path = Pointer::Key(&Pointer::Root, "text");
    checker.add_numbers(Severity::Warning, &path, Rule::TooLong, SOURCES, text, (to_i64(count), to_i64(limit)));
}

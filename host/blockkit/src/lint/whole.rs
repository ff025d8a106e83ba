//! The rules across a message: what the table, which knows only objects, can't say.

use serde_json::{Map, Value};

use super::entry::{field, max, perhaps};
use super::finding::Severity;
use super::path::Path;
use super::rule::Rule;
use super::schema::{Field, Kind, Max};
use super::table::{DOCS, MESSAGE, MORPHISM, OBSERVED, PYTHON, SLACKBLOCKS, TYPES};
use super::walk::{Walk, whole};
use super::words::type_of;

/// `text` that Slack recommends not to exceed.
const TEXT_RECOMMENDED: usize = 4_000;
/// Slack cuts what is longer.
const TEXT_CUT: usize = 40_000;
/// `table` and `data_table` together; the error is `only_one_table_allowed`.
const TABLES: Max = max(1);
/// `data_visualization` blocks.
const CHARTS: Max = max(2);
/// All `markdown` blocks together.
const MARKDOWN: Max = max(12_000);
/// All texts in blocks: `msg_blocks_too_long` was seen at 13,297 (<https://github.com/slackapi/bolt-js/issues/2509>)
/// and once at 11,341 (issue 2867 there).
const BLOCKS_TEXT: Max = perhaps(13_200);

static BODY: Field = field("", Kind::Object(&MESSAGE)).from(&[DOCS]);
static OF_TABLES: Field = field("", Kind::Any).from(&[DOCS, SLACKBLOCKS]);
static OF_CHARTS: Field = field("", Kind::Any).from(&[MORPHISM]);
static OF_MARKDOWN: Field = field("", Kind::Any).from(&[DOCS, TYPES, PYTHON]);
static OF_TEXT: Field = field("", Kind::Any).from(&[OBSERVED]);

/// Everything about a body.
pub fn body<'v>(walk: &mut Walk<'v>, body: &'v Value) {
    let Some(fields) = body.as_object() else {
        let hint = if body.is_array() { "; put blocks into {\"blocks\": […]}" } else { "" };
        let text = format!("{}, where a message must be: an object{hint}", type_of(body));
        return walk.find(Severity::Error, &Path::Root, Rule::WrongType, &BODY, text);
    };
    let text = fields.get("text").and_then(Value::as_str).unwrap_or_default();
    if !shows_something(fields, text) {
        let text = "neither text nor blocks nor attachments that show something".to_owned();
        walk.find(Severity::Error, &Path::Root, Rule::NoContent, &BODY, text);
    }
    text_length(walk, text);
    walk.object(&Path::Root, body, &MESSAGE, &BODY);
    let (tables, charts, markdown) = (walk.totals.tables, walk.totals.charts, walk.totals.markdown);
    walk.total(&Path::Root, tables, "tables", TABLES, Rule::OneTable, &OF_TABLES);
    walk.total(&Path::Root, charts, "charts", CHARTS, Rule::TooManyCharts, &OF_CHARTS);
    let noun = "characters in all markdown blocks";
    walk.total(&Path::Root, markdown, noun, MARKDOWN, Rule::MarkdownTotal, &OF_MARKDOWN);
    let noun = "characters of text in all blocks";
    walk.total(&Path::Root, walk.totals.text, noun, BLOCKS_TEXT, Rule::BlocksText, &OF_TEXT);
}

/// Whether a reader would see anything. What is wrong with a list that is none, the table says.
fn shows_something(fields: &Map<String, Value>, text: &str) -> bool {
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

fn text_length(walk: &mut Walk<'_>, text: &str) {
    if text.len() <= TEXT_RECOMMENDED {
        return;
    }
    let count = text.chars().count();
    let (limit, why) = if count > TEXT_CUT {
        (TEXT_CUT, "Slack cuts what is longer than")
    } else if count > TEXT_RECOMMENDED {
        (TEXT_RECOMMENDED, "Slack recommends at most")
    } else {
        return;
    };
    let text = format!("{count} characters; {why} {limit}");
    let path = Path::Key(&Path::Root, "text");
    walk.count(Severity::Warning, &path, Rule::TooLong, &BODY, text, (whole(count), whole(limit)));
}

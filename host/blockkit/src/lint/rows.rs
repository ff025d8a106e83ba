//! What the rows of a table have in common, and the series of a chart.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::entry::{disputed, field, perhaps};
use super::finding::Severity;
use super::path::Path;
use super::rule::Rule;
use super::schema::{Field, Kind, Max};
use super::table::{GO, MESSAGING, MORPHISM, OBSERVED, SLACKBLOCKS};
use super::walk::{Walk, whole};
use super::words::{counted, quoted};

/// All cells of a `table`. Not documented; seen by others: <https://github.com/vellum-ai/vellum-assistant/pull/36219>.
const TABLE_TEXT: Max = perhaps(10_000);
/// All cells of a `data_table`; older documents name the smaller number.
const DATA_TABLE_TEXT: Max = disputed(10_000, 20_000);

// Whose word the rules here are.
static ROWS: Field = field("rows", Kind::Any).from(&[SLACKBLOCKS]);
static TEXT_SEEN: Field = field("rows", Kind::Any).from(&[OBSERVED]);
static DATA_ROWS: Field = field("rows", Kind::Any).from(&[SLACKBLOCKS, MORPHISM]);
static SERIES: Field = field("series", Kind::Any).from(&[MESSAGING, SLACKBLOCKS, GO]);

impl<'v> Walk<'v> {
    /// A `table` block.
    pub(super) fn table(&mut self, at: &Path<'_>, fields: &'v Map<String, Value>) {
        self.totals.tables += 1;
        self.rows(at, items(fields, "rows"), TABLE_TEXT, &ROWS, &TEXT_SEEN);
    }

    /// A `data_table` block.
    pub(super) fn data_table(&mut self, at: &Path<'_>, fields: &'v Map<String, Value>) {
        self.totals.tables += 1;
        let rows = items(fields, "rows");
        self.rows(at, rows, DATA_TABLE_TEXT, &DATA_ROWS, &DATA_ROWS);
        let path = Path::Key(at, "rows");
        let path = Path::Index(&path, 0);
        for (index, cell) in rows.first().and_then(Value::as_array).into_iter().flatten().enumerate() {
            if cell.get("type").and_then(Value::as_str) == Some("rich_text") {
                let text = "rich_text in the header row, which takes only raw_text and raw_number".to_owned();
                self.find(Severity::Error, &Path::Index(&path, index), Rule::HeaderRow, &DATA_ROWS, text);
            }
        }
    }

    /// As many cells in each row, and not too much text in all.
    fn rows(&mut self, at: &Path<'_>, rows: &'v [Value], text: Max, even: &'static Field, length: &'static Field) {
        let path = Path::Key(at, "rows");
        let mut width = None;
        let mut characters = 0;
        for (index, row) in rows.iter().enumerate() {
            let Some(cells) = row.as_array() else { continue };
            let first = *width.get_or_insert(cells.len());
            if cells.len() != first {
                let text = format!("{}, and the first row has {first}", counted(cells.len(), "cells"));
                let numbers = (whole(cells.len()), whole(first));
                self.count(Severity::Error, &Path::Index(&path, index), Rule::RaggedRows, even, text, numbers);
            }
            characters += cells.iter().map(text_of).sum::<usize>();
        }
        self.total(&path, characters, "characters in all cells", text, Rule::TableText, length);
    }

    /// The series of a chart with axes: names and categories that occur once, a point of each for each.
    pub(super) fn axis_chart(&mut self, at: &Path<'_>, fields: &'v Map<String, Value>) {
        let config = Path::Key(at, "axis_config");
        let categories = fields.get("axis_config").map_or(&[][..], |config| items_of(config, "categories"));
        let wanted: HashSet<_> = categories.iter().filter_map(Value::as_str).collect();
        self.unique(&Path::Key(&config, "categories"), categories.iter().map(Value::as_str));
        let path = Path::Key(at, "series");
        let series = items(fields, "series");
        let name = |one: &'v Value| one.get("name").and_then(Value::as_str);
        self.unique(&path, series.iter().map(name));
        for (index, one) in series.iter().enumerate() {
            let points = items_of(one, "data");
            let label = |point: &'v Value| point.get("label").and_then(Value::as_str);
            let labels: HashSet<_> = points.iter().filter_map(label).collect();
            let fits = points.len() == categories.len() && labels == wanted;
            // Without categories, that is what is wrong.
            if !fits && !categories.is_empty() {
                let path = Path::Index(&path, index);
                let (have, want) = (points.len(), categories.len());
                let text = format!("{}, where each category ({want}) must have exactly one", counted(have, "points"));
                let numbers = (whole(have), whole(want));
                let path = Path::Key(&path, "data");
                self.count(Severity::Error, &path, Rule::PointsPerCategory, &SERIES, text, numbers);
            }
        }
    }

    fn unique(&mut self, at: &Path<'_>, names: impl Iterator<Item = Option<&'v str>>) {
        let mut seen = HashSet::new();
        for (index, name) in names.enumerate() {
            let Some(name) = name else { continue };
            if !seen.insert(name) {
                let text = format!("{} is there twice", quoted(name));
                self.find(Severity::Error, &Path::Index(at, index), Rule::DuplicateName, &SERIES, text);
            }
        }
    }

    /// A sum over many texts.
    pub fn total(&mut self, at: &Path<'_>, value: usize, noun: &str, max: Max, rule: Rule, field: &'static Field) {
        let (severity, limit) = if value > max.largest {
            (Severity::Error, max.largest)
        } else if value > max.agreed {
            (Severity::Warning, max.agreed)
        } else {
            return;
        };
        let text = format!("{value} {noun}, at most {limit}");
        self.count(severity, at, rule, field, text, (whole(value), whole(limit)));
    }
}

/// Characters in a cell, of whatever kind.
fn text_of(value: &Value) -> usize {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| match value {
                Value::String(text) if key == "text" => text.chars().count(),
                Value::Array(_) => text_of(value),
                _ => 0,
            })
            .sum(),
        Value::Array(items) => items.iter().map(text_of).sum(),
        _ => 0,
    }
}

fn items<'v>(fields: &'v Map<String, Value>, key: &str) -> &'v [Value] {
    fields.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn items_of<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

//! The rules of a table's rows: as many cells in each, and not too much text in all.

use serde_json::{Map, Value};

use super::checker::{Checker, to_i64};
use super::entry::{by_some, disputed};
use super::finding::Severity;
use super::phrase::counted;
use super::pointer::Pointer;
use super::rule::Rule;
use super::schema::Max;
use super::source::{MORPHISM, OBSERVED, SLACKBLOCKS, Sources};

/// All cells of a `table`. Not documented; seen by others: <https://github.com/vellum-ai/vellum-assistant/pull/36219>.
const TABLE_TEXT: Max = by_some(10_000);
/// All cells of a `data_table`; older documents name the smaller number.
const DATA_TABLE_TEXT: Max = disputed(10_000, 20_000);

const DATA_TABLE_SOURCES: Sources = &[SLACKBLOCKS, MORPHISM];

impl Checker<'_> {
    /// Checks a `table` block.
    pub fn table(&mut self, at: &Pointer<'_>, fields: &Map<String, Value>) {
        self.totals.tables += 1;
        let rows = rows(fields);
        self.row_lengths(at, rows, &[SLACKBLOCKS]);
        self.cell_text(at, rows, TABLE_TEXT, &[OBSERVED]);
    }

    /// Checks a `data_table` block.
    pub fn data_table(&mut self, at: &Pointer<'_>, fields: &Map<String, Value>) {
        self.totals.tables += 1;
        let rows = rows(fields);
        self.row_lengths(at, rows, DATA_TABLE_SOURCES);
        self.cell_text(at, rows, DATA_TABLE_TEXT, DATA_TABLE_SOURCES);
        let path = Pointer::Key(at, "rows");
        let path = Pointer::Index(&path, 0);
        for (index, cell) in rows.first().and_then(Value::as_array).into_iter().flatten().enumerate() {
            if cell.get("type").and_then(Value::as_str) == Some("rich_text") {
                let text = "rich_text in the header row, which takes only raw_text and raw_number".to_owned();
                let path = Pointer::Index(&path, index);
                self.add(Severity::Error, &path, Rule::HeaderRow, DATA_TABLE_SOURCES, text);
            }
        }
    }

    fn row_lengths(&mut self, at: &Pointer<'_>, rows: &[Value], sources: Sources) {
        let path = Pointer::Key(at, "rows");
        let mut first = None;
        for (index, cells) in rows.iter().enumerate().filter_map(|(index, row)| Some((index, row.as_array()?))) {
            let first = *first.get_or_insert(cells.len());
            if cells.len() != first {
                let text = format!("{}, but the first row has {first}", counted(cells.len(), "cells"));
                let numbers = (to_i64(cells.len()), to_i64(first));
                self.add_numbers(
                    Severity::Error,
                    &Pointer::Index(&path, index),
                    Rule::RaggedRows,
                    sources,
                    text,
                    numbers,
                );
            }
        }
    }

    fn cell_text(&mut self, at: &Pointer<'_>, rows: &[Value], max: Max, sources: Sources) {
        let characters = rows.iter().filter_map(Value::as_array).flatten().map(text_length).sum();
        let path = Pointer::Key(at, "rows");
        self.total(&path, characters, "characters in all cells", max, Rule::TableText, sources);
    }
}

/// The number of characters in a cell of any type.
fn text_length(value: &Value) -> usize {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| match value {
                Value::String(text) if key == "text" => text.chars().count(),
                Value::Array(_) => text_length(value),
                _ => 0,
            })
            .sum(),
        Value::Array(items) => items.iter().map(text_length).sum(),
        _ => 0,
    }
}

fn rows(fields: &Map<String, Value>) -> &[Value] {
    fields.get("rows").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

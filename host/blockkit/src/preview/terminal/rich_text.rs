//! The `rich_text` block.

use serde_json::Value;

use super::line::{Attributes, Line, Piece};
use super::pieces;
use crate::inline;

/// The deepest indentation of a list in Slack.
const INDENT_MAX: usize = 8;

/// Lays out the elements of a `rich_text` block.
pub fn lines(elements: &[Value]) -> Vec<Line> {
    elements.iter().flat_map(element).collect()
}

fn element(element: &Value) -> Vec<Line> {
    let parts = element["elements"].as_array().map(Vec::as_slice).unwrap_or_default();
    match element["type"].as_str().unwrap_or_default() {
        "rich_text_section" => Line::split(inlines(parts, Attributes::PLAIN)),
        "rich_text_preformatted" => {
            let lines = Line::split(inlines(parts, Attributes::PREFORMATTED));
            lines.into_iter().map(|line| line.prefixed("  ", Attributes::PLAIN)).collect()
        }
        "rich_text_quote" => {
            let lines = Line::split(inlines(parts, Attributes::PLAIN));
            lines.into_iter().map(|line| line.prefixed("▌ ", Attributes::DIM)).collect()
        }
        "rich_text_list" => list(element, parts),
        other => vec![Line::new(&format!("[{other}]"), Attributes::DIM)],
    }
}

fn list(list: &Value, items: &[Value]) -> Vec<Line> {
    let depth = list["indent"].as_u64().and_then(|depth| usize::try_from(depth).ok()).unwrap_or(0).min(INDENT_MAX);
    let first = list["offset"].as_u64().unwrap_or(0).saturating_add(1);
    let mut lines = Vec::new();
    for (item, number) in items.iter().zip(first..) {
        let mark = if list["style"] == "ordered" { format!("{number}. ") } else { "• ".to_owned() };
        let indent = "  ".repeat(depth);
        let hang = " ".repeat(mark.chars().count());
        for (index, line) in element(item).into_iter().enumerate() {
            lines.push(
                line.prefixed(if index == 0 { &mark } else { &hang }, Attributes::PLAIN)
                    .prefixed(&indent, Attributes::PLAIN),
            );
        }
    }
    lines
}

fn inlines(parts: &[Value], base: Attributes) -> Vec<Piece> {
    pieces::of(parts.iter().map(inline::from_element).collect(), base)
}

/// Lays out a table's cell on one line.
pub fn one_line(elements: &[Value]) -> Line {
    let mut whole = Line::default();
    for (index, line) in lines(elements).into_iter().enumerate() {
        let column = if index == 0 { 0 } else { whole.columns() + 1 };
        whole.append_at(column, line);
    }
    whole
}

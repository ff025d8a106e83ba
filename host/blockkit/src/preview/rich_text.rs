//! The `rich_text` block.

use serde_json::Value;

use super::line::{Line, Piece, Style};
use super::pieces;
use crate::inline;

/// How deep Slack indents a list.
const INDENT_MAX: usize = 8;

/// The lines of a `rich_text` block's elements.
pub fn lines(elements: &[Value]) -> Vec<Line> {
    elements.iter().flat_map(element).collect()
}

fn element(element: &Value) -> Vec<Line> {
    let parts = element["elements"].as_array().map(Vec::as_slice).unwrap_or_default();
    match element["type"].as_str().unwrap_or_default() {
        "rich_text_section" => Line::broken(inlines(parts, Style::PLAIN)),
        "rich_text_preformatted" => {
            let lines = Line::broken(inlines(parts, Style::PREFORMATTED));
            lines.into_iter().map(|line| line.after("  ", Style::PLAIN)).collect()
        }
        "rich_text_quote" => {
            let lines = Line::broken(inlines(parts, Style::PLAIN));
            lines.into_iter().map(|line| line.after("▌ ", Style::DIM)).collect()
        }
        "rich_text_list" => list(element, parts),
        other => vec![Line::new(&format!("[{other}]"), Style::DIM)],
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
            lines.push(line.after(if index == 0 { &mark } else { &hang }, Style::PLAIN).after(&indent, Style::PLAIN));
        }
    }
    lines
}

fn inlines(parts: &[Value], base: Style) -> Vec<Piece> {
    pieces::of(parts.iter().map(inline::from_element).collect(), base)
}

/// The text of a table's cell, or of anything else that holds rich text, on one line.
pub fn one_line(elements: &[Value]) -> Line {
    let mut whole = Line::default();
    for (index, line) in lines(elements).into_iter().enumerate() {
        let column = if index == 0 { 0 } else { whole.columns() + 1 };
        whole.join(column, line);
    }
    whole
}

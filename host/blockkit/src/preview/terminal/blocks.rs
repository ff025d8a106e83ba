//! The layout of blocks in lines.

use serde_json::Value;

use super::line::{Attributes, Line, Piece};
use super::{charts, pieces, rich_text};

/// The space between the columns of fields and tables.
const GAP: usize = 3;
const DIVIDER: &str = "────────────────────────";

/// Lays out `blocks`, or `text` if there are none, as Slack does.
pub fn message(owner: &Value) -> Vec<Line> {
    let blocks = array(&owner["blocks"]);
    if blocks.is_empty() {
        return owner["text"].as_str().map(|text| markup(text, Attributes::PLAIN)).unwrap_or_default();
    }
    blocks.iter().flat_map(block).collect()
}

/// Lays out an attachment, with blocks or in the older format.
pub fn attachment(attachment: &Value) -> Vec<Line> {
    let mut lines = Vec::new();
    for (key, attributes) in [("pretext", Attributes::PLAIN), ("title", Attributes::BOLD)] {
        if let Some(text) = attachment[key].as_str() {
            lines.extend(markup(text, attributes));
        }
    }
    lines.extend(message(attachment));
    for field in array(&attachment["fields"]) {
        let text = |key: &str| field[key].as_str().unwrap_or_default();
        lines.extend(markup(text("title"), Attributes::BOLD));
        lines.extend(markup(text("value"), Attributes::PLAIN));
    }
    if lines.is_empty() {
        lines.extend(attachment["fallback"].as_str().map(|text| markup(text, Attributes::PLAIN)).unwrap_or_default());
    }
    lines
}

fn block(block: &Value) -> Vec<Line> {
    match block["type"].as_str().unwrap_or_default() {
        "header" => text_object(&block["text"], Attributes::BOLD),
        "section" => section(block),
        "context" => context(array(&block["elements"])),
        "divider" => vec![Line::new(DIVIDER, Attributes::DIM)],
        "image" => image(block),
        "actions" => {
            let mut line = Line::default();
            for element in array(&block["elements"]) {
                let column = if line.pieces().is_empty() { 0 } else { line.columns() + 2 };
                line.append_at(column, self::element(element));
            }
            vec![line]
        }
        "rich_text" => rich_text::lines(array(&block["elements"])),
        "table" => table(array(&block["rows"])),
        "data_table" => {
            let caption = Line::new(block["caption"].as_str().unwrap_or_default(), Attributes::BOLD);
            [caption].into_iter().chain(table(array(&block["rows"]))).collect()
        }
        "data_visualization" => charts::chart(block),
        "markdown" => Line::split(vec![Piece::new(block["text"].as_str().unwrap_or_default(), Attributes::PLAIN)]),
        "" => vec![Line::new("[a block without a type]", Attributes::DIM)],
        other => vec![Line::new(&format!("[{other} block, not drawn here]"), Attributes::DIM)],
    }
}

fn section(block: &Value) -> Vec<Line> {
    let mut lines = if block["text"].is_object() { text_object(&block["text"], Attributes::PLAIN) } else { Vec::new() };
    for pair in array(&block["fields"]).chunks(2) {
        let mut sides = pair.iter().map(|field| text_object(field, Attributes::PLAIN));
        let left = sides.next().unwrap_or_default();
        lines.extend(side_by_side(left, sides.next().unwrap_or_default()));
    }
    if block["accessory"].is_object() {
        lines.push(element(&block["accessory"]));
    }
    lines
}

fn side_by_side(mut left: Vec<Line>, right: Vec<Line>) -> Vec<Line> {
    let column = left.iter().map(Line::columns).max().unwrap_or(0) + GAP;
    left.resize(left.len().max(right.len()), Line::default());
    for (line, other) in left.iter_mut().zip(right) {
        line.append_at(column, other);
    }
    left
}

fn context(elements: &[Value]) -> Vec<Line> {
    let mut pieces = Vec::new();
    for (index, element) in elements.iter().enumerate() {
        if index > 0 {
            pieces.push(Piece::new("  ", Attributes::DIM));
        }
        if element["type"] == "image" {
            pieces.extend(self::element(element).pieces().iter().cloned());
        } else {
            pieces.extend(text_pieces(element, Attributes::DIM));
        }
    }
    Line::split(pieces)
}

fn image(block: &Value) -> Vec<Line> {
    let title = &block["title"];
    let mut lines = if title.is_object() { text_object(title, Attributes::BOLD) } else { Vec::new() };
    lines.push(element(block));
    lines
}

/// An interactive element or a picture.
fn element(element: &Value) -> Line {
    let label = element.pointer("/text/text").and_then(Value::as_str).or_else(|| element["alt_text"].as_str());
    let url = element["url"].as_str().or_else(|| element["image_url"].as_str());
    let to = url.map(|url| format!("({url})")).unwrap_or_default();
    match (element["type"].as_str().unwrap_or_default(), label) {
        ("image", label) => Line::new(&format!("[image: {}]{to}", label.unwrap_or_default()), Attributes::DIM),
        ("button", Some(label)) => Line::new(&format!("[{label}]{to}"), Attributes::PLAIN),
        (other, _) => Line::new(&format!("[{other}]"), Attributes::DIM),
    }
}

fn table(rows: &[Value]) -> Vec<Line> {
    let cell = |(row, cell): (usize, &Value)| match cell["type"].as_str() {
        Some("rich_text") => rich_text::one_line(array(&cell["elements"])),
        _ => {
            let text = cell["text"].as_str().map_or_else(|| cell["value"].to_string(), str::to_owned);
            Line::new(&text, if row == 0 { Attributes::BOLD } else { Attributes::PLAIN })
        }
    };
    let rows: Vec<Vec<Line>> = rows
        .iter()
        .enumerate()
        .map(|(index, row)| array(row).iter().map(|value| cell((index, value))).collect())
        .collect();
    let mut widths: Vec<usize> = Vec::new();
    for row in &rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.columns());
        }
    }
    let line = |row: Vec<Line>| {
        let mut line = Line::default();
        let mut column = 0;
        for (cell, width) in row.into_iter().zip(&widths) {
            line.append_at(column, cell);
            column += width + GAP;
        }
        line
    };
    rows.into_iter().map(line).collect()
}

fn text_object(object: &Value, attributes: Attributes) -> Vec<Line> {
    Line::split(text_pieces(object, attributes))
}

fn text_pieces(object: &Value, attributes: Attributes) -> Vec<Piece> {
    let text = object["text"].as_str().unwrap_or_default();
    match object["type"].as_str() {
        Some("mrkdwn") => pieces::of_mrkdwn(text, attributes),
        // Slack's default is true.
        Some("plain_text") if object["emoji"] == false => vec![Piece::new(text, attributes)],
        _ => pieces::of_plain_with_emoji(text, attributes),
    }
}

fn markup(text: &str, attributes: Attributes) -> Vec<Line> {
    Line::split(pieces::of_mrkdwn(text, attributes))
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

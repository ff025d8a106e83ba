//! A body's blocks, laid out in lines.

use serde_json::Value;

use super::line::{Line, Piece, Style};
use super::{pieces, rich_text};

/// How far apart the columns of fields and tables stand.
const GAP: usize = 3;
const DIVIDER: &str = "────────────────────────";

/// What Slack shows of `text` and `blocks`: the text only where there are no blocks.
pub fn message(owner: &Value) -> Vec<Line> {
    let blocks = array(&owner["blocks"]);
    if blocks.is_empty() {
        return owner["text"].as_str().map(|text| markup(text, Style::PLAIN)).unwrap_or_default();
    }
    blocks.iter().flat_map(block).collect()
}

/// What Slack shows of an attachment, the old form without blocks included.
pub fn attachment(attachment: &Value) -> Vec<Line> {
    let mut lines = Vec::new();
    for (key, style) in [("pretext", Style::PLAIN), ("title", Style::BOLD)] {
        if let Some(text) = attachment[key].as_str() {
            lines.extend(markup(text, style));
        }
    }
    lines.extend(message(attachment));
    for field in array(&attachment["fields"]) {
        let text = |key: &str| field[key].as_str().unwrap_or_default();
        lines.extend(markup(text("title"), Style::BOLD));
        lines.extend(markup(text("value"), Style::PLAIN));
    }
    if lines.is_empty() {
        lines.extend(attachment["fallback"].as_str().map(|text| markup(text, Style::PLAIN)).unwrap_or_default());
    }
    lines
}

fn block(block: &Value) -> Vec<Line> {
    match block["type"].as_str().unwrap_or_default() {
        "header" => text_object(&block["text"], Style::BOLD),
        "section" => section(block),
        "context" => context(array(&block["elements"])),
        "divider" => vec![Line::new(DIVIDER, Style::DIM)],
        "image" => image(block),
        "actions" => {
            let mut line = Line::default();
            for element in array(&block["elements"]) {
                let column = if line.pieces().is_empty() { 0 } else { line.columns() + 2 };
                line.join(column, self::element(element));
            }
            vec![line]
        }
        "rich_text" => rich_text::lines(array(&block["elements"])),
        "table" => table(array(&block["rows"])),
        "markdown" => Line::broken(vec![Piece::new(block["text"].as_str().unwrap_or_default(), Style::PLAIN)]),
        "" => vec![Line::new("[a block without a type]", Style::DIM)],
        other => vec![Line::new(&format!("[{other} block, not drawn here]"), Style::DIM)],
    }
}

fn section(block: &Value) -> Vec<Line> {
    let mut lines = if block["text"].is_object() { text_object(&block["text"], Style::PLAIN) } else { Vec::new() };
    for pair in array(&block["fields"]).chunks(2) {
        let mut sides = pair.iter().map(|field| text_object(field, Style::PLAIN));
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
        line.join(column, other);
    }
    left
}

fn context(elements: &[Value]) -> Vec<Line> {
    let mut pieces = Vec::new();
    for (index, element) in elements.iter().enumerate() {
        if index > 0 {
            pieces.push(Piece::new("  ", Style::DIM));
        }
        if element["type"] == "image" {
            pieces.extend(self::element(element).pieces().iter().cloned());
        } else {
            pieces.extend(text_pieces(element, Style::DIM));
        }
    }
    Line::broken(pieces)
}

fn image(block: &Value) -> Vec<Line> {
    let title = &block["title"];
    let mut lines = if title.is_object() { text_object(title, Style::BOLD) } else { Vec::new() };
    lines.push(element(block));
    lines
}

/// An interactive element, or a picture.
fn element(element: &Value) -> Line {
    let label = element.pointer("/text/text").and_then(Value::as_str).or_else(|| element["alt_text"].as_str());
    let url = element["url"].as_str().or_else(|| element["image_url"].as_str());
    let to = url.map(|url| format!("({url})")).unwrap_or_default();
    match (element["type"].as_str().unwrap_or_default(), label) {
        ("image", label) => Line::new(&format!("[image: {}]{to}", label.unwrap_or_default()), Style::DIM),
        ("button", Some(label)) => Line::new(&format!("[{label}]{to}"), Style::PLAIN),
        (other, _) => Line::new(&format!("[{other}]"), Style::DIM),
    }
}

fn table(rows: &[Value]) -> Vec<Line> {
    let cell = |(row, cell): (usize, &Value)| match cell["type"].as_str() {
        Some("rich_text") => rich_text::one_line(array(&cell["elements"])),
        _ => {
            let text = cell["text"].as_str().map_or_else(|| cell["value"].to_string(), str::to_owned);
            Line::new(&text, if row == 0 { Style::BOLD } else { Style::PLAIN })
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
            line.join(column, cell);
            column += width + GAP;
        }
        line
    };
    rows.into_iter().map(line).collect()
}

fn text_object(object: &Value, style: Style) -> Vec<Line> {
    Line::broken(text_pieces(object, style))
}

fn text_pieces(object: &Value, style: Style) -> Vec<Piece> {
    let text = object["text"].as_str().unwrap_or_default();
    match object["type"].as_str() {
        Some("mrkdwn") => pieces::of_mrkdwn(text, style),
        // Slack's default is true.
        Some("plain_text") if object["emoji"] == false => vec![Piece::new(text, style)],
        _ => pieces::of_plain_with_emoji(text, style),
    }
}

fn markup(text: &str, style: Style) -> Vec<Line> {
    Line::broken(pieces::of_mrkdwn(text, style))
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

//! A body in a terminal, with ANSI colours or without.
//!
//! `blocks` lays a message out in lines of pieces; this file prints them.

mod blocks;
mod charts;
mod line;
mod pieces;
mod rich_text;
#[cfg(test)]
mod tests;
use serde_json::Value;

use line::{Attributes, Line};

const RESET: &str = "\u{1b}[0m";

/// Draws the body of a webhook request for a terminal. The result ends with a line feed unless it is empty.
///
/// Its only control characters are line feeds and, with `colors`, its own SGR sequences.
#[must_use]
pub fn to_terminal(body: &Value, colors: bool) -> String {
    let mut shown = String::new();
    for line in blocks::message(body) {
        print(&mut shown, &line, colors);
    }
    for attachment in body["attachments"].as_array().into_iter().flatten() {
        let bar = attachment["color"].as_str().and_then(bar_color).filter(|_| colors);
        for line in blocks::attachment(attachment) {
            match &bar {
                Some(sgr) => shown.push_str(&format!("\u{1b}[{sgr}m│{RESET} ")),
                None => shown.push_str("│ "),
            }
            print(&mut shown, &line, colors);
        }
    }
    shown
}

fn print(shown: &mut String, line: &Line, colors: bool) {
    let start = shown.len();
    for piece in line.pieces() {
        let sgr = sgr(piece.attributes);
        if colors && !sgr.is_empty() {
            shown.push_str(&format!("\u{1b}[{sgr}m{}{RESET}", piece.text()));
        } else if piece.attributes.code {
            // The only markup that is kept: a reader must see where code ends.
            shown.push_str(&format!("`{}`", piece.text()));
        } else {
            shown.push_str(piece.text());
        }
    }
    let trimmed = shown.get(start..).unwrap_or_default().trim_end_matches(' ').len();
    shown.truncate(start + trimmed);
    shown.push('\n');
}

/// Returns the parameters of the SGR sequence that sets these attributes.
fn sgr(attributes: Attributes) -> String {
    [
        (attributes.bold, "1"),
        (attributes.dim, "2"),
        (attributes.italic, "3"),
        (attributes.underline, "4"),
        (attributes.strike, "9"),
        (attributes.code || attributes.preformatted, "36"),
    ]
    .iter()
    .filter_map(|(on, code)| on.then_some(*code))
    .collect::<Vec<_>>()
    .join(";")
}

/// Returns the SGR parameters of `good`, `warning`, `danger` or `#rrggbb`.
fn bar_color(name: &str) -> Option<String> {
    match name {
        "good" => return Some("32".to_owned()),
        "warning" => return Some("33".to_owned()),
        "danger" => return Some("31".to_owned()),
        _ => {}
    }
    let hex = name.strip_prefix('#').unwrap_or(name);
    let rgb = u32::from_str_radix(hex, 16).ok().filter(|_| hex.len() == 6)?;
    let [_, red, green, blue] = rgb.to_be_bytes();
    Some(format!("38;2;{red};{green};{blue}"))
}

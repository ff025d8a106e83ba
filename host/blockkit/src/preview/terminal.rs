//! A body for a terminal, with ANSI colours or without.

use serde_json::Value;

use super::blocks;
use super::line::{Line, Style};

const RESET: &str = "\u{1b}[0m";

/// An incoming webhook's body as a person would see it in Slack; ends with a line feed unless it is empty.
///
/// The only control characters in it are line feeds and, with `colors`, our own SGR sequences.
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
        let sgr = sgr(piece.style);
        if colors && !sgr.is_empty() {
            shown.push_str(&format!("\u{1b}[{sgr}m{}{RESET}", piece.text()));
        } else if piece.style.code {
            // The one marker that is kept: where code ends matters.
            shown.push_str(&format!("`{}`", piece.text()));
        } else {
            shown.push_str(piece.text());
        }
    }
    let trimmed = shown.get(start..).unwrap_or_default().trim_end_matches(' ').len();
    shown.truncate(start + trimmed);
    shown.push('\n');
}

/// The parameters of the SGR sequence that begins a style.
fn sgr(style: Style) -> String {
    [
        (style.bold, "1"),
        (style.dim, "2"),
        (style.italic, "3"),
        (style.underline, "4"),
        (style.strike, "9"),
        (style.code || style.preformatted, "36"),
    ]
    .iter()
    .filter_map(|(on, code)| on.then_some(*code))
    .collect::<Vec<_>>()
    .join(";")
}

/// `good`, `warning`, `danger`, or `#rrggbb`.
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

#[cfg(test)]
#[path = "terminal_tests.rs"]
mod tests;

//! `banhook queue list`: a line for each message.

use std::io::{self, Write as _};

use banhook::message::one_line;
use banhook::store::{Letter, LetterState};

use super::open;
use crate::cli::Outcome;
use crate::cli::arguments::{Format, ListOptions};
use crate::cli::failure::say;
use crate::cli::moment::to_the_second;
use crate::cli::place::Place;
use crate::cli::status::counted;

/// The columns; numbers stand at the right, and the last one is as long as it is.
const COLUMNS: [(&str, Side); 8] = [
    ("number", Side::Right),
    ("route", Side::Left),
    ("webhook", Side::Left),
    ("state", Side::Left),
    ("events", Side::Right),
    ("since (UTC)", Side::Left),
    ("attempts", Side::Right),
    ("last error", Side::Left),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// Lists them, oldest first.
pub fn list(place: &Place, options: &ListOptions) -> Outcome {
    let (pending, dead) = match (options.pending, options.dead) {
        (false, false) => (true, true),
        chosen => chosen,
    };
    let limit = usize::try_from(options.limit).unwrap_or(usize::MAX);
    let mut letters = match open(place)? {
        Some((_, store)) => store.letters(pending, dead, limit.saturating_add(1))?,
        None => Vec::new(),
    };
    let more = letters.len() > limit;
    letters.truncate(limit);
    let mut out = io::stdout().lock();
    match options.format {
        Format::Json => writeln!(out, "{}", serde_json::to_string(&letters).map_err(anyhow::Error::from)?)?,
        Format::Text if letters.is_empty() => writeln!(out, "{}", nothing(pending, dead))?,
        Format::Text => write!(out, "{}", table(&letters))?,
    }
    if more {
        say(&format!(
            "there are more than the first {}; --limit says how many to list",
            counted(letters.len() as u64, "message")
        ));
    }
    Ok(true)
}

const fn nothing(pending: bool, dead: bool) -> &'static str {
    match (pending, dead) {
        (true, false) => "No message is pending.",
        (false, true) => "No message is dead.",
        _ => "No message is pending or dead.",
    }
}

fn table(letters: &[Letter]) -> String {
    let rows: Vec<_> = letters.iter().map(row).collect();
    let heads = COLUMNS.map(|(head, _)| head.to_owned());
    let mut widths = heads.clone().map(|head| head.chars().count());
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in std::iter::once(&heads).chain(&rows) {
        let mut line = String::new();
        for ((cell, width), (_, side)) in row.iter().zip(widths).zip(COLUMNS) {
            line.push_str(&match side {
                Side::Left => format!("{cell:width$}  "),
                Side::Right => format!("{cell:>width$}  "),
            });
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn row(letter: &Letter) -> [String; 8] {
    [
        letter.id.to_string(),
        one_line(&letter.route),
        one_line(&letter.webhook),
        state(letter),
        letter.events.to_string(),
        to_the_second(letter.made_at),
        letter.attempts.to_string(),
        one_line(letter.error.as_deref().unwrap_or_default()),
    ]
}

/// Where it is, as people read it.
pub fn state(letter: &Letter) -> String {
    match (letter.state, letter.closes_at) {
        (LetterState::Open, Some(at)) => format!("open until {}", to_the_second(at)),
        (LetterState::Open, None) => "open".to_owned(),
        (LetterState::Ready, _) => "ready".to_owned(),
        (LetterState::Dead, _) => "dead".to_owned(),
        (LetterState::Dropped, _) => "dropped".to_owned(),
        (LetterState::Sent, _) => "sent".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use banhook::event::Timestamp;

    use super::*;

    #[test]
    fn columns_are_aligned_and_foreign_text_is_one_line() {
        let letter = Letter {
            id: 7,
            route: "all".into(),
            webhook: "main".into(),
            state: LetterState::Dead,
            events: 1,
            made_at: Timestamp(1_763_809_015_601),
            cause: None,
            closes_at: None,
            attempts: 12,
            attempted_at: None,
            error: Some("400 in\nvalid\u{1b}[31m".into()),
        };
        let open = Letter {
            id: 1234,
            state: LetterState::Open,
            events: 10_000,
            closes_at: Some(Timestamp(1_763_809_045_601)),
            error: None,
            ..letter.clone()
        };
        assert_eq!(
            table(&[letter, open]),
            "\
number  route  webhook  state                           events  since (UTC)          attempts  last error
     7  all    main     dead                                 1  2025-11-22 10:56:55        12  400 in valid\\u{1b}[31m
  1234  all    main     open until 2025-11-22 10:57:25   10000  2025-11-22 10:56:55        12
"
        );
    }
}

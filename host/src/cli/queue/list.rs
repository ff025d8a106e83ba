//! `banhook queue list`: a line for each message.

use std::io::{self, Write as _};

use crate::message::one_line;
use crate::store::{MessageInfo, MessageState};

use super::open;
use crate::cli::Outcome;
use crate::cli::arguments::{Format, ListOptions};
use crate::cli::command_error::say;
use crate::cli::global_options::GlobalOptions;
use crate::cli::status::counted;
use crate::cli::time_format::to_the_second;

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
pub fn list(global: &GlobalOptions, options: &ListOptions) -> Outcome {
    let (pending, dead) = match (options.pending, options.dead) {
        (false, false) => (true, true),
        chosen => chosen,
    };
    let limit = usize::try_from(options.limit).unwrap_or(usize::MAX);
    let mut messages = match open(global)? {
        Some((_, store)) => store.list_messages(pending, dead, limit.saturating_add(1))?,
        None => Vec::new(),
    };
    let more = messages.len() > limit;
    messages.truncate(limit);
    let mut out = io::stdout().lock();
    match options.format {
        Format::Json => writeln!(out, "{}", serde_json::to_string(&messages).map_err(anyhow::Error::from)?)?,
        Format::Text if messages.is_empty() => writeln!(out, "{}", nothing(pending, dead))?,
        Format::Text => write!(out, "{}", table(&messages))?,
    }
    if more {
        say(&format!(
            "there are more than the first {}; --limit says how many to list",
            counted(messages.len() as u64, "message")
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

fn table(messages: &[MessageInfo]) -> String {
    let rows: Vec<_> = messages.iter().map(row).collect();
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

fn row(message: &MessageInfo) -> [String; 8] {
    [
        message.id.to_string(),
        one_line(&message.route),
        one_line(&message.webhook),
        state(message),
        message.events.to_string(),
        to_the_second(message.age_starts_at),
        message.attempts.to_string(),
        one_line(message.error.as_deref().unwrap_or_default()),
    ]
}

/// Where it is, as people read it.
pub fn state(message: &MessageInfo) -> String {
    match (message.state, message.closes_at) {
        (MessageState::Open, Some(at)) => format!("open until {}", to_the_second(at)),
        (MessageState::Open, None) => "open".to_owned(),
        (MessageState::Ready, _) => "ready".to_owned(),
        (MessageState::Dead, _) => {
            message.dead_reason.map_or_else(|| "dead".to_owned(), |reason| format!("dead ({})", reason.as_str()))
        }
        (MessageState::Dropped, _) => "dropped".to_owned(),
        (MessageState::Sent, _) => "sent".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::event::Timestamp;
    use crate::store::DeadReason;

    use super::*;

    #[test]
    fn columns_are_aligned_and_foreign_text_is_one_line() {
        let message = MessageInfo {
            id: 7,
            route: "all".into(),
            webhook: "main".into(),
            state: MessageState::Dead,
            events: 1,
            age_starts_at: Timestamp(1_763_809_015_601),
            cause: None,
            closes_at: None,
            attempts: 12,
            last_attempt_at: None,
            dead_reason: Some(DeadReason::Rejected),
            error: Some("400 in\nvalid\u{1b}[31m".into()),
        };
        let open = MessageInfo {
            id: 1234,
            state: MessageState::Open,
            events: 10_000,
            closes_at: Some(Timestamp(1_763_809_045_601)),
            dead_reason: None,
            error: None,
            ..message.clone()
        };
        assert_eq!(
            table(&[message, open]),
            "\
number  route  webhook  state                           events  since (UTC)          attempts  last error
     7  all    main     dead (rejected)                      1  2025-11-22 10:56:55        12  400 in valid\\u{1b}[31m
  1234  all    main     open until 2025-11-22 10:57:25   10000  2025-11-22 10:56:55        12
"
        );
    }
}

//! `banhook queue list`: a line for each message.

use std::io::{self, Write as _};

use crate::message::one_line;
use crate::phrase::{counted, without_error_numbers};
use crate::store::MessageInfo;
use clap::Args;

use super::selection::message_state;
use crate::cli::command_error::{Outcome, print_stderr};
use crate::cli::global_options::GlobalOptions;
use crate::cli::global_options::OutputFormat;
use crate::cli::time_format::to_the_second;

/// List the messages that are pending (open or ready) or dead, oldest first
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only pending messages
    #[arg(long)]
    pending: bool,
    /// Only dead messages
    #[arg(long)]
    dead: bool,
    /// List at most this many
    #[arg(long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Output format; json is an array of objects
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    format: OutputFormat,
}

/// The columns; numbers are right-aligned.
const COLUMNS: [(&str, Side); 8] = [
    ("id", Side::Right),
    ("route", Side::Left),
    ("webhook", Side::Left),
    ("state", Side::Left),
    ("events", Side::Right),
    ("since", Side::Left),
    ("attempts", Side::Right),
    ("last error", Side::Left),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// Lists messages.
pub(super) fn list(global: &GlobalOptions, arguments: &ListArgs) -> Outcome {
    let (pending, dead) = match (arguments.pending, arguments.dead) {
        (false, false) => (true, true),
        chosen => chosen,
    };
    let limit = usize::try_from(arguments.limit).unwrap_or(usize::MAX);
    let mut messages = match global.existing_store()? {
        Some((_, store)) => store.list_messages(pending, dead, limit.saturating_add(1))?,
        None => Vec::new(),
    };
    let more = messages.len() > limit;
    messages.truncate(limit);
    let mut out = io::stdout().lock();
    match arguments.format {
        OutputFormat::Json => writeln!(out, "{}", serde_json::to_string(&messages).map_err(anyhow::Error::from)?)?,
        OutputFormat::Text if messages.is_empty() => writeln!(out, "{}", nothing(pending, dead))?,
        OutputFormat::Text => write!(out, "{}", table(&messages))?,
    }
    if more {
        let listed = counted(messages.len() as u64, "message");
        print_stderr(&format!("only the first {listed} are listed; use --limit to list more"));
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
        message_state(message),
        message.events.to_string(),
        to_the_second(message.age_starts_at),
        message.attempts.to_string(),
        one_line(&without_error_numbers(message.error.as_deref().unwrap_or_default())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Timestamp;
    use crate::store::{DeadReason, MessageState};

    #[test]
    fn table_aligns_columns_and_keeps_hostile_text_on_one_line() {
        let message = MessageInfo {
            id: 7,
            route: "all".into(),
            webhook: "main".into(),
            state: MessageState::Dead,
            dead_reason: Some(DeadReason::Rejected),
            events: 1,
            age_starts_at: Timestamp(1_763_809_015_601),
            cause: None,
            closes_at: None,
            attempts: 12,
            last_attempt_at: None,
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
            [
                "  id  route  webhook  state                               events  since                    attempts  last error",
                "   7  all    main     dead (rejected)                          1  2025-11-22 10:56:55 UTC        12  400 in valid\\u{1b}[31m",
                "1234  all    main     open until 2025-11-22 10:57:25 UTC   10000  2025-11-22 10:56:55 UTC        12",
                "",
            ]
            .join("\n")
        );
    }
}

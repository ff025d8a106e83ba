//! `banhook queue show`: one message, with its state, a preview and its events.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};

use crate::event::{Event, Timestamp};
use crate::message::{one_line, summary};
use crate::phrase::without_error_numbers;
use crate::store::{MessageInfo, MessageState};
use anyhow::anyhow;
use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::selection::message_state;
use super::selection::{message_id, no_such_message};
use crate::cli::command_error::{CommandError, Outcome};
use crate::cli::global_options::GlobalOptions;
use crate::cli::global_options::OutputFormat;
use crate::cli::preview::draw;
use crate::cli::time_format::{ago, to_the_second, with_age};

/// Events that are shown; `export` gives all of them.
const EVENTS: usize = 20;

/// Show one message: its state, a preview and its events
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Message id, as `queue list` shows it
    #[arg(value_name = "ID", value_parser = message_id())]
    message: i64,
    /// Output format; json is {"message": …, "body": …, "events": […]}, with the first 20 events
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    format: OutputFormat,
}

/// A message with its body and events; this is its JSON.
#[derive(Serialize)]
struct MessageReport {
    message: MessageInfo,
    /// As it is sent; `None` if it is not formatted yet, or not kept any more.
    body: Option<Value>,
    /// The first [`EVENTS`] of them.
    events: Vec<Event>,
}

/// Shows a message.
pub(super) fn show(global: &GlobalOptions, arguments: &ShowArgs) -> Outcome {
    let id = arguments.message;
    let unknown = || CommandError::Other(anyhow!(no_such_message(id)));
    let (_, store) = global.existing_store()?.ok_or_else(unknown)?;
    let (message, body) = store.message(id)?.ok_or_else(unknown)?;
    let events = store.message_events(id, EVENTS)?.into_iter().filter_map(|event| event.event.ok()).collect();
    let body = body.map(|body| serde_json::from_str(&body)).transpose().map_err(anyhow::Error::from)?;
    let shown = MessageReport { message, body, events };
    let mut out = io::stdout();
    let colors = out.is_terminal();
    match arguments.format {
        OutputFormat::Json => writeln!(out, "{}", serde_json::to_string(&shown).map_err(anyhow::Error::from)?)?,
        OutputFormat::Text => write!(out, "{}", text(&shown, colors, Timestamp::now()))?,
    }
    Ok(true)
}

fn text(MessageReport { message, body, events }: &MessageReport, colors: bool, now: Timestamp) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:10}  {}", one_line(value));
    };
    line("message", &message.id.to_string());
    line("state", &message_state(message));
    line("route", &message.route);
    line("webhook", &message.webhook);
    let cause = message.cause.as_ref().map(|cause| format!(", in a digest ({cause})")).unwrap_or_default();
    line("events", &format!("{}{cause}", message.events));
    line("since", &with_age(message.age_starts_at, now));
    let last = message.last_attempt_at.map(|at| format!(", the last {}", with_age(at, now))).unwrap_or_default();
    line("attempts", &format!("{}{last}", message.attempts));
    if let Some(error) = &message.error {
        line("last error", &without_error_numbers(error));
    }
    let _ = write!(text, "\n── preview ──\n{}", preview(message, body.as_ref(), colors, now));
    text.push_str("\n── events ──\n");
    for event in events {
        let _ = writeln!(text, "{}  {}", to_the_second(event.at), one_line(&summary(event)));
    }
    let more = (message.events as usize).saturating_sub(events.len());
    if more > 0 {
        let _ = writeln!(text, "… and {more} more: `banhook queue export {}`", message.id);
    }
    text
}

/// Draws the message, or says why there is none.
fn preview(message: &MessageInfo, body: Option<&Value>, colors: bool, now: Timestamp) -> String {
    let Some(body) = body else {
        return match (message.state, message.closes_at) {
            (MessageState::Open, Some(at)) => format!("(formatted when the digest closes, {})\n", ago(at, now)),
            _ => "(its text is not kept any more)\n".to_owned(),
        };
    };
    draw(body, colors)
}

#[cfg(test)]
mod tests {
    use crate::event::EventDetails;
    use crate::store::DeadReason;
    use serde_json::json;

    use super::*;

    fn message(body: Option<Value>, state: MessageState) -> MessageReport {
        let event = Event {
            id: String::new(),
            at: Timestamp(1_763_809_015_601),
            host: String::new(),
            jail: "ss\u{202e}hd".to_owned(),
            details: EventDetails::Start,
            labels: std::collections::BTreeMap::new(),
        };
        let message = MessageInfo {
            id: 7,
            route: "all".into(),
            webhook: "main".into(),
            state,
            dead_reason: (state == MessageState::Dead).then_some(DeadReason::Rejected),
            events: 3,
            age_starts_at: Timestamp(1_763_809_015_601),
            cause: Some("storm".into()),
            closes_at: (state == MessageState::Open).then_some(Timestamp(1_763_809_045_601)),
            attempts: 1,
            last_attempt_at: Some(Timestamp(1_763_809_015_601)),
            error: Some("400 invalid_blocks".into()),
        };
        MessageReport { message, body, events: vec![event] }
    }

    fn report(body: Option<Value>, state: MessageState) -> String {
        text(&message(body, state), false, Timestamp(1_763_809_025_601))
    }

    #[test]
    fn text_shows_message_preview_and_events() {
        let body = json!({"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "*three* starts"}}]});
        assert_eq!(
            report(Some(body), MessageState::Dead),
            "\
message     7
state       dead (rejected)
route       all
webhook     main
events      3, in a digest (storm)
since       2025-11-22 10:56:55 UTC (10 s ago)
attempts    1, the last 2025-11-22 10:56:55 UTC (10 s ago)
last error  400 invalid_blocks

── preview ──
three starts

── events ──
2025-11-22 10:56:55 UTC  Jail ss\\u{202e}hd started
… and 2 more: `banhook queue export 7`
"
        );
    }

    #[test]
    fn text_without_blocks_shows_json_or_why_there_is_none() {
        let other = json!({"text": "a \u{9b}31m b", "attachments": [{"text": "c"}]});
        let seen = report(Some(other), MessageState::Ready);
        assert!(seen.contains("  \"text\": \"a \\u{9b}31m b\""), "{seen}");
        assert!(report(None, MessageState::Open).contains("formatted when the digest closes, in 20 s"));
        assert!(report(None, MessageState::Sent).contains("not kept any more"));
    }
}

//! `banhook queue show`: one message with all that is known of it, as it will look.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};

use crate::event::{Event, Timestamp};
use crate::message::{clean, one_line, summary, to_terminal};
use crate::store::{MessageInfo, MessageState};
use anyhow::anyhow;
use serde::Serialize;
use serde_json::Value;

use super::list::state;
use super::{open, unknown};
use crate::cli::Outcome;
use crate::cli::arguments::Format;
use crate::cli::command_error::CommandError;
use crate::cli::global_options::GlobalOptions;
use crate::cli::time_format::{ago, to_the_second, with_age};

/// Events that are shown; `export` gives all of them.
const EVENTS: usize = 20;

/// What is shown; this is its JSON.
#[derive(Serialize)]
struct MessageReport {
    message: MessageInfo,
    /// As the webhook gets it; none: it is not formatted yet, or not kept any more.
    body: Option<Value>,
    /// The first of them.
    events: Vec<Event>,
}

/// Shows it.
pub fn show(global: &GlobalOptions, id: i64, format: Format) -> Outcome {
    let Some((_, store)) = open(global)? else { return Err(CommandError::Other(anyhow!(unknown(id)))) };
    let Some((message, body)) = store.message(id)? else { return Err(CommandError::Other(anyhow!(unknown(id)))) };
    let events = store.message_events(id, EVENTS)?.into_iter().filter_map(|event| event.event.ok()).collect();
    let body = body.map(|body| serde_json::from_str(&body)).transpose().map_err(anyhow::Error::from)?;
    let shown = MessageReport { message, body, events };
    let mut out = io::stdout();
    let colors = out.is_terminal();
    match format {
        Format::Json => writeln!(out, "{}", serde_json::to_string(&shown).map_err(anyhow::Error::from)?)?,
        Format::Text => write!(out, "{}", text(&shown, colors, Timestamp::now()))?,
    }
    Ok(true)
}

fn text(MessageReport { message, body, events }: &MessageReport, colors: bool, now: Timestamp) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:10}  {}", one_line(value));
    };
    line("message", &message.id.to_string());
    line("state", &state(message));
    line("route", &message.route);
    line("webhook", &message.webhook);
    let cause = message.cause.as_ref().map(|cause| format!(", told together ({cause})")).unwrap_or_default();
    line("events", &format!("{}{cause}", message.events));
    line("since", &with_age(message.age_starts_at, now));
    let last = message.last_attempt_at.map(|at| format!(", the last {}", with_age(at, now))).unwrap_or_default();
    line("attempts", &format!("{}{last}", message.attempts));
    if let Some(error) = &message.error {
        line("last error", error);
    }
    let _ = write!(text, "\n── as it looks ──\n{}", drawn(message, body.as_ref(), colors, now));
    text.push_str("\n── its events ──\n");
    for event in events {
        let _ = writeln!(text, "{}  {}", to_the_second(event.at), one_line(&summary(event)));
    }
    let more = (message.events as usize).saturating_sub(events.len());
    if more > 0 {
        let _ = writeln!(text, "… and {more} more: `banhook queue export {}`", message.id);
    }
    text
}

/// A Slack message as it looks there; what goes to other chats, which format for themselves, as it is.
fn drawn(message: &MessageInfo, body: Option<&Value>, colors: bool, now: Timestamp) -> String {
    let Some(body) = body else {
        return match (message.state, message.closes_at) {
            (MessageState::Open, Some(at)) => format!("(formatted when it closes, {})\n", ago(at, now)),
            _ => "(its text is not kept any more)\n".to_owned(),
        };
    };
    let attachments = || body.get("attachments").and_then(Value::as_array).into_iter().flatten();
    if body.get("blocks").is_some() || attachments().any(|attachment| attachment.get("blocks").is_some()) {
        return to_terminal(body, colors);
    }
    let json = serde_json::to_string_pretty(body).unwrap_or_default();
    json.lines().map(|line| format!("{}\n", clean(line))).collect()
}

#[cfg(test)]
mod tests {
    use crate::event::EventDetails;
    use crate::store::DeadReason;
    use serde_json::json;

    use super::*;

    fn shown(body: Option<Value>, state: MessageState) -> MessageReport {
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
            events: 3,
            age_starts_at: Timestamp(1_763_809_015_601),
            cause: Some("storm".into()),
            closes_at: (state == MessageState::Open).then_some(Timestamp(1_763_809_045_601)),
            attempts: 1,
            last_attempt_at: Some(Timestamp(1_763_809_015_601)),
            dead_reason: (state == MessageState::Dead).then_some(DeadReason::Rejected),
            error: Some("400 invalid_blocks".into()),
        };
        MessageReport { message, body, events: vec![event] }
    }

    fn told(body: Option<Value>, state: MessageState) -> String {
        text(&shown(body, state), false, Timestamp(1_763_809_025_601))
    }

    #[test]
    fn all_that_is_known() {
        let body = json!({"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "*three* starts"}}]});
        assert_eq!(
            told(Some(body), MessageState::Dead),
            "\
message     7
state       dead (rejected)
route       all
webhook     main
events      3, told together (storm)
since       2025-11-22 10:56:55 UTC (10 s ago)
attempts    1, the last 2025-11-22 10:56:55 UTC (10 s ago)
last error  400 invalid_blocks

── as it looks ──
three starts

── its events ──
2025-11-22 10:56:55  jail ss\\u{202e}hd started
… and 2 more: `banhook queue export 7`
"
        );
    }

    #[test]
    fn what_cannot_be_drawn() {
        let other = json!({"text": "a \u{9b}31m b", "attachments": [{"text": "c"}]});
        let seen = told(Some(other), MessageState::Ready);
        assert!(seen.contains("  \"text\": \"a \\u{9b}31m b\""), "{seen}");
        assert!(told(None, MessageState::Open).contains("formatted when it closes, in 20 s"));
        assert!(told(None, MessageState::Sent).contains("not kept any more"));
    }
}

//! The state of a message as people read it.

use crate::store::{MessageInfo, MessageState};

use crate::cli::time_format::to_the_second;

/// Returns `ready`, `open until 2026-11-22 10:57:25` or `dead (rejected)`.
pub(super) fn message_state(message: &MessageInfo) -> String {
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

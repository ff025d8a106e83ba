//! Messages as an administrator sees them: listed, and one with its body. It writes nothing.

use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;

use super::database::{lossy, sql_limit};
use super::error::StoreError;
use super::messages::DeadReason;
use super::store::Store;
use crate::event::Timestamp;

/// A message without its body; this is its JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct MessageInfo {
    /// Its id.
    pub id: i64,
    /// The route that it is from.
    pub route: String,
    /// The webhook that gets it.
    pub webhook: String,
    /// Its state.
    pub state: MessageState,
    /// The number of its events.
    pub events: u32,
    /// When the first of them was received, or when it was retried.
    pub age_starts_at: Timestamp,
    /// Of a digest: why its events are grouped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Of an open digest: when it closes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closes_at: Option<Timestamp>,
    /// The number of attempts to send it.
    pub attempts: u32,
    /// When the last of them began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_attempt_at: Option<Timestamp>,
    /// Why it is dead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_reason: Option<DeadReason>,
    /// The last error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The state of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MessageState {
    /// A digest that events still join.
    Open,
    /// To be sent.
    Ready,
    /// Not to be sent any more, unless it is retried.
    Dead,
    /// Dead and not listed: dropped by hand, or by retention.
    Dropped,
    /// Accepted by the webhook.
    Sent,
}

const MESSAGE_INFO_COLUMNS: &str = "SELECT id, route, webhook, state, events, age_starts_at, cause, closes_at, attempts, last_attempt_at, dead_reason, error FROM messages";

impl Store {
    /// Returns the messages that are pending (ready or open) or dead, oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn list_messages(
        &self,
        pending: bool,
        dead: bool,
        at_most: usize,
    ) -> Result<Vec<MessageInfo>, StoreError> {
        self.database.read("read the outbox", |connection| {
            connection
                .prepare(&format!(
                    // Each state by its own index: most messages are history.
                    "{MESSAGE_INFO_COLUMNS} WHERE id IN (
                         SELECT id FROM messages WHERE ?1 AND state = 'open' AND events > 0
                         UNION ALL SELECT id FROM messages WHERE ?1 AND state = 'ready'
                         UNION ALL SELECT id FROM messages WHERE ?2 AND state = 'dead'
                     ) ORDER BY id LIMIT ?3"
                ))?
                .query_map(params![pending, dead, sql_limit(at_most)], message_info)?
                .collect()
        })
    }

    /// Returns one message, and its body if it still has one; `None` if no message has this id (any more).
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn message(&self, id: i64) -> Result<Option<(MessageInfo, Option<String>)>, StoreError> {
        self.database.read("read the outbox", |connection| {
            let found = connection
                .prepare(&format!("{MESSAGE_INFO_COLUMNS} WHERE id = ?"))?
                .query_row([id], message_info)
                .optional()?;
            let Some(found) = found else { return Ok(None) };
            let body = connection.query_row("SELECT body FROM messages WHERE id = ?", [id], |row| lossy(row, 0))?;
            Ok(Some((found, body)))
        })
    }
}

/// Shows a damaged row as well, as far as it can be read.
fn message_info(row: &Row<'_>) -> rusqlite::Result<MessageInfo> {
    let state = lossy(row, 3)?.unwrap_or_default();
    Ok(MessageInfo {
        id: row.get(0)?,
        route: lossy(row, 1)?.unwrap_or_default(),
        webhook: lossy(row, 2)?.unwrap_or_default(),
        state: match state.as_str() {
            "open" => MessageState::Open,
            "ready" => MessageState::Ready,
            "dead" => MessageState::Dead,
            "dropped" => MessageState::Dropped,
            _ => MessageState::Sent,
        },
        events: row.get(4).unwrap_or_default(),
        age_starts_at: Timestamp(row.get(5).unwrap_or_default()),
        cause: lossy(row, 6)?,
        closes_at: row.get(7).unwrap_or(None::<i64>).map(Timestamp),
        attempts: row.get(8).unwrap_or_default(),
        last_attempt_at: row.get(9).unwrap_or(None::<i64>).map(Timestamp),
        dead_reason: lossy(row, 10)?.and_then(|reason| DeadReason::parse(&reason)),
        error: lossy(row, 11)?,
    })
}

//! The outbox: messages that are to be sent, in order for each webhook, and those that are dead.

use rusqlite::{OptionalExtension, params};
use serde::Serialize;

use super::{Store, StoreError};
use crate::event::Timestamp;

/// A message that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Its number; lower ones are sent first.
    pub id: i64,
    /// The route that it is from.
    pub route: String,
    /// The webhook's JSON.
    pub body: String,
    /// How often its sending was begun.
    pub attempts: u32,
    /// Not to be sent before.
    pub due_at: Timestamp,
}

/// The queue of one webhook, for `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QueueState {
    /// Messages to be sent.
    pub pending: u64,
    /// Messages that were refused for good.
    pub dead: u64,
    /// When the oldest message that is to be sent was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Timestamp>,
    /// What the webhook said last to a message that is still here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

impl Store {
    /// The message that a webhook gets next, due or not.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn next_message(&self, webhook: &str) -> Result<Option<Pending>, StoreError> {
        self.connection
            .prepare_cached(
                "SELECT id, route, body, attempts, due_at FROM outbox WHERE webhook = ? AND dead = 0 ORDER BY id LIMIT 1",
            )
            .and_then(|mut statement| {
                statement
                    .query_row([webhook], |row| {
                        Ok(Pending {
                            id: row.get(0)?,
                            route: row.get(1)?,
                            body: row.get(2)?,
                            attempts: row.get(3)?,
                            due_at: Timestamp(row.get(4)?),
                        })
                    })
                    .optional()
            })
            .map_err(|source| self.error("read the outbox", source))
    }

    /// Records that a message's sending begins, before a byte of it leaves.
    ///
    /// # Errors
    /// When the disk refuses; then it must not be sent.
    pub fn begin_attempt(&mut self, message: i64, now: Timestamp) -> Result<(), StoreError> {
        self.write("record an attempt", |transaction| {
            transaction
                .prepare_cached("UPDATE outbox SET attempts = attempts + 1, attempted_at = ? WHERE id = ?")?
                .execute(params![now.0, message])
                .map(drop)
        })
    }

    /// The webhook has accepted a message: its events are posted.
    ///
    /// # Errors
    /// When the disk refuses; then it will be sent again.
    pub fn accepted(&mut self, message: i64) -> Result<(), StoreError> {
        self.write("record an accepted message", |transaction| {
            transaction
                .prepare_cached(
                    "UPDATE outcomes SET state = 'posted', message = NULL, detail = NULL WHERE message = ?",
                )?
                .execute([message])?;
            transaction.prepare_cached("DELETE FROM outbox WHERE id = ?")?.execute([message]).map(drop)
        })
    }

    /// The webhook has refused a message for now.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn postpone(&mut self, message: i64, due_at: Timestamp, error: &str) -> Result<(), StoreError> {
        self.write("record a refused message", |transaction| {
            transaction
                .prepare_cached("UPDATE outbox SET due_at = ?, error = ? WHERE id = ?")?
                .execute(params![due_at.0, error, message])
                .map(drop)
        })
    }

    /// The webhook has refused a message for good: its events are dead, and the message is kept.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn bury(&mut self, message: i64, error: &str) -> Result<(), StoreError> {
        self.write("record a dead message", |transaction| {
            transaction
                .prepare_cached("UPDATE outbox SET dead = 1, error = ? WHERE id = ?")?
                .execute(params![error, message])?;
            transaction
                .prepare_cached("UPDATE outcomes SET state = 'dead', detail = ? WHERE message = ?")?
                .execute(params![error, message])
                .map(drop)
        })
    }

    /// The webhooks that messages are pending for.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn pending_webhooks(&self) -> Result<Vec<String>, StoreError> {
        self.connection
            .prepare_cached("SELECT DISTINCT webhook FROM outbox WHERE dead = 0 ORDER BY webhook")
            .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
            .map_err(|source| self.error("read the outbox", source))
    }

    /// The queues by webhook, for `status`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn queues(&self) -> Result<std::collections::BTreeMap<String, QueueState>, StoreError> {
        self.connection
            .prepare(
                "SELECT webhook, sum(NOT dead), sum(dead), min(CASE WHEN NOT dead THEN made_at END),
                     (SELECT error FROM outbox AS last
                      WHERE last.webhook = outbox.webhook AND error IS NOT NULL ORDER BY attempted_at DESC LIMIT 1)
                 FROM outbox GROUP BY webhook",
            )
            .and_then(|mut statement| {
                statement
                    .query_map([], |row| {
                        let state = QueueState {
                            pending: row.get(1)?,
                            dead: row.get(2)?,
                            oldest: row.get::<_, Option<i64>>(3)?.map(Timestamp),
                            last_error: row.get(4)?,
                        };
                        Ok((row.get(0)?, state))
                    })?
                    .collect()
            })
            .map_err(|source| self.error("read the outbox", source))
    }
}

//! Messages that are given up for their events to be formatted anew: refused ones, and those for another kind of service.

use rusqlite::{Transaction, params};

use super::{Store, StoreError};
use crate::message::Target;

/// Messages of one transaction: other writers wait meanwhile.
const AT_ONCE: i64 = 1_024;

impl Store {
    /// Has the events of those messages to be sent by a webhook formatted anew that speak another service's format, the first
    /// of them. Says how many messages that were.
    ///
    /// # Errors
    /// When the disk refuses; then all is as it was.
    pub fn reformat(&mut self, webhook: &str, target: Target) -> Result<usize, StoreError> {
        self.database.write("have events formatted anew", |transaction| {
            let others: Vec<i64> = transaction
                .prepare_cached(
                    "SELECT id FROM messages WHERE webhook = ? AND state = 'ready' AND target <> ? ORDER BY id LIMIT ?",
                )?
                .query_map(params![webhook, target.as_str(), AT_ONCE], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            for id in &others {
                if !unformat(transaction, *id)? {
                    // Sent as it is, or it would never be.
                    transaction
                        .prepare_cached("UPDATE messages SET target = ? WHERE id = ?")?
                        .execute(params![target.as_str(), id])?;
                }
            }
            Ok(others.len())
        })
    }
}

/// Has the events of a message that counts as pending formatted anew; it is no more then. False: one of them is missing, which
/// somebody who mended the files has caused, and nothing was done.
pub(super) fn unformat(transaction: &Transaction<'_>, message: i64) -> rusqlite::Result<bool> {
    let is_whole: bool = transaction
        .prepare_cached(
            "SELECT events = (SELECT count(*) FROM routed_events CROSS JOIN inbox.events ON seq = event
                 WHERE message = messages.id)
             FROM messages WHERE id = ?",
        )?
        .query_row([message], |row| row.get(0))?;
    if is_whole {
        transaction
            .prepare_cached(
                "UPDATE routed_events SET (message, age_starts_at, standalone) =
                     (SELECT NULL, age_starts_at, cause IS NULL FROM messages WHERE id = ?1) WHERE message = ?1",
            )?
            .execute([message])?;
        transaction.prepare_cached("DELETE FROM messages WHERE id = ?")?.execute([message])?;
    }
    Ok(is_whole)
}

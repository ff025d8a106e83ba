//! A storm that is one message: its first digest is sent, and each later one changes that message to what has happened since
//! the storm began.
//!
//! Nobody is notified of a change, and it scrolls away with its message. So the storm gets another message once it is ten times
//! as large as the first digest was, or an hour old. That also bounds how many events are counted again for each change.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use super::digests::OpenDigest;
use super::error::StoreError;
use super::store::Store;
use super::{messages, routed_events};
use crate::event::Timestamp;
use crate::message::Guarded;

/// How much larger a storm becomes before it gets another message.
const TENFOLD: u32 = 10;
/// A storm of fewer events gets no other message for its size.
const LARGE: u32 = 100;
/// The most events of one message: they are counted with every change.
const MAX_EVENTS: u32 = 20_000;
/// How long one message tells of a storm, in ms.
const MAX_AGE_MS: i64 = 3_600_000;

impl Store {
    /// Returns the message that tells of the storm that an open digest goes on with; `None`: it gets a message of its own.
    /// `within`: after so much time without an event a storm is over.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn living_storm(
        &self,
        route: &str,
        digest: &OpenDigest,
        within: Duration,
    ) -> Result<Option<i64>, StoreError> {
        let within_ms = i64::try_from(within.as_millis()).unwrap_or(i64::MAX);
        self.database.read("look for the message of a storm", |connection| {
            let living: Option<(i64, u32, i64)> = connection
                .prepare_cached(
                    "SELECT id, events, opened_at FROM messages
                     WHERE route = ?1 AND webhook = ?2 AND cause = 'storm' AND changes IS NULL AND id < ?3
                         AND (state = 'ready' OR state = 'digested' AND reference IS NOT NULL) ORDER BY id DESC LIMIT 1",
                )?
                .query_row(params![route, digest.webhook, digest.id], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2).unwrap_or_default()))
                })
                .optional()?;
            let Some((id, first, opened_at)) = living else { return Ok(None) };
            let (events, last): (u32, i64) = connection
                .prepare_cached(
                    "SELECT sum(events), (SELECT ifnull(max(received_at), 0) FROM routed_events CROSS JOIN events ON seq = event
                         WHERE message = (SELECT max(id) FROM messages WHERE id = ?1 OR changes = ?1))
                     FROM messages WHERE id = ?1 OR changes = ?1",
                )?
                .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let most = first.saturating_mul(TENFOLD).clamp(LARGE, MAX_EVENTS);
            let age_ms = digest.opened_at.0.saturating_sub(opened_at);
            let goes_on = digest.opened_at.0.saturating_sub(last) <= within_ms
                && (0..MAX_AGE_MS).contains(&age_ms)
                && events.saturating_add(digest.events) < most;
            Ok(goes_on.then_some(id))
        })
    }

    /// Closes an open digest, which changes the message of its storm; or joins it, or an earlier change, if that was not
    /// attempted yet. `body`: of what has happened since that message.
    ///
    /// # Errors
    /// When the store fails; then it is still open.
    pub(crate) fn continue_storm(
        &mut self,
        digest: &OpenDigest,
        living: i64,
        body: &Guarded,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.database.write("continue a storm", |transaction| {
            let (change, next_attempt_at) = messages::next_change(transaction, (living, &digest.webhook), now)?;
            let first: Option<i64> = transaction
                .prepare_cached("SELECT id FROM messages WHERE id = ? AND state = 'ready' AND attempts = 0")?
                .query_row([living], |row| row.get(0))
                .optional()?;
            if let Some(earlier) = first.or(change) {
                let events: Option<u32> = transaction
                    .prepare_cached("SELECT events FROM messages WHERE id = ?")?
                    .query_row([digest.id], |row| row.get(0))
                    .optional()?;
                // Its events were all damaged.
                let Some(events) = events else { return Ok(()) };
                routed_events::move_all(transaction, digest.id, earlier)?;
                messages::delete(transaction, digest.id)?;
                return messages::merge(transaction, earlier, body, events);
            }
            messages::close(transaction, digest.id, body, true, now)?;
            messages::set_changes(transaction, digest.id, living, next_attempt_at)
        })
    }
}

#[cfg(test)]
#[path = "living_storm_tests.rs"]
mod tests;

//! A series of alike posts that is one message: what follows the first one changes its message, where that can be changed.

use rusqlite::{OptionalExtension, params};

use super::digests::OpenDigest;
use super::error::StoreError;
use super::living_storm::goes_on;
use super::store::Store;
use crate::event::Timestamp;

impl Store {
    /// Returns the message that an open digest of a series changes: that of an event, or what this changed. `None`: it gets a
    /// message of its own, since that one cannot be changed, tells of something else by now, or is old or about so much that
    /// one more is due.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn living_series(
        &self,
        route: &str,
        digest: &OpenDigest,
        event: i64,
    ) -> Result<Option<i64>, StoreError> {
        self.database.read("look for the message of a series", |connection| {
            let living: Option<(i64, u32, i64)> = connection
                .prepare_cached(
                    "SELECT first.id, first.events, first.age_starts_at
                     FROM routed_events JOIN messages AS newest ON newest.id = message
                         JOIN messages AS first ON first.id = ifnull(newest.changes, newest.id)
                     WHERE event = ?1 AND routed_events.route = ?2 AND first.webhook = ?3
                         AND (first.state = 'ready' OR first.state IN ('posted', 'digested') AND first.reference IS NOT NULL)
                         AND ifnull(first.cause, 'same_subject') NOT IN ('backlog', 'storm')
                         AND (first.cause IS NOT NULL OR first.events = 1)
                         AND first.events = (SELECT count(*) FROM routed_events WHERE message = first.id)
                         AND NOT EXISTS (SELECT 1 FROM messages WHERE changes = first.id AND cause IS NULL)",
                )?
                .query_row(params![event, route, digest.webhook], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .optional()?;
            let Some((id, first, since)) = living else { return Ok(None) };
            let events: u32 = connection
                .prepare_cached("SELECT sum(events) FROM messages WHERE id = ?1 OR changes = ?1")?
                .query_row([id], |row| row.get(0))?;
            Ok(goes_on(digest, first, events, Timestamp(since)).then_some(id))
        })
    }

    /// Returns whether a message tells of the series that a digest goes on with.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn tells_of_series(&self, message: i64, digest: &OpenDigest) -> Result<bool, StoreError> {
        self.database.read("look for the message of a series", |connection| {
            connection
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM messages WHERE id = ? AND cause = ? AND key = ?)")?
                .query_row(params![message, digest.cause.as_str(), digest.key], |row| row.get(0))
        })
    }
}

//! How events join open digests: the digests that one transaction changes, whose counts are written once at its end.
//!
//! It writes no SQL of its own: rows are changed by `messages` and `routed_events`.

use std::collections::HashMap;

use rusqlite::{OptionalExtension, Transaction, params};

use super::routed_events::Facts;
use super::{messages, routed_events};
use crate::event::{DigestCause, Timestamp};

/// The most events of one digest; further ones open the next. Bounds the time that formatting one takes.
pub(crate) const MAX_DIGEST_EVENTS: u32 = 10_000;

/// The time at which a digest closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closes {
    /// At this time, or at an earlier one of another event that joins.
    At(Timestamp),
    /// A while after the last event that joins.
    Quiet {
        /// The time without an event, in ms.
        quiet_ms: i64,
        /// The longest time from the first event on, in ms.
        max_ms: i64,
    },
}

/// The digest that an event joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestKey {
    /// Why events are grouped.
    pub cause: DigestCause,
    /// Events of a route with the same cause and key join the same digest.
    pub key: String,
    /// When it closes.
    pub closes: Closes,
    /// The key of another open digest of the route, whose events join as well: the unbans before this stop.
    pub merge_unbans: Option<String>,
}

/// The open digests of a route that a transaction has events join.
pub(super) struct DigestWriter<'a> {
    route: &'a str,
    now: Timestamp,
    open: HashMap<(DigestCause, String), OpenRow>,
}

/// The row of an open digest, with counts that are not written yet.
struct OpenRow {
    id: i64,
    events: u32,
    age_starts_at: i64,
    opened_at: i64,
    closes_at: i64,
}

impl<'a> DigestWriter<'a> {
    pub(super) fn new(route: &'a str, now: Timestamp) -> Self {
        Self { route, now, open: HashMap::new() }
    }

    /// Has an event join a digest. False: it is not pending, or not in the message `from`.
    pub(super) fn join(
        &mut self,
        transaction: &Transaction<'_>,
        from: Option<i64>,
        (seq, facts): (i64, Facts<'_>),
        digest_key: &DigestKey,
    ) -> rusqlite::Result<bool> {
        let (key, event) = ((digest_key.cause, digest_key.key.clone()), (seq, self.route, from));
        if let Some(open) = self.open.get_mut(&key).filter(|open| open.events < MAX_DIGEST_EVENTS) {
            if !routed_events::move_to_message(transaction, event, open.id, facts)? {
                return Ok(false);
            }
            open.events += 1;
            open.postpone(digest_key.closes, self.now);
        } else {
            let Some((webhook, age_starts_at)) = routed_events::find_pending(transaction, event)? else {
                return Ok(false);
            };
            let open = self.open(transaction, digest_key, &webhook, age_starts_at, 1)?;
            open.events += 1;
            routed_events::move_to_message(transaction, event, open.id, facts)?;
        }
        if let Some(key) = &digest_key.merge_unbans {
            self.merge_unbans(transaction, digest_key, key)?;
        }
        Ok(true)
    }

    /// Has all events of the unbans with this key join.
    fn merge_unbans(
        &mut self,
        transaction: &Transaction<'_>,
        digest_key: &DigestKey,
        key: &str,
    ) -> rusqlite::Result<()> {
        // Those that joined in this transaction are not counted in the file yet.
        if let Some(open) = self.open.remove(&(DigestCause::Unbans, key.to_owned())) {
            open.write(transaction)?;
        }
        let unbans = transaction
            .prepare_cached(
                "SELECT id, events FROM messages WHERE state = 'open' AND route = ? AND cause = 'unbans' AND key = ?",
            )?
            .query_map(params![self.route, key], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<Vec<(i64, u32)>>>()?;
        unbans.into_iter().try_for_each(|(id, events)| self.merge(transaction, digest_key, id, events))
    }

    /// Has all events of a message join, and deletes it.
    pub(super) fn merge(
        &mut self,
        transaction: &Transaction<'_>,
        digest_key: &DigestKey,
        message: i64,
        events: u32,
    ) -> rusqlite::Result<()> {
        let (webhook, age_starts_at): (String, i64) = transaction
            .prepare_cached("SELECT webhook, age_starts_at FROM messages WHERE id = ?")?
            .query_row([message], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let open = self.open(transaction, digest_key, &webhook, age_starts_at, events)?;
        open.events += events;
        open.age_starts_at = open.age_starts_at.min(age_starts_at);
        routed_events::move_all(transaction, message, open.id)?;
        messages::delete(transaction, message)
    }

    /// Returns the open digest of a key, with room for so many more events.
    fn open(
        &mut self,
        transaction: &Transaction<'_>,
        digest_key: &DigestKey,
        webhook: &str,
        age_starts_at: i64,
        room_for: u32,
    ) -> rusqlite::Result<&mut OpenRow> {
        let key = (digest_key.cause, digest_key.key.clone());
        if let Some(mut full) = self.open.remove(&key) {
            if full.events.saturating_add(room_for) <= MAX_DIGEST_EVENTS {
                full.postpone(digest_key.closes, self.now);
                return Ok(self.open.entry(key).or_insert(full));
            }
            full.closes_at = self.now.0;
            full.write(transaction)?;
        }
        let mut open = match self.find_open(transaction, digest_key, webhook, room_for)? {
            Some(open) => open,
            None => self.insert_open(transaction, digest_key, webhook, age_starts_at)?,
        };
        open.postpone(digest_key.closes, self.now);
        Ok(self.open.entry(key).or_insert(open))
    }

    fn find_open(
        &self,
        transaction: &Transaction<'_>,
        digest_key: &DigestKey,
        webhook: &str,
        room_for: u32,
    ) -> rusqlite::Result<Option<OpenRow>> {
        let most = MAX_DIGEST_EVENTS.saturating_sub(room_for);
        transaction
            .prepare_cached(
                "SELECT id, events, age_starts_at, opened_at, closes_at FROM messages
                 WHERE state = 'open' AND route = ? AND cause = ? AND key = ? AND webhook = ? AND events <= ?
                 ORDER BY id DESC LIMIT 1",
            )?
            .query_row(params![self.route, digest_key.cause.as_str(), digest_key.key, webhook, most], |row| {
                Ok(OpenRow {
                    id: row.get(0)?,
                    events: row.get(1)?,
                    age_starts_at: row.get(2)?,
                    opened_at: row.get(3)?,
                    closes_at: row.get(4)?,
                })
            })
            .optional()
    }

    fn insert_open(
        &self,
        transaction: &Transaction<'_>,
        DigestKey { cause, key, .. }: &DigestKey,
        webhook: &str,
        age_starts_at: i64,
    ) -> rusqlite::Result<OpenRow> {
        let id = messages::insert_open(transaction, (self.route, webhook), (*cause, key), age_starts_at, self.now)?;
        let now = self.now.0;
        Ok(OpenRow { id, events: 0, age_starts_at: age_starts_at.min(now), opened_at: now, closes_at: i64::MAX })
    }

    /// Writes the counts.
    pub(super) fn finish(self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        self.open.into_values().try_for_each(|open| open.write(transaction))
    }
}

impl OpenRow {
    /// Moves the time at which it closes, for an event that joins now.
    fn postpone(&mut self, closes: Closes, now: Timestamp) {
        self.closes_at = match closes {
            Closes::At(at) => self.closes_at.min(at.0),
            Closes::Quiet { quiet_ms, max_ms } => {
                now.0.saturating_add(quiet_ms).min(self.opened_at.saturating_add(max_ms))
            }
        };
    }

    fn write(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        messages::update_open(transaction, self.id, self.events, self.closes_at, self.age_starts_at)
    }
}

//! Events join open messages: what one transaction has join, and the counts of it, written once at its end.

use std::collections::HashMap;

use rusqlite::{OptionalExtension, Transaction, params};

use super::digests::{Closes, DigestKey, MAX_DIGEST_EVENTS};
use crate::event::DigestCause;
use crate::event::Timestamp;

/// The open messages of a route that a transaction has events join. Their counts are written once, at the end.
pub(super) struct DigestWriter<'a> {
    route: &'a str,
    now: Timestamp,
    open: HashMap<(DigestCause, String), OpenMessage>,
}

struct OpenMessage {
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

    /// Has an event join. False: it is not where it should be (any more).
    pub(super) fn join(
        &mut self,
        transaction: &Transaction<'_>,
        from: Option<i64>,
        seq: i64,
        digest_key: &DigestKey,
    ) -> rusqlite::Result<bool> {
        let key = (digest_key.cause, digest_key.key.clone());
        if let Some(open) = self.open.get_mut(&key).filter(|open| open.events < MAX_DIGEST_EVENTS) {
            if !move_into(transaction, open.id, self.route, from, seq)? {
                return Ok(false);
            }
            open.events += 1;
            open.postpone(digest_key.closes, self.now);
        } else {
            let place: Option<(String, i64)> = transaction
                .prepare_cached(
                    "SELECT webhook, ifnull(age_starts_at, received_at) FROM routed_events JOIN inbox.events ON seq = event
                     WHERE event = ? AND route = ? AND routed_events.state = 'pending' AND message IS ?",
                )?
                .query_row(params![seq, self.route, from], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let Some((webhook, received_at)) = place else { return Ok(false) };
            let open = self.open(transaction, digest_key, &webhook, received_at, 1)?;
            open.events += 1;
            move_into(transaction, open.id, self.route, from, seq)?;
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
        // Those that writer in this transaction are not counted in the file yet.
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

    /// Has all events of another message join, which is no more then.
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
        let id = open.id;
        open.events += events;
        open.age_starts_at = open.age_starts_at.min(age_starts_at);
        transaction.prepare_cached("UPDATE routed_events SET message = ? WHERE message = ?")?.execute([id, message])?;
        transaction.prepare_cached("DELETE FROM messages WHERE id = ?")?.execute([message]).map(drop)
    }

    /// The open message of a digest_key, with room for so many more events.
    fn open(
        &mut self,
        transaction: &Transaction<'_>,
        digest_key: &DigestKey,
        webhook: &str,
        age_starts_at: i64,
        room_for: u32,
    ) -> rusqlite::Result<&mut OpenMessage> {
        let key = (digest_key.cause, digest_key.key.clone());
        if let Some(mut full) = self.open.remove(&key) {
            if full.events.saturating_add(room_for) <= MAX_DIGEST_EVENTS {
                full.postpone(digest_key.closes, self.now);
                return Ok(self.open.entry(key).or_insert(full));
            }
            full.closes_at = self.now.0;
            full.write(transaction)?;
        }
        let found = transaction
            .prepare_cached(
                "SELECT id, events, age_starts_at, opened_at, closes_at FROM messages
                 WHERE state = 'open' AND route = ? AND cause = ? AND key = ? AND webhook = ? AND events <= ?
                 ORDER BY id DESC LIMIT 1",
            )?
            .query_row(
                params![
                    self.route,
                    digest_key.cause.as_str(),
                    digest_key.key,
                    webhook,
                    MAX_DIGEST_EVENTS.saturating_sub(room_for)
                ],
                |row| {
                    Ok(OpenMessage {
                        id: row.get(0)?,
                        events: row.get(1)?,
                        age_starts_at: row.get(2)?,
                        opened_at: row.get(3)?,
                        closes_at: row.get(4)?,
                    })
                },
            )
            .optional()?;
        let mut open = match found {
            Some(open) => open,
            None => {
                let now = self.now.0;
                transaction
                    .prepare_cached(
                        "INSERT INTO messages (route, webhook, state, events, age_starts_at, cause, key, opened_at, closes_at)
                         VALUES (?1, ?2, 'open', 0, ?3, ?4, ?5, ?6, ?6)",
                    )?
                    .execute(params![self.route, webhook, age_starts_at, digest_key.cause.as_str(), digest_key.key, now])?;
                let id = transaction.last_insert_rowid();
                OpenMessage {
                    id,
                    events: 0,
                    age_starts_at: age_starts_at.min(now),
                    opened_at: now,
                    closes_at: i64::MAX,
                }
            }
        };
        open.postpone(digest_key.closes, self.now);
        Ok(self.open.entry(key).or_insert(open))
    }

    /// Writes the counts.
    pub(super) fn finish(self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        self.open.into_values().try_for_each(|open| open.write(transaction))
    }
}

impl OpenMessage {
    fn postpone(&mut self, closes: Closes, now: Timestamp) {
        self.closes_at = match closes {
            Closes::At(at) => self.closes_at.min(at.0),
            Closes::Quiet { quiet_ms, max_ms } => {
                now.0.saturating_add(quiet_ms).min(self.opened_at.saturating_add(max_ms))
            }
        };
    }

    fn write(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        transaction
            .prepare_cached("UPDATE messages SET events = ?, closes_at = ?, age_starts_at = ? WHERE id = ?")?
            .execute(params![self.events, self.closes_at, self.age_starts_at, self.id])
            .map(drop)
    }
}

/// Has an event join a message. False: it is not where it should be (any more).
fn move_into(
    transaction: &Transaction<'_>,
    message: i64,
    route: &str,
    from: Option<i64>,
    seq: i64,
) -> rusqlite::Result<bool> {
    let moved = transaction
        .prepare_cached(
            "UPDATE routed_events SET message = ? WHERE event = ? AND route = ? AND state = 'pending' AND message IS ?",
        )?
        .execute(params![message, seq, route, from])?;
    Ok(moved > 0)
}

/// Takes note that so many events have left an open message; an empty one is no more.
pub(super) fn remove_events(transaction: &Transaction<'_>, hold: i64, gone: i64) -> rusqlite::Result<()> {
    transaction.prepare_cached("UPDATE messages SET events = events - ? WHERE id = ?")?.execute([gone, hold])?;
    transaction.prepare_cached("DELETE FROM messages WHERE id = ? AND events = 0")?.execute([hold]).map(drop)
}

//! Events join open messages: what one transaction has join, and the counts of it, written once at its end.

use std::collections::HashMap;

use rusqlite::{OptionalExtension, Transaction, params};

use super::holds::{Closes, Fold, HOLD_MOST, Reason};
use crate::event::Timestamp;

/// The open messages of a route that a transaction has events join. Their counts are written once, at the end.
pub(super) struct Joined<'a> {
    route: &'a str,
    now: Timestamp,
    open: HashMap<(Reason, String), Open>,
}

struct Open {
    id: i64,
    events: u32,
    made_at: i64,
    opened_at: i64,
    closes_at: i64,
}

impl<'a> Joined<'a> {
    pub(super) fn new(route: &'a str, now: Timestamp) -> Self {
        Self { route, now, open: HashMap::new() }
    }

    /// Has an event join. False: it is not where it should be (any more).
    pub(super) fn join(
        &mut self,
        transaction: &Transaction<'_>,
        from: Option<i64>,
        seq: i64,
        fold: &Fold,
    ) -> rusqlite::Result<bool> {
        let key = (fold.reason, fold.key.clone());
        if let Some(open) = self.open.get_mut(&key).filter(|open| open.events < HOLD_MOST) {
            if !move_into(transaction, open.id, self.route, from, seq)? {
                return Ok(false);
            }
            open.events += 1;
            open.put_off(fold.closes, self.now);
        } else {
            let place: Option<(String, i64)> = transaction
                .prepare_cached(
                    "SELECT webhook, ifnull(made_at, taken_at) FROM outcomes JOIN inbox.events ON seq = event
                     WHERE event = ? AND route = ? AND outcomes.state = 'pending' AND message IS ?",
                )?
                .query_row(params![seq, self.route, from], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let Some((webhook, taken_at)) = place else { return Ok(false) };
            let open = self.open(transaction, fold, &webhook, taken_at, 1)?;
            open.events += 1;
            move_into(transaction, open.id, self.route, from, seq)?;
        }
        if let Some(key) = &fold.unbans {
            self.absorb_unbans(transaction, fold, key)?;
        }
        Ok(true)
    }

    /// Has all events of the unbans with this key join.
    fn absorb_unbans(&mut self, transaction: &Transaction<'_>, fold: &Fold, key: &str) -> rusqlite::Result<()> {
        // Those that joined in this transaction are not counted in the file yet.
        if let Some(open) = self.open.remove(&(Reason::Unbans, key.to_owned())) {
            open.write(transaction)?;
        }
        let unbans = transaction
            .prepare_cached(
                "SELECT id, events FROM messages WHERE state = 'open' AND route = ? AND cause = 'unbans' AND key = ?",
            )?
            .query_map(params![self.route, key], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<Vec<(i64, u32)>>>()?;
        unbans.into_iter().try_for_each(|(id, events)| self.absorb(transaction, fold, id, events))
    }

    /// Has all events of another message join, which is no more then.
    pub(super) fn absorb(
        &mut self,
        transaction: &Transaction<'_>,
        fold: &Fold,
        message: i64,
        events: u32,
    ) -> rusqlite::Result<()> {
        let (webhook, made_at): (String, i64) = transaction
            .prepare_cached("SELECT webhook, made_at FROM messages WHERE id = ?")?
            .query_row([message], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let open = self.open(transaction, fold, &webhook, made_at, events)?;
        let id = open.id;
        open.events += events;
        open.made_at = open.made_at.min(made_at);
        transaction.prepare_cached("UPDATE outcomes SET message = ? WHERE message = ?")?.execute([id, message])?;
        transaction.prepare_cached("DELETE FROM messages WHERE id = ?")?.execute([message]).map(drop)
    }

    /// The open message of a fold, with room for so many more events.
    fn open(
        &mut self,
        transaction: &Transaction<'_>,
        fold: &Fold,
        webhook: &str,
        made_at: i64,
        room_for: u32,
    ) -> rusqlite::Result<&mut Open> {
        let key = (fold.reason, fold.key.clone());
        if let Some(mut full) = self.open.remove(&key) {
            if full.events.saturating_add(room_for) <= HOLD_MOST {
                full.put_off(fold.closes, self.now);
                return Ok(self.open.entry(key).or_insert(full));
            }
            full.closes_at = self.now.0;
            full.write(transaction)?;
        }
        let found = transaction
            .prepare_cached(
                "SELECT id, events, made_at, opened_at, closes_at FROM messages
                 WHERE state = 'open' AND route = ? AND cause = ? AND key = ? AND webhook = ? AND events <= ?
                 ORDER BY id DESC LIMIT 1",
            )?
            .query_row(
                params![self.route, fold.reason.as_str(), fold.key, webhook, HOLD_MOST.saturating_sub(room_for)],
                |row| {
                    Ok(Open {
                        id: row.get(0)?,
                        events: row.get(1)?,
                        made_at: row.get(2)?,
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
                        "INSERT INTO messages (route, webhook, state, events, made_at, cause, key, opened_at, closes_at)
                         VALUES (?1, ?2, 'open', 0, ?3, ?4, ?5, ?6, ?6)",
                    )?
                    .execute(params![self.route, webhook, made_at, fold.reason.as_str(), fold.key, now])?;
                let id = transaction.last_insert_rowid();
                Open { id, events: 0, made_at: made_at.min(now), opened_at: now, closes_at: i64::MAX }
            }
        };
        open.put_off(fold.closes, self.now);
        Ok(self.open.entry(key).or_insert(open))
    }

    /// Writes the counts.
    pub(super) fn finish(self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        self.open.into_values().try_for_each(|open| open.write(transaction))
    }
}

impl Open {
    fn put_off(&mut self, closes: Closes, now: Timestamp) {
        self.closes_at = match closes {
            Closes::At(at) => self.closes_at.min(at.0),
            Closes::Quiet { for_ms, most_ms } => {
                now.0.saturating_add(for_ms).min(self.opened_at.saturating_add(most_ms))
            }
        };
    }

    fn write(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        transaction
            .prepare_cached("UPDATE messages SET events = ?, closes_at = ?, made_at = ? WHERE id = ?")?
            .execute(params![self.events, self.closes_at, self.made_at, self.id])
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
            "UPDATE outcomes SET message = ? WHERE event = ? AND route = ? AND state = 'pending' AND message IS ?",
        )?
        .execute(params![message, seq, route, from])?;
    Ok(moved > 0)
}

/// Takes note that so many events have left an open message; an empty one is no more.
pub(super) fn shrink(transaction: &Transaction<'_>, hold: i64, gone: i64) -> rusqlite::Result<()> {
    transaction.prepare_cached("UPDATE messages SET events = events - ? WHERE id = ?")?.execute([gone, hold])?;
    transaction.prepare_cached("DELETE FROM messages WHERE id = ? AND events = 0")?.execute([hold]).map(drop)
}

//! How long what is over is kept. Rows go, a few at a time, and the totals stay.
//!
//! First from the file of what became of events, then from the inbox, each synced: a crash in between leaves events that
//! nothing refers to, which go the next time and are not counted again.

use rusqlite::{Connection, Transaction, params};

use super::routed_events::limit;
use super::{Inbox, Store, StoreError};
use crate::event::Timestamp;

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionLimits {
    /// Events that were taken in since then.
    pub events_since: Timestamp,
    /// And of these so many, the newest.
    pub max_events: u64,
    /// Dead messages that died since then.
    pub dead_since: Timestamp,
    /// And of these so many, the newest.
    pub max_dead: u64,
}

/// What a step of pruning came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pruned {
    /// Events that are gone.
    pub events: usize,
    /// Dead messages that were given up.
    pub dead: usize,
    /// Where the next step begins; 0: all has been looked at.
    pub next: i64,
}

/// Events that are looked at in a step.
const LOOK_AT: usize = 1_000;
/// Events that go in a step at most: writers wait meanwhile.
const STEP: usize = 200;

impl Store {
    /// Removes some of what is past its time, from the event after `from` on. An event that is pending, or told by a dead
    /// message which is still kept, stays, and so does the newest of all, by which the inbox counts on.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn prune(&mut self, inbox: &mut Inbox, keep: &RetentionLimits, from: i64) -> Result<Pruned, StoreError> {
        let dead = self.give_up(keep)?;
        let (old, next) = self.database.read("look for old events", |connection| old_events(connection, keep, from))?;
        if old.is_empty() {
            return Ok(Pruned { events: 0, dead, next });
        }
        self.database
            .write("remove old events", |transaction| old.iter().try_for_each(|old| forget(transaction, old)))?;
        inbox.database.write("remove old events", |transaction| {
            let mut delete = transaction.prepare_cached("DELETE FROM events WHERE seq = ?")?;
            old.iter().try_for_each(|old| delete.execute([old.seq]).map(drop))
        })?;
        Ok(Pruned { events: old.len(), dead, next })
    }

    /// Dead messages that are kept no longer count as dropped.
    fn give_up(&mut self, keep: &RetentionLimits) -> Result<usize, StoreError> {
        let which = "state = 'dead' AND (finished_at < ?1 OR id <= ifnull(
            (SELECT id FROM messages WHERE state = 'dead' ORDER BY id DESC LIMIT 1 OFFSET ?2), -1))";
        let bounds = params![keep.dead_since.0, i64::try_from(keep.max_dead).unwrap_or(i64::MAX)];
        let any: bool = self.database.read("look for dead messages", |connection| {
            connection
                .prepare_cached(&format!("SELECT EXISTS (SELECT 1 FROM messages WHERE {which})"))?
                .query_row(bounds, |row| row.get(0))
        })?;
        if !any {
            return Ok(0);
        }
        self.database.write("give dead messages up", |transaction| {
            transaction
                .prepare_cached(&format!(
                    "UPDATE messages SET state = 'dropped', body = NULL
                     WHERE id IN (SELECT id FROM messages WHERE {which} LIMIT 200)"
                ))?
                .execute(bounds)
        })
    }
}

/// An event whose time is over.
struct Old {
    seq: i64,
    at: i64,
    jail: String,
}

fn old_events(connection: &Connection, keep: &RetentionLimits, from: i64) -> rusqlite::Result<(Vec<Old>, i64)> {
    let (newest, last_routed): (i64, i64) = connection
        .prepare_cached("SELECT ifnull((SELECT max(seq) FROM inbox.events), 0), last_seq FROM routing_cursor")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let too_many = newest.saturating_sub(i64::try_from(keep.max_events).unwrap_or(i64::MAX));
    let mut statement = connection.prepare_cached(
        "SELECT seq, at, jail, received_at, EXISTS (
             SELECT 1 FROM routed_events LEFT JOIN messages ON messages.id = routed_events.message
             WHERE event = seq AND ifnull(messages.state, routed_events.state) IN ('pending', 'open', 'ready', 'dead')
         ) FROM inbox.events WHERE seq > ? AND seq <= ? AND seq < ? ORDER BY seq LIMIT ?",
    )?;
    let mut rows = statement.query(params![from, last_routed, newest, limit(LOOK_AT)])?;
    let (mut old, mut last, mut seen) = (Vec::new(), from, 0);
    while let Some(row) = rows.next()? {
        let (seq, received_at, wanted): (i64, i64, bool) = (row.get(0)?, row.get(3)?, row.get(4)?);
        if seq > too_many && received_at >= keep.events_since.0 {
            return Ok((old, 0));
        }
        if !wanted {
            old.push(Old { seq, at: row.get(1)?, jail: row.get(2)? });
        }
        (last, seen) = (seq, seen + 1);
        if old.len() >= STEP {
            break;
        }
    }
    let more = seen == LOOK_AT || old.len() >= STEP;
    Ok((old, if more { last } else { 0 }))
}

fn forget(transaction: &Transaction<'_>, old: &Old) -> rusqlite::Result<()> {
    let messages = transaction
        .prepare_cached("SELECT message FROM routed_events WHERE event = ? AND message IS NOT NULL")?
        .query_map([old.seq], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<i64>>>()?;
    let of_routes = transaction.prepare_cached("DELETE FROM routed_events WHERE event = ?")?.execute([old.seq])?;
    for message in messages {
        transaction
            .prepare_cached(
                "DELETE FROM messages WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM routed_events WHERE message = ?1)",
            )?
            .execute([message])?;
    }
    transaction
        .prepare_cached("DELETE FROM bans WHERE jail = ? AND at = ? AND event = ?")?
        .execute(params![old.jail, old.at, old.seq])?;
    // Else no route wanted it, or a step before this one broke off after it had been counted.
    if of_routes > 0 {
        transaction
            .prepare_cached("INSERT INTO pruned VALUES ('', 'routed', 1) ON CONFLICT DO UPDATE SET n = n + 1")?
            .execute([])?;
    }
    Ok(())
}

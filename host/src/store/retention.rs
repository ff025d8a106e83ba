//! Retention: what is older or more than the limits is removed, a few rows at a time; the ledger's totals stay.
//!
//! The state of plugins, storms and webhooks that are no longer configured is removed here too; events and messages stay, and
//! the counts of a removed route until the last of its events is removed.

use rusqlite::{Connection, Transaction, params};

use super::database::{Database, sql_limit};
use super::error::StoreError;
use super::store::Store;
use super::{history, inbox, ledger, messages, plugins, recent_posts, routed_events, webhooks};
use crate::event::Timestamp;

/// The limits of what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RetentionLimits {
    /// Events received before this are removed.
    pub events_since: Timestamp,
    /// The most events that are kept, the newest.
    pub max_events: u64,
    /// Dead messages from before this are dropped.
    pub dead_since: Timestamp,
    /// The most dead messages that are kept, the newest.
    pub max_dead: u64,
}

/// The result of a step of pruning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Pruned {
    /// Events that were removed.
    pub events: usize,
    /// Dead messages that were dropped.
    pub dead: usize,
    /// The event after which the next step continues; 0: the step reached the end.
    pub next_after: i64,
}

/// The most events that a step reads.
const READ_BATCH: usize = 1_000;
/// The most events that a step removes: writers wait meanwhile.
const REMOVE_BATCH: usize = 200;

impl Store {
    /// Removes some of what is past the limits, from the first event after `after` on. An event stays that is pending, or in
    /// a dead message that is kept, and so does the newest of all, from which the inbox counts on.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn prune(&mut self, limits: &RetentionLimits, after: i64) -> Result<Pruned, StoreError> {
        let dead = self.drop_old_dead(limits)?;
        let (old, next_after) =
            self.database.read("look for old events", |connection| old_events(connection, limits, after))?;
        if old.is_empty() {
            return Ok(Pruned { events: 0, dead, next_after });
        }
        self.database
            .write("remove old events", |transaction| old.iter().try_for_each(|old| remove(transaction, old)))?;
        Ok(Pruned { events: old.len(), dead, next_after })
    }

    /// Drops some of the dead messages that are past the limits.
    fn drop_old_dead(&mut self, limits: &RetentionLimits) -> Result<usize, StoreError> {
        let (since, max) = (limits.dead_since, i64::try_from(limits.max_dead).unwrap_or(i64::MAX));
        let has_some = self
            .database
            .read("look for old dead messages", |connection| messages::has_past_retention(connection, since, max))?;
        if !has_some {
            return Ok(0);
        }
        self.database
            .write("drop old dead messages", |transaction| messages::drop_past_retention(transaction, since, max))
    }
}

/// An event to remove.
struct OldEvent {
    seq: i64,
    at: i64,
    jail: String,
}

/// Returns events to remove, and the event after which to look for more; 0: there are no more.
fn old_events(connection: &Connection, limits: &RetentionLimits, after: i64) -> rusqlite::Result<(Vec<OldEvent>, i64)> {
    let (newest, last_routed): (i64, i64) = connection
        .prepare_cached("SELECT ifnull((SELECT max(seq) FROM events), 0), last_seq FROM routing_cursor")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let too_many = newest.saturating_sub(i64::try_from(limits.max_events).unwrap_or(i64::MAX));
    let mut statement = connection.prepare_cached(
        "SELECT seq, at, jail, received_at, EXISTS (
             SELECT 1 FROM routed_events LEFT JOIN messages ON messages.id = routed_events.message
             WHERE event = seq AND ifnull(messages.state, routed_events.state) IN ('pending', 'open', 'ready', 'dead')
         ) FROM events WHERE seq > ? AND seq <= ? AND seq < ? ORDER BY seq LIMIT ?",
    )?;
    let mut rows = statement.query(params![after, last_routed, newest, sql_limit(READ_BATCH)])?;
    let (mut old, mut last, mut seen) = (Vec::new(), after, 0);
    while let Some(row) = rows.next()? {
        let (seq, is_needed): (i64, bool) = (row.get(0)?, row.get(4)?);
        // A damaged one is as old as it must be to be removed.
        let received_at: i64 = row.get(3).unwrap_or(i64::MIN);
        if seq > too_many && received_at >= limits.events_since.0 {
            return Ok((old, 0));
        }
        if !is_needed {
            old.push(OldEvent { seq, at: row.get(1).unwrap_or_default(), jail: row.get(2).unwrap_or_default() });
        }
        (last, seen) = (seq, seen + 1);
        if old.len() >= REMOVE_BATCH {
            break;
        }
    }
    let has_more = seen == READ_BATCH || old.len() >= REMOVE_BATCH;
    Ok((old, if has_more { last } else { 0 }))
}

/// Removes an event from all tables.
fn remove(transaction: &Transaction<'_>, old: &OldEvent) -> rusqlite::Result<()> {
    let (messages, was_routed) = routed_events::prune(transaction, old.seq)?;
    for message in messages {
        messages::delete_pruned(transaction, message)?;
    }
    history::remove(transaction, &old.jail, old.at, old.seq)?;
    inbox::remove(transaction, old.seq)?;
    // Otherwise no route matched it.
    if was_routed { ledger::count_pruned(transaction) } else { Ok(()) }
}

impl Store {
    /// Removes the state of plugins, storms and webhooks of other routes and webhooks than these, and the counts of other
    /// routes of which no event is stored any more.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn prune_unconfigured(&mut self, routes: &[&str], webhooks: &[&str]) -> Result<(), StoreError> {
        prune(&mut self.database, (plugins::ROUTES, plugins::REMOVE), routes)?;
        prune(&mut self.database, (recent_posts::ROUTES, recent_posts::REMOVE), routes)?;
        prune(&mut self.database, (webhooks::NAMES, webhooks::REMOVE), webhooks)?;
        prune(&mut self.database, (ledger::ROUTES, ledger::REMOVE), routes)?;
        prune(&mut self.database, (ledger::PRUNED_ROUTES, ledger::REMOVE_PRUNED), routes)
    }
}

/// Removes rows by their names: `query` returns all names, `remove` deletes the row with one.
fn prune(database: &mut Database, (query, remove): (&str, &str), configured: &[&str]) -> Result<(), StoreError> {
    // Usually there is nothing to do, and a query waits for no writer.
    let mut names: Vec<String> = database.read("read the state of routes and webhooks", |connection| {
        connection.prepare(query)?.query_map([], |row| row.get(0))?.collect()
    })?;
    names.retain(|name| !configured.contains(&name.as_str()));
    if names.is_empty() {
        return Ok(());
    }
    database.write("remove the state of routes and webhooks", |transaction| {
        let mut remove = transaction.prepare(remove)?;
        names.iter().try_for_each(|name| remove.execute([name]).map(drop))
    })
}

#[cfg(test)]
#[path = "retention_tests.rs"]
mod tests;

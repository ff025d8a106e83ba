//! The table `routed_events`: one row for each event on each route that it matched. Every statement that writes it is here.
//!
//! The ledger follows by itself, by three triggers: `routed_event_inserted`, `routed_event_moved` (when an `UPDATE` sets
//! `state`) and `routed_event_pruned`; each statement that fires one is marked with its name. A row with a message has no
//! state of its own but `pending`: the message's state counts.
//!
//! Routing is quick, and formatting takes its time: in between, a row without a message is what a route still has to
//! format, so a slow route delays no other and a crash loses nothing.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::database::stored;
use super::error::StoreError;
use super::settled_before::{ELSEWHERE, Places, SettledBefore};
use super::store::Store;
use super::traces::blank_texts;
use super::{history, ledger, routing_cursor};
use crate::event::PastBan;

/// The routes that an event matched.
#[derive(Debug)]
pub struct RoutedTo {
    /// The event's number in the order of receipt.
    pub seq: i64,
    /// The ban to record in the history: see [`PastBan::of`].
    pub ban: Option<PastBan>,
    /// The names of the routes and of their webhooks; empty: unmatched, or quarantined.
    pub to: Vec<(String, String)>,
    /// Whether it cannot be read, and so matches no route.
    pub quarantined: bool,
}

impl Store {
    /// Routes events, and records new bans; all or nothing. They are the first unrouted ones, in order.
    ///
    /// # Errors
    /// When the store fails; then all of them are still unrouted.
    pub fn route_events(&mut self, routed: &[RoutedTo]) -> Result<(), StoreError> {
        self.route_all(routed, None).map(drop)
    }

    /// The same. Events of a stream are skipped on the routes on which other workers had settled them.
    ///
    /// # Errors
    /// As [`Self::route_events`].
    pub(crate) fn route_events_after(
        &mut self,
        routed: &[RoutedTo],
        before: &mut SettledBefore,
    ) -> Result<(), StoreError> {
        if let Some(places) = self.route_all(routed, Some(before))? {
            before.pass(&places);
        }
        Ok(())
    }

    fn route_all(&mut self, routed: &[RoutedTo], before: Option<&SettledBefore>) -> Result<Option<Places>, StoreError> {
        self.database.write("route events", |transaction| {
            let last_routed = routing_cursor::last_routed(transaction)?;
            let new = || routed.iter().filter(|routed| routed.seq > last_routed);
            history::record(transaction, new().filter_map(|RoutedTo { seq, ban, .. }| Some((*seq, ban.as_ref()?))))?;
            insert(transaction, new())?;
            if let Some(last) = new().next_back() {
                routing_cursor::advance(transaction, last.seq)?;
            }
            let quarantined = new().filter(|routed| routed.quarantined).count();
            let matched = new().filter(|routed| !routed.to.is_empty()).count();
            let unmatched = new().count() - quarantined - matched;
            ledger::count_routed(transaction, [unmatched, quarantined, matched])?;
            let Some((before, last)) = before.zip(routed.last()) else { return Ok(None) };
            let places = before.places(transaction, last.seq)?;
            for RoutedTo { seq, to, .. } in new() {
                for (route, _) in to.iter().filter(|(route, _)| before.is_settled(&places, *seq, route)) {
                    settle(transaction, (*seq, route, None), "skipped", ELSEWHERE)?;
                }
            }
            Ok(Some(places))
        })
    }
}

fn insert<'a>(transaction: &Transaction<'_>, routed: impl Iterator<Item = &'a RoutedTo>) -> rusqlite::Result<()> {
    // Ledger: routed_event_inserted, as matched and pending.
    let mut insert =
        transaction.prepare_cached("INSERT INTO routed_events (event, route, webhook) VALUES (?, ?, ?)")?;
    for RoutedTo { seq, to, .. } in routed {
        for (route, webhook) in to {
            insert.execute(params![seq, route, webhook])?;
        }
    }
    Ok(())
}

/// Puts a pending event into a message. False: it is not pending on the route, or not in the message `from`.
pub(super) fn move_to_message(
    transaction: &Transaction<'_>,
    (event, route, from): (i64, &str, Option<i64>),
    message: i64,
    facts: Facts<'_>,
) -> rusqlite::Result<bool> {
    let moved = transaction
        .prepare_cached(
            "UPDATE routed_events SET message = ?, tags = ?, name = ?
             WHERE event = ? AND route = ? AND state = 'pending' AND message IS ?",
        )?
        .execute(params![message, facts.stored_tags(), facts.name, event, route, from])?;
    Ok(moved > 0)
}

/// Puts an event into the message that was just inserted for it.
pub(super) fn set_message(
    transaction: &Transaction<'_>,
    (event, route): (i64, &str),
    message: i64,
    facts: Facts<'_>,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("UPDATE routed_events SET message = ?, tags = ?, name = ? WHERE event = ? AND route = ?")?
        .execute(params![message, facts.stored_tags(), facts.name, event, route])
        .map(drop)
}

/// What is kept of what a plugin said about an event, whatever becomes of the message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts<'a> {
    /// What it counts as in a digest.
    pub(super) tags: &'a [String],
    /// The name of the message about it.
    pub(super) name: Option<i64>,
}

impl Facts<'_> {
    /// The tags as they are stored; `None` if there are none.
    fn stored_tags(&self) -> Option<String> {
        (!self.tags.is_empty()).then(|| serde_json::json!(self.tags).to_string())
    }
}

/// Returns the message about the newest event of a route whose message has this name, of those before another event.
pub(super) fn named(connection: &Connection, route: &str, name: i64, before: i64) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached(
            "SELECT message FROM routed_events WHERE route = ? AND name = ? AND event < ? AND message IS NOT NULL ORDER BY event DESC LIMIT 1",
        )?
        .query_row(params![route, name, before], |row| row.get(0))
        .optional()
}

/// Has an event's message lose its name.
pub(super) fn forget_name(transaction: &Transaction<'_>, event: i64) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("UPDATE routed_events SET name = NULL WHERE event = ? AND name IS NOT NULL")?
        .execute([event])
        .map(drop)
}

/// Reads the tags in a column. An event whose tags are damaged has none.
pub(super) fn tags(row: &Row<'_>, column: usize) -> Vec<String> {
    let stored: Option<String> = row.get(column).unwrap_or_default();
    stored.and_then(|stored| serde_json::from_str(&stored).ok()).unwrap_or_default()
}

/// Puts all events of a message into another one.
pub(super) fn move_all(transaction: &Transaction<'_>, from: i64, to: i64) -> rusqlite::Result<()> {
    transaction.prepare_cached("UPDATE routed_events SET message = ? WHERE message = ?")?.execute([to, from]).map(drop)
}

/// Settles a pending event without a message, as skipped or dead. False: it is not pending on the route, or not in the
/// message `from`.
pub(super) fn settle(
    transaction: &Transaction<'_>,
    (event, route, from): (i64, &str, Option<i64>),
    state: &str,
    detail: &str,
) -> rusqlite::Result<bool> {
    // Ledger: routed_event_moved, from pending to skipped or dead.
    let settled = transaction
        .prepare_cached(
            "UPDATE routed_events SET state = ?4, detail = ?5, message = NULL
             WHERE event = ?1 AND route = ?2 AND state = 'pending' AND message IS ?3",
        )?
        .execute(params![event, route, from, state, stored(detail)])?;
    Ok(settled > 0)
}

/// Settles a damaged event of a message as dead. Returns on how many routes; 0: it is not in the message.
pub(super) fn settle_damaged(
    transaction: &Transaction<'_>,
    event: i64,
    message: i64,
    detail: &str,
) -> rusqlite::Result<i64> {
    // Ledger: routed_event_moved, from pending to dead.
    let settled = transaction
        .prepare_cached(
            "UPDATE routed_events SET state = 'dead', detail = ?3, message = NULL
             WHERE event = ?1 AND message = ?2 AND state = 'pending'",
        )?
        .execute(params![event, message, detail])?;
    Ok(i64::try_from(settled).unwrap_or(i64::MAX))
}

/// Takes all events out of a message, to be formatted again. They keep its age, and whether each had a message of its own.
pub(super) fn unformat(transaction: &Transaction<'_>, message: i64) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE routed_events SET (message, age_starts_at, standalone) =
                 (SELECT NULL, age_starts_at, cause IS NULL FROM messages WHERE id = ?1) WHERE message = ?1",
        )?
        .execute([message])
        .map(drop)
}

/// Gives the events of a route that are not formatted, or in its open digests, to another webhook.
pub(super) fn reassign_unformatted(transaction: &Transaction<'_>, route: &str, webhook: &str) -> rusqlite::Result<()> {
    for change in [
        "UPDATE routed_events SET webhook = ?2 WHERE route = ?1 AND state = 'pending' AND message IS NULL",
        "UPDATE routed_events SET webhook = ?2 WHERE message IN (SELECT id FROM messages WHERE route = ?1 AND state = 'open')",
    ] {
        transaction.prepare_cached(change)?.execute(params![route, webhook])?;
    }
    Ok(())
}

/// Returns where an event is not settled: in messages that are ready or dead; `None`: it is in an open digest or in no message.
pub(super) fn unsettled(connection: &Connection, event: i64) -> rusqlite::Result<Vec<Option<i64>>> {
    connection
        .prepare_cached(
            "SELECT CASE WHEN messages.state IN ('ready', 'dead') THEN message END
             FROM routed_events LEFT JOIN messages ON messages.id = message
             WHERE event = ? AND (messages.state IN ('open', 'ready', 'dead') OR message IS NULL AND routed_events.state = 'pending')",
        )?
        .query_map([event], |row| row.get(0))?
        .collect()
}

/// A pending event on a route.
pub(super) struct PendingEvent<'a> {
    pub(super) event: i64,
    pub(super) route: &'a str,
    /// The message that it is in, if it has one.
    pub(super) message: Option<i64>,
}

/// Calls `each` with every pending event up to `last`, on each route on which it is.
pub(super) fn for_each_pending(
    connection: &Connection,
    last: i64,
    mut each: impl FnMut(PendingEvent<'_>),
) -> rusqlite::Result<()> {
    // In three, since each has an index of its own that covers it.
    let mut statement = connection.prepare_cached(
        "SELECT event, route, NULL FROM routed_events INDEXED BY unformatted_events
         WHERE state = 'pending' AND message IS NULL AND event <= ?1
         UNION ALL
         SELECT event, routed_events.route, message FROM messages CROSS JOIN routed_events ON message = messages.id
         WHERE messages.state = 'open' AND event <= ?1
         UNION ALL
         SELECT event, routed_events.route, message FROM messages CROSS JOIN routed_events ON message = messages.id
         WHERE messages.state = 'ready' AND event <= ?1",
    )?;
    let mut rows = statement.query([last])?;
    while let Some(row) = rows.next()? {
        each(PendingEvent { event: row.get(0)?, route: row.get_ref(1)?.as_str()?, message: row.get(2)? });
    }
    Ok(())
}

/// Returns the events between two that are skipped for a reason, and on which routes.
pub(super) fn skipped_between(
    connection: &Connection,
    (first, last): (i64, i64),
    detail: &str,
) -> rusqlite::Result<Vec<(i64, String)>> {
    connection
        .prepare_cached(
            "SELECT event, route FROM routed_events
             WHERE event BETWEEN ? AND ? AND state = 'skipped' AND detail = ?",
        )?
        .query_map(params![first, last, detail], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// Has a skipped event formatted again.
pub(super) fn resume(transaction: &Transaction<'_>, (event, route): (i64, &str)) -> rusqlite::Result<()> {
    // Ledger: routed_event_moved, from skipped to pending.
    transaction
        .prepare_cached(
            "UPDATE routed_events SET state = 'pending', detail = NULL
             WHERE event = ? AND route = ? AND state = 'skipped'",
        )?
        .execute(params![event, route])
        .map(drop)
}

/// Blanks reasons and tags that `has` accepts.
pub(super) fn blank(transaction: &Transaction<'_>, has: impl Fn(&str) -> bool) -> rusqlite::Result<()> {
    let select = "SELECT event, ifnull(detail, '') || ' ' || ifnull(tags, '') FROM routed_events
        WHERE detail IS NOT NULL OR tags IS NOT NULL";
    blank_texts(transaction, (select, "UPDATE routed_events SET detail = NULL, tags = NULL WHERE event = ?"), has)
        .map(drop)
}

/// Deletes an event on all routes. Returns the messages that it was in, and whether there was a row.
pub(super) fn prune(transaction: &Transaction<'_>, event: i64) -> rusqlite::Result<(Vec<i64>, bool)> {
    let messages = transaction
        .prepare_cached("SELECT message FROM routed_events WHERE event = ? AND message IS NOT NULL")?
        .query_map([event], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<i64>>>()?;
    // Ledger: routed_event_pruned adds each row to the pruned ones; the ledger's counts stay.
    let rows = transaction.prepare_cached("DELETE FROM routed_events WHERE event = ?")?.execute([event])?;
    Ok((messages, rows > 0))
}

/// The webhook of a pending event, and when its age starts; `None`: it is not pending on the route, or not in the message
/// `from`.
pub(super) fn find_pending(
    connection: &Connection,
    (event, route, from): (i64, &str, Option<i64>),
) -> rusqlite::Result<Option<(String, i64)>> {
    connection
        .prepare_cached(
            "SELECT webhook, ifnull(age_starts_at, received_at) FROM routed_events JOIN events ON seq = event
             WHERE event = ? AND route = ? AND routed_events.state = 'pending' AND message IS ?",
        )?
        .query_row(params![event, route, from], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

/// Returns whether a message has events and every one is still stored; one is missing if somebody has edited or repaired the
/// files.
pub(super) fn are_complete(connection: &Connection, message: i64) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT events > 0 AND events = (SELECT count(*) FROM routed_events CROSS JOIN events ON seq = event
                 WHERE message = messages.id)
             FROM messages WHERE id = ?",
        )?
        .query_row([message], |row| row.get(0))
}

//! The ledger: where every event is. `received = unrouted + unmatched + quarantined + routed + forwarded`, and on each route
//! `matched = posted + digested + skipped + dead + pending`, at every moment.
//!
//! Writes the tables `ledger` and `pruned`, but only the counts over all events. The counts of a route are written by the
//! triggers of `routed_events` and `messages` (`schema`), so no change of a row can be left uncounted.

use std::collections::BTreeMap;
use std::fmt;

use rusqlite::{Connection, OptionalExtension, Transaction};
use serde::Serialize;

use super::database::Database;
use super::error::StoreError;

/// The counts over all events, and over those of each route.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Ledger {
    /// Events in the spool and in the inbox, now or before retention removed them.
    pub received: u64,
    /// Of these: not routed yet.
    pub unrouted: u64,
    /// Of these: no route matched.
    pub unmatched: u64,
    /// Of these: the stored record is damaged, so no route could match.
    pub quarantined: u64,
    /// Of these: at least one route matched.
    pub routed: u64,
    /// Of these: with the broker of the fleet that this host belongs to.
    #[serde(skip_serializing_if = "is_zero")]
    pub forwarded: u64,
    /// By the route's name.
    pub routes: BTreeMap<String, RouteLedger>,
}

/// The counts of one route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct RouteLedger {
    /// Events that the route matched.
    pub matched: u64,
    /// Of these: accepted by the webhook.
    pub posted: u64,
    /// Of these: accepted by the webhook as part of a digest.
    pub digested: u64,
    /// Of these: skipped by the plugin.
    pub skipped: u64,
    /// Of these: not to be sent any more.
    pub dead: u64,
    /// Of these: none of the others yet.
    pub pending: u64,
}

impl Ledger {
    /// Returns whether both sums hold. They always do; `false` is a defect of banhook, or a store edited by hand.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.received == self.unrouted + self.unmatched + self.quarantined + self.routed + self.forwarded
            && self.routes.values().all(|route| {
                route.matched == route.posted + route.digested + route.skipped + route.dead + route.pending
            })
    }

    /// The field of a count; `None` for a state that a newer banhook knows.
    fn count(&mut self, route: String, state: &str) -> Option<&mut u64> {
        if route.is_empty() {
            return match state {
                "received" => Some(&mut self.received),
                "unrouted" => Some(&mut self.unrouted),
                "unmatched" => Some(&mut self.unmatched),
                "quarantined" => Some(&mut self.quarantined),
                "routed" => Some(&mut self.routed),
                "forwarded" => Some(&mut self.forwarded),
                _ => None,
            };
        }
        let counts = self.routes.entry(route).or_default();
        match state {
            "matched" => Some(&mut counts.matched),
            "posted" => Some(&mut counts.posted),
            "digested" => Some(&mut counts.digested),
            "skipped" => Some(&mut counts.skipped),
            "dead" => Some(&mut counts.dead),
            "pending" => Some(&mut counts.pending),
            _ => None,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A count of the ledger that differs from the rows of the tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Discrepancy {
    /// The route; empty: all events.
    pub route: String,
    /// Which count.
    pub state: String,
    /// The ledger's count.
    pub ledger: i64,
    /// The number of rows, those that retention has pruned included.
    pub counted: i64,
}

impl fmt::Display for Discrepancy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { route, state, ledger, counted } = self;
        match route.as_str() {
            "" => write!(f, "all events: ")?,
            route => write!(f, "route {route}: ")?,
        }
        write!(f, "{state}: {ledger} in the ledger, {counted} counted")
    }
}

/// The counts of the ledger that differ from the rows, those that exist and those that were pruned. Every event up to the
/// last one that was routed is routed, quarantined, forwarded or unmatched, whether it is still in the inbox or not.
const COUNT_DISCREPANCIES: &str = "
    WITH routed (n) AS (
        SELECT (SELECT count(DISTINCT event) FROM routed_events)
            + ifnull((SELECT n FROM pruned WHERE route = '' AND state = 'routed'), 0)),
    quarantined (n) AS (SELECT ifnull((SELECT n FROM ledger WHERE route = '' AND state = 'quarantined'), 0)),
    forwarded (n) AS (SELECT ifnull((SELECT n FROM ledger WHERE route = '' AND state = 'forwarded'), 0)),
    counted (route, state, n) AS (
        SELECT routed_events.route,
            CASE ifnull(messages.state, routed_events.state)
                WHEN 'open' THEN 'pending' WHEN 'ready' THEN 'pending' WHEN 'dropped' THEN 'dead'
                ELSE ifnull(messages.state, routed_events.state) END, 1
        FROM routed_events LEFT JOIN messages ON messages.id = routed_events.message
        UNION ALL SELECT route, 'matched', 1 FROM routed_events
        UNION ALL SELECT '', 'routed', n FROM routed
        UNION ALL SELECT '', 'quarantined', n FROM quarantined
        UNION ALL SELECT '', 'forwarded', n FROM forwarded
        UNION ALL SELECT '', 'unmatched', last_seq - routed.n - quarantined.n - forwarded.n
            FROM routing_cursor, routed, quarantined, forwarded
        UNION ALL SELECT route, state, n FROM pruned WHERE route <> '')
    SELECT route, state, sum(ledger), sum(counted) FROM (
        SELECT route, state, n AS ledger, 0 AS counted FROM ledger
        UNION ALL SELECT route, state, 0, n FROM counted
    ) GROUP BY route, state HAVING sum(ledger) <> sum(counted)";

/// The open, ready and dead messages whose number of events differs from their events.
const MESSAGE_DISCREPANCIES: &str = "
    SELECT route, 'events of message ' || id, events, (SELECT count(*) FROM routed_events WHERE message = id) AS counted
    FROM messages WHERE state IN ('open', 'ready', 'dead') AND events <> counted ORDER BY id";

/// The routes with routed events that are not in the inbox.
const EVENT_DISCREPANCIES: &str = "
    SELECT route, 'events that are in the inbox', count(*), sum(there) FROM (
        SELECT route, EXISTS (SELECT 1 FROM events WHERE seq = event) AS there FROM routed_events
    ) GROUP BY route HAVING count(*) <> sum(there)";

/// The query for the routes that have counts.
pub(super) const ROUTES: &str = "SELECT DISTINCT route FROM ledger WHERE route <> ''";
/// The statement that removes the counts of a route of which no event is stored.
pub(super) const REMOVE: &str =
    "DELETE FROM ledger WHERE route = ?1 AND NOT EXISTS (SELECT 1 FROM routed_events WHERE route = ?1)";
/// The query for the routes that have counts of pruned events.
pub(super) const PRUNED_ROUTES: &str = "SELECT DISTINCT route FROM pruned WHERE route <> ''";
/// The statement that removes these, after [`REMOVE`].
pub(super) const REMOVE_PRUNED: &str =
    "DELETE FROM pruned WHERE route = ?1 AND NOT EXISTS (SELECT 1 FROM ledger WHERE route = ?1)";

/// Returns the routes that have counts.
pub(super) fn routes(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection.prepare_cached(ROUTES)?.query_map([], |row| row.get(0))?.collect()
}

/// Returns how often something was forgotten, which leaves every event counted. What a process keeps in memory of the store
/// may say it still, and is read again once this has changed.
pub(super) fn forgettings(connection: &Connection) -> rusqlite::Result<i64> {
    let times = connection
        .prepare_cached("SELECT n FROM pruned WHERE route = '' AND state = 'forgotten'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(times.unwrap_or_default())
}

/// Counts one more time that something is forgotten, in the transaction that does it.
pub(super) fn count_forgetting(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT INTO pruned VALUES ('', 'forgotten', 1) ON CONFLICT DO UPDATE SET n = n + 1")?
        .execute([])
        .map(drop)
}

/// Returns the ledger without what is in the spool.
pub(super) fn read(connection: &Connection) -> rusqlite::Result<Ledger> {
    let mut ledger = Ledger::default();
    let mut statement = connection.prepare_cached(
        "SELECT route, state, n FROM ledger UNION ALL SELECT '', 'received', ifnull((SELECT max(seq) FROM events), 0)",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (route, state): (String, String) = (row.get(0)?, row.get(1)?);
        if let Some(count) = ledger.count(route, &state) {
            *count = row.get(2)?;
        }
    }
    let passed = ledger.unmatched + ledger.quarantined + ledger.routed + ledger.forwarded;
    ledger.unrouted = ledger.received.saturating_sub(passed);
    Ok(ledger)
}

/// Counts every row and returns the differences from the ledger.
pub(super) fn check(database: &Database) -> Result<Vec<Discrepancy>, StoreError> {
    database.read_snapshot("count the events", |connection| {
        let mut found = discrepancies(connection, COUNT_DISCREPANCIES)?;
        found.extend(discrepancies(connection, MESSAGE_DISCREPANCIES)?);
        found.extend(discrepancies(connection, EVENT_DISCREPANCIES)?);
        Ok(found)
    })
}

fn discrepancies(connection: &Connection, query: &str) -> rusqlite::Result<Vec<Discrepancy>> {
    connection
        .prepare(query)?
        .query_map([], |row| {
            Ok(Discrepancy { route: row.get(0)?, state: row.get(1)?, ledger: row.get(2)?, counted: row.get(3)? })
        })?
        .collect()
}

/// Counts events that were just routed.
pub(super) fn count_routed(
    transaction: &Transaction<'_>,
    [unmatched, quarantined, routed]: [usize; 3],
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO ledger VALUES ('', 'unmatched', ?), ('', 'quarantined', ?), ('', 'routed', ?)
             ON CONFLICT DO UPDATE SET n = n + excluded.n",
        )?
        .execute([unmatched, quarantined, routed])
        .map(drop)
}

/// Counts events that were just forwarded, or quarantined instead.
pub(super) fn count_forwarded(
    transaction: &Transaction<'_>,
    [forwarded, quarantined]: [usize; 2],
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO ledger VALUES ('', 'forwarded', ?), ('', 'quarantined', ?)
             ON CONFLICT DO UPDATE SET n = n + excluded.n",
        )?
        .execute([forwarded, quarantined])
        .map(drop)
}

/// Counts a routed event that retention removes; the trigger routed_event_pruned counts it for each route.
pub(super) fn count_pruned(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT INTO pruned VALUES ('', 'routed', 1) ON CONFLICT DO UPDATE SET n = n + 1")?
        .execute([])
        .map(drop)
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;

//! The ledger: where every event is. `received = unrouted + unmatched + routed`, and on each route
//! `matched = posted + digested + skipped + dead + pending`, at every moment.

use std::collections::BTreeMap;
use std::fmt;

use rusqlite::Connection;
use serde::Serialize;

use super::{Store, StoreError};

/// The counts over all events, and over those of each route.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Ledger {
    /// Events stored.
    pub received: u64,
    /// Of these: not routed yet.
    pub unrouted: u64,
    /// Of these: no route wanted them.
    pub unmatched: u64,
    /// Of these: at least one route wanted them.
    pub routed: u64,
    /// By the route's name.
    pub routes: BTreeMap<String, RouteLedger>,
}

/// The counts of one route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct RouteLedger {
    /// Events that the route wanted.
    pub matched: u64,
    /// Of these: accepted by the webhook.
    pub posted: u64,
    /// Of these: accepted by the webhook as part of a digest.
    pub digested: u64,
    /// Of these: not worth a message, said the plugin.
    pub skipped: u64,
    /// Of these: refused for good.
    pub dead: u64,
    /// Of these: not at an end yet.
    pub pending: u64,
}

impl Ledger {
    /// Whether both sums hold. They always do; `false` is a defect of banhook, or a store edited by hand.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.received == self.unrouted + self.unmatched + self.routed
            && self.routes.values().all(|route| {
                route.matched == route.posted + route.digested + route.skipped + route.dead + route.pending
            })
    }
}

/// A count of the ledger that is not what the tables say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Discrepancy {
    /// Empty: of all events.
    pub route: String,
    /// Which count.
    pub state: String,
    /// As the ledger has it.
    pub ledger: i64,
    /// As the rows have it, those that retention has pruned included.
    pub counted: i64,
}

/// Where the ledger is not what it should be from the rows: those that are there and those that were pruned. Every event up
/// to the last that was routed was routed or not, whether it is still in the inbox or not.
const WRONG: &str = "
    WITH routed (n) AS (
        SELECT (SELECT count(DISTINCT event) FROM routed_events)
            + ifnull((SELECT n FROM pruned WHERE route = '' AND state = 'routed'), 0)),
    counted (route, state, n) AS (
        SELECT routed_events.route,
            CASE ifnull(messages.state, routed_events.state)
                WHEN 'open' THEN 'pending' WHEN 'ready' THEN 'pending' WHEN 'dropped' THEN 'dead'
                ELSE ifnull(messages.state, routed_events.state) END, 1
        FROM routed_events LEFT JOIN messages ON messages.id = routed_events.message
        UNION ALL SELECT route, 'matched', 1 FROM routed_events
        UNION ALL SELECT '', 'routed', n FROM routed
        UNION ALL SELECT '', 'unmatched', last_seq - n FROM routing_cursor, routed
        UNION ALL SELECT route, state, n FROM pruned WHERE route <> '')
    SELECT route, state, sum(ledger), sum(counted) FROM (
        SELECT route, state, n AS ledger, 0 AS counted FROM ledger
        UNION ALL SELECT route, state, 0, n FROM counted
    ) GROUP BY route, state HAVING sum(ledger) <> sum(counted)";

/// What is open, to be sent or dead says how many events it tells.
const WRONG_MESSAGES: &str = "
    SELECT route, 'events of message ' || id, events, (SELECT count(*) FROM routed_events WHERE message = id) AS counted
    FROM messages WHERE state IN ('open', 'ready', 'dead') AND events <> counted ORDER BY id";

/// What became of an event is known for as long as the event is there. Of the inbox an earlier moment is seen: hence only
/// events up to its last.
const WRONG_EVENTS: &str = "
    SELECT route, 'events that are in the inbox', count(*), sum(there) FROM (
        SELECT route, EXISTS (SELECT 1 FROM inbox.events WHERE seq = event) AS there FROM routed_events WHERE event <= ?
    ) GROUP BY route HAVING count(*) <> sum(there)";

impl Store {
    /// The ledger, as of one moment.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn ledger(&self) -> Result<Ledger, StoreError> {
        self.database.read("read the ledger", |connection| {
            let mut ledger = Ledger::default();
            // One statement sees one moment; of the inbox, one that is not earlier.
            let mut statement = connection.prepare_cached(
                "SELECT route, state, n FROM ledger
                 UNION ALL SELECT '', 'received', ifnull((SELECT max(seq) FROM inbox.events), 0)",
            )?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let (route, state): (String, String) = (row.get(0)?, row.get(1)?);
                if let Some(count) = ledger.count(route, &state) {
                    *count = row.get(2)?;
                }
            }
            ledger.unrouted = ledger.received.saturating_sub(ledger.unmatched + ledger.routed);
            Ok(ledger)
        })
    }

    /// Counts every row and compares: what of the ledger is wrong. Sees one moment, also while somebody is at work. Takes a
    /// while where there is much history.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn check_ledger(&self) -> Result<Vec<Discrepancy>, StoreError> {
        self.database.read_one_moment("count the events", |connection| {
            // First, so that the inbox is seen as it was before the rest: an event goes from it last, and comes first.
            let newest: i64 =
                connection.query_row("SELECT ifnull(max(seq), 0) FROM inbox.events", [], |row| row.get(0))?;
            let mut wrong = discrepancies(connection, WRONG, [])?;
            wrong.extend(discrepancies(connection, WRONG_MESSAGES, [])?);
            wrong.extend(discrepancies(connection, WRONG_EVENTS, [newest])?);
            Ok(wrong)
        })
    }
}

fn discrepancies(
    connection: &Connection,
    query: &str,
    parameters: impl rusqlite::Params,
) -> rusqlite::Result<Vec<Discrepancy>> {
    connection
        .prepare(query)?
        .query_map(parameters, |row| {
            Ok(Discrepancy { route: row.get(0)?, state: row.get(1)?, ledger: row.get(2)?, counted: row.get(3)? })
        })?
        .collect()
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

impl Ledger {
    /// The place of a count; `None` for a state that a newer banhook knows.
    fn count(&mut self, route: String, state: &str) -> Option<&mut u64> {
        if route.is_empty() {
            return match state {
                "received" => Some(&mut self.received),
                "unrouted" => Some(&mut self.unrouted),
                "unmatched" => Some(&mut self.unmatched),
                "routed" => Some(&mut self.routed),
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

//! The ledger: where every event is. `taken_in = waiting + unrouted + routed`, and on each route
//! `matched = posted + digested + skipped + dead + pending`, at every moment.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Store, StoreError};

/// The counts over all events, and over those of each route.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Ledger {
    /// Events stored.
    pub taken_in: u64,
    /// Of these: not routed yet.
    pub waiting: u64,
    /// Of these: no route wanted them.
    pub unrouted: u64,
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
        self.taken_in == self.waiting + self.unrouted + self.routed
            && self.routes.values().all(|route| {
                route.matched == route.posted + route.digested + route.skipped + route.dead + route.pending
            })
    }
}

impl Store {
    /// The ledger, as of one moment.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn ledger(&self) -> Result<Ledger, StoreError> {
        self.read_ledger().map_err(|source| self.error("read the ledger", source))
    }

    fn read_ledger(&self) -> rusqlite::Result<Ledger> {
        // One transaction, so that both tables are seen as of one moment.
        let snapshot = self.connection.unchecked_transaction()?;
        let mut ledger = snapshot.query_row("SELECT taken_in, waiting, unrouted, routed FROM intake", [], |row| {
            Ok(Ledger {
                taken_in: row.get(0)?,
                waiting: row.get(1)?,
                unrouted: row.get(2)?,
                routed: row.get(3)?,
                routes: BTreeMap::new(),
            })
        })?;
        let mut statement =
            snapshot.prepare("SELECT route, matched, posted, digested, skipped, dead, pending FROM ledger")?;
        let rows = statement.query_map([], |row| {
            let counts = RouteLedger {
                matched: row.get(1)?,
                posted: row.get(2)?,
                digested: row.get(3)?,
                skipped: row.get(4)?,
                dead: row.get(5)?,
                pending: row.get(6)?,
            };
            Ok((row.get(0)?, counts))
        })?;
        for row in rows {
            let (route, counts) = row?;
            ledger.routes.insert(route, counts);
        }
        Ok(ledger)
    }
}

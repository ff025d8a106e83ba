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
        let mut ledger = Ledger::default();
        // One statement sees one moment.
        let mut statement = self.connection.prepare_cached("SELECT route, state, n FROM ledger")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (route, state): (String, String) = (row.get(0)?, row.get(1)?);
            if let Some(count) = ledger.count(route, &state) {
                *count = row.get(2)?;
            }
        }
        Ok(ledger)
    }
}

impl Ledger {
    /// The place of a count; `None` for a state that a newer banhook knows.
    fn count(&mut self, route: String, state: &str) -> Option<&mut u64> {
        if route.is_empty() {
            return match state {
                "taken_in" => Some(&mut self.taken_in),
                "waiting" => Some(&mut self.waiting),
                "unrouted" => Some(&mut self.unrouted),
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

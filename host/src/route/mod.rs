//! The second stage: an event from the inbox becomes a routed event on each route that matches it.
//!
//! Before that, bans get what only fail2ban's database knows of them ([`Enricher`]). Nothing here knows of plugins,
//! networks or threads, and the time is handed in.

mod enricher;
mod enrichment;
mod fail2ban_database;
#[cfg(test)]
mod fail2ban_database_tests;

use std::collections::BTreeSet;

pub use enricher::{EnrichStatus, Enricher};
pub use enrichment::Enrichment;
pub use fail2ban_database::{DatabaseError, Fail2banDatabase, KnownBan};

use crate::config::Route;
use crate::event::{EventDefaults, PastBan, Timestamp};
use crate::store::{RoutedTo, Store, StoreError, UnroutedEvent};

/// Events that are routed in one transaction. Each transaction reads again the pages that others have changed, and writes
/// each page that it changes, of which there is up to one for an event, since bans are kept by subject, too. With 32, an
/// event of a backlog took the router 36 µs, and 100,000 of them 1.2 GB of write-ahead log; now it takes 13 µs. Delivery workers
/// wait 60 ms at most meanwhile, `notify` not at all: it writes to another file.
const ROUTE_BATCH: usize = 4_096;

/// The result of routing one batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RoutingPass {
    /// How many events; 0: none is unrouted, or the first one waits for fail2ban's database.
    pub events: usize,
    /// The routes that match some of them.
    pub routes: BTreeSet<String>,
    /// Whether an event waits for fail2ban's database.
    pub later: bool,
}

/// Routes one batch of the inbox's unrouted events to the routes that match them.
///
/// # Errors
/// When the store fails; the events of the batch are still unrouted then.
pub fn route_events(
    routes: &[Route],
    defaults: &EventDefaults,
    store: &mut Store,
    enrichment: Option<Enrichment<'_>>,
    now: Timestamp,
) -> Result<RoutingPass, StoreError> {
    let mut unrouted = store.unrouted(ROUTE_BATCH)?;
    let found = unrouted.len();
    if let Some(enrichment) = enrichment {
        enrichment.run(&mut unrouted, defaults, now)?;
    }
    let later = unrouted.len() < found;
    let routed: Vec<_> = unrouted.into_iter().map(|unrouted| routed(routes, defaults, unrouted)).collect();
    if !routed.is_empty() {
        store.route_events(&routed)?;
    }
    let to = routed.iter().flat_map(|routed| routed.to.iter().map(|(route, _)| route.clone())).collect();
    Ok(RoutingPass { events: routed.len(), routes: to, later })
}

fn routed(routes: &[Route], defaults: &EventDefaults, UnroutedEvent { seq, event, .. }: UnroutedEvent) -> RoutedTo {
    match event {
        Ok(event) => {
            let event = defaults.apply(event);
            let matching = routes.iter().filter(|route| route.matches(&event));
            let to = matching.map(|route| (route.name.clone(), route.webhook.clone())).collect();
            RoutedTo { seq, ban: PastBan::of(&event), to }
        }
        Err(error) => {
            tracing::error!(event = seq, "unmatched: the stored event cannot be read: {error}");
            RoutedTo { seq, ban: None, to: Vec::new() }
        }
    }
}

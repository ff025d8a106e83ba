//! One pass over the inbox: a batch of events is given to the routes that match them.

use std::collections::BTreeSet;

use super::enrichment::Enrichment;
use crate::config::Route;
use crate::counters::EventCounts;
use crate::event::{EventDefaults, PastBan, Timestamp};
use crate::store::{RoutedTo, Store, StoreError, UnroutedEvent};

/// How many events are routed in one transaction. Each transaction reads the pages again that others have changed, and writes
/// each page that it changes, of which there is up to one for each event, since bans are also kept by subject. With 32, an
/// event of a backlog took the router 36 µs, and 100,000 of them 1.2 GB of write-ahead log; now it takes 13 µs. Delivery
/// waits 60 ms at most meanwhile, `notify` not at all: it writes to another file.
const ROUTE_BATCH: usize = 4_096;

/// The result of a pass.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct RoutingPass {
    /// How many events were routed; 0: there was none, or the first one waits for fail2ban's database.
    pub events: usize,
    /// The routes that match some of them.
    pub routes: BTreeSet<String>,
    /// Whether events are left that wait for fail2ban's database.
    pub later: bool,
    /// The events by jail and by host.
    pub counts: EventCounts,
}

/// Routes a batch of the unrouted events.
///
/// # Errors
/// When the store fails; the events of the batch are still unrouted then.
pub(crate) fn route_events(
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
    let mut counts = EventCounts::default();
    let later = unrouted.len() < found;
    let routed: Vec<_> = unrouted.into_iter().map(|unrouted| routed(routes, defaults, unrouted, &mut counts)).collect();
    if !routed.is_empty() {
        store.route_events(&routed)?;
    }
    let to = routed.iter().flat_map(|routed| routed.to.iter().map(|(route, _)| route.clone())).collect();
    Ok(RoutingPass { events: routed.len(), routes: to, later, counts })
}

fn routed(
    routes: &[Route],
    defaults: &EventDefaults,
    UnroutedEvent { seq, event, .. }: UnroutedEvent,
    counts: &mut EventCounts,
) -> RoutedTo {
    match event {
        Ok(event) => {
            let event = defaults.apply(event);
            counts.add(&event);
            let matching = routes.iter().filter(|route| route.matches(&event));
            let to = matching.map(|route| (route.name.clone(), route.webhook.clone())).collect();
            RoutedTo { seq, ban: PastBan::of(&event), to, quarantined: false }
        }
        Err(error) => {
            tracing::error!(event = seq, "stored event quarantined: {error}");
            RoutedTo { seq, ban: None, to: Vec::new(), quarantined: true }
        }
    }
}

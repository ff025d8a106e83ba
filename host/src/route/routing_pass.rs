//! One pass over the inbox: a batch of events is given to the routes that match them.

use std::collections::BTreeSet;

use super::enricher::{EnrichStatus, Enricher};
use crate::config::Route;
use crate::counters::EventCounts;
use crate::event::{EventDefaults, PastBan, Timestamp};
use crate::store::{RoutedTo, SettledBefore, Store, StoreError, UnroutedEvent};

/// How many events are routed in one transaction. Each transaction reads the pages again that others have changed, and writes
/// each page that it changes, of which there is up to one for each event, since bans are also kept by subject. With 32, an
/// event of a backlog took the router 36 µs, and 100,000 of them 1.2 GB of write-ahead log; now it takes 13 µs. Delivery
/// waits 60 ms at most meanwhile, `notify` not at all.
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

/// Routes a batch of the unrouted events of a host that is no worker of a fleet.
#[cfg(test)]
pub(crate) fn route_events(
    routes: &[Route],
    defaults: &EventDefaults,
    store: &mut Store,
    enricher: Option<&mut Enricher>,
    now: Timestamp,
) -> Result<RoutingPass, StoreError> {
    route_events_after(routes, defaults, store, enricher, None, now)
}

/// Routes a batch of the unrouted events. `before`: of a fleet's worker, what others had settled.
///
/// # Errors
/// When the store fails; the events of the batch are still unrouted then.
pub(crate) fn route_events_after(
    routes: &[Route],
    defaults: &EventDefaults,
    store: &mut Store,
    enricher: Option<&mut Enricher>,
    before: Option<&mut SettledBefore>,
    now: Timestamp,
) -> Result<RoutingPass, StoreError> {
    let mut unrouted = store.unrouted(ROUTE_BATCH)?;
    let later = match enricher {
        Some(enricher) => enrich(enricher, store, &mut unrouted, defaults, now)?,
        None => false,
    };
    let mut counts = EventCounts::default();
    let routed: Vec<_> = unrouted.into_iter().map(|unrouted| routed(routes, defaults, unrouted, &mut counts)).collect();
    match before {
        _ if routed.is_empty() => {}
        Some(before) => store.route_events_after(&routed, before)?,
        None => store.route_events(&routed)?,
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

/// Enriches the events of this host. Leaves out the first event that waits for the database or has to be read again, and all
/// after it, so that the order stays. Returns whether there is one.
///
/// # Errors
/// When the store fails.
pub(crate) fn enrich(
    enricher: &mut Enricher,
    store: &mut Store,
    unrouted: &mut Vec<UnroutedEvent>,
    defaults: &EventDefaults,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let found = unrouted.len();
    let (mut ready, mut enriched) = (0, BTreeSet::new());
    for UnroutedEvent { seq, received_at, event, .. } in unrouted.iter_mut() {
        if let Ok(event) = event
            && (event.host.is_empty() || event.host == defaults.host)
            && enricher.can_enrich(event)
        {
            let before = event.clone();
            if enricher.enrich(event, *received_at, now) == EnrichStatus::NotYet {
                break;
            }
            if *event != before {
                enriched.insert(*seq);
            }
        }
        ready += 1;
    }
    unrouted.truncate(ready);
    if enriched.is_empty() {
        return Ok(ready < found);
    }
    // Stored before they are routed, since formatting reads them again.
    let enriched: Vec<_> = unrouted.iter().filter(|unrouted| enriched.contains(&unrouted.seq)).collect();
    if let Some(changed) = store.update_enriched(&enriched)? {
        unrouted.retain(|unrouted| unrouted.seq < changed);
    }
    Ok(unrouted.len() < found)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::event::{Ban, Event, EventDetails};
    use crate::store::StateDir;

    fn event(jail: &str, id: &str, at: i64, details: EventDetails) -> Event {
        let (id, jail) = (id.to_owned(), jail.to_owned());
        Event { id, at: Timestamp(at), host: String::new(), jail, details, labels: BTreeMap::new() }
    }

    fn ban(subject: &str) -> EventDetails {
        EventDetails::Ban(Ban { subject: subject.to_owned(), ..Ban::default() })
    }

    /// The action reports a ban after the router has read it as the log has it, and before it writes it enriched.
    #[test]
    fn enrich_leaves_out_an_event_that_changed_meanwhile() {
        let temp = tempfile::tempdir().unwrap();
        let state = StateDir::new(temp.path().join("state"));
        state.create().unwrap();
        let lock = state.try_work_lock().unwrap().unwrap();
        let mut store = Store::open_for_work(&state, &lock).unwrap();
        let mut inbox = store.new_connection().unwrap();
        let database = temp.path().join("fail2ban.sqlite3");
        let rows = "CREATE TABLE bans(jail TEXT NOT NULL, ip TEXT, timeofban INTEGER NOT NULL, data JSON);
             INSERT INTO bans VALUES
                 ('sshd', '1.2.3.4', 9, '{\"matches\": [\"one\"]}'), ('sshd', '1.2.3.5', 9, '{\"matches\": [\"two\"]}');";
        rusqlite::Connection::open(&database).unwrap().execute_batch(rows).unwrap();
        let mut enricher = Enricher::new(Some(database), true);
        let logged = ["1.2.3.5", "1.2.3.4"].map(|subject| event("sshd", "logged", 9_000, ban(subject)));
        inbox.append_all(&logged, None, Timestamp(9_000)).unwrap();

        let mut unrouted = store.unrouted(9).unwrap();
        let EventDetails::Ban(logged) = ban("1.2.3.4") else { panic!("no ban") };
        let acted = EventDetails::Ban(Ban { ticket_at: Some(Timestamp(9_000)), ..logged });
        inbox.append(&event("sshd", "acted", 9_000, acted), Timestamp(9_001)).unwrap();
        let defaults = EventDefaults { host: "web-1".to_owned(), labels: BTreeMap::new() };
        enrich(&mut enricher, &mut inbox, &mut unrouted, &defaults, Timestamp(9_002)).unwrap();
        assert_eq!(unrouted.iter().map(|unrouted| unrouted.seq).collect::<Vec<_>>(), [1]);

        let routed = route_events(&[], &defaults, &mut store, Some(&mut enricher), Timestamp(9_003)).unwrap();
        assert_eq!(routed.events, 2);
        let mut stored = Vec::new();
        let mut keep = |event: Result<Event, String>| {
            let event = event.unwrap();
            stored.push((event.id.clone(), event.ban().unwrap().matches.clone()));
            Ok::<_, StoreError>(())
        };
        store.export_events(None, 9, &mut keep).unwrap();
        assert_eq!(stored, [("logged".into(), vec!["two".into()]), ("acted".into(), vec!["one".to_owned()])]);
    }
}

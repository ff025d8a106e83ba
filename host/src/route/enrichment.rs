//! The step before routing: bans of this host are enriched from fail2ban's database.

use std::collections::BTreeSet;

use super::enricher::{EnrichStatus, Enricher};
use crate::event::{EventDefaults, Timestamp};
use crate::store::{Inbox, StoreError, UnroutedEvent};

/// Enriches unrouted events.
pub(crate) struct Enrichment<'a> {
    /// Queries fail2ban's database.
    pub enricher: &'a mut Enricher,
    /// Where the enriched events are stored.
    pub inbox: &'a mut Inbox,
}

impl Enrichment<'_> {
    /// Enriches the events of this host. Leaves out the first event that waits for the database or has to be read again, and
    /// all after it, so that the order stays.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn run(
        self,
        unrouted: &mut Vec<UnroutedEvent>,
        defaults: &EventDefaults,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Self { enricher, inbox } = self;
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
            return Ok(());
        }
        // Stored before they are routed, since formatting reads them again.
        let enriched: Vec<_> = unrouted.iter().filter(|unrouted| enriched.contains(&unrouted.seq)).collect();
        if let Some(changed) = inbox.update_enriched(&enriched)? {
            unrouted.retain(|unrouted| unrouted.seq < changed);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::event::{Ban, Event, EventDetails};
    use crate::route::route_events;
    use crate::store::{StateDir, Store};

    fn event(jail: &str, id: &str, at: i64, details: EventDetails) -> Event {
        let (id, jail) = (id.to_owned(), jail.to_owned());
        Event { id, at: Timestamp(at), host: String::new(), jail, details, labels: BTreeMap::new() }
    }

    fn ban(subject: &str) -> EventDetails {
        EventDetails::Ban(Ban { subject: subject.to_owned(), ..Ban::default() })
    }

    /// The action reports a ban after the router has read it as the log has it, and before it writes it enriched.
    #[test]
    fn run_leaves_out_an_event_that_changed_meanwhile() {
        let temp = tempfile::tempdir().unwrap();
        let state = StateDir::new(temp.path().join("state"));
        let lock = state.try_work_lock().unwrap().unwrap();
        let mut store = Store::open_for_work(&state, &lock).unwrap();
        let mut inbox = store.open_inbox().unwrap();
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
        let enrichment = Enrichment { enricher: &mut enricher, inbox: &mut inbox };
        enrichment.run(&mut unrouted, &defaults, Timestamp(9_002)).unwrap();
        assert_eq!(unrouted.iter().map(|unrouted| unrouted.seq).collect::<Vec<_>>(), [1]);

        let enrichment = Enrichment { enricher: &mut enricher, inbox: &mut inbox };
        assert_eq!(route_events(&[], &defaults, &mut store, Some(enrichment), Timestamp(9_003)).unwrap().events, 2);
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

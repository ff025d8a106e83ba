//! What is past its time goes, and stays in the totals.

use std::time::{Duration, Instant};

use super::tests::{Fixture, accept, ban, fixture, formatted, message, of_sec, storm, take};
use super::*;
use crate::event::{BanQuery, EventDetails, PastBan, Timestamp};

#[test]
fn what_is_past_its_time_goes_and_stays_in_the_totals() {
    let mut fixture = fixture();
    formatted(&mut fixture, 10, (0..4).map(|_| Disposition::Send(message())).collect());
    formatted(&mut fixture, 10, vec![storm(20), storm(20), Disposition::Skip("dull".into())]);
    take(&mut fixture.inbox, EventDetails::Ban(ban("1.2.3.4", Some(10), false)));
    let Fixture { store, inbox, .. } = &mut fixture;
    let waiting = store.unrouted(1).unwrap().remove(0);
    let ban = PastBan::of(&waiting.event.unwrap());
    store.route_events(&[RoutedTo { seq: waiting.seq, ban, to: vec![] }]).unwrap();
    take(inbox, EventDetails::Stop);
    // Posted, dead, dropped, pending; digested twice; skipped; unmatched; waiting.
    accept(store, 1);
    store.mark_dead(2, DeadReason::Rejected, "400", Timestamp(30)).unwrap();
    store.drop_messages(&MessageSelector::Ids(vec![3]), Timestamp(30)).unwrap();
    let hold = store.digests_to_close("sec", Timestamp(20), false).unwrap().remove(0);
    store.close_digest(hold.id, &message(), true, Timestamp(21)).unwrap();
    accept(store, hold.id);
    let before = (store.ledger().unwrap(), of_sec(store));
    let keep = |events_since, max_events, dead_since, max_dead| RetentionLimits {
        events_since: Timestamp(events_since),
        max_events,
        dead_since: Timestamp(dead_since),
        max_dead,
    };
    let seqs = |store: &Store| {
        let mut ids = Vec::new();
        store
            .export_events::<StoreError>(None, 99, |event| {
                ids.push(event.unwrap().id);
                Ok(())
            })
            .unwrap();
        ids.len()
    };
    assert_eq!(store.prune(inbox, &keep(2, 100, 30, 9), 0).unwrap(), Pruned::default(), "nothing is old");
    assert_eq!(seqs(store), 9);
    // By age: what is pending or dead stays, and so does what waits.
    assert_eq!(store.prune(inbox, &keep(3, 100, 30, 9), 0).unwrap().events, 6);
    assert_eq!((seqs(store), (store.ledger().unwrap(), of_sec(store))), (3, before.clone()));
    assert_eq!(store.message(1).unwrap(), None);
    let everything = BanQuery { until: Timestamp(i64::MAX), ..BanQuery::default() };
    let scope = HistoryScope { may_see: &|_| true, before: 99, deadline: Instant::now() + Duration::from_secs(9) };
    assert_eq!(store.bans(&everything, &scope).unwrap().unwrap().bans, 0);
    // Dead ones have a time of their own; then they are history like the others.
    assert_eq!(store.prune(inbox, &keep(3, 100, 31, 9), 0).unwrap(), Pruned { events: 1, dead: 1, next: 0 });
    assert_eq!((seqs(store), (store.ledger().unwrap(), of_sec(store))), (2, before.clone()));
    // A crash between the two files has kept one in the inbox.
    let again =
        "INSERT INTO events SELECT 2, received_at, at, logged, counterpart, kind, host, jail, subject, ticket_at, restored, body
        FROM events WHERE seq = 4";
    inbox.database.connection.execute_batch(again).unwrap();
    assert_eq!((seqs(store), store.check_ledger().unwrap()), (3, vec![]));
    assert_eq!(store.prune(inbox, &keep(3, 100, 31, 9), 0).unwrap().events, 1);
    assert_eq!((seqs(store), store.check_ledger().unwrap()), (2, vec![]));
    // By number; the newest counts on.
    accept(store, 4);
    assert_eq!(store.prune(inbox, &keep(0, 1, 31, 9), 0).unwrap().events, 1);
    take(inbox, EventDetails::Flush);
    assert_eq!(store.ledger().unwrap().received, 10);
    assert_eq!(store.check_ledger().unwrap(), []);
}

#[test]
fn what_goes_is_counted_once_though_a_step_breaks_off() {
    let mut fixture = fixture();
    formatted(&mut fixture, 10, (0..3).map(|_| Disposition::Skip("dull".into())).collect());
    let Fixture { store, inbox, .. } = &mut fixture;
    let keep = RetentionLimits { events_since: Timestamp(99), max_events: 99, dead_since: Timestamp(99), max_dead: 9 };
    inbox.database.connection.execute_batch("PRAGMA query_only = 1").unwrap();
    assert!(store.prune(inbox, &keep, 0).is_err());
    of_sec(store);
    inbox.database.connection.execute_batch("PRAGMA query_only = 0").unwrap();
    assert_eq!(store.prune(inbox, &keep, 0).unwrap().events, 2, "the newest stays");
    assert_eq!(of_sec(store).skipped, 3);
}

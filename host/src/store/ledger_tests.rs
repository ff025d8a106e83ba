//! The ledger: it is right after each step, and its check finds errors.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::event::{EventDetails, Timestamp};
use crate::store::fixture::{
    Fixture, accept, append, begin_attempt, fixture, join_storm, message, next_message, route_one, sec_ledger,
};
use crate::store::*;

#[test]
fn ledger_after_each_step_counts_it() {
    let mut fixture = fixture();
    let Fixture { store, inbox, .. } = &mut fixture;
    for _ in 0..3 {
        append(inbox, EventDetails::Start);
    }
    let sums = |store: &Store| {
        let route = sec_ledger(store);
        let ledger = store.ledger().unwrap();
        (ledger.unrouted, ledger.unmatched, ledger.routed, route)
    };
    assert_eq!(sums(store), (3, 0, 0, RouteLedger::default()));

    route_one(store, vec![]);
    assert_eq!(sums(store), (2, 1, 0, RouteLedger::default()));
    route_one(store, vec![("sec", Disposition::Send(message())), ("ops", Disposition::Skip("dull".into()))]);
    route_one(store, vec![("sec", Disposition::Send(message()))]);
    let pending = RouteLedger { matched: 2, pending: 2, ..RouteLedger::default() };
    assert_eq!(sums(store), (0, 1, 2, pending));
    assert_eq!(store.ledger().unwrap().routes["ops"], RouteLedger { matched: 1, skipped: 1, ..RouteLedger::default() });

    let first = next_message(store).unwrap();
    assert!(begin_attempt(store, first.id));
    assert_eq!(sums(store).3, pending);
    accept(store, first.id);
    assert_eq!(sums(store).3, RouteLedger { matched: 2, posted: 1, pending: 1, ..RouteLedger::default() });
    let second = next_message(store).unwrap();
    let why = "webhook \"hook\" is no longer configured";
    let state = WebhookState::default();
    store.mark_dead(second.id, ("hook", &state), (DeadReason::WebhookRemoved, why), None, Timestamp(5)).unwrap();
    let dead = RouteLedger { matched: 2, posted: 1, dead: 1, ..RouteLedger::default() };
    assert_eq!(sums(store).3, dead);
    assert_eq!(next_message(store), None);
    assert!(store.is_drained().unwrap());
    let queue = &store.queues(Timestamp(6)).unwrap()["hook"];
    assert_eq!((queue.dead, queue.last_dead_error.as_deref()), (1, Some(why)));
    assert_eq!(queue.last_error, queue.last_dead_error);

    let all = MessageSelector::Dead(None);
    assert_eq!(
        store.retry(&all, None, Timestamp(7)).unwrap(),
        Retried { resent: vec![second.id], ..Retried::default() }
    );
    assert_eq!(sums(store).3, RouteLedger { matched: 2, posted: 1, pending: 1, ..RouteLedger::default() });
    assert_eq!(
        store.drop_messages(&MessageSelector::Ids(vec![second.id, first.id, 99]), Timestamp(7)).unwrap(),
        [second.id]
    );
    assert_eq!(sums(store).3, dead);
    assert!(!begin_attempt(store, second.id), "it was dropped");
    assert_eq!(store.retry(&all, None, Timestamp(8)).unwrap(), Retried::default());
    // It was dropped during the attempt.
    accept(store, second.id);
    assert_eq!(store.message(second.id).unwrap().unwrap().0.dead_reason, None);
    assert_eq!(sums(store).3, RouteLedger { matched: 2, posted: 2, ..RouteLedger::default() });
}

#[test]
fn check_ledger_wrong_count_is_reported() {
    let mut fixture = fixture();
    let Fixture { store, inbox, .. } = &mut fixture;
    append(inbox, EventDetails::Start);
    route_one(store, vec![("sec", Disposition::Send(message()))]);
    store.database.connection.execute_batch("UPDATE ledger SET n = 2 WHERE state = 'matched'").unwrap();
    let wrong = store.check_ledger().unwrap();
    assert_eq!(wrong, [Discrepancy { route: "sec".into(), state: "matched".into(), ledger: 2, counted: 1 }]);
    assert!(!store.ledger().unwrap().balances());
}

#[test]
fn check_ledger_lost_event_is_reported() {
    let mut fixture = fixture();
    let Fixture { store, inbox, .. } = &mut fixture;
    for _ in 0..2 {
        append(inbox, EventDetails::Start);
        route_one(store, vec![("sec", Disposition::Send(message()))]);
    }
    inbox.database.connection.execute_batch("DELETE FROM events WHERE seq = 1").unwrap();
    let wrong = store.check_ledger().unwrap();
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert_eq!(wrong[0].to_string(), "route sec: events that are in the inbox: 2 in the ledger, 1 counted");
}

/// While another thread appends, routes, groups, delivers, drops and prunes.
#[test]
fn check_ledger_during_changes_sees_one_moment() {
    const EVENTS: i64 = 300;
    let mut fixture = fixture();
    let Fixture { store, inbox, .. } = &mut fixture;
    let other = store.new_connection().unwrap();
    let busy = AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let keep =
                RetentionLimits { events_since: Timestamp(3), max_events: 50, dead_since: Timestamp(9), max_dead: 5 };
            for number in 0..EVENTS {
                append(inbox, EventDetails::Start);
                let disposition = if number % 3 == 0 { join_storm(20) } else { Disposition::Send(message()) };
                route_one(store, if number % 7 == 0 { vec![] } else { vec![("sec", disposition)] });
                if let Some(next) = next_message(store) {
                    match number % 5 {
                        0 => {
                            let (state, reason) = (WebhookState::default(), (DeadReason::Rejected, "400"));
                            store.mark_dead(next.id, ("hook", &state), reason, None, Timestamp(number)).unwrap();
                        }
                        1 => drop(store.drop_messages(&MessageSelector::Ids(vec![next.id]), Timestamp(9)).unwrap()),
                        _ => accept(store, next.id),
                    }
                }
                if number % 20 == 0 {
                    for digest in store.digests_to_close("sec", Timestamp(20), true).unwrap() {
                        store.close_digest(digest.id, &message(), true, Timestamp(21)).unwrap();
                    }
                    store.prune(&keep, 0).unwrap();
                }
            }
            busy.store(false, Ordering::SeqCst);
        });
        let mut checks = 0;
        while busy.load(Ordering::SeqCst) || checks == 0 {
            assert_eq!(other.check_ledger().unwrap(), []);
            checks += 1;
        }
    });
    assert_eq!(other.check_ledger().unwrap(), []);
}

//! Open messages: what joins them, when they close, what is grouped into them.

use super::tests::{accept, begin, fixture, formatted, message, next, of_sec, storm};
use super::*;
use crate::event::{DigestCause, Timestamp};

fn of_restart(cause: DigestCause, unbans: bool) -> Disposition {
    let closes = Closes::Quiet { quiet_ms: 100, max_ms: 1_000 };
    Disposition::Digest(DigestKey { cause, key: "key".into(), closes, merge_unbans: unbans.then(|| "key".into()) })
}

#[test]
fn events_join_an_open_message_until_it_closes() {
    let mut fixture = fixture();
    formatted(&mut fixture, 10, vec![storm(50), storm(60), Disposition::Send(message()), storm(40)]);
    formatted(&mut fixture, 20, vec![storm(90)]);
    let store = &mut fixture.store;
    assert_eq!(store.next_digest_at("sec").unwrap(), Some(Timestamp(40)));
    assert_eq!(store.digests_to_close("sec", Timestamp(39), false).unwrap(), []);
    let [hold] = &store.digests_to_close("sec", Timestamp(40), false).unwrap()[..] else { panic!() };
    assert_eq!((hold.events, hold.cause), (4, DigestCause::Storm));
    assert_eq!(store.digests_to_close("sec", Timestamp(11), true).unwrap().len(), 1, "when all are to be closed");
    assert_eq!(store.digests_to_close("sec", Timestamp(9), false).unwrap().len(), 1, "when the clock was set back");
    let batch = store.digest_batch(hold, "web-1", |event| event).unwrap();
    assert_eq!((batch.totals.starts, batch.totals.by_host[0].name.as_str(), batch.events.len()), (4, "web-1", 4));
    assert_eq!(of_sec(store), RouteLedger { matched: 5, pending: 5, ..RouteLedger::default() });
    store.close_digest(hold.id, &message(), true, Timestamp(41)).unwrap();
    assert_eq!(next(store).unwrap().id, hold.id, "its first event is the oldest");
    accept(store, hold.id);
    assert_eq!(of_sec(store), RouteLedger { matched: 5, digested: 4, pending: 1, ..RouteLedger::default() });
}

#[test]
fn an_open_message_with_a_single_event_may_become_that_events_own() {
    let mut fixture = fixture();
    formatted(&mut fixture, 10, vec![storm(50)]);
    let store = &mut fixture.store;
    let hold = store.digests_to_close("sec", Timestamp(50), false).unwrap().remove(0);
    store.close_digest(hold.id, &message(), false, Timestamp(50)).unwrap();
    accept(store, hold.id);
    assert_eq!(of_sec(store), RouteLedger { matched: 1, posted: 1, ..RouteLedger::default() });
}

#[test]
fn a_full_message_closes_and_the_next_one_begins() {
    let mut fixture = fixture();
    let many = MAX_DIGEST_EVENTS + 3;
    formatted(&mut fixture, 10, (0..many).map(|_| storm(500)).collect());
    let store = &fixture.store;
    let [full] = &store.digests_to_close("sec", Timestamp(10), false).unwrap()[..] else { panic!() };
    assert_eq!(full.events, MAX_DIGEST_EVENTS);
    let all = store.digests_to_close("sec", Timestamp(10), true).unwrap();
    assert_eq!(all.iter().map(|hold| hold.events).collect::<Vec<_>>(), [MAX_DIGEST_EVENTS, 3]);
    let batch = store.digest_batch(full, "web-1", |event| event).unwrap();
    assert_eq!((batch.totals.events, batch.events.len()), (MAX_DIGEST_EVENTS, 100));
    assert_eq!(store.check_ledger().unwrap(), []);
}

#[test]
fn unbans_join_the_stop_that_follows_and_otherwise_go_their_way() {
    let mut fixture = fixture();
    formatted(&mut fixture, 10, vec![of_restart(DigestCause::Unbans, false), of_restart(DigestCause::Unbans, false)]);
    // Both in one transaction, and in a later one.
    formatted(&mut fixture, 50, vec![of_restart(DigestCause::Unbans, false), of_restart(DigestCause::Restart, true)]);
    let store = &fixture.store;
    let holds = store.digests_to_close("sec", Timestamp(60), true).unwrap();
    assert_eq!(holds.iter().map(|hold| (hold.cause, hold.events)).collect::<Vec<_>>(), [(DigestCause::Restart, 4)]);
    assert_eq!(store.next_digest_at("sec").unwrap(), Some(Timestamp(150)));
    // Each that joins puts it off, but not for ever.
    formatted(&mut fixture, 140, vec![of_restart(DigestCause::Restart, false)]);
    assert_eq!(fixture.store.next_digest_at("sec").unwrap(), Some(Timestamp(240)));
    formatted(&mut fixture, 1_020, vec![of_restart(DigestCause::Restart, false)]);
    assert_eq!(fixture.store.next_digest_at("sec").unwrap(), Some(Timestamp(1_050)));

    formatted(
        &mut fixture,
        2_000,
        vec![of_restart(DigestCause::Unbans, false), of_restart(DigestCause::Unbans, false)],
    );
    let store = &mut fixture.store;
    let unbans = store.digests_to_close("sec", Timestamp(9_000), false).unwrap().remove(1);
    assert_eq!((unbans.cause, unbans.events), (DigestCause::Unbans, 2));
    let seqs: Vec<_> = store.message_events(unbans.id, 9).unwrap().iter().map(|event| event.seq).collect();
    let verdicts = [Disposition::Send(message()), Disposition::Skip("dull".into())];
    for (seq, disposition) in seqs.into_iter().zip(verdicts) {
        store
            .record_formatted("sec", Some(unbans.id), &[FormattedEvent { seq, disposition }], None, Timestamp(9_000))
            .unwrap();
    }
    assert_eq!(store.digests_to_close("sec", Timestamp(9_000), true).unwrap().len(), 1, "an empty one is no more");
    let expected = RouteLedger { matched: 8, pending: 7, skipped: 1, ..RouteLedger::default() };
    assert_eq!(of_sec(store), expected);
}

#[test]
fn a_backlog_is_folded_but_for_what_was_attempted() {
    let mut fixture = fixture();
    formatted(&mut fixture, 10, (0..6).map(|_| Disposition::Send(message())).collect());
    let store = &mut fixture.store;
    let first = next(store).unwrap();
    assert!(begin(store, first.id));
    let digest_key =
        |store: &mut Store, most| store.digest_backlog("sec", "hook", most, Timestamp(99), Timestamp(20)).unwrap();
    assert_eq!(digest_key(store, 5), 0);
    assert_eq!(store.digest_backlog("ops", "hook", 2, Timestamp(99), Timestamp(20)).unwrap(), 0, "of another route");
    assert_eq!(digest_key(store, 4), 5);
    assert_eq!(next(store).unwrap().id, first.id);
    assert_eq!(store.next_in_order("hook", 1).unwrap(), None);
    let hold = store.digests_to_close("sec", Timestamp(99), false).unwrap().remove(0);
    assert_eq!((hold.cause, hold.events), (DigestCause::Backlog, 5));
    assert_eq!(of_sec(store), RouteLedger { matched: 6, pending: 6, ..RouteLedger::default() });
    // A digest that waits is grouped as well, with what came later.
    store.close_digest(hold.id, &message(), true, Timestamp(99)).unwrap();
    formatted(&mut fixture, 110, (0..4).map(|_| Disposition::Send(message())).collect());
    let store = &mut fixture.store;
    assert_eq!(store.digest_backlog("sec", "hook", 4, Timestamp(200), Timestamp(110)).unwrap(), 5);
    let hold = store.digests_to_close("sec", Timestamp(200), false).unwrap().remove(0);
    assert_eq!(hold.events, 9);
    assert_eq!(of_sec(store), RouteLedger { matched: 10, pending: 10, ..RouteLedger::default() });
}

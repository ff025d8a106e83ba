//! Digests: which events join, when they close, and how a backlog becomes one.

use crate::event::{DigestCause, Timestamp};
use crate::store::digests::MAX_DIGEST_EVENTS;
use crate::store::fixture::{
    accept, begin_attempt, fixture, join_storm, message, next_message, receive_and_format, sec_ledger,
};
use crate::store::*;

fn of_restart(cause: DigestCause, unbans: bool) -> Disposition {
    let closes = Closes::Quiet { quiet_ms: 100, max_ms: 1_000 };
    Disposition::Digest(DigestKey { cause, key: "key".into(), closes, merge_unbans: unbans.then(|| "key".into()) })
}

#[test]
fn digest_events_join_until_it_closes() {
    let mut fixture = fixture();
    receive_and_format(
        &mut fixture,
        10,
        vec![join_storm(50), join_storm(60), Disposition::Send(message()), join_storm(40)],
    );
    receive_and_format(&mut fixture, 20, vec![join_storm(90)]);
    let store = &mut fixture.store;
    assert_eq!(store.next_digest_at("sec").unwrap(), Some(Timestamp(40)));
    assert_eq!(store.digests_to_close("sec", Timestamp(39), false).unwrap(), []);
    let [digest] = &store.digests_to_close("sec", Timestamp(40), false).unwrap()[..] else { panic!() };
    assert_eq!((digest.events, digest.cause), (4, DigestCause::Storm));
    assert_eq!(store.digests_to_close("sec", Timestamp(11), true).unwrap().len(), 1, "all are to be closed");
    assert_eq!(store.digests_to_close("sec", Timestamp(9), false).unwrap().len(), 1, "the clock was set back");
    let batch = store.digest_batch(digest, None, "web-1", |event| event).unwrap();
    assert_eq!((batch.totals.starts, batch.totals.by_host[0].name.as_str(), batch.events.len()), (4, "web-1", 4));
    assert_eq!(sec_ledger(store), RouteLedger { matched: 5, pending: 5, ..RouteLedger::default() });
    store.close_digest(digest.id, &message(), true, Timestamp(41)).unwrap();
    assert_eq!(next_message(store).unwrap().id, digest.id, "its first event is the oldest");
    accept(store, digest.id);
    assert_eq!(sec_ledger(store), RouteLedger { matched: 5, digested: 4, pending: 1, ..RouteLedger::default() });
}

#[test]
fn close_digest_as_a_message_posts_its_only_event() {
    let mut fixture = fixture();
    receive_and_format(&mut fixture, 10, vec![join_storm(50)]);
    let store = &mut fixture.store;
    let digest = store.digests_to_close("sec", Timestamp(50), false).unwrap().remove(0);
    store.close_digest(digest.id, &message(), false, Timestamp(50)).unwrap();
    accept(store, digest.id);
    assert_eq!(sec_ledger(store), RouteLedger { matched: 1, posted: 1, ..RouteLedger::default() });
}

#[test]
fn digest_full_closes_and_another_opens() {
    let mut fixture = fixture();
    let many = MAX_DIGEST_EVENTS + 3;
    receive_and_format(&mut fixture, 10, (0..many).map(|_| join_storm(500)).collect());
    let store = &fixture.store;
    let [full] = &store.digests_to_close("sec", Timestamp(10), false).unwrap()[..] else { panic!() };
    assert_eq!(full.events, MAX_DIGEST_EVENTS);
    let all = store.digests_to_close("sec", Timestamp(10), true).unwrap();
    assert_eq!(all.iter().map(|digest| digest.events).collect::<Vec<_>>(), [MAX_DIGEST_EVENTS, 3]);
    let batch = store.digest_batch(full, None, "web-1", |event| event).unwrap();
    assert_eq!((batch.totals.events, batch.events.len()), (MAX_DIGEST_EVENTS, 100));
    assert_eq!(store.check_ledger().unwrap(), []);
}

#[test]
fn unbans_before_a_stop_join_it_and_others_close_by_themselves() {
    let mut fixture = fixture();
    receive_and_format(
        &mut fixture,
        10,
        vec![of_restart(DigestCause::Unbans, false), of_restart(DigestCause::Unbans, false)],
    );
    // Both in one transaction, and in a later one.
    receive_and_format(
        &mut fixture,
        50,
        vec![of_restart(DigestCause::Unbans, false), of_restart(DigestCause::Restart, true)],
    );
    let store = &fixture.store;
    let digests = store.digests_to_close("sec", Timestamp(60), true).unwrap();
    assert_eq!(
        digests.iter().map(|digest| (digest.cause, digest.events)).collect::<Vec<_>>(),
        [(DigestCause::Restart, 4)]
    );
    assert_eq!(store.next_digest_at("sec").unwrap(), Some(Timestamp(150)));
    // Each event that joins postpones it, up to a limit.
    receive_and_format(&mut fixture, 140, vec![of_restart(DigestCause::Restart, false)]);
    assert_eq!(fixture.store.next_digest_at("sec").unwrap(), Some(Timestamp(240)));
    receive_and_format(&mut fixture, 1_020, vec![of_restart(DigestCause::Restart, false)]);
    assert_eq!(fixture.store.next_digest_at("sec").unwrap(), Some(Timestamp(1_050)));

    receive_and_format(
        &mut fixture,
        2_000,
        vec![of_restart(DigestCause::Unbans, false), of_restart(DigestCause::Unbans, false)],
    );
    let store = &mut fixture.store;
    let unbans = store.digests_to_close("sec", Timestamp(9_000), false).unwrap().remove(1);
    assert_eq!((unbans.cause, unbans.events), (DigestCause::Unbans, 2));
    let seqs: Vec<_> = store.message_events(unbans.id, 9).unwrap().iter().map(|event| event.seq).collect();
    let dispositions = [Disposition::Send(message()), Disposition::Skip("dull".into())];
    for (seq, disposition) in seqs.into_iter().zip(dispositions) {
        store
            .record_formatted("sec", Some(unbans.id), &[FormattedEvent::new(seq, disposition)], None, Timestamp(9_000))
            .unwrap();
    }
    assert_eq!(store.digests_to_close("sec", Timestamp(9_000), true).unwrap().len(), 1, "an empty one is deleted");
    let expected = RouteLedger { matched: 8, pending: 7, skipped: 1, ..RouteLedger::default() };
    assert_eq!(sec_ledger(store), expected);
}

#[test]
fn digest_backlog_over_the_limit_groups_unattempted_messages() {
    let mut fixture = fixture();
    receive_and_format(&mut fixture, 10, (0..6).map(|_| Disposition::Send(message())).collect());
    let store = &mut fixture.store;
    let first = next_message(store).unwrap();
    assert!(begin_attempt(store, first.id));
    let digest_backlog =
        |store: &mut Store, most| store.digest_backlog("sec", "hook", most, Timestamp(99), Timestamp(20)).unwrap();
    assert_eq!(digest_backlog(store, 5), 0);
    assert_eq!(store.digest_backlog("ops", "hook", 2, Timestamp(99), Timestamp(20)).unwrap(), 0, "of another route");
    assert_eq!(digest_backlog(store, 4), 5);
    assert_eq!(next_message(store).unwrap().id, first.id);
    assert_eq!(store.next_in_order("hook", 1).unwrap(), None);
    let digest = store.digests_to_close("sec", Timestamp(99), false).unwrap().remove(0);
    assert_eq!((digest.cause, digest.events), (DigestCause::Backlog, 5));
    assert_eq!(sec_ledger(store), RouteLedger { matched: 6, pending: 6, ..RouteLedger::default() });
    // A digest that was never attempted is grouped again, with later messages.
    store.close_digest(digest.id, &message(), true, Timestamp(99)).unwrap();
    receive_and_format(&mut fixture, 110, (0..4).map(|_| Disposition::Send(message())).collect());
    let store = &mut fixture.store;
    assert_eq!(store.digest_backlog("sec", "hook", 4, Timestamp(200), Timestamp(110)).unwrap(), 5);
    let digest = store.digests_to_close("sec", Timestamp(200), false).unwrap().remove(0);
    assert_eq!(digest.events, 9);
    assert_eq!(sec_ledger(store), RouteLedger { matched: 10, pending: 10, ..RouteLedger::default() });
}

//! Dead messages that are retried: as they are, formatted again, or not at all.

use crate::event::Timestamp;
use crate::store::fixture::{fixture, join_storm, message, receive_and_format, sec_ledger};
use crate::store::*;

#[test]
fn retry_rejected_messages_are_reformatted_and_the_ledger_balances() {
    let mut fixture = fixture();
    receive_and_format(
        &mut fixture,
        10,
        vec![join_storm(50), join_storm(50), Disposition::Send(message()), Disposition::Send(message())],
    );
    let store = &mut fixture.store;
    let digest = store.digests_to_close("sec", Timestamp(50), false).unwrap().remove(0);
    store.close_digest(digest.id, &message(), true, Timestamp(50)).unwrap();
    // Its events go to the webhook that they were routed to, whichever has rejected them.
    store.reassign("sec", ("hook", "other"), None).unwrap();
    let ready: Vec<_> = store.list_messages(true, false, 9).unwrap().into_iter().map(|message| message.id).collect();
    let [digest, rejected, expired] = ready[..] else { panic!("{ready:?}") };
    let sums = |store: &Store, dead, pending| {
        assert_eq!(sec_ledger(store), RouteLedger { matched: 4, dead, pending, ..RouteLedger::default() });
        assert_eq!(store.check_ledger().unwrap(), []);
    };
    // The reason decides, whatever the text.
    for (id, reason, error) in [
        (digest, DeadReason::Rejected, "400 invalid_blocks"),
        (rejected, DeadReason::Rejected, "too large"),
        (expired, DeadReason::Expired, "503, and too old"),
    ] {
        store.mark_dead(id, ("hook", &WebhookState::default()), (reason, error), None, Timestamp(60)).unwrap();
        assert_eq!(store.message(id).unwrap().unwrap().0.dead_reason, Some(reason));
    }
    sums(store, 4, 0);

    // No route would format their events.
    let blocked = [digest, rejected].map(|id| (id, RetryBlocked::NoRoute("sec".to_owned()))).into();
    let selector = MessageSelector::Ids(vec![digest, rejected]);
    assert_eq!(
        store.retry(&selector, Some(&ConfiguredNames::default()), Timestamp(70)).unwrap(),
        Retried { blocked, ..Retried::default() }
    );
    sums(store, 4, 0);

    let retried = store.retry(&MessageSelector::Dead(None), None, Timestamp(80)).unwrap();
    assert_eq!(retried, Retried { reformatted: vec![digest, rejected], resent: vec![expired], blocked: vec![] });
    sums(store, 0, 4);
    assert_eq!(store.retry(&selector, None, Timestamp(80)).unwrap(), Retried::default());
    assert_eq!(store.message(digest).unwrap(), None);
    let unformatted = store.unformatted("sec", 9).unwrap();
    assert_eq!(unformatted.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(unformatted.iter().all(|event| event.webhook == "hook"));
    assert_eq!(unformatted.iter().map(|event| event.standalone).collect::<Vec<_>>(), [false, false, true]);
    assert_eq!(routing_cursor::settled_through(&store.database).unwrap(), 0);

    let again = |seq| FormattedEvent::new(seq, Disposition::Send(message()));
    store.record_formatted("sec", None, &[again(1), again(2), again(3)], None, Timestamp(90)).unwrap();
    sums(store, 0, 4);
    let messages = store.list_messages(true, true, 9).unwrap();
    assert_eq!(
        messages.iter().map(|message| message.age_starts_at).collect::<Vec<_>>(),
        [Timestamp(80); 4],
        "their age starts with the retry"
    );
    assert!(messages.iter().all(|message| message.error.is_none() || message.id == expired));
    assert!(messages.iter().all(|message| message.dead_reason.is_none()));
}

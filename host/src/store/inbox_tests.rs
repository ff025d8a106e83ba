//! Appending: which reports are one event and which are two, and how far logs were read.

use crate::event::{Event, EventDetails, Timestamp};
use crate::store::fixture::{Fixture, append, ban, event, fixture};
use crate::store::inbox::Appended;
use crate::store::*;

#[test]
fn append_action_run_again_is_a_repeat() {
    let mut fixture = fixture();
    let inbox = &mut fixture.inbox;
    let mut is = |action, expected| assert_eq!(append(inbox, action), expected);
    is(EventDetails::Ban(ban("1.2.3.4", Some(10), false)), Appended::New);
    is(EventDetails::Ban(ban("1.2.3.4", Some(10), false)), Appended::Repeat);
    is(EventDetails::Ban(ban("1.2.3.5", Some(10), false)), Appended::New);
    is(EventDetails::Unban(ban("1.2.3.4", Some(10), false)), Appended::New);
    is(EventDetails::Unban(ban("1.2.3.4", Some(10), false)), Appended::Repeat);
    // A ban after an unban is a new one.
    is(EventDetails::Ban(ban("1.2.3.4", Some(10), false)), Appended::New);
    is(EventDetails::Ban(ban("1.2.3.4", Some(11), false)), Appended::New);
    // Without a time, nothing identifies a repeat.
    is(EventDetails::Ban(ban("1.2.3.6", None, false)), Appended::New);
    is(EventDetails::Ban(ban("1.2.3.6", None, false)), Appended::New);
    is(EventDetails::Start, Appended::New);
    is(EventDetails::Start, Appended::New);
}

#[test]
fn append_ban_restored_after_each_restart_is_new() {
    let mut fixture = fixture();
    let Fixture { store, inbox, .. } = &mut fixture;
    let restored = || EventDetails::Ban(ban("1.2.3.4", Some(10), true));
    let mut is = |action, expected| assert_eq!(append(inbox, action), expected);
    is(EventDetails::Ban(ban("1.2.3.4", Some(10), false)), Appended::New);
    for _restart in 0..2 {
        is(EventDetails::Start, Appended::New);
        is(restored(), Appended::New);
        is(restored(), Appended::Repeat);
    }
    // Another jail's start makes no difference.
    inbox.append(&event("nginx", EventDetails::Start), Timestamp(2)).unwrap();
    assert_eq!(append(inbox, restored()), Appended::Repeat);
    assert_eq!(store.ledger().unwrap().received, 6);
}

/// fail2ban 0.9 leaves the tag `<restored>` as it is.
#[test]
fn append_unmarked_burst_after_the_start_of_its_jail_is_restored() {
    let mut fixture = fixture();
    let Fixture { store, inbox, .. } = &mut fixture;
    let at = |at, jail: &str, details| Event { at: Timestamp(at), ..event(jail, details) };
    let starts = |inbox: &mut Store, ms, jail: &str| {
        inbox.append(&at(ms, jail, EventDetails::Start), Timestamp(ms)).unwrap();
    };
    let mut number = 0;
    let mut is_restored = |inbox: &mut Store, ms, jail: &str| {
        number += 1;
        let subject = format!("203.0.113.{number}");
        inbox.append_unmarked(at(ms, jail, EventDetails::Ban(ban(&subject, Some(1), false))), Timestamp(ms)).unwrap();
        let stored = store.unrouted(1_000).unwrap().pop().unwrap().event.unwrap();
        stored.ban().unwrap().restored
    };
    assert!(!is_restored(inbox, 0, "sshd"), "without a start");
    starts(inbox, 10_000, "sshd");
    for ms in [10_200, 11_000, 13_500] {
        assert!(is_restored(inbox, ms, "sshd"), "{ms}");
    }
    starts(inbox, 13_600, "nginx");
    assert!(is_restored(inbox, 13_700, "nginx"));
    assert!(!is_restored(inbox, 13_700, "dovecot"), "of a jail that did not start");
    assert!(!is_restored(inbox, 16_600, "sshd"), "after a gap");
    assert!(!is_restored(inbox, 16_700, "sshd"), "after one that is not restored");
    assert!(!is_restored(inbox, 9_000, "sshd"), "by a clock that was set back");
    starts(inbox, 20_000, "sshd");
    inbox.append(&at(20_100, "sshd", EventDetails::Stop), Timestamp(20_100)).unwrap();
    assert!(!is_restored(inbox, 20_200, "sshd"), "of a jail that stopped");
    // An attack that follows without a gap.
    starts(inbox, 100_000, "sshd");
    let restored = (0..70).take_while(|second| is_restored(inbox, 100_000 + second * 1_000, "sshd")).count();
    assert_eq!(restored, 61);
}

#[test]
fn append_unmarked_unban_or_repeat_stays_what_it_is() {
    let mut fixture = fixture();
    let Fixture { store, inbox, .. } = &mut fixture;
    let now = Timestamp(5);
    let named = |restored| ban("203.0.113.7", Some(1), restored);
    let at = |details| Event { at: now, ..event("sshd", details) };
    inbox.append(&at(EventDetails::Start), now).unwrap();
    assert_eq!(inbox.append_unmarked(at(EventDetails::Ban(named(false))), now).unwrap(), Appended::New);
    assert_eq!(inbox.append_unmarked(at(EventDetails::Ban(named(false))), now).unwrap(), Appended::Repeat);
    // The log of this fail2ban does not mark it either.
    inbox.append_all(&[at(EventDetails::Ban(ban("203.0.113.7", None, false)))], None, now).unwrap();
    assert_eq!(store.ledger().unwrap().received, 2);
    assert_eq!(inbox.append_unmarked(at(EventDetails::Unban(named(false))), now).unwrap(), Appended::New);
    let unban = store.unrouted(9).unwrap().pop().unwrap().event.unwrap();
    assert!(!unban.ban().unwrap().restored);
}

#[test]
fn append_event_of_action_and_log_is_stored_once() {
    let mut fixture = fixture();
    let Fixture { store, inbox, .. } = &mut fixture;
    let reported = |at, action| Event { at: Timestamp(at), ..event("sshd", action) };
    let reported_by_action = |inbox: &mut Store, at, action| inbox.append(&reported(at, action), Timestamp(2)).unwrap();
    let logged = |inbox: &mut Store, at, action| {
        inbox.append_all(&[reported(at, action)], None, Timestamp(2)).unwrap();
        store.ledger().unwrap().received
    };
    let named = |ticket_at| EventDetails::Ban(ban("1.2.3.4", ticket_at, false));
    // The action first, or the log.
    assert_eq!(reported_by_action(inbox, 100_000, named(Some(9))), Appended::New);
    assert_eq!(logged(inbox, 99_950, named(None)), 1);
    assert_eq!(logged(inbox, 200_000, named(None)), 2);
    assert_eq!(reported_by_action(inbox, 200_040, named(Some(10))), Appended::Repeat);
    assert_eq!(
        reported_by_action(inbox, 200_050, named(Some(10))),
        Appended::Repeat,
        "a failed action that is run again"
    );
    // The action knows more.
    let stored = store.unrouted(9).unwrap().remove(1).event.unwrap();
    assert_eq!(stored.ban().unwrap().ticket_at, Some(Timestamp(10)));
    // Each report has one counterpart at most: of the same kind, and at about the same time.
    assert_eq!(logged(inbox, 200_060, named(None)), 3);
    assert_eq!(logged(inbox, 200_070, EventDetails::Unban(ban("1.2.3.4", None, false))), 4);
    assert_eq!(logged(inbox, 300_000, EventDetails::Ban(ban("1.2.3.4", None, true))), 5);
    assert_eq!(reported_by_action(inbox, 320_000, EventDetails::Ban(ban("1.2.3.4", Some(10), true))), Appended::New);
    assert_eq!(reported_by_action(inbox, 400_000, EventDetails::Start), Appended::New);
    assert_eq!(logged(inbox, 400_001, EventDetails::Start), 7);
}

#[test]
fn update_enriched_event_that_the_action_reported_meanwhile_is_not_replaced() {
    let mut fixture = fixture();
    let Fixture { store, inbox, .. } = &mut fixture;
    let of = |at, subject: &str, ticket_at| Event {
        at: Timestamp(at),
        ..event("sshd", EventDetails::Ban(ban(subject, ticket_at, false)))
    };
    inbox.append_all(&[of(100, "1.2.3.4", None), of(100, "1.2.3.5", None)], None, Timestamp(2)).unwrap();
    let enriched = |store: &Store| {
        let mut unrouted = store.unrouted(9).unwrap();
        for unrouted in &mut unrouted {
            let event = unrouted.event.as_mut().unwrap();
            let EventDetails::Ban(ban) = &mut event.details else { panic!("no ban") };
            ban.matches.push("a line".to_owned());
        }
        unrouted
    };
    let stored = |store: &Store| {
        let events = store.unrouted(9).unwrap().into_iter().map(|event| event.event.unwrap());
        events.map(|event| (event.ban().unwrap().ticket_at, event.ban().unwrap().matches.len())).collect::<Vec<_>>()
    };
    let early = enriched(store);
    assert_eq!(inbox.append(&of(101, "1.2.3.4", Some(9)), Timestamp(3)).unwrap(), Appended::Repeat);
    assert_eq!(inbox.update_enriched(&early.iter().collect::<Vec<_>>()).unwrap(), Some(1));
    assert_eq!(stored(store), [(Some(Timestamp(9)), 0), (None, 1)]);
    // Read again, it gets the details as well.
    let again = enriched(store);
    assert_eq!(inbox.update_enriched(&[&again[0]]).unwrap(), None);
    assert_eq!(stored(store), [(Some(Timestamp(9)), 1), (None, 1)]);
}

#[test]
fn append_all_stores_events_and_checkpoint_or_neither() {
    let mut fixture = fixture();
    let Fixture { store, inbox, .. } = &mut fixture;
    assert_eq!(inbox.log_checkpoint("/l").unwrap(), None);
    let checkpoint = |offset| Checkpoint { id: 5, inode: u64::MAX, head: 9, fingerprint: "f".into(), offset };
    inbox.append_all(&[event("sshd", EventDetails::Start)], Some(("/l", &checkpoint(7))), Timestamp(2)).unwrap();
    inbox.append_all(&[], Some(("/other", &Checkpoint { id: 6, ..checkpoint(1) })), Timestamp(2)).unwrap();
    assert_eq!(inbox.log_checkpoint("/l").unwrap(), Some(checkpoint(7)));
    assert_eq!(store.ledger().unwrap().received, 1);
    // Neither without the other.
    inbox.database.connection.execute_batch("DROP TABLE checkpoints").unwrap();
    inbox.append_all(&[event("sshd", EventDetails::Start)], Some(("/l", &checkpoint(8))), Timestamp(2)).unwrap_err();
    assert_eq!(store.ledger().unwrap().received, 1);
}

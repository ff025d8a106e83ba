//! The store's promises, each on a fresh folder.

use std::collections::BTreeMap;

use super::*;
use crate::event::{Action, Ban, Event, Timestamp};
use crate::message::{Guarded, Target, fallback};

pub(super) struct Fixture {
    folder: StateFolder,
    pub(super) store: Store,
    _lock: WorkLock,
    _temp: tempfile::TempDir,
}

pub(super) fn fixture() -> Fixture {
    let temp = tempfile::tempdir().unwrap();
    let folder = StateFolder::new(temp.path().join("state"));
    let lock = folder.try_work().unwrap().unwrap();
    let store = Store::open_for_work(&folder, &lock).unwrap();
    Fixture { folder, store, _lock: lock, _temp: temp }
}

pub(super) fn event(jail: &str, action: Action) -> Event {
    let id = "an id".to_owned();
    Event { id, at: Timestamp(1), host: String::new(), jail: jail.to_owned(), action, labels: BTreeMap::new() }
}

pub(super) fn ban(subject: &str, ticket_at: Option<i64>, restored: bool) -> Ban {
    Ban { subject: subject.to_owned(), ticket_at: ticket_at.map(Timestamp), restored, ..Ban::default() }
}

fn take(store: &mut Store, action: Action) -> TakenIn {
    store.take_in(&event("sshd", action), Timestamp(2)).unwrap()
}

fn message() -> Guarded {
    fallback(&event("sshd", Action::Start), "a test", Target::Slack)
}

fn routed(store: &mut Store, verdicts: Vec<(&str, Verdict)>) {
    let seq = store.waiting(1).unwrap()[0].seq;
    let to = verdicts.iter().map(|(route, _)| ((*route).to_owned(), "hook".to_owned())).collect();
    store.assign(&[Assigned { seq, ban: None, to }]).unwrap();
    for (route, verdict) in verdicts {
        store.word(route, &[Worded { seq, verdict }], Timestamp(3)).unwrap();
    }
}

#[test]
fn a_failed_action_that_is_run_again_is_one_event() {
    let mut fixture = fixture();
    let store = &mut fixture.store;
    let mut is = |action, expected| assert_eq!(take(store, action), expected);
    is(Action::Ban(ban("1.2.3.4", Some(10), false)), TakenIn::New);
    is(Action::Ban(ban("1.2.3.4", Some(10), false)), TakenIn::Repeat);
    is(Action::Ban(ban("1.2.3.5", Some(10), false)), TakenIn::New);
    is(Action::Unban(ban("1.2.3.4", Some(10), false)), TakenIn::New);
    is(Action::Unban(ban("1.2.3.4", Some(10), false)), TakenIn::Repeat);
    // Not the last one of its subject any more: a ban after an unban is a new one.
    is(Action::Ban(ban("1.2.3.4", Some(10), false)), TakenIn::New);
    is(Action::Ban(ban("1.2.3.4", Some(11), false)), TakenIn::New);
    // Without a time, nothing tells a repeat.
    is(Action::Ban(ban("1.2.3.6", None, false)), TakenIn::New);
    is(Action::Ban(ban("1.2.3.6", None, false)), TakenIn::New);
    is(Action::Start, TakenIn::New);
    is(Action::Start, TakenIn::New);
}

#[test]
fn the_same_ban_restored_after_each_of_two_restarts_is_two_events() {
    let mut fixture = fixture();
    let store = &mut fixture.store;
    let restored = || Action::Ban(ban("1.2.3.4", Some(10), true));
    let mut is = |action, expected| assert_eq!(take(store, action), expected);
    is(Action::Ban(ban("1.2.3.4", Some(10), false)), TakenIn::New);
    for _restart in 0..2 {
        is(Action::Start, TakenIn::New);
        is(restored(), TakenIn::New);
        is(restored(), TakenIn::Repeat);
    }
    // Another jail's start is no mark.
    store.take_in(&event("nginx", Action::Start), Timestamp(2)).unwrap();
    assert_eq!(take(store, restored()), TakenIn::Repeat);
    assert_eq!(store.ledger().unwrap().taken_in, 6);
}

#[test]
fn the_ledger_follows_every_step() {
    let mut fixture = fixture();
    let store = &mut fixture.store;
    for _ in 0..3 {
        take(store, Action::Start);
    }
    let sums = |store: &Store| {
        let ledger = store.ledger().unwrap();
        assert!(ledger.balances(), "{ledger:?}");
        let route = ledger.routes.get("sec").copied().unwrap_or_default();
        (ledger.waiting, ledger.unrouted, ledger.routed, route)
    };
    assert_eq!(sums(store), (3, 0, 0, RouteLedger::default()));

    routed(store, vec![]);
    assert_eq!(sums(store), (2, 1, 0, RouteLedger::default()));
    routed(store, vec![("sec", Verdict::Send(message())), ("ops", Verdict::Skip("dull".into()))]);
    routed(store, vec![("sec", Verdict::Send(message()))]);
    let pending = RouteLedger { matched: 2, pending: 2, ..RouteLedger::default() };
    assert_eq!(sums(store), (0, 1, 2, pending));
    assert_eq!(store.ledger().unwrap().routes["ops"], RouteLedger { matched: 1, skipped: 1, ..RouteLedger::default() });

    let first = store.next_message("hook").unwrap().unwrap();
    store.begin_attempt(first.id, Timestamp(4)).unwrap();
    assert_eq!(sums(store).3, pending);
    store.accepted(first.id).unwrap();
    assert_eq!(sums(store).3, RouteLedger { matched: 2, posted: 1, pending: 1, ..RouteLedger::default() });
    let second = store.next_message("hook").unwrap().unwrap();
    store.bury(second.id, "404 no_service").unwrap();
    assert_eq!(sums(store).3, RouteLedger { matched: 2, posted: 1, dead: 1, ..RouteLedger::default() });
    assert_eq!(store.next_message("hook").unwrap(), None);
    assert!(store.is_idle().unwrap());
    assert_eq!(store.queues().unwrap()["hook"].last_error.as_deref(), Some("404 no_service"));
}

#[test]
fn an_event_is_assigned_and_worded_once() {
    let mut fixture = fixture();
    let store = &mut fixture.store;
    take(store, Action::Start);
    for _ in 0..2 {
        store.assign(&[Assigned { seq: 1, ban: None, to: vec![("sec".into(), "hook".into())] }]).unwrap();
    }
    assert!(!store.is_idle().unwrap());
    assert_eq!(store.unworded_routes().unwrap(), ["sec"]);
    assert_eq!(store.unworded("sec", 9).unwrap().len(), 1);
    for verdict in [Verdict::Send(message()), Verdict::Send(message()), Verdict::Skip("late".into())] {
        store.word("sec", &[Worded { seq: 1, verdict }], Timestamp(3)).unwrap();
        assert!(store.unworded("sec", 9).unwrap().is_empty());
    }
    assert_eq!(store.queues().unwrap()["hook"].pending, 1);
    let expected = RouteLedger { matched: 1, pending: 1, ..RouteLedger::default() };
    assert_eq!(store.ledger().unwrap().routes["sec"], expected);
}

#[test]
fn the_state_of_plugins_is_that_of_the_routes_there_are() {
    let mut fixture = fixture();
    let store = &mut fixture.store;
    let state = |failures| PluginState {
        plugin: "sec.wasm".into(),
        sha256: Some("00".repeat(32)),
        version: Some("1.2.3".into()),
        since: Timestamp(5),
        failures,
        error: (failures > 0).then(|| "trapped".into()),
        paused_until: (failures > 1).then_some(Timestamp(7)),
    };
    for (route, failures) in [("sec", 0), ("ops", 1), ("sec", 2)] {
        store.record_plugin(route, &state(failures)).unwrap();
    }
    assert_eq!(store.plugins().unwrap(), [("ops".into(), state(1)), ("sec".into(), state(2))].into());
    store.keep_plugins(&["sec"]).unwrap();
    assert_eq!(store.plugins().unwrap(), [("sec".into(), state(2))].into());
}

#[test]
fn messages_stay_in_order_and_an_attempt_is_counted_before_its_answer() {
    let mut fixture = fixture();
    let store = &mut fixture.store;
    for _ in 0..2 {
        take(store, Action::Start);
        routed(store, vec![("sec", Verdict::Send(message()))]);
    }
    let first = store.next_message("hook").unwrap().unwrap();
    store.begin_attempt(first.id, Timestamp(4)).unwrap();
    store.postpone(first.id, Timestamp(9_000), "429").unwrap();
    let next = store.next_message("hook").unwrap().unwrap();
    assert_eq!((next.id, next.attempts, next.due_at), (first.id, 1, Timestamp(9_000)));
    assert_eq!(store.pending_webhooks().unwrap(), ["hook"]);
}

#[test]
fn one_process_works_and_the_lock_can_be_handed_over() {
    let Fixture { folder, _lock: lock, _temp, .. } = fixture();
    assert!(folder.try_work().unwrap().is_none());
    let handed = lock.into_file();
    let copy = handed.try_clone().unwrap();
    assert!(folder.try_work().unwrap().is_none());
    WorkLock::from_file(handed).release();
    assert!(folder.try_work().unwrap().is_some(), "released although a copy of the file is open");
    drop(copy);
}

#[test]
fn what_is_no_store_is_refused_with_advice() {
    let Fixture { folder, store, _temp, .. } = fixture();
    store.connection.pragma_update(None, "user_version", schema::VERSION + 1).unwrap();
    drop(store);
    let error = Store::open_for_intake(&folder).err().unwrap().to_string();
    assert!(error.contains("install the newer banhook"), "{error}");

    let temp = tempfile::tempdir().unwrap();
    std::fs::write(temp.path().join("banhook.sqlite3"), "not a database, but long enough to be looked at".repeat(100))
        .unwrap();
    let error = Store::open_for_intake(&StateFolder::new(temp.path())).err().unwrap().to_string();
    assert!(error.contains("damaged or no banhook store"), "{error}");

    let temp = tempfile::tempdir().unwrap();
    std::fs::write(temp.path().join("file"), "").unwrap();
    let error = Store::open_for_intake(&StateFolder::new(temp.path().join("file/state"))).err().unwrap().to_string();
    assert!(error.contains("--state-dir"), "{error}");
}

#[test]
fn what_the_action_and_the_log_both_report_is_one_event() {
    let mut fixture = fixture();
    let store = &mut fixture.store;
    let reported = |at, action| Event { at: Timestamp(at), ..event("sshd", action) };
    let acted = |store: &mut Store, at, action| store.take_in(&reported(at, action), Timestamp(2)).unwrap();
    let logged = |store: &mut Store, at, action| {
        store.take_in_all(&[reported(at, action)], None, Timestamp(2)).unwrap();
        store.ledger().unwrap().taken_in
    };
    let named = |ticket_at| Action::Ban(ban("1.2.3.4", ticket_at, false));
    // The action first, or the log.
    assert_eq!(acted(store, 100_000, named(Some(9))), TakenIn::New);
    assert_eq!(logged(store, 99_950, named(None)), 1);
    assert_eq!(logged(store, 200_000, named(None)), 2);
    assert_eq!(acted(store, 200_040, named(Some(10))), TakenIn::Repeat);
    assert_eq!(acted(store, 200_050, named(Some(10))), TakenIn::Repeat, "a failed action that is run again");
    // It knows more.
    let told = store.waiting(9).unwrap().remove(1).event.unwrap();
    assert_eq!(told.ban().unwrap().ticket_at, Some(Timestamp(10)));
    // Each once, and only what happens at a time and is of a kind.
    assert_eq!(logged(store, 200_060, named(None)), 3);
    assert_eq!(logged(store, 200_070, Action::Unban(ban("1.2.3.4", None, false))), 4);
    assert_eq!(logged(store, 300_000, Action::Ban(ban("1.2.3.4", None, true))), 5);
    assert_eq!(acted(store, 320_000, Action::Ban(ban("1.2.3.4", Some(10), true))), TakenIn::New);
    assert_eq!(acted(store, 400_000, Action::Start), TakenIn::New);
    assert_eq!(logged(store, 400_001, Action::Start), 7);
}

#[test]
fn a_checkpoint_moves_with_its_events() {
    let mut fixture = fixture();
    let store = &mut fixture.store;
    assert_eq!(store.log_checkpoint("/l").unwrap(), None);
    let checkpoint = |offset| Checkpoint { inode: u64::MAX, head: 9, fingerprint: "f".into(), offset };
    store.take_in_all(&[event("sshd", Action::Start)], Some(("/l", &checkpoint(7))), Timestamp(2)).unwrap();
    store.take_in_all(&[], Some(("/other", &checkpoint(1))), Timestamp(2)).unwrap();
    assert_eq!(store.log_checkpoint("/l").unwrap(), Some(checkpoint(7)));
    assert_eq!(store.ledger().unwrap().taken_in, 1);
    // Neither without the other.
    store.connection.execute_batch("DROP TABLE checkpoints").unwrap();
    store.take_in_all(&[event("sshd", Action::Start)], Some(("/l", &checkpoint(8))), Timestamp(2)).unwrap_err();
    assert_eq!(store.ledger().unwrap().taken_in, 1);
}

#[test]
fn nobody_else_can_read_the_state_folder() {
    use std::os::unix::fs::PermissionsExt;
    let Fixture { folder, mut store, _temp, .. } = fixture();
    take(&mut store, Action::Start);
    assert_eq!(std::fs::metadata(folder.path()).unwrap().permissions().mode() & 0o777, 0o700);
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.path());
    }
}

//! The store's promises, each on a fresh folder.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::*;
use crate::event::{Action, Ban, BanQuery, Event, PastBan, Timestamp};
use crate::message::{Guarded, Target, fallback};

pub(super) struct Fixture {
    folder: StateFolder,
    pub(super) store: Store,
    pub(super) inbox: Inbox,
    _lock: WorkLock,
    _temp: tempfile::TempDir,
}

pub(super) fn fixture() -> Fixture {
    let temp = tempfile::tempdir().unwrap();
    let folder = StateFolder::new(temp.path().join("state"));
    let lock = folder.try_work().unwrap().unwrap();
    let store = Store::open_for_work(&folder, &lock).unwrap();
    let inbox = store.inbox().unwrap();
    Fixture { folder, store, inbox, _lock: lock, _temp: temp }
}

pub(super) fn event(jail: &str, action: Action) -> Event {
    let id = "an id".to_owned();
    Event { id, at: Timestamp(1), host: String::new(), jail: jail.to_owned(), action, labels: BTreeMap::new() }
}

pub(super) fn ban(subject: &str, ticket_at: Option<i64>, restored: bool) -> Ban {
    Ban { subject: subject.to_owned(), ticket_at: ticket_at.map(Timestamp), restored, ..Ban::default() }
}

fn take(inbox: &mut Inbox, action: Action) -> TakenIn {
    inbox.take_in(&event("sshd", action), Timestamp(2)).unwrap()
}

pub(super) fn message() -> Guarded {
    fallback(&event("sshd", Action::Start), "a test", Target::Slack)
}

fn routed(store: &mut Store, verdicts: Vec<(&str, Verdict)>) {
    let seq = store.waiting(1).unwrap()[0].seq;
    let to = verdicts.iter().map(|(route, _)| ((*route).to_owned(), "hook".to_owned())).collect();
    store.assign(&[Assigned { seq, ban: None, to }]).unwrap();
    for (route, verdict) in verdicts {
        store.word(route, None, &[Worded { seq, verdict }], None, Timestamp(3)).unwrap();
    }
}

#[test]
fn a_failed_action_that_is_run_again_is_one_event() {
    let mut fixture = fixture();
    let inbox = &mut fixture.inbox;
    let mut is = |action, expected| assert_eq!(take(inbox, action), expected);
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
    let Fixture { store, inbox, .. } = &mut fixture;
    let restored = || Action::Ban(ban("1.2.3.4", Some(10), true));
    let mut is = |action, expected| assert_eq!(take(inbox, action), expected);
    is(Action::Ban(ban("1.2.3.4", Some(10), false)), TakenIn::New);
    for _restart in 0..2 {
        is(Action::Start, TakenIn::New);
        is(restored(), TakenIn::New);
        is(restored(), TakenIn::Repeat);
    }
    // Another jail's start is no mark.
    inbox.take_in(&event("nginx", Action::Start), Timestamp(2)).unwrap();
    assert_eq!(take(inbox, restored()), TakenIn::Repeat);
    assert_eq!(store.ledger().unwrap().taken_in, 6);
}

/// How far a webhook is from its limits does not matter here.
pub(super) fn begin(store: &mut Store, message: i64) -> bool {
    store.begin_attempt(message, "hook", &WebhookState::default(), Timestamp(4)).unwrap()
}

pub(super) fn accept(store: &mut Store, message: i64) {
    store.accepted(message, None, "hook", &WebhookState::default(), Timestamp(5)).unwrap();
}

pub(super) fn next(store: &Store) -> Option<Pending> {
    store.next_in_order("hook", 0).unwrap()
}

/// The route `sec`; every sum is checked, and every row counted, each time.
#[track_caller]
pub(super) fn of_sec(store: &Store) -> RouteLedger {
    let ledger = store.ledger().unwrap();
    assert!(ledger.balances(), "{ledger:?}");
    assert_eq!(store.check_ledger().unwrap(), []);
    ledger.routes.get("sec").copied().unwrap_or_default()
}

#[test]
fn the_ledger_follows_every_step() {
    let mut fixture = fixture();
    let Fixture { store, inbox, .. } = &mut fixture;
    for _ in 0..3 {
        take(inbox, Action::Start);
    }
    let sums = |store: &Store| {
        let route = of_sec(store);
        let ledger = store.ledger().unwrap();
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

    let first = next(store).unwrap();
    assert!(begin(store, first.id));
    assert_eq!(sums(store).3, pending);
    accept(store, first.id);
    assert_eq!(sums(store).3, RouteLedger { matched: 2, posted: 1, pending: 1, ..RouteLedger::default() });
    let second = next(store).unwrap();
    let why = "webhook \"hook\" is no longer configured";
    store.bury(second.id, why, Timestamp(5)).unwrap();
    let dead = RouteLedger { matched: 2, posted: 1, dead: 1, ..RouteLedger::default() };
    assert_eq!(sums(store).3, dead);
    assert_eq!(next(store), None);
    assert!(store.is_idle().unwrap());
    let queue = &store.queues(Timestamp(6)).unwrap()["hook"];
    assert_eq!((queue.dead, queue.last_dead.as_deref()), (1, Some(why)));
    assert_eq!(queue.last_error, queue.last_dead);

    let all = Choice::Dead(None);
    assert_eq!(
        store.retry(&all, |_| true, Timestamp(7)).unwrap(),
        Retried { again: vec![second.id], ..Retried::default() }
    );
    assert_eq!(sums(store).3, RouteLedger { matched: 2, posted: 1, pending: 1, ..RouteLedger::default() });
    assert_eq!(store.drop_messages(&Choice::Ids(vec![second.id, first.id, 99]), Timestamp(7)).unwrap(), [second.id]);
    assert_eq!(sums(store).3, dead);
    assert!(!begin(store, second.id), "what was dropped is not sent");
    assert_eq!(store.retry(&all, |_| true, Timestamp(8)).unwrap(), Retried::default());
    // It was under way when it was dropped.
    accept(store, second.id);
    assert_eq!(sums(store).3, RouteLedger { matched: 2, posted: 2, ..RouteLedger::default() });
}

#[test]
fn a_count_that_is_wrong_is_found() {
    let mut fixture = fixture();
    let Fixture { store, inbox, .. } = &mut fixture;
    take(inbox, Action::Start);
    routed(store, vec![("sec", Verdict::Send(message()))]);
    store.database.connection.execute_batch("UPDATE ledger SET n = 2 WHERE state = 'matched'").unwrap();
    let wrong = store.check_ledger().unwrap();
    assert_eq!(wrong, [Discrepancy { route: "sec".into(), state: "matched".into(), ledger: 2, counted: 1 }]);
    assert!(!store.ledger().unwrap().balances());
}

#[test]
fn an_event_that_is_lost_is_found_to_be() {
    let mut fixture = fixture();
    let Fixture { store, inbox, .. } = &mut fixture;
    for _ in 0..2 {
        take(inbox, Action::Start);
        routed(store, vec![("sec", Verdict::Send(message()))]);
    }
    inbox.database.connection.execute_batch("DELETE FROM events WHERE seq = 1").unwrap();
    let wrong = store.check_ledger().unwrap();
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert_eq!(wrong[0].to_string(), "route sec: events that are in the inbox: 2 in the ledger, 1 counted");
}

/// Whatever happens meanwhile: intake, routing, folding, delivery, dropping, retention.
#[test]
fn the_ledger_is_checked_as_of_one_moment() {
    const EVENTS: i64 = 300;
    let mut fixture = fixture();
    let Fixture { store, inbox, .. } = &mut fixture;
    let beside = store.another().unwrap();
    let busy = AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let keep = Keep { events_since: Timestamp(3), events: 50, dead_since: Timestamp(9), dead: 5 };
            for number in 0..EVENTS {
                take(inbox, Action::Start);
                let verdict = if number % 3 == 0 { storm(20) } else { Verdict::Send(message()) };
                routed(store, if number % 7 == 0 { vec![] } else { vec![("sec", verdict)] });
                if let Some(next) = next(store) {
                    match number % 5 {
                        0 => store.bury(next.id, "400", Timestamp(number)).unwrap(),
                        1 => drop(store.drop_messages(&Choice::Ids(vec![next.id]), Timestamp(9)).unwrap()),
                        _ => accept(store, next.id),
                    }
                }
                if number % 20 == 0 {
                    for hold in store.closing("sec", Timestamp(20), true).unwrap() {
                        store.close(hold.id, &message(), true, Timestamp(21)).unwrap();
                    }
                    store.prune(inbox, &keep, 0).unwrap();
                }
            }
            busy.store(false, Ordering::SeqCst);
        });
        let mut checks = 0;
        while busy.load(Ordering::SeqCst) || checks == 0 {
            assert_eq!(beside.check_ledger().unwrap(), []);
            checks += 1;
        }
    });
    assert_eq!(beside.check_ledger().unwrap(), []);
}

#[test]
fn an_event_is_assigned_and_worded_once() {
    let mut fixture = fixture();
    let Fixture { store, inbox, .. } = &mut fixture;
    take(inbox, Action::Start);
    for _ in 0..2 {
        store.assign(&[Assigned { seq: 1, ban: None, to: vec![("sec".into(), "hook".into())] }]).unwrap();
    }
    assert!(!store.is_idle().unwrap());
    assert_eq!(store.unfinished_routes().unwrap(), ["sec"]);
    assert_eq!(store.unworded("sec", 9).unwrap().len(), 1);
    for verdict in [Verdict::Send(message()), Verdict::Send(message()), Verdict::Skip("late".into()), storm(9)] {
        store.word("sec", None, &[Worded { seq: 1, verdict }], None, Timestamp(3)).unwrap();
        assert!(store.unworded("sec", 9).unwrap().is_empty());
    }
    assert_eq!(store.queues(Timestamp(3)).unwrap()["hook"].pending, 1);
    assert_eq!(of_sec(store), RouteLedger { matched: 1, pending: 1, ..RouteLedger::default() });
}

pub(super) fn storm(closes_at: i64) -> Verdict {
    let closes = Closes::At(Timestamp(closes_at));
    Verdict::Hold(Fold { reason: Reason::Storm, key: String::new(), closes, unbans: None })
}

/// Takes events in and has the route `sec` word them all at once.
pub(super) fn worded(fixture: &mut Fixture, now: i64, verdicts: Vec<Verdict>) {
    let Fixture { store, inbox, .. } = fixture;
    let events: Vec<_> = verdicts.iter().map(|_| event("sshd", Action::Start)).collect();
    inbox.take_in_all(&events, None, Timestamp(2)).unwrap();
    let seqs: Vec<_> = store.waiting(verdicts.len()).unwrap().iter().map(|waiting| waiting.seq).collect();
    let assigned = |seq: &i64| Assigned { seq: *seq, ban: None, to: vec![("sec".into(), "hook".into())] };
    store.assign(&seqs.iter().map(assigned).collect::<Vec<_>>()).unwrap();
    let worded: Vec<_> = seqs.into_iter().zip(verdicts).map(|(seq, verdict)| Worded { seq, verdict }).collect();
    store.word("sec", None, &worded, None, Timestamp(now)).unwrap();
}

#[test]
fn messages_that_are_too_old_die_with_the_answer_and_can_be_sent_again() {
    let mut fixture = fixture();
    worded(&mut fixture, 10, (0..2).map(|_| Verdict::Send(message())).collect());
    let store = &mut fixture.store;
    let first = next(store).unwrap();
    assert!(begin(store, first.id));
    let fail = |store: &mut Store, before| {
        let too_old = BTreeMap::from([("sec".to_owned(), Timestamp(before))]);
        let state = WebhookState { failures: 7, ..WebhookState::default() };
        let failure = Failure { counts: 1, too_old, ..Failure::of(&state, "503") };
        store.failed(first.id, "hook", &failure, Timestamp(50)).unwrap().len()
    };
    assert_eq!(fail(store, 2), 0);
    assert_eq!((store.webhook("hook").unwrap().failures, next(store).unwrap().refusals), (7, 1));
    assert_eq!(fail(store, 3), 2);
    assert_eq!(of_sec(store), RouteLedger { matched: 2, dead: 2, ..RouteLedger::default() });
    let letters = store.letters(false, true, 9).unwrap();
    assert_eq!(letters[0].error.as_deref(), Some("too old, after the webhook said: 503"));
    assert_eq!(store.retry(&Choice::Dead(Some("hook".into())), |_| true, Timestamp(60)).unwrap().again.len(), 2);
    assert_eq!(next(store).unwrap().made_at, Timestamp(60), "or it would be too old at once");
    let (letter, body) = store.letter(first.id).unwrap().unwrap();
    assert_eq!((letter.state, letter.attempts, body), (LetterState::Ready, 1, Some(message().to_json_string())));
}

#[test]
fn what_was_refused_is_worded_anew_and_the_ledger_is_right_at_each_step() {
    let mut fixture = fixture();
    worded(&mut fixture, 10, vec![storm(50), storm(50), Verdict::Send(message()), Verdict::Send(message())]);
    let store = &mut fixture.store;
    let hold = store.closing("sec", Timestamp(50), false).unwrap().remove(0);
    store.close(hold.id, &message(), true, Timestamp(50)).unwrap();
    // Its events go where they were to go first, whoever refused them.
    store.hand_over("sec", "hook", "other").unwrap();
    let ready: Vec<_> = store.letters(true, false, 9).unwrap().into_iter().map(|letter| letter.id).collect();
    let [digest, refused, old] = ready[..] else { panic!("{ready:?}") };
    let sums = |store: &Store, dead, pending| {
        assert_eq!(of_sec(store), RouteLedger { matched: 4, dead, pending, ..RouteLedger::default() });
        assert_eq!(store.check_ledger().unwrap(), []);
    };
    for (id, error) in [(digest, "400 invalid_blocks"), (refused, "413"), (old, "too old, after the webhook said: 503")]
    {
        store.bury(id, error, Timestamp(60)).unwrap();
    }
    sums(store, 4, 0);

    // Nobody would word them.
    let left = vec![(digest, "sec".to_owned()), (refused, "sec".to_owned())];
    let choice = Choice::Ids(vec![digest, refused]);
    assert_eq!(
        store.retry(&choice, |route| route != "sec", Timestamp(70)).unwrap(),
        Retried { left, ..Retried::default() }
    );
    sums(store, 4, 0);

    let retried = store.retry(&Choice::Dead(None), |_| true, Timestamp(80)).unwrap();
    assert_eq!(retried, Retried { anew: vec![digest, refused], again: vec![old], left: vec![] });
    sums(store, 0, 4);
    assert_eq!(store.retry(&choice, |_| true, Timestamp(80)).unwrap(), Retried::default());
    assert_eq!(store.letter(digest).unwrap(), None);
    let unworded = store.unworded("sec", 9).unwrap();
    assert_eq!(unworded.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(unworded.iter().all(|event| event.webhook == "hook"));
    assert_eq!(store.over().unwrap(), 0);

    let again = |seq| Worded { seq, verdict: Verdict::Send(message()) };
    store.word("sec", None, &[again(1), again(2), again(3)], None, Timestamp(90)).unwrap();
    sums(store, 0, 4);
    assert_eq!(store.letters(true, true, 9).unwrap().len(), 4);
    assert!(store.letters(true, true, 9).unwrap().iter().all(|letter| letter.error.is_none() || letter.id == old));
}

#[test]
fn a_webhook_that_is_gone_is_no_work_for_now_and_another_may_take_over() {
    let mut fixture = fixture();
    worded(&mut fixture, 10, vec![Verdict::Send(message())]);
    let store = &mut fixture.store;
    let gone = Gone { error: "404 no_service".into(), since: Timestamp(20), url: "hash".into() };
    let state = WebhookState { not_before: Timestamp(100), gone: Some(gone), ..WebhookState::default() };
    assert_eq!(store.rest(Timestamp(50)).unwrap(), Rest::Work);
    store.record_webhook("hook", &state).unwrap();
    assert_eq!(store.webhook("hook").unwrap(), state);
    assert_eq!(store.rest(Timestamp(50)).unwrap(), Rest::Stuck);
    assert_eq!(store.rest(Timestamp(100)).unwrap(), Rest::Work);
    assert!(!store.is_idle().unwrap());
    assert_eq!(store.hand_over("sec", "hook", "other").unwrap(), 1);
    assert_eq!(store.pending_webhooks().unwrap(), ["other"]);
    assert_eq!(store.rest(Timestamp(50)).unwrap(), Rest::Work);
    assert_eq!(store.queues(Timestamp(50)).unwrap()["hook"].gone.as_deref(), Some("404 no_service"));
}

#[test]
fn what_is_past_its_time_goes_and_stays_in_the_totals() {
    let mut fixture = fixture();
    worded(&mut fixture, 10, (0..4).map(|_| Verdict::Send(message())).collect());
    worded(&mut fixture, 10, vec![storm(20), storm(20), Verdict::Skip("dull".into())]);
    take(&mut fixture.inbox, Action::Ban(ban("1.2.3.4", Some(10), false)));
    let Fixture { store, inbox, .. } = &mut fixture;
    let waiting = store.waiting(1).unwrap().remove(0);
    let ban = PastBan::of(&waiting.event.unwrap());
    store.assign(&[Assigned { seq: waiting.seq, ban, to: vec![] }]).unwrap();
    take(inbox, Action::Stop);
    // Posted, dead, dropped, pending; digested twice; skipped; unrouted; waiting.
    accept(store, 1);
    store.bury(2, "400", Timestamp(30)).unwrap();
    store.drop_messages(&Choice::Ids(vec![3]), Timestamp(30)).unwrap();
    let hold = store.closing("sec", Timestamp(20), false).unwrap().remove(0);
    store.close(hold.id, &message(), true, Timestamp(21)).unwrap();
    accept(store, hold.id);
    let before = (store.ledger().unwrap(), of_sec(store));
    let keep = |events_since, events, dead_since, dead| Keep {
        events_since: Timestamp(events_since),
        events,
        dead_since: Timestamp(dead_since),
        dead,
    };
    let seqs = |store: &Store| {
        let mut ids = Vec::new();
        store
            .export::<StoreError>(None, 99, |event| {
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
    assert_eq!(store.letter(1).unwrap(), None);
    let everything = BanQuery { until: Timestamp(i64::MAX), ..BanQuery::default() };
    let sight = Sight { jail: &|_| true, before: 99, deadline: Instant::now() + Duration::from_secs(9) };
    assert_eq!(store.bans(&everything, &sight).unwrap().unwrap().bans, 0);
    // Dead ones have a time of their own; then they are history like the others.
    assert_eq!(store.prune(inbox, &keep(3, 100, 31, 9), 0).unwrap(), Pruned { events: 1, dead: 1, next: 0 });
    assert_eq!((seqs(store), (store.ledger().unwrap(), of_sec(store))), (2, before.clone()));
    // A crash between the two files has kept one in the inbox.
    let again =
        "INSERT INTO events SELECT 2, taken_at, at, logged, twin, kind, host, jail, subject, ticket_at, restored, body
        FROM events WHERE seq = 4";
    inbox.database.connection.execute_batch(again).unwrap();
    assert_eq!((seqs(store), store.check_ledger().unwrap()), (3, vec![]));
    assert_eq!(store.prune(inbox, &keep(3, 100, 31, 9), 0).unwrap().events, 1);
    assert_eq!((seqs(store), store.check_ledger().unwrap()), (2, vec![]));
    // By number; the newest counts on.
    accept(store, 4);
    assert_eq!(store.prune(inbox, &keep(0, 1, 31, 9), 0).unwrap().events, 1);
    take(inbox, Action::Flush);
    assert_eq!(store.ledger().unwrap().taken_in, 10);
    assert_eq!(store.check_ledger().unwrap(), []);
}

#[test]
fn what_goes_is_counted_once_though_a_step_breaks_off() {
    let mut fixture = fixture();
    worded(&mut fixture, 10, (0..3).map(|_| Verdict::Skip("dull".into())).collect());
    let Fixture { store, inbox, .. } = &mut fixture;
    let keep = Keep { events_since: Timestamp(99), events: 99, dead_since: Timestamp(99), dead: 9 };
    inbox.database.connection.execute_batch("PRAGMA query_only = 1").unwrap();
    assert!(store.prune(inbox, &keep, 0).is_err());
    of_sec(store);
    inbox.database.connection.execute_batch("PRAGMA query_only = 0").unwrap();
    assert_eq!(store.prune(inbox, &keep, 0).unwrap().events, 2, "the newest stays");
    assert_eq!(of_sec(store).skipped, 3);
}

/// Takes a file of the store away, with what belongs to it.
fn lose(folder: &StateFolder, part: Part) {
    for suffix in ["", "-wal", "-shm"] {
        let mut file = folder.file(part).into_os_string();
        file.push(suffix);
        std::fs::remove_file(file).ok();
    }
}

#[test]
fn another_inbox_is_refused_however_much_it_takes_in() {
    for copied in [false, true] {
        let mut fixture = fixture();
        let Fixture { folder, store, inbox, .. } = &mut fixture;
        take(inbox, Action::Start);
        routed(store, vec![]);
        store.checkpoint_and_truncate().unwrap();
        let copy = std::fs::read(folder.file(Part::Inbox)).unwrap();
        for _ in 0..2 {
            take(inbox, Action::Start);
            routed(store, vec![]);
        }
        let Fixture { folder, store, inbox, _lock: lock, _temp } = fixture;
        drop((store, inbox));
        Store::open_for_work(&folder, &lock).unwrap();
        lose(&folder, Part::Inbox);
        if copied {
            std::fs::write(folder.file(Part::Inbox), copy).unwrap();
        }
        for taken_at in 10..14 {
            let error = Store::open_for_work(&folder, &lock).err().unwrap().to_string();
            assert!(error.contains("put it back"), "{error}");
            Inbox::open(&folder).unwrap().take_in(&event("sshd", Action::Stop), Timestamp(taken_at)).unwrap();
        }
        let error = Store::open_for_work(&folder, &lock).err().unwrap().to_string();
        assert!(error.contains("put it back"), "{error}");
        // All that came since then is there.
        lose(&folder, Part::Work);
        let waiting = Store::open_for_work(&folder, &lock).unwrap().waiting(9).unwrap();
        assert_eq!(waiting.iter().filter(|waiting| waiting.taken_at >= Timestamp(10)).count(), 4);
        assert_eq!(waiting.len(), 4);
    }
}

#[test]
fn an_inbox_is_the_same_without_what_retention_has_removed() {
    let mut fixture = fixture();
    for _ in 0..2 {
        take(&mut fixture.inbox, Action::Start);
        routed(&mut fixture.store, vec![]);
    }
    let Fixture { store, inbox, .. } = &mut fixture;
    take(inbox, Action::Stop);
    let keep = Keep { events_since: Timestamp(99), events: 9, dead_since: Timestamp(99), dead: 9 };
    assert_eq!(store.prune(inbox, &keep, 0).unwrap().events, 2);
    let Fixture { folder, store, inbox, _lock: lock, _temp } = fixture;
    drop((store, inbox));
    assert_eq!(Store::open_for_work(&folder, &lock).unwrap().waiting(9).unwrap().len(), 1);
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
    for part in [Part::Inbox, Part::Work] {
        let Fixture { folder, store, inbox, _temp, .. } = fixture();
        let database = if part == Part::Inbox { &inbox.database } else { &store.database };
        database.connection.pragma_update(None, "user_version", 99).unwrap();
        let error = Store::open(&folder).err().unwrap().to_string();
        assert!(error.contains("install the newer banhook"), "{error}");
    }

    let temp = tempfile::tempdir().unwrap();
    std::fs::write(temp.path().join("inbox.sqlite3"), "not a database, but long enough to be looked at".repeat(100))
        .unwrap();
    let error = Inbox::open(&StateFolder::new(temp.path())).err().unwrap().to_string();
    assert!(error.contains("damaged or no banhook store"), "{error}");

    let temp = tempfile::tempdir().unwrap();
    std::fs::write(temp.path().join("file"), "").unwrap();
    let error = Inbox::open(&StateFolder::new(temp.path().join("file/state"))).err().unwrap().to_string();
    assert!(error.contains("--state-dir"), "{error}");
}

#[test]
fn what_the_action_and_the_log_both_report_is_one_event() {
    let mut fixture = fixture();
    let Fixture { store, inbox, .. } = &mut fixture;
    let reported = |at, action| Event { at: Timestamp(at), ..event("sshd", action) };
    let acted = |inbox: &mut Inbox, at, action| inbox.take_in(&reported(at, action), Timestamp(2)).unwrap();
    let logged = |inbox: &mut Inbox, at, action| {
        inbox.take_in_all(&[reported(at, action)], None, Timestamp(2)).unwrap();
        store.ledger().unwrap().taken_in
    };
    let named = |ticket_at| Action::Ban(ban("1.2.3.4", ticket_at, false));
    // The action first, or the log.
    assert_eq!(acted(inbox, 100_000, named(Some(9))), TakenIn::New);
    assert_eq!(logged(inbox, 99_950, named(None)), 1);
    assert_eq!(logged(inbox, 200_000, named(None)), 2);
    assert_eq!(acted(inbox, 200_040, named(Some(10))), TakenIn::Repeat);
    assert_eq!(acted(inbox, 200_050, named(Some(10))), TakenIn::Repeat, "a failed action that is run again");
    // It knows more.
    let told = store.waiting(9).unwrap().remove(1).event.unwrap();
    assert_eq!(told.ban().unwrap().ticket_at, Some(Timestamp(10)));
    // Each once, and only what happens at a time and is of a kind.
    assert_eq!(logged(inbox, 200_060, named(None)), 3);
    assert_eq!(logged(inbox, 200_070, Action::Unban(ban("1.2.3.4", None, false))), 4);
    assert_eq!(logged(inbox, 300_000, Action::Ban(ban("1.2.3.4", None, true))), 5);
    assert_eq!(acted(inbox, 320_000, Action::Ban(ban("1.2.3.4", Some(10), true))), TakenIn::New);
    assert_eq!(acted(inbox, 400_000, Action::Start), TakenIn::New);
    assert_eq!(logged(inbox, 400_001, Action::Start), 7);
}

#[test]
fn what_the_action_reports_while_an_event_is_completed_stays() {
    let mut fixture = fixture();
    let Fixture { store, inbox, .. } = &mut fixture;
    let of = |at, subject: &str, ticket_at| Event {
        at: Timestamp(at),
        ..event("sshd", Action::Ban(ban(subject, ticket_at, false)))
    };
    inbox.take_in_all(&[of(100, "1.2.3.4", None), of(100, "1.2.3.5", None)], None, Timestamp(2)).unwrap();
    let completed = |store: &Store| {
        let mut waiting = store.waiting(9).unwrap();
        for waiting in &mut waiting {
            let event = waiting.event.as_mut().unwrap();
            let Action::Ban(ban) = &mut event.action else { panic!("no ban") };
            ban.matches.push("a line".to_owned());
        }
        waiting
    };
    let stored = |store: &Store| {
        let events = store.waiting(9).unwrap().into_iter().map(|waiting| waiting.event.unwrap());
        events.map(|event| (event.ban().unwrap().ticket_at, event.ban().unwrap().matches.len())).collect::<Vec<_>>()
    };
    let early = completed(store);
    assert_eq!(inbox.take_in(&of(101, "1.2.3.4", Some(9)), Timestamp(3)).unwrap(), TakenIn::Repeat);
    assert_eq!(inbox.complete(&early.iter().collect::<Vec<_>>()).unwrap(), Some(1));
    assert_eq!(stored(store), [(Some(Timestamp(9)), 0), (None, 1)]);
    // Read again, it is completed as well.
    let again = completed(store);
    assert_eq!(inbox.complete(&[&again[0]]).unwrap(), None);
    assert_eq!(stored(store), [(Some(Timestamp(9)), 1), (None, 1)]);
}

#[test]
fn a_checkpoint_moves_with_its_events() {
    let mut fixture = fixture();
    let Fixture { store, inbox, .. } = &mut fixture;
    assert_eq!(inbox.log_checkpoint("/l").unwrap(), None);
    let checkpoint = |offset| Checkpoint { inode: u64::MAX, head: 9, fingerprint: "f".into(), offset };
    inbox.take_in_all(&[event("sshd", Action::Start)], Some(("/l", &checkpoint(7))), Timestamp(2)).unwrap();
    inbox.take_in_all(&[], Some(("/other", &checkpoint(1))), Timestamp(2)).unwrap();
    assert_eq!(inbox.log_checkpoint("/l").unwrap(), Some(checkpoint(7)));
    assert_eq!(store.ledger().unwrap().taken_in, 1);
    // Neither without the other.
    inbox.database.connection.execute_batch("DROP TABLE checkpoints").unwrap();
    inbox.take_in_all(&[event("sshd", Action::Start)], Some(("/l", &checkpoint(8))), Timestamp(2)).unwrap_err();
    assert_eq!(store.ledger().unwrap().taken_in, 1);
}

#[test]
fn nobody_else_can_read_the_state_folder() {
    use std::os::unix::fs::PermissionsExt;
    let Fixture { folder, mut inbox, _temp, .. } = fixture();
    take(&mut inbox, Action::Start);
    assert_eq!(std::fs::metadata(folder.path()).unwrap().permissions().mode() & 0o777, 0o700);
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.path());
    }
}

#[test]
fn what_is_over_is_not_told_again_if_what_became_of_it_is_lost() {
    let mut fixture = fixture();
    worded(&mut fixture, 10, vec![Verdict::Send(message()), Verdict::Skip("dull".into()), storm(50)]);
    let Fixture { store, inbox, .. } = &mut fixture;
    assert_eq!(store.over().unwrap(), 0);
    accept(store, 1);
    assert_eq!(store.over().unwrap(), 2, "the third is held");
    take(inbox, Action::Stop);
    store.checkpoint_and_truncate().unwrap();
    let Fixture { folder, store, inbox, _lock: lock, _temp } = fixture;
    drop((store, inbox));
    lose(&folder, Part::Work);
    let store = Store::open_for_work(&folder, &lock).unwrap();
    let waiting: Vec<_> = store.waiting(9).unwrap().iter().map(|waiting| waiting.seq).collect();
    assert_eq!(waiting, [3, 4]);
    let ledger = store.ledger().unwrap();
    assert_eq!((ledger.taken_in, ledger.waiting, ledger.unrouted), (4, 2, 2));
    assert_eq!(store.check_ledger().unwrap(), []);
    // No row of it is needed a second time.
    drop(store);
    assert_eq!(Store::open_for_work(&folder, &lock).unwrap().ledger().unwrap(), ledger);
}

#[test]
fn large_events_are_read_few_at_a_time() {
    let mut fixture = fixture();
    for number in 0..5 {
        let large = Ban { matches: vec!["x".repeat(1 << 20)], ..ban(&number.to_string(), None, false) };
        take(&mut fixture.inbox, Action::Ban(large));
    }
    assert_eq!(fixture.store.waiting(10).unwrap().len(), 2);
    assert_eq!(fixture.store.waiting(1).unwrap().len(), 1);
    let to = |seq| Assigned { seq, ban: None, to: vec![("route".to_owned(), "hook".to_owned())] };
    fixture.store.assign(&(1..=5).map(to).collect::<Vec<_>>()).unwrap();
    assert_eq!(fixture.store.unworded("route", 10).unwrap().len(), 2);
}

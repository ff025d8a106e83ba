//! The store's promises, each on a fresh folder.

use std::collections::BTreeMap;

use super::*;
use crate::event::{Action, Ban, Event, Timestamp};
use crate::message::{Guarded, Target, fallback};

pub(super) struct Fixture {
    pub(super) folder: StateFolder,
    pub(super) store: Store,
    pub(super) inbox: Inbox,
    pub(super) lock: WorkLock,
    pub(super) temp: tempfile::TempDir,
}

pub(super) fn fixture() -> Fixture {
    let temp = tempfile::tempdir().unwrap();
    let folder = StateFolder::new(temp.path().join("state"));
    let lock = folder.try_work().unwrap().unwrap();
    let store = Store::open_for_work(&folder, &lock).unwrap();
    let inbox = store.inbox().unwrap();
    Fixture { folder, store, inbox, lock, temp }
}

pub(super) fn event(jail: &str, action: Action) -> Event {
    let id = "an id".to_owned();
    Event { id, at: Timestamp(1), host: String::new(), jail: jail.to_owned(), action, labels: BTreeMap::new() }
}

pub(super) fn ban(subject: &str, ticket_at: Option<i64>, restored: bool) -> Ban {
    Ban { subject: subject.to_owned(), ticket_at: ticket_at.map(Timestamp), restored, ..Ban::default() }
}

pub(super) fn take(inbox: &mut Inbox, action: Action) -> TakenIn {
    inbox.take_in(&event("sshd", action), Timestamp(2)).unwrap()
}

pub(super) fn message() -> Guarded {
    fallback(&event("sshd", Action::Start), "a test", Target::Slack)
}

pub(super) fn routed(store: &mut Store, verdicts: Vec<(&str, Verdict)>) {
    let seq = store.waiting(1).unwrap()[0].seq;
    let to = verdicts.iter().map(|(route, _)| ((*route).to_owned(), "hook".to_owned())).collect();
    store.assign(&[Assigned { seq, ban: None, to }]).unwrap();
    for (route, verdict) in verdicts {
        store.word(route, None, &[Worded { seq, verdict }], None, Timestamp(3)).unwrap();
    }
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
    assert_eq!(store.retry(&Choice::Dead(Some("hook".into())), None, Timestamp(60)).unwrap().again.len(), 2);
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
    let left = [digest, refused].map(|id| (id, Left::NoRoute("sec".to_owned()))).into();
    let choice = Choice::Ids(vec![digest, refused]);
    assert_eq!(
        store.retry(&choice, Some(&Configured::default()), Timestamp(70)).unwrap(),
        Retried { left, ..Retried::default() }
    );
    sums(store, 4, 0);

    let retried = store.retry(&Choice::Dead(None), None, Timestamp(80)).unwrap();
    assert_eq!(retried, Retried { anew: vec![digest, refused], again: vec![old], left: vec![] });
    sums(store, 0, 4);
    assert_eq!(store.retry(&choice, None, Timestamp(80)).unwrap(), Retried::default());
    assert_eq!(store.letter(digest).unwrap(), None);
    let unworded = store.unworded("sec", 9).unwrap();
    assert_eq!(unworded.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(unworded.iter().all(|event| event.webhook == "hook"));
    assert_eq!(unworded.iter().map(|event| event.alone).collect::<Vec<_>>(), [false, false, true]);
    assert_eq!(store.over().unwrap(), 0);

    let again = |seq| Worded { seq, verdict: Verdict::Send(message()) };
    store.word("sec", None, &[again(1), again(2), again(3)], None, Timestamp(90)).unwrap();
    sums(store, 0, 4);
    let letters = store.letters(true, true, 9).unwrap();
    assert_eq!(
        letters.iter().map(|letter| letter.made_at).collect::<Vec<_>>(),
        [Timestamp(80); 4],
        "their age counts anew"
    );
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
fn what_is_configured_no_more_is_forgotten() {
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
    let gone = Some(Gone { error: "404".into(), since: Timestamp(6), url: "url".into() });
    let is_gone = WebhookState { gone, ..WebhookState::default() };
    store.record_webhook("old", &is_gone).unwrap();
    store.record_webhook("hook", &is_gone).unwrap();
    store.keep_only(&["sec"], &["hook"]).unwrap();
    assert_eq!(store.plugins().unwrap(), [("sec".into(), state(2))].into());
    assert_eq!(store.gone().unwrap().into_keys().collect::<Vec<_>>(), ["hook"]);
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

//! The store's promises, each on a fresh folder.

use std::collections::BTreeMap;

use super::*;
use crate::event::{Ban, DigestCause, Event, EventDetails, Timestamp};
use crate::message::{Guarded, Target, fallback};

pub(super) struct Fixture {
    pub(super) folder: StateDir,
    pub(super) store: Store,
    pub(super) inbox: Inbox,
    pub(super) lock: WorkLock,
    pub(super) temp: tempfile::TempDir,
}

pub(super) fn fixture() -> Fixture {
    let temp = tempfile::tempdir().unwrap();
    let folder = StateDir::new(temp.path().join("state"));
    let lock = folder.try_work_lock().unwrap().unwrap();
    let store = Store::open_for_work(&folder, &lock).unwrap();
    let inbox = store.open_inbox().unwrap();
    Fixture { folder, store, inbox, lock, temp }
}

pub(super) fn event(jail: &str, details: EventDetails) -> Event {
    let id = "an id".to_owned();
    Event { id, at: Timestamp(1), host: String::new(), jail: jail.to_owned(), details, labels: BTreeMap::new() }
}

pub(super) fn ban(subject: &str, ticket_at: Option<i64>, restored: bool) -> Ban {
    Ban { subject: subject.to_owned(), ticket_at: ticket_at.map(Timestamp), restored, ..Ban::default() }
}

pub(super) fn take(inbox: &mut Inbox, details: EventDetails) -> Appended {
    inbox.append(&event("sshd", details), Timestamp(2)).unwrap()
}

pub(super) fn message() -> Guarded {
    fallback(&event("sshd", EventDetails::Start), "a test", Target::SLACK)
}

pub(super) fn routed(store: &mut Store, verdicts: Vec<(&str, Disposition)>) {
    let seq = store.unrouted(1).unwrap()[0].seq;
    let to = verdicts.iter().map(|(route, _)| ((*route).to_owned(), "hook".to_owned())).collect();
    store.route_events(&[RoutedTo { seq, ban: None, to }]).unwrap();
    for (route, disposition) in verdicts {
        store.record_formatted(route, None, &[FormattedEvent { seq, disposition }], None, Timestamp(3)).unwrap();
    }
}

/// How far a webhook is from its limits does not matter here.
pub(super) fn begin(store: &mut Store, message: i64) -> bool {
    store.begin_attempt(message, "hook", &WebhookState::default(), Timestamp(4)).unwrap()
}

pub(super) fn accept(store: &mut Store, message: i64) {
    store.record_accepted(message, None, "hook", &WebhookState::default(), Timestamp(5)).unwrap();
}

pub(super) fn next(store: &Store) -> Option<OutboundMessage> {
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
    take(inbox, EventDetails::Start);
    for _ in 0..2 {
        store.route_events(&[RoutedTo { seq: 1, ban: None, to: vec![("sec".into(), "hook".into())] }]).unwrap();
    }
    assert!(!store.is_drained().unwrap());
    assert_eq!(store.unfinished_routes().unwrap(), ["sec"]);
    assert_eq!(store.unformatted("sec", 9).unwrap().len(), 1);
    for disposition in
        [Disposition::Send(message()), Disposition::Send(message()), Disposition::Skip("late".into()), storm(9)]
    {
        store.record_formatted("sec", None, &[FormattedEvent { seq: 1, disposition }], None, Timestamp(3)).unwrap();
        assert!(store.unformatted("sec", 9).unwrap().is_empty());
    }
    assert_eq!(store.queues(Timestamp(3)).unwrap()["hook"].pending, 1);
    assert_eq!(of_sec(store), RouteLedger { matched: 1, pending: 1, ..RouteLedger::default() });
}

pub(super) fn storm(closes_at: i64) -> Disposition {
    let closes = Closes::At(Timestamp(closes_at));
    Disposition::Digest(DigestKey { cause: DigestCause::Storm, key: String::new(), closes, merge_unbans: None })
}

/// Takes events in and has the route `sec` word them all at once.
pub(super) fn formatted(fixture: &mut Fixture, now: i64, verdicts: Vec<Disposition>) {
    let Fixture { store, inbox, .. } = fixture;
    let events: Vec<_> = verdicts.iter().map(|_| event("sshd", EventDetails::Start)).collect();
    inbox.append_all(&events, None, Timestamp(2)).unwrap();
    let seqs: Vec<_> = store.unrouted(verdicts.len()).unwrap().iter().map(|waiting| waiting.seq).collect();
    let routed = |seq: &i64| RoutedTo { seq: *seq, ban: None, to: vec![("sec".into(), "hook".into())] };
    store.route_events(&seqs.iter().map(routed).collect::<Vec<_>>()).unwrap();
    let formatted: Vec<_> =
        seqs.into_iter().zip(verdicts).map(|(seq, disposition)| FormattedEvent { seq, disposition }).collect();
    store.record_formatted("sec", None, &formatted, None, Timestamp(now)).unwrap();
}

#[test]
fn messages_that_are_too_old_die_with_the_answer_and_can_be_sent_again() {
    let mut fixture = fixture();
    formatted(&mut fixture, 10, (0..2).map(|_| Disposition::Send(message())).collect());
    let store = &mut fixture.store;
    let first = next(store).unwrap();
    assert!(begin(store, first.id));
    let fail = |store: &mut Store, before| {
        let expire_before = BTreeMap::from([("sec".to_owned(), Timestamp(before))]);
        let state = WebhookState { failures: 7, ..WebhookState::default() };
        let failure = FailedAttempt { failures: 1, expire_before, ..FailedAttempt::new(&state, "503") };
        store.record_failure(first.id, "hook", &failure, Timestamp(50)).unwrap().len()
    };
    assert_eq!(fail(store, 2), 0);
    assert_eq!((store.webhook("hook").unwrap().failures, next(store).unwrap().failures), (7, 1));
    assert_eq!(fail(store, 3), 2);
    assert_eq!(of_sec(store), RouteLedger { matched: 2, dead: 2, ..RouteLedger::default() });
    let messages = store.list_messages(false, true, 9).unwrap();
    assert_eq!(messages[0].error.as_deref(), Some("older than max_age; the webhook's last answer: 503"));
    assert_eq!(store.retry(&MessageSelector::Dead(Some("hook".into())), None, Timestamp(60)).unwrap().resent.len(), 2);
    assert_eq!(next(store).unwrap().age_starts_at, Timestamp(60), "or it would be too old at once");
    let (info, body) = store.message(first.id).unwrap().unwrap();
    assert_eq!((info.state, info.attempts, body), (MessageState::Ready, 1, Some(message().to_json_string())));
}

#[test]
fn what_was_refused_is_worded_anew_and_the_ledger_is_right_at_each_step() {
    let mut fixture = fixture();
    formatted(&mut fixture, 10, vec![storm(50), storm(50), Disposition::Send(message()), Disposition::Send(message())]);
    let store = &mut fixture.store;
    let hold = store.digests_to_close("sec", Timestamp(50), false).unwrap().remove(0);
    store.close_digest(hold.id, &message(), true, Timestamp(50)).unwrap();
    // Its events go where they were to go first, whoever refused them.
    store.reassign("sec", "hook", "other").unwrap();
    let ready: Vec<_> = store.list_messages(true, false, 9).unwrap().into_iter().map(|message| message.id).collect();
    let [digest, refused, old] = ready[..] else { panic!("{ready:?}") };
    let sums = |store: &Store, dead, pending| {
        assert_eq!(of_sec(store), RouteLedger { matched: 4, dead, pending, ..RouteLedger::default() });
        assert_eq!(store.check_ledger().unwrap(), []);
    };
    // The reason decides, whatever the text.
    for (id, reason, error) in [
        (digest, DeadReason::Rejected, "400 invalid_blocks"),
        (refused, DeadReason::Rejected, "too large"),
        (old, DeadReason::Expired, "503, and too old"),
    ] {
        store.mark_dead(id, reason, error, Timestamp(60)).unwrap();
        assert_eq!(store.message(id).unwrap().unwrap().0.dead_reason, Some(reason));
    }
    sums(store, 4, 0);

    // Nobody would word them.
    let blocked = [digest, refused].map(|id| (id, RetryBlocked::NoRoute("sec".to_owned()))).into();
    let choice = MessageSelector::Ids(vec![digest, refused]);
    assert_eq!(
        store.retry(&choice, Some(&ConfiguredNames::default()), Timestamp(70)).unwrap(),
        Retried { blocked, ..Retried::default() }
    );
    sums(store, 4, 0);

    let retried = store.retry(&MessageSelector::Dead(None), None, Timestamp(80)).unwrap();
    assert_eq!(retried, Retried { reformatted: vec![digest, refused], resent: vec![old], blocked: vec![] });
    sums(store, 0, 4);
    assert_eq!(store.retry(&choice, None, Timestamp(80)).unwrap(), Retried::default());
    assert_eq!(store.message(digest).unwrap(), None);
    let unformatted = store.unformatted("sec", 9).unwrap();
    assert_eq!(unformatted.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(unformatted.iter().all(|event| event.webhook == "hook"));
    assert_eq!(unformatted.iter().map(|event| event.standalone).collect::<Vec<_>>(), [false, false, true]);
    assert_eq!(store.settled_through().unwrap(), 0);

    let again = |seq| FormattedEvent { seq, disposition: Disposition::Send(message()) };
    store.record_formatted("sec", None, &[again(1), again(2), again(3)], None, Timestamp(90)).unwrap();
    sums(store, 0, 4);
    let messages = store.list_messages(true, true, 9).unwrap();
    assert_eq!(
        messages.iter().map(|message| message.age_starts_at).collect::<Vec<_>>(),
        [Timestamp(80); 4],
        "their age counts anew"
    );
    assert!(
        store.list_messages(true, true, 9).unwrap().iter().all(|message| message.error.is_none() || message.id == old)
    );
}

#[test]
fn a_webhook_that_is_gone_is_no_work_for_now_and_another_may_take_over() {
    let mut fixture = fixture();
    formatted(&mut fixture, 10, vec![Disposition::Send(message())]);
    let store = &mut fixture.store;
    let suspended = Suspended { error: "404 no_service".into(), since: Timestamp(20), url_hash: "hash".into() };
    let state = WebhookState { backoff_until: Timestamp(100), suspended: Some(suspended), ..WebhookState::default() };
    assert_eq!(store.remaining(Timestamp(50)).unwrap(), Remaining::Work);
    store.record_webhook("hook", &state).unwrap();
    assert_eq!(store.webhook("hook").unwrap(), state);
    assert_eq!(store.remaining(Timestamp(50)).unwrap(), Remaining::Suspended);
    assert_eq!(store.remaining(Timestamp(100)).unwrap(), Remaining::Work);
    assert!(!store.is_drained().unwrap());
    assert_eq!(store.reassign("sec", "hook", "other").unwrap(), 1);
    assert_eq!(store.pending_webhooks().unwrap(), ["other"]);
    assert_eq!(store.remaining(Timestamp(50)).unwrap(), Remaining::Work);
    assert_eq!(store.queues(Timestamp(50)).unwrap()["hook"].suspended_error.as_deref(), Some("404 no_service"));
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
    let suspended = Some(Suspended { error: "404".into(), since: Timestamp(6), url_hash: "hash".into() });
    let is_gone = WebhookState { suspended, ..WebhookState::default() };
    store.record_webhook("old", &is_gone).unwrap();
    store.record_webhook("hook", &is_gone).unwrap();
    store.prune_unconfigured(&["sec"], &["hook"]).unwrap();
    assert_eq!(store.plugins().unwrap(), [("sec".into(), state(2))].into());
    assert_eq!(store.suspended_webhooks().unwrap().into_keys().collect::<Vec<_>>(), ["hook"]);
}

#[test]
fn large_events_are_read_few_at_a_time() {
    let mut fixture = fixture();
    for number in 0..5 {
        let large = Ban { matches: vec!["x".repeat(1 << 20)], ..ban(&number.to_string(), None, false) };
        take(&mut fixture.inbox, EventDetails::Ban(large));
    }
    assert_eq!(fixture.store.unrouted(10).unwrap().len(), 2);
    assert_eq!(fixture.store.unrouted(1).unwrap().len(), 1);
    let to = |seq| RoutedTo { seq, ban: None, to: vec![("route".to_owned(), "hook".to_owned())] };
    fixture.store.route_events(&(1..=5).map(to).collect::<Vec<_>>()).unwrap();
    assert_eq!(fixture.store.unformatted("route", 10).unwrap().len(), 2);
}

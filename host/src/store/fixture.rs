//! What the store's tests share: a store on a fresh folder, events, and shortcuts for the stages around it.

use std::collections::BTreeMap;

use super::*;
use crate::event::{Ban, DigestCause, Event, EventDetails, Timestamp};
use crate::message::{Guarded, Target, fallback};
use crate::store::inbox::Appended;

pub(super) struct Fixture {
    pub(super) folder: StateDir,
    pub(super) store: Store,
    pub(super) inbox: Store,
    pub(super) lock: WorkLock,
    pub(super) temp: tempfile::TempDir,
}

pub(super) fn fixture() -> Fixture {
    let temp = tempfile::tempdir().unwrap();
    let folder = StateDir::new(temp.path().join("state"));
    folder.create().unwrap();
    let lock = folder.try_work_lock().unwrap().unwrap();
    let store = Store::open_for_work(&folder, &lock).unwrap();
    let inbox = store.new_connection().unwrap();
    Fixture { folder, store, inbox, lock, temp }
}

pub(super) fn event(jail: &str, details: EventDetails) -> Event {
    let id = "an id".to_owned();
    Event { id, at: Timestamp(1), host: String::new(), jail: jail.to_owned(), details, labels: BTreeMap::new() }
}

pub(super) fn ban(subject: &str, ticket_at: Option<i64>, restored: bool) -> Ban {
    Ban { subject: subject.to_owned(), ticket_at: ticket_at.map(Timestamp), restored, ..Ban::default() }
}

pub(super) fn append(inbox: &mut Store, details: EventDetails) -> Appended {
    inbox.append(&event("sshd", details), Timestamp(2)).unwrap()
}

pub(super) fn message() -> Guarded {
    fallback(&event("sshd", EventDetails::Start), "a test", Target::SLACK)
}

pub(super) fn join_storm(closes_at: i64) -> Disposition {
    let closes = Closes::At(Timestamp(closes_at));
    Disposition::Digest(DigestKey { cause: DigestCause::Storm, key: String::new(), closes, merge_unbans: None })
}

/// Routes the first unrouted event to these routes, and records these results of formatting it.
pub(super) fn route_one(store: &mut Store, dispositions: Vec<(&str, Disposition)>) {
    let seq = store.unrouted(1).unwrap()[0].seq;
    let to = dispositions.iter().map(|(route, _)| ((*route).to_owned(), "hook".to_owned())).collect();
    store.route_events(&[RoutedTo { seq, ban: None, to, quarantined: false }]).unwrap();
    for (route, disposition) in dispositions {
        store.record_formatted(route, None, &[FormattedEvent::new(seq, disposition)], None, Timestamp(3)).unwrap();
    }
}

/// Appends an event for each of these results of formatting, and has the route `sec` format them all at once.
pub(super) fn receive_and_format(fixture: &mut Fixture, now: i64, dispositions: Vec<Disposition>) {
    let Fixture { store, inbox, .. } = fixture;
    let events: Vec<_> = dispositions.iter().map(|_| event("sshd", EventDetails::Start)).collect();
    inbox.append_all(&events, None, Timestamp(2)).unwrap();
    let seqs: Vec<_> = store.unrouted(dispositions.len()).unwrap().iter().map(|event| event.seq).collect();
    let routed =
        |seq: &i64| RoutedTo { seq: *seq, ban: None, to: vec![("sec".into(), "hook".into())], quarantined: false };
    store.route_events(&seqs.iter().map(routed).collect::<Vec<_>>()).unwrap();
    let formatted: Vec<_> =
        seqs.into_iter().zip(dispositions).map(|(seq, disposition)| FormattedEvent::new(seq, disposition)).collect();
    store.record_formatted("sec", None, &formatted, None, Timestamp(now)).unwrap();
}

/// Begins to send a message, with a webhook that has used nothing of its rate.
pub(super) fn begin_attempt(store: &mut Store, message: i64) -> bool {
    let mut ready = (0..).map_while(|skip| store.next_in_order("hook", skip).unwrap());
    let Some(message) = ready.find(|ready| ready.id == message) else { return false };
    store.begin_attempt(&message, "hook", &WebhookState::default(), Timestamp(4)).unwrap()
}

pub(super) fn accept(store: &mut Store, message: i64) {
    store.record_accepted(message, None, None, "hook", &WebhookState::default(), Timestamp(5)).unwrap();
}

pub(super) fn next_message(store: &Store) -> Option<OutboundMessage> {
    store.next_in_order("hook", 0).unwrap()
}

/// Returns the counts of the route `sec`, and checks each time that the ledger balances and equals the rows.
#[track_caller]
pub(super) fn sec_ledger(store: &Store) -> RouteLedger {
    let ledger = store.ledger().unwrap();
    assert!(ledger.balances(), "{ledger:?}");
    assert_eq!(store.check_ledger().unwrap(), []);
    ledger.routes.get("sec").copied().unwrap_or_default()
}

use super::*;
use crate::event::{Event, EventDetails, Totals};
use crate::message::Reference;
use crate::store::fixture::*;
use crate::store::{Lane, LivingCounts, OutboundMessage, RouteLedger, Traces, WebhookState};

const WITHIN: Duration = Duration::from_secs(60);

/// Opens a digest of a storm with so many events, received then.
fn storm(fixture: &mut Fixture, now: i64, events: usize) -> OpenDigest {
    storm_of(fixture, now, &vec![event("sshd", EventDetails::Start); events])
}

fn storm_of(fixture: &mut Fixture, now: i64, events: &[Event]) -> OpenDigest {
    for event in events {
        fixture.inbox.append(event, Timestamp(now)).unwrap();
        let seq = fixture.store.unrouted(1).unwrap()[0].seq;
        let to = vec![("sec".to_owned(), "hook".to_owned())];
        fixture.store.route_events(&[crate::store::RoutedTo { seq, ban: None, to, quarantined: false }]).unwrap();
        let formatted = [crate::store::FormattedEvent::new(seq, join_storm(now + 9))];
        fixture.store.record_formatted("sec", None, &formatted, None, Timestamp(now)).unwrap();
    }
    fixture.store.digests_to_close("sec", Timestamp(now), true).unwrap().remove(0)
}

fn living(fixture: &Fixture, digest: &OpenDigest) -> Option<i64> {
    fixture.store.living_storm("sec", digest, WITHIN).unwrap()
}

/// Closes a digest as the route does, and returns how many events its message would tell of.
fn close(fixture: &mut Fixture, digest: &OpenDigest, now: i64) -> u32 {
    close_counting(fixture, &mut LivingCounts::default(), digest, now).events
}

/// Closes a digest with the counts that are kept, and returns what its message would tell.
fn close_counting(fixture: &mut Fixture, counts: &mut LivingCounts, digest: &OpenDigest, now: i64) -> Totals {
    let living = living(fixture, digest);
    let mut fresh = LivingCounts::default();
    let again = living.map(|living| (living, &mut fresh));
    let counted = fixture.store.digest_batch(digest, again, "host", |event| event).unwrap();
    let changes = living.map(|living| (living, &mut *counts));
    let batch = fixture.store.digest_batch(digest, changes, "host", |event| event).unwrap();
    assert_eq!(batch, counted, "counted by halves, and counted at once");
    match living {
        Some(living) => {
            let (of, changes) = (("sec", digest), (living, counts));
            assert!(fixture.store.continue_living(of, changes, &message(), None, Timestamp(now)).unwrap());
        }
        None => fixture.store.close_digest(digest.id, &message(), true, Timestamp(now)).unwrap(),
    }
    batch.totals
}

fn ban_of(subject: &str) -> Event {
    event("sshd", EventDetails::Ban(ban(subject, None, false)))
}

#[test]
fn counts_that_are_kept_between_changes_are_those_of_the_store() {
    let (mut fixture, mut counts) = (fixture(), LivingCounts::default());
    let mut slice = |fixture: &mut Fixture, now: i64, subjects: &[&str]| {
        let events: Vec<Event> = subjects.iter().map(|subject| ban_of(subject)).collect();
        let digest = storm_of(fixture, now, &events);
        close_counting(fixture, &mut counts, &digest, now + 100)
    };
    let names = |totals: &Totals| totals.by_subject.iter().map(|row| row.name.clone()).collect::<Vec<_>>();
    slice(&mut fixture, 1_000, &["192.0.2.1", "192.0.2.2", "192.0.2.2"]);
    // Merged into the message, which was not sent, and into a change.
    assert_eq!(slice(&mut fixture, 2_000, &["192.0.2.1"]).events, 4);
    let first = next_message(&fixture.store).unwrap();
    send(&mut fixture, &first, 3_000);
    assert_eq!(slice(&mut fixture, 4_000, &["192.0.2.3"]).events, 5);
    assert_eq!(slice(&mut fixture, 5_000, &["192.0.2.3", "192.0.2.3"]).events, 7);
    let change = fixture.store.next_change("hook").unwrap().unwrap();
    send(&mut fixture, &change, 6_000);
    let totals = slice(&mut fixture, 7_000, &["192.0.2.4"]);
    assert_eq!((totals.events, totals.subjects, names(&totals)[0].as_str()), (8, 4, "192.0.2.3"));
    let change = fixture.store.next_change("hook").unwrap().unwrap();
    send(&mut fixture, &change, 12_000);
    fixture.inbox.forget(&Traces::parse("192.0.2.3"), false, Timestamp(13_000)).unwrap().unwrap();
    let totals = slice(&mut fixture, 14_000, &["192.0.2.4"]);
    // Forgotten while it is formatted.
    let digest = storm_of(&mut fixture, 14_500, &[ban_of("192.0.2.4")]);
    let mut kept = LivingCounts::default();
    fixture.store.digest_batch(&digest, Some((first.id, &mut kept)), "host", |event| event).unwrap();
    let change = fixture.store.next_change("hook").unwrap().unwrap();
    send(&mut fixture, &change, 15_000);
    fixture.inbox.forget(&Traces::parse("192.0.2.2"), false, Timestamp(15_000)).unwrap().unwrap();
    let (of, changes) = (("sec", &digest), (first.id, &mut kept));
    assert!(!fixture.store.continue_living(of, changes, &message(), None, Timestamp(15_000)).unwrap());
    assert_eq!(fixture.store.digests_to_close("sec", Timestamp(15_000), true).unwrap(), [digest]);
    let named = ["[forgotten]", "192.0.2.1", "192.0.2.2", "192.0.2.4"].map(str::to_owned);
    assert_eq!((totals.events, names(&totals)), (9, named.to_vec()));
}

fn send(fixture: &mut Fixture, message: &OutboundMessage, now: i64) {
    let (store, state) = (&mut fixture.store, WebhookState::default());
    let reference = Reference { channel: "C1".to_owned(), id: "1.1".to_owned(), of: String::new(), thread: None };
    assert!(store.begin_attempt(message, "hook", &state, Timestamp(now)).unwrap());
    store.record_accepted(message.id, Some(&reference), None, "hook", &state, Timestamp(now)).unwrap();
}

#[test]
fn storm_goes_on_in_its_first_message() {
    let mut fixture = fixture();
    let first = storm(&mut fixture, 1_000, 3);
    assert_eq!(close(&mut fixture, &first, 2_000), 3);
    // Nothing was sent yet: it is one message of all.
    let second = storm(&mut fixture, 3_000, 2);
    assert_eq!(close(&mut fixture, &second, 4_000), 5);
    let all = next_message(&fixture.store).unwrap();
    assert_eq!((all.id, fixture.store.message_events(all.id, 9).unwrap().len()), (first.id, 5));
    send(&mut fixture, &all, 5_000);
    // Then it is changed, by the newest state.
    for (now, events, shown) in [(6_000, 1, 6), (7_000, 4, 10)] {
        let digest = storm(&mut fixture, now, events);
        assert_eq!(close(&mut fixture, &digest, now + 500), shown);
    }
    assert_eq!(next_message(&fixture.store), None);
    let change = fixture.store.next_change("hook").unwrap().unwrap();
    assert_eq!((change.lane, change.changes), (Lane::Change, Some(first.id)));
    send(&mut fixture, &change, 8_000);
    let last = storm(&mut fixture, 9_000, 1);
    assert_eq!(close(&mut fixture, &last, 9_500), 11);
    let change = fixture.store.next_change("hook").unwrap().unwrap();
    assert_eq!(change.next_attempt_at, Timestamp(8_000 + messages::CHANGE_INTERVAL_MS));
    send(&mut fixture, &change, 14_000);
    assert_eq!(sec_ledger(&fixture.store), RouteLedger { matched: 11, digested: 11, ..RouteLedger::default() });
}

#[test]
fn storm_that_is_over_old_or_much_larger_gets_another_message() {
    let mut fixture = fixture();
    let first = storm(&mut fixture, 1_000, 20);
    assert_eq!(living(&fixture, &first), None);
    close(&mut fixture, &first, 2_000);
    let sent = next_message(&fixture.store).unwrap();
    send(&mut fixture, &sent, 2_000);
    let next = storm(&mut fixture, 3_000, 1);
    assert_eq!(living(&fixture, &next), Some(first.id));
    let digest = |opened_at, events| OpenDigest { opened_at: Timestamp(opened_at), events, ..next.clone() };
    assert_eq!(living(&fixture, &digest(61_000, 1)), Some(first.id));
    assert_eq!(living(&fixture, &digest(61_001, 1)), None, "it is over");
    assert_eq!(living(&fixture, &digest(3_000, 179)), Some(first.id));
    assert_eq!(living(&fixture, &digest(3_000, 180)), None, "ten times as large");
    assert_eq!(living(&fixture, &digest(999, 1)), None, "the clock was set back");
    let elsewhere = OpenDigest { webhook: "other".to_owned(), ..next.clone() };
    assert_eq!(living(&fixture, &elsewhere), None);
    // With an event each minute it would go on for ever.
    close(&mut fixture, &next, 4_000);
    for minute in 1..60 {
        let digest = storm(&mut fixture, minute * 60_000, 1);
        assert_eq!(living(&fixture, &digest), Some(first.id), "{minute}");
        close(&mut fixture, &digest, minute * 60_000 + 500);
    }
    let later = storm(&mut fixture, 3_601_000, 1);
    assert_eq!(living(&fixture, &later), None);
}

#[test]
fn storm_of_which_events_are_pruned_gets_another_message() {
    let mut fixture = fixture();
    let first = storm(&mut fixture, 1_000, 3);
    close(&mut fixture, &first, 2_000);
    let sent = next_message(&fixture.store).unwrap();
    send(&mut fixture, &sent, 2_000);
    let next = storm(&mut fixture, 3_000, 1);
    assert_eq!(living(&fixture, &next), Some(first.id));
    let limits = crate::store::RetentionLimits {
        events_since: Timestamp(9_000),
        max_events: 3,
        dead_since: Timestamp(0),
        max_dead: 9,
    };
    fixture.store.prune(&limits, 0).unwrap();
    assert_eq!(fixture.store.message_events(first.id, 9).unwrap().len(), 0);
    assert_eq!(living(&fixture, &next), None);
}

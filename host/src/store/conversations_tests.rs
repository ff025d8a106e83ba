use super::*;
use crate::event::EventDetails;
use crate::message::{Guarded, Target, fallback};
use crate::store::fixture::*;
use crate::store::{Disposition, FormattedEvent, Lane, OutboundMessage, RouteLedger, WebhookState};

/// A message with a text, which is all that its body says.
fn body(text: &str) -> Guarded {
    fallback(&event(text, EventDetails::Start), "a test", Target::SLACK_APP)
}

fn key(name: &str) -> Option<ConversationKey> {
    Some(ConversationKey::of(name))
}

/// Has the route `sec` format one more event.
fn format(fixture: &mut Fixture, now: i64, disposition: Disposition, name: Option<&str>) {
    append(&mut fixture.inbox, EventDetails::Start);
    let store = &mut fixture.store;
    let seq = store.unrouted(1).unwrap()[0].seq;
    let to = vec![("sec".to_owned(), "hook".to_owned())];
    store.route_events(&[crate::store::RoutedTo { seq, ban: None, to, quarantined: false }]).unwrap();
    let name = name.map(ConversationKey::of);
    let formatted = FormattedEvent { name, ..FormattedEvent::new(seq, disposition) };
    store.record_formatted("sec", None, &[formatted], None, Timestamp(now)).unwrap();
}

/// A message in a thread with a name, which changes the one of another name.
fn post(fixture: &mut Fixture, now: i64, text: &str, (thread, name, replaces): (&str, &str, &str)) {
    let given = |name: &str| (!name.is_empty()).then(|| ConversationKey::of(name));
    let conversation =
        Conversation { thread: given(thread), replaces: given(replaces), fallback: ChangeFallback::Reply };
    let disposition = Disposition::Send(body(text).in_conversation(conversation));
    format(fixture, now, disposition, Some(name).filter(|name| !name.is_empty()));
}

/// The next message that changes none.
fn next(fixture: &Fixture) -> OutboundMessage {
    next_message(&fixture.store).unwrap()
}

fn change(fixture: &Fixture) -> Option<OutboundMessage> {
    fixture.store.next_change("hook").unwrap()
}

fn reference(id: &str) -> Reference {
    Reference { channel: "C1".to_owned(), id: id.to_owned(), of: String::new(), thread: None }
}

/// Sends a message, which the service puts there.
fn send(fixture: &mut Fixture, message: &OutboundMessage, id: &str) {
    let store = &mut fixture.store;
    assert!(store.begin_attempt(message, "hook", &WebhookState::default(), Timestamp(10)).unwrap());
    let state = WebhookState::default();
    store.record_accepted(message.id, Some(&reference(id)), None, "hook", &state, Timestamp(11)).unwrap();
}

fn way(fixture: &Fixture, message: &OutboundMessage) -> Option<Way> {
    fixture.store.way(message, "").unwrap()
}

#[test]
fn message_that_replaces_a_sent_one_changes_it() {
    let mut fixture = fixture();
    post(&mut fixture, 3, "banned", ("who", "ban", ""));
    let ban = next(&fixture);
    assert_eq!(way(&fixture, &ban), Some(Way::Post));
    send(&mut fixture, &ban, "1.1");
    post(&mut fixture, 20, "lifted", ("who", "ban", "ban"));
    assert_eq!(next_message(&fixture.store), None, "it holds up no post");
    let lifted = change(&fixture).unwrap();
    assert_eq!((lifted.lane, lifted.next_attempt_at), (Lane::Change, Timestamp(20)));
    assert_eq!(way(&fixture, &lifted), Some(Way::Change(reference("1.1"))));
    send(&mut fixture, &lifted, "1.1");
    assert_eq!(sec_ledger(&fixture.store), RouteLedger { matched: 2, posted: 2, ..RouteLedger::default() });
    // The next change of the same message comes five seconds after this one, and is the newest of all.
    for text in ["again", "and again"] {
        post(&mut fixture, 30, text, ("who", "ban", "ban"));
    }
    let again = change(&fixture).unwrap();
    assert_eq!(again.next_attempt_at, Timestamp(10 + messages::CHANGE_INTERVAL_MS));
    assert!(again.body.contains("and again"), "{}", again.body);
    assert_eq!(fixture.store.message_events(again.id, 9).unwrap().len(), 2);
    send(&mut fixture, &again, "1.1");
    assert_eq!((change(&fixture), sec_ledger(&fixture.store).posted), (None, 4));
}

#[test]
fn message_that_replaces_one_that_was_not_attempted_is_merged_into_it() {
    let mut fixture = fixture();
    post(&mut fixture, 3, "banned", ("who", "ban", ""));
    let read = next(&fixture);
    post(&mut fixture, 4, "lifted", ("who", "ban", "ban"));
    let begun = fixture.store.begin_attempt(&read, "hook", &WebhookState::default(), Timestamp(5)).unwrap();
    assert!(!begun, "it was read before, and says less than its events");
    let both = next(&fixture);
    assert!(both.id == read.id && both.body.contains("lifted"), "{both:?}");
    assert_eq!(change(&fixture), None);
    send(&mut fixture, &both, "1.1");
    assert_eq!(sec_ledger(&fixture.store), RouteLedger { matched: 2, posted: 2, ..RouteLedger::default() });
}

#[test]
fn change_waits_for_a_message_that_is_on_its_way() {
    let mut fixture = fixture();
    post(&mut fixture, 3, "banned", ("", "ban", ""));
    let ban = next(&fixture);
    assert!(begin_attempt(&mut fixture.store, ban.id));
    post(&mut fixture, 4, "lifted", ("", "", "ban"));
    assert_eq!(change(&fixture), None);
    let state = WebhookState::default();
    fixture.store.record_accepted(ban.id, Some(&reference("1.1")), None, "hook", &state, Timestamp(5)).unwrap();
    assert_eq!(way(&fixture, &change(&fixture).unwrap()), Some(Way::Change(reference("1.1"))));
}

#[test]
fn change_of_a_message_that_died_is_a_message_of_its_own() {
    let mut fixture = fixture();
    post(&mut fixture, 3, "banned", ("", "ban", ""));
    let ban = next(&fixture);
    assert!(begin_attempt(&mut fixture.store, ban.id));
    post(&mut fixture, 4, "lifted", ("", "", "ban"));
    let (state, reason) = (WebhookState::default(), (crate::store::DeadReason::Rejected, "no"));
    fixture.store.mark_dead(ban.id, ("hook", &state), reason, None, Timestamp(5)).unwrap();
    let lifted = change(&fixture).unwrap();
    assert_eq!(way(&fixture, &lifted), None);
    fixture.store.detach(&lifted, true, Timestamp(6)).unwrap();
    let lifted = next(&fixture);
    assert_eq!((lifted.lane, way(&fixture, &lifted)), (Lane::InOrder, Some(Way::Post)));
    post(&mut fixture, 7, "late", ("", "", "ban"));
    assert_eq!(change(&fixture), None);
}

#[test]
fn message_is_beneath_the_first_of_its_thread_that_was_sent() {
    let mut fixture = fixture();
    for text in ["first", "second", "third"] {
        post(&mut fixture, 3, text, ("who", text, ""));
    }
    let first = next(&fixture);
    send(&mut fixture, &first, "1.1");
    let second = next(&fixture);
    assert_eq!(way(&fixture, &second), Some(Way::Beneath(reference("1.1"))));
    post(&mut fixture, 4, "other", ("whom", "", ""));
    let other = fixture.store.next_in_order("hook", 2).unwrap().unwrap();
    assert_eq!(way(&fixture, &other), Some(Way::Post));
    // The first one was deleted in the channel.
    fixture.store.detach(&second, true, Timestamp(5)).unwrap();
    let second = next(&fixture);
    assert_eq!(way(&fixture, &second), Some(Way::Post));
    send(&mut fixture, &second, "1.2");
    let third = next(&fixture);
    assert_eq!(way(&fixture, &third), Some(Way::Beneath(reference("1.2"))));
    // Another webhook knows nothing of it.
    fixture.store.reassign("sec", ("hook", "other"), None).unwrap();
    let third = fixture.store.next_in_order("other", 0).unwrap().unwrap();
    assert_eq!(way(&fixture, &third), Some(Way::Post));
}

#[test]
fn change_of_what_is_in_a_digest_is_a_reply_or_what_the_route_says() {
    for (fallback, expected) in [
        (ChangeFallback::Reply, Some(Way::Beneath(reference("1.1")))),
        (ChangeFallback::Message, Some(Way::Post)),
        (ChangeFallback::Skip, None),
    ] {
        let mut fixture = fixture();
        format(&mut fixture, 3, join_storm(9), Some("ban"));
        format(&mut fixture, 3, join_storm(9), Some("another"));
        let digest = fixture.store.digests_to_close("sec", Timestamp(9), true).unwrap()[0].id;
        fixture.store.close_digest(digest, &message(), true, Timestamp(9)).unwrap();
        assert!(!fixture.store.can_change(i64::MAX, ("sec", "hook"), ConversationKey::of("ban")).unwrap());
        let closed = next(&fixture);
        send(&mut fixture, &closed, "1.1");
        let conversation = Conversation { thread: key("who"), replaces: key("ban"), fallback };
        format(&mut fixture, 12, Disposition::Send(body("lifted").in_conversation(conversation)), None);
        let lifted = next_message(&fixture.store);
        assert_eq!(lifted.and_then(|lifted| way(&fixture, &lifted)), expected, "{fallback:?}");
        let skipped = u64::from(fallback == ChangeFallback::Skip);
        assert_eq!(sec_ledger(&fixture.store).skipped, skipped);
    }
}

#[test]
fn change_of_what_is_not_known_is_a_message_in_its_thread() {
    let mut fixture = fixture();
    post(&mut fixture, 3, "earlier", ("who", "", ""));
    let earlier = next(&fixture);
    send(&mut fixture, &earlier, "1.1");
    post(&mut fixture, 4, "lifted", ("who", "", "unknown"));
    assert_eq!(way(&fixture, &next(&fixture)), Some(Way::Beneath(reference("1.1"))));
}

#[test]
fn backlog_leaves_changes_alone() {
    let mut fixture = fixture();
    for n in 0..3 {
        let name = format!("ban {n}");
        post(&mut fixture, 3, &name, ("", &name, ""));
        let ban = next(&fixture);
        send(&mut fixture, &ban, &format!("1.{n}"));
        post(&mut fixture, 4, "lifted", ("", "", &name));
    }
    assert_eq!(fixture.store.digest_backlog("sec", "hook", 1, Timestamp(99), Timestamp(5)).unwrap(), 0);
    for n in 0..3 {
        post(&mut fixture, 5, &format!("ban {n}"), ("", "", ""));
    }
    assert_eq!(fixture.store.digest_backlog("sec", "hook", 1, Timestamp(99), Timestamp(5)).unwrap(), 3);
    assert!(change(&fixture).is_some());
}

#[test]
fn places_and_names_are_forgotten_with_their_events() {
    let mut fixture = fixture();
    post(&mut fixture, 3, "banned", ("who", "ban", ""));
    let ban = next(&fixture);
    send(&mut fixture, &ban, "1.1");
    append(&mut fixture.inbox, EventDetails::Start);
    let limits = crate::store::RetentionLimits {
        events_since: Timestamp(i64::MAX),
        max_events: 1,
        dead_since: Timestamp(0),
        max_dead: 9,
    };
    fixture
        .store
        .route_events(&[crate::store::RoutedTo { seq: 2, ban: None, to: vec![], quarantined: false }])
        .unwrap();
    assert_eq!(fixture.store.prune(&limits, 0).unwrap().events, 1);
    assert!(!fixture.store.can_change(i64::MAX, ("sec", "hook"), ConversationKey::of("ban")).unwrap());
}

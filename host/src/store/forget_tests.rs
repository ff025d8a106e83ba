use super::*;
use crate::event::{Ban, Event, EventDetails, PastBan};
use crate::message::ConversationKey;
use crate::store::fixture::*;
use crate::store::{Disposition, FormattedEvent, MessageState, Mute, RoutedTo};

const SUBJECT: &str = "203.0.113.7";

fn ban_of(subject: &str, matches: &[&str]) -> Event {
    let matches = matches.iter().map(|line| (*line).to_owned()).collect();
    event("sshd", EventDetails::Ban(Ban { matches, ..ban(subject, Some(1_000), false) }))
}

/// Appends an event, and has the route `sec` format it.
fn receive(fixture: &mut Fixture, event: &Event, disposition: Disposition) {
    let Fixture { store, inbox, .. } = fixture;
    inbox.append(event, Timestamp(2)).unwrap();
    let seq = store.unrouted(1).unwrap()[0].seq;
    let to = vec![("sec".to_owned(), "hook".to_owned())];
    store.route_events(&[RoutedTo { seq, ban: PastBan::of(event), to, quarantined: false }]).unwrap();
    let tags = vec![format!("tag of {SUBJECT}")];
    store
        .record_formatted(
            "sec",
            None,
            &[FormattedEvent { seq, disposition, tags, name: Some(ConversationKey::of(SUBJECT)) }],
            None,
            Timestamp(3),
        )
        .unwrap();
}

fn forget(fixture: &mut Fixture, drop: bool) -> Result<Forgotten, StillNeeded> {
    fixture.store.forget(&Traces::parse(SUBJECT), drop, Timestamp(9)).unwrap()
}

/// Everything in the files of the store.
fn content(fixture: &Fixture) -> String {
    let files = std::fs::read_dir(fixture.folder.path()).unwrap().flatten();
    files.map(|file| String::from_utf8_lossy(&std::fs::read(file.path()).unwrap_or_default()).into_owned()).collect()
}

#[test]
fn forget_leaves_nothing_of_a_subject_and_everything_of_others() {
    let mut fixture = fixture();
    let skip = || Disposition::Skip(format!("because of {SUBJECT}"));
    receive(&mut fixture, &ban_of(SUBJECT, &["line of it"]), skip());
    receive(&mut fixture, &ban_of("198.51.100.1", &["from 203.0.113.7 port 1", "other line"]), skip());
    receive(&mut fixture, &ban_of("203.0.113.70", &["from 203.0.113.70"]), Disposition::Skip("no".to_owned()));
    let mute = |subject: &str, until| Mute {
        id: 0,
        jail: None,
        subject: Some(subject.to_owned()),
        until: Timestamp(until),
        reason: "x".to_owned(),
    };
    fixture.store.add_mute(&mute(SUBJECT, 100), Timestamp(4)).unwrap();
    fixture.store.add_mute(&mute("198.51.100.1", 100), Timestamp(4)).unwrap();
    let before = sec_ledger(&fixture.store);
    assert_eq!(forget(&mut fixture, false), Ok(Forgotten { events: 2, dropped: vec![], mutes: 1 }));
    assert!(fixture.store.overwrite_free_pages().unwrap());
    assert_eq!(sec_ledger(&fixture.store), before);
    assert_eq!(fixture.store.damaged_records().unwrap(), [""; 0]);
    let content = content(&fixture);
    for forgotten in ["203.0.113.7 ", "203.0.113.7\"", "because of", "tag of", "line of it"] {
        assert!(!content.contains(forgotten), "{forgotten}");
    }
    for kept in ["other line", "from [forgotten] port 1", "from 203.0.113.70", "198.51.100.1"] {
        assert!(content.contains(kept), "{kept}");
    }
    let bans: i64 =
        fixture.store.database.read("count", |c| c.query_row("SELECT count(*) FROM bans", [], |r| r.get(0))).unwrap();
    assert_eq!(bans, 1, "those of both events that had it are removed from the history");
    assert_eq!(forget(&mut fixture, false), Ok(Forgotten::default()));
}

#[test]
fn forget_waits_for_what_is_not_settled_and_drops_only_on_request() {
    let mut fixture = fixture();
    fixture.inbox.append(&ban_of(SUBJECT, &[]), Timestamp(2)).unwrap();
    let unsent = |messages: &[i64]| StillNeeded { events: 1, messages: messages.iter().copied().collect() };
    assert_eq!(forget(&mut fixture, true), Err(unsent(&[])), "unrouted");
    let seq = fixture.store.unrouted(1).unwrap()[0].seq;
    let to = vec![("sec".to_owned(), "hook".to_owned())];
    fixture.store.route_events(&[RoutedTo { seq, ban: None, to, quarantined: false }]).unwrap();
    assert_eq!(forget(&mut fixture, true), Err(unsent(&[])), "unformatted");
    let formatted = FormattedEvent::new(seq, join_storm(50));
    fixture.store.record_formatted("sec", None, &[formatted], None, Timestamp(3)).unwrap();
    assert_eq!(forget(&mut fixture, true), Err(unsent(&[])), "in an open digest");
    let digest = fixture.store.digests_to_close("sec", Timestamp(60), true).unwrap()[0].id;
    fixture.store.close_digest(digest, &message(), true, Timestamp(60)).unwrap();
    let ready = StillNeeded { events: 0, messages: [digest].into() };
    assert_eq!(forget(&mut fixture, false), Err(ready));
    assert_eq!(fixture.store.message(digest).unwrap().unwrap().0.state, MessageState::Ready);
    assert_eq!(forget(&mut fixture, true), Ok(Forgotten { events: 1, dropped: vec![digest], mutes: 0 }));
    let ledger = sec_ledger(&fixture.store);
    assert_eq!((ledger.dead, ledger.pending), (1, 0));
}

#[test]
fn forget_keeps_the_other_events_of_a_message_that_was_sent() {
    let mut fixture = fixture();
    for subject in [SUBJECT, "198.51.100.1"] {
        receive(&mut fixture, &ban_of(subject, &[]), join_storm(50));
    }
    let digest = fixture.store.digests_to_close("sec", Timestamp(60), true).unwrap()[0].id;
    fixture.store.close_digest(digest, &message(), true, Timestamp(60)).unwrap();
    assert!(begin_attempt(&mut fixture.store, digest));
    accept(&mut fixture.store, digest);
    assert_eq!(forget(&mut fixture, false), Ok(Forgotten { events: 1, dropped: vec![], mutes: 0 }));
    let events = fixture.store.message_events(digest, 10).unwrap();
    let subjects: Vec<_> =
        events.iter().map(|event| event.event.as_ref().unwrap().ban().unwrap().subject.as_str()).collect();
    assert_eq!(subjects, ["[forgotten]", "198.51.100.1"]);
    assert_eq!(sec_ledger(&fixture.store).digested, 2);
}

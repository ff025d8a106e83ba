//! When a ban waits for its row in fail2ban's database, and when it does not.

use std::fs;
use std::time::{Duration, Instant};

use crate::event::{Ban, Event, EventDetails, Timestamp};
use crate::receive::fail2ban_database::test_database::TestDatabase;
use crate::route::enricher::{EnrichStatus, Enricher};

const AT: i64 = 1_795_348_615;

fn at(seconds: i64) -> Timestamp {
    Timestamp(seconds * 1_000)
}

fn ban(subject: &str) -> Ban {
    Ban { subject: subject.to_owned(), ..Ban::default() }
}

fn event(details: EventDetails) -> Event {
    Event { id: "1".into(), at: at(AT), host: String::new(), jail: "sshd".into(), details, labels: [].into() }
}

/// A ban as the action reports it.
fn action_ban(subject: &str) -> Event {
    event(EventDetails::Ban(Ban { failures: Some(3), ticket_at: Some(at(AT)), ..ban(subject) }))
}

/// Enriches an event that was received when it happened, so many milliseconds later.
fn enrich(enricher: &mut Enricher, event: &mut Event, later: i64) -> EnrichStatus {
    enricher.enrich(event, at(AT), at(AT).plus_ms(later))
}

#[test]
fn enrich_waits_a_second_for_the_row_of_a_ban() {
    let written = TestDatabase::new();
    let mut enricher = Enricher::new(Some(written.path()), true);
    let (mut first, mut second) = (action_ban("x"), action_ban("y"));
    assert_eq!(enrich(&mut enricher, &mut first, 0), EnrichStatus::NotYet);
    assert_eq!(enrich(&mut enricher, &mut second, 5), EnrichStatus::NotYet);
    assert_eq!(first, action_ban("x"));
    written.insert_ban("x", AT, 600, 1, br#"{"matches": ["m"]}"#);
    assert_eq!(enrich(&mut enricher, &mut first, 50), EnrichStatus::Ready);
    assert_eq!(first.ban().unwrap().matches, ["m"]);
    assert_eq!(enrich(&mut enricher, &mut second, 999), EnrichStatus::NotYet);
    assert_eq!(enrich(&mut enricher, &mut second, 1_000), EnrichStatus::Ready);
    assert_eq!(second, action_ban("y"));
}

#[test]
fn enrich_does_not_wait_where_no_row_is_expected() {
    let written = TestDatabase::new();
    let of = |ban: Ban| event(EventDetails::Ban(ban));
    let waits = |mut event: Event, later: i64| {
        let mut enricher = Enricher::new(Some(written.path()), true);
        enrich(&mut enricher, &mut event, later) == EnrichStatus::NotYet
    };
    assert!(waits(action_ban("x"), 0));
    for other in [
        event(EventDetails::Start),
        event(EventDetails::Unban(ban("x"))),
        of(ban("")),
        of(Ban { failures: Some(0), ..ban("x") }),
        of(Ban { restored: true, ..ban("x") }),
        of(Ban { matches: vec!["m".into()], ..ban("x") }),
        // A line of an old log.
        Event { at: at(AT - 3_600), ..action_ban("x") },
    ] {
        assert!(!waits(other.clone(), 0), "{other:?}");
    }
    // The clock was set back.
    assert!(!waits(action_ban("x"), -50));
    let absent = written.folder.path().join("absent");
    for path in [None, Some(absent)] {
        assert_eq!(enrich(&mut Enricher::new(path, false), &mut action_ban("x"), 0), EnrichStatus::Ready);
    }
    // A row that is not waited for is looked up.
    written.insert_ban("x", AT, 1_200, 2, b"{}");
    let mut by_hand = of(Ban { failures: Some(0), ticket_at: Some(at(AT)), ..ban("x") });
    assert_eq!(enrich(&mut Enricher::new(Some(written.path()), true), &mut by_hand, 0), EnrichStatus::Ready);
    assert_eq!(by_hand.ban().unwrap().count, Some(2));
}

#[test]
fn enrich_does_not_wait_for_a_database_that_is_not_written() {
    let written = TestDatabase::new();
    let mut enricher = Enricher::new(Some(written.path()), true);
    for subject in ["a", "b", "c"] {
        assert_eq!(enrich(&mut enricher, &mut action_ban(subject), 0), EnrichStatus::NotYet, "{subject}");
        assert_eq!(enrich(&mut enricher, &mut action_ban(subject), 1_000), EnrichStatus::Ready, "{subject}");
    }
    let later = |enricher: &mut Enricher, ms| {
        let now = at(AT).plus_ms(ms);
        let mut event = Event { at: now, ..action_ban("d") };
        enricher.enrich(&mut event, now, now)
    };
    assert_eq!(later(&mut enricher, 1_001), EnrichStatus::Ready);
    assert_eq!(later(&mut enricher, 60_999), EnrichStatus::Ready);
    assert_eq!(later(&mut enricher, 61_001), EnrichStatus::NotYet);
}

#[test]
fn enrich_does_not_wait_for_an_unreadable_database() {
    let written = TestDatabase::new();
    let mut enricher = Enricher::new(Some(written.path()), true);
    written.connection.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert_eq!(enrich(&mut enricher, &mut action_ban("x"), 0), EnrichStatus::NotYet);
    // It is not queried again for a moment.
    let begun = Instant::now();
    for later in 1..100 {
        assert_eq!(enrich(&mut enricher, &mut action_ban("x"), later), EnrichStatus::NotYet);
    }
    assert!(begun.elapsed() < Duration::from_millis(50), "{:?}", begun.elapsed());
    written.connection.execute_batch("COMMIT").unwrap();
    written.insert_ban("x", AT, 600, 1, br#"{"matches": ["m"]}"#);
    let mut event = action_ban("x");
    assert_eq!(enrich(&mut enricher, &mut event, 300), EnrichStatus::Ready);
    assert_eq!(event.ban().unwrap().matches, ["m"]);

    fs::write(written.path(), "nonsense ".repeat(1_000)).unwrap();
    assert_eq!(enrich(&mut enricher, &mut action_ban("x"), 400), EnrichStatus::Ready);
    fs::remove_file(written.path()).unwrap();
    let restored = TestDatabase::new();
    restored.insert_ban("x", AT, 600, 1, br#"{"matches": ["m"]}"#);
    fs::rename(restored.path(), written.path()).unwrap();
    let mut event = action_ban("x");
    assert_eq!(enrich(&mut enricher, &mut event, 1_000), EnrichStatus::Ready);
    assert_eq!(event, action_ban("x"));
    assert_eq!(enrich(&mut enricher, &mut event, 60_401), EnrichStatus::Ready);
    assert_eq!(event.ban().unwrap().matches, ["m"]);
}

//! The history of bans: compared with a count in memory, the index of each query, and the times with a million bans.

use std::time::{Duration, Instant};

use crate::event::{BanQuery, BanSummary, Event, EventDetails, PastBan, SubjectQuery, Timestamp};
use crate::store::fixture::{ban, event, fixture};
use crate::store::history::{OF_HOST, OF_JAILS, OF_NETWORK, OF_SUBJECT, record};
use crate::store::*;

const SUBJECTS: [&str; 6] = ["203.0.113.7", "203.0.113.8", "203.0.113.8/30", "2001:db8::7", "user bob", ""];
const NETWORKS: [&str; 4] = ["203.0.113.0/29", "203.0.0.0/16", "0.0.0.0/0", "2001:db8::/32"];
const JAILS: [&str; 4] = ["sshd", "nginx-auth", "nginx-\"'", "recidive"];
const HOSTS: [&str; 2] = ["web-1", "web-2"];

fn later() -> Instant {
    Instant::now() + Duration::from_secs(600)
}

/// A scope that sees every jail.
fn scope(before: i64) -> HistoryScope<'static> {
    HistoryScope { may_see: &|_| true, before, deadline: later() }
}

fn random_ban(random: &mut fastrand::Rng) -> PastBan {
    let mut one_of = |texts: &[&str]| texts[random.usize(..texts.len())].to_owned();
    let (subject, jail, host) = (one_of(&SUBJECTS), one_of(&JAILS), one_of(&HOSTS));
    PastBan { at: Timestamp(random.i64(0..1_000)), host, jail, subject }
}

fn random_query(random: &mut fastrand::Rng) -> BanQuery {
    let mut maybe = |texts: &[&str]| random.bool().then(|| texts[random.usize(..texts.len())].to_owned());
    let (subject, jail, host) = (maybe(&SUBJECTS), maybe(&JAILS), maybe(&HOSTS));
    let network = maybe(&NETWORKS).map(|network| SubjectQuery::Network(network.parse().unwrap()));
    let subject = subject.map(SubjectQuery::Exact).or(network);
    let since = random.bool().then(|| Timestamp(random.i64(0..1_000)));
    BanQuery { subject, jail, host, since, until: Timestamp(random.i64(0..1_000)) }
}

#[test]
fn bans_of_random_queries_equal_a_count_in_memory() {
    let mut fixture = fixture();
    let store = &mut fixture.store;
    let mut random = fastrand::Rng::with_seed(1);
    let bans: Vec<_> = (0..300).map(|_| random_ban(&mut random)).collect();
    store.database.write("test", |transaction| record(transaction, (1..).zip(&bans))).unwrap();
    let mut found = 0;
    for _ in 0..300 {
        let query = random_query(&mut random);
        let before = random.usize(1..350);
        let may_see = |jail: &str| jail.starts_with("nginx-") || jail == "sshd";
        let scope = HistoryScope { may_see: &may_see, ..scope(i64::try_from(before).unwrap()) };
        let visible = bans.iter().take(before - 1).filter(|ban| may_see(&ban.jail));
        let expected = BanSummary::of(visible, &query);
        found += expected.bans;
        assert_eq!(store.bans(&query, &scope).unwrap(), Some(expected), "{query:?} before {before}");
    }
    assert!(found > 1_000, "the queries found {found}");
}

#[test]
fn bans_are_the_routed_new_ones_before_the_event() {
    let mut fixture = fixture();
    let store = &mut fixture.store;
    for action in [
        EventDetails::Start,
        EventDetails::Ban(ban("203.0.113.7", Some(1), false)),
        EventDetails::Unban(ban("203.0.113.7", Some(1), false)),
        EventDetails::Ban(ban("203.0.113.7", Some(1), true)),
        EventDetails::Ban(ban("203.0.113.8", Some(2), false)),
    ] {
        fixture.inbox.append(&event("sshd", action), Timestamp(2)).unwrap();
    }
    let bans = |store: &Store, before| {
        let everything = BanQuery { until: Timestamp(i64::MAX), ..BanQuery::default() };
        store.bans(&everything, &scope(before)).unwrap().unwrap().bans
    };
    assert_eq!(bans(store, i64::MAX), 0, "not routed yet");
    let unrouted = store.unrouted(10).unwrap();
    let ban = |event: &Result<Event, String>| PastBan::of(event.as_ref().unwrap());
    let routed: Vec<_> = unrouted
        .iter()
        .map(|unrouted| RoutedTo { seq: unrouted.seq, ban: ban(&unrouted.event), to: vec![], quarantined: false })
        .collect();
    store.route_events(&routed).unwrap();
    // Routing them again changes nothing.
    store.route_events(&routed).unwrap();
    assert_eq!((bans(store, i64::MAX), bans(store, 5), bans(store, 2)), (2, 1, 0));
}

#[test]
fn ban_queries_use_their_covering_indexes() {
    let fixture = fixture();
    let store = &fixture.store;
    for (query, plan) in [
        (OF_SUBJECT, "SEARCH bans USING COVERING INDEX bans_of_subject (subject=? AND at>? AND at<?)"),
        (OF_NETWORK, "SEARCH bans USING COVERING INDEX bans_of_subject (subject>? AND subject<?)"),
        (OF_HOST, "SEARCH bans USING COVERING INDEX bans_of_host (host=? AND jail=? AND at>? AND at<?)"),
        (OF_JAILS, "SEARCH bans USING PRIMARY KEY (jail=? AND at>? AND at<?)"),
    ] {
        let mut statement = store.database.connection.prepare(&format!("EXPLAIN QUERY PLAN {query}")).unwrap();
        let needed = statement.parameter_count();
        let parameters: [&dyn rusqlite::ToSql; 7] = [&"[]", &0, &0, &0, &None::<&str>, &None::<&str>, &None::<&str>];
        let steps: Vec<String> =
            statement.query_map(&parameters[..needed], |row| row.get("detail")).unwrap().map(Result::unwrap).collect();
        assert_eq!(steps[0], plan, "{steps:?}");
        // The other steps read only the list of jails.
        assert!(steps[1..].iter().all(|step| !step.contains("bans")), "{steps:?}");
    }
}

#[test]
fn bans_past_the_deadline_are_none() {
    let mut fixture = fixture();
    let store = &mut fixture.store;
    let mut random = fastrand::Rng::with_seed(1);
    let bans: Vec<_> = (1..1_000).map(|_| random_ban(&mut random)).collect();
    store.database.write("test", |transaction| record(transaction, (1..).zip(&bans))).unwrap();
    let everything = BanQuery { until: Timestamp(1_000), ..BanQuery::default() };
    let too_late = HistoryScope { deadline: Instant::now(), ..scope(i64::MAX) };
    assert_eq!(store.bans(&everything, &too_late).unwrap(), None);
    let few = BanQuery { jail: Some("no such jail".into()), ..everything };
    assert_eq!(
        store.bans(&few, &too_late).unwrap(),
        Some(BanSummary::default()),
        "done before it compares the deadline"
    );
}

/// `cargo test --release -p banhook --lib million -- --ignored --nocapture`
#[test]
#[ignore = "a measurement of half a minute; prints microseconds"]
fn bans_of_a_million_are_timed() {
    const BANS: i64 = 1_000_000;
    /// One every 30 s: a year's worth.
    const APART: i64 = 30_000;
    let mut fixture = fixture();
    let store = &mut fixture.store;
    let mut random = fastrand::Rng::with_seed(1);
    let subject = |n: u32| format!("198.{}.{}.{}", n >> 16 & 255, n >> 8 & 255, n & 255);
    let exact = |n: u32| Some(SubjectQuery::Exact(subject(n)));
    let network = |network: &str| Some(SubjectQuery::Network(network.parse().unwrap()));
    let begun = Instant::now();
    for chunk in 0..BANS / 10_000 {
        let mut bans = Vec::new();
        for n in chunk * 10_000..(chunk + 1) * 10_000 {
            // A few subjects are banned often.
            let who = if random.u8(..) < 64 { random.u32(..1_000) } else { random.u32(..500_000) };
            let (host, jail) = (format!("web-{}", random.u8(..10)), format!("jail-{}", random.u8(..20)));
            bans.push((n, PastBan { at: Timestamp(n * APART), host, jail, subject: subject(who) }));
        }
        let bans = bans.iter().map(|(n, ban)| (*n, ban));
        store.database.write("fill", |transaction| record(transaction, bans)).unwrap();
    }
    println!("filling: {} us a ban", begun.elapsed().as_micros() / u128::try_from(BANS).unwrap());
    let pages: i64 = store.database.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    println!("size: {} bytes a ban", pages * 4096 / BANS);
    let now = Timestamp(BANS * APART);
    let (hour, day) = (Some(now.plus_ms(-3_600_000)), Some(now.plus_ms(-86_400_000)));
    let jail = || Some("jail-7".to_owned());
    let base = || BanQuery { until: now, ..BanQuery::default() };
    for (name, rounds, query) in [
        ("subject, rare", 1_000, BanQuery { subject: exact(400_000), ..base() }),
        ("subject, frequent", 1_000, BanQuery { subject: exact(7), ..base() }),
        ("subject and jail, a day", 1_000, BanQuery { subject: exact(7), jail: jail(), since: day, ..base() }),
        ("a /24", 1_000, BanQuery { subject: network("198.6.26.0/24"), ..base() }),
        ("a /20, a day", 100, BanQuery { subject: network("198.6.16.0/20"), since: day, ..base() }),
        ("jail, an hour", 1_000, BanQuery { jail: jail(), since: hour, ..base() }),
        ("jail, a day", 1_000, BanQuery { jail: jail(), since: day, ..base() }),
        ("host, a day", 1_000, BanQuery { host: Some("web-3".into()), since: day, ..base() }),
        ("everything, an hour", 1_000, BanQuery { since: hour, ..base() }),
        ("everything, a day", 1_000, BanQuery { since: day, ..base() }),
        ("jail, a year", 5, BanQuery { jail: jail(), ..base() }),
        ("everything, a year", 2, base()),
    ] {
        let mut times: Vec<_> = (0..rounds)
            .map(|_| {
                let begun = Instant::now();
                let found = store.bans(&query, &scope(i64::MAX)).unwrap().unwrap().bans;
                (begun.elapsed().as_micros(), found)
            })
            .collect();
        times.sort_unstable();
        let ((median, found), (most, _)) = (times[times.len() / 2], times[times.len() * 99 / 100]);
        println!("{name}: {found} bans, median {median} us, p99 {most} us");
    }
}

//! Series through the built-in plugin, a store and a clock that is handed in: one subject on many hosts, and restarts of many
//! hosts.

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::event::{Ban, EventDetails, Timestamp};
use crate::format::route_fixture::{RouteFixture, banned};
use crate::store::Traces;

const SAME: &str = "same_subject = '30s'";

/// A route to a webhook whose messages can be changed.
const CHAT: &str = "webhook = 'chat'\nsame_subject = '30s'\n\
    [webhooks.chat]\nurl = 'http://127.0.0.1:2/api/webhooks/1/x'\ntarget = 'discord'";

fn ban(subject: &str) -> EventDetails {
    EventDetails::Ban(Ban { ticket_at: Some(Timestamp(7_000)), ..banned(subject, false) })
}

fn unban(subject: &str) -> EventDetails {
    EventDetails::Unban(Ban { ticket_at: Some(Timestamp(7_000)), ..banned(subject, false) })
}

impl RouteFixture {
    fn on_hosts(&mut self, hosts: std::ops::Range<usize>, details: &EventDetails) {
        for number in hosts {
            self.happens_on(&format!("web-{number}"), "sshd", details.clone());
        }
        self.work(false);
    }
}

#[test]
fn one_address_on_fifty_hosts_is_posted_at_once_and_then_once_more() {
    let mut fixture = RouteFixture::new(SAME);
    fixture.on_hosts(1..2, &ban("192.0.2.7"));
    let first = fixture.sent_with_changes();
    assert!(first.len() == 1 && first[0].text.contains("192.0.2.7") && first[0].text.contains("web-1"), "{first:?}");
    fixture.on_hosts(2..30, &ban("192.0.2.7"));
    fixture.pass(10);
    fixture.on_hosts(30..51, &ban("192.0.2.7"));
    // Another address is another series.
    fixture.happens_on("web-1", "sshd", ban("192.0.2.8"));
    fixture.work(false);
    assert!(fixture.sent_with_changes()[0].text.contains("192.0.2.8"));
    fixture.pass(19);
    assert_eq!(fixture.sent_with_changes().len(), 0);
    fixture.pass(1);
    let sent = fixture.sent_with_changes();
    assert_eq!((sent.len(), fixture.counts()), (1, (2, 49, 0)), "{sent:?}");
    assert!(sent[0].text.contains("⛔ `192.0.2.7` also banned on 49 hosts in 10 s"), "{}", sent[0].text);
    assert!(sent[0].text.contains("`web-21` and 29 more") && sent[0].text.contains("sshd"), "{}", sent[0].text);
    // Once it is over, the next one is posted at once.
    fixture.pass(60);
    fixture.on_hosts(1..2, &ban("192.0.2.7"));
    assert_eq!(fixture.sent_with_changes().len(), 1);
}

#[test]
fn one_address_in_several_jails_of_a_host_is_one_more_message() {
    let mut fixture = RouteFixture::new(SAME);
    for jail in ["sshd", "nginx", "recidive", "nginx"] {
        fixture.happens_on("web-1", jail, ban("192.0.2.7"));
    }
    fixture.pass(30);
    let sent = fixture.sent_with_changes();
    assert_eq!((sent.len(), fixture.counts()), (2, (1, 3, 0)), "{sent:?}");
    assert!(
        sent[1].text.contains("`192.0.2.7` also banned on `web-1` in 1 s")
            && sent[1].text.contains("`nginx` 2 bans · `recidive` 1 ban"),
        "{}",
        sent[1].text
    );
}

#[test]
fn subject_that_is_forgotten_while_its_series_goes_on_stays_forgotten() {
    let mut fixture = RouteFixture::new(SAME);
    fixture.on_hosts(1..2, &ban("192.0.2.7"));
    fixture.sent_with_changes();
    let series =
        |fixture: &RouteFixture| fixture.store.recent_posts("sec").unwrap().series.into_keys().collect::<String>();
    assert!(series(&fixture).contains("192.0.2.7"));
    fixture.inbox.forget(&Traces::parse("192.0.2.7"), false, Timestamp(fixture.now)).unwrap().unwrap();
    assert_eq!(series(&fixture), "");
    fixture.on_hosts(1..2, &ban("192.0.2.8"));
    let known = series(&fixture);
    assert!(known.contains("192.0.2.8") && !known.contains("192.0.2.7"), "{known}");
}

#[test]
fn second_ban_alone_is_its_own_message() {
    let mut fixture = RouteFixture::new(SAME);
    fixture.on_hosts(1..3, &ban("192.0.2.7"));
    assert_eq!(fixture.sent_with_changes().len(), 1);
    fixture.pass(30);
    let sent = fixture.sent_with_changes();
    assert!(sent.len() == 1 && sent[0].text.contains("web-2") && sent[0].text.contains("3 failures"), "{sent:?}");
    assert_eq!(fixture.counts(), (2, 0, 0));
}

#[test]
fn nothing_is_grouped_by_subject_without_the_setting_or_of_what_is_restored() {
    for (lines, restored) in [("storm = false", false), ("storm = false\nrestart = false\nsame_subject = '30s'", true)]
    {
        let mut fixture = RouteFixture::new(lines);
        fixture.on_hosts(1..6, &EventDetails::Ban(banned("192.0.2.7", restored)));
        assert_eq!(fixture.sent_with_changes().len(), 5, "{lines}");
    }
}

#[test]
fn unbans_of_one_address_are_grouped_and_not_with_its_bans() {
    let mut fixture = RouteFixture::new("same_subject = '30s'\nrestart = false");
    fixture.on_hosts(1..4, &ban("192.0.2.7"));
    fixture.on_hosts(1..4, &unban("192.0.2.7"));
    assert_eq!(fixture.sent_with_changes().len(), 2);
    fixture.pass(30);
    let sent = fixture.sent_with_changes();
    assert!(sent.len() == 2 && sent[1].text.contains("🔓 `192.0.2.7` also unbanned on 2 hosts"), "{sent:?}");
}

#[test]
fn long_attack_of_one_address_is_a_dozen_messages_an_hour() {
    let mut fixture = RouteFixture::new(SAME);
    let mut sent = 0;
    for second in 0..360_usize {
        fixture.on_hosts(second..second + 2, &ban("192.0.2.7"));
        fixture.pass(10);
        if second % 20 == 0 {
            // The process ends, and another one starts.
            fixture.live.recent_posts = None;
        }
        sent += fixture.sent_with_changes().len();
    }
    assert_eq!(sent, 15);
}

#[test]
fn series_that_are_many_are_a_storm() {
    let mut fixture = RouteFixture::new(SAME);
    for number in 0..30 {
        fixture.on_hosts(1..4, &ban(&format!("192.0.2.{number}")));
    }
    assert_eq!(fixture.sent_with_changes().len(), 8);
    fixture.pass(30);
    let sent = fixture.sent_with_changes();
    // What is in the storm begins no series, and the digests of the eight that did join its own.
    assert!(sent.len() == 1 && sent[0].text.contains("82 more bans on 3 hosts"), "{sent:?}");
    assert_eq!(fixture.counts(), (8, 82, 0));
}

#[test]
fn subjects_beyond_the_bound_are_not_grouped_and_not_lost() {
    let mut fixture = RouteFixture::new("storm = false\nsame_subject = '30s'");
    fixture.live.profile.messages_per_minute = 100_000;
    for _ in 0..2 {
        for number in 0..1_030 {
            fixture.happens("sshd", ban(&format!("10.0.{}.{}", number / 250, number % 250)));
        }
    }
    fixture.work(false);
    // 1,024 are grouped, and of the last six each is a message.
    assert_eq!(fixture.sent_with_changes().len(), 1_030 + 6);
    fixture.pass(30);
    assert_eq!((fixture.sent_with_changes().len(), fixture.counts()), (1_024, (2_060, 0, 0)));
}

#[test]
fn message_that_can_be_changed_says_on_how_many_hosts() {
    let mut fixture = RouteFixture::new(CHAT);
    fixture.on_hosts(1..2, &ban("192.0.2.7"));
    let first = fixture.sent_with_changes();
    assert!(first.len() == 1 && first[0].changes.is_none(), "{first:?}");
    let mut shown = Vec::new();
    for hosts in [2..12, 12..41, 41..51] {
        fixture.on_hosts(hosts.start..hosts.end - 1, &ban("192.0.2.7"));
        fixture.pass(25);
        fixture.on_hosts(hosts.end - 1..hosts.end, &ban("192.0.2.7"));
        fixture.pass(5);
        shown.extend(fixture.sent_with_changes());
    }
    assert_eq!(shown.iter().map(|sent| sent.changes).collect::<Vec<_>>(), [Some(first[0].id); 3], "{shown:?}");
    for (sent, hosts) in shown.iter().zip([11, 40, 50]) {
        assert!(sent.text.contains(&format!("`192.0.2.7` banned on {hosts} hosts")), "{}", sent.text);
    }
    assert_eq!(fixture.counts(), (1, 49, 0));
    // An unban does not change what is about all of them.
    fixture.on_hosts(1..2, &unban("192.0.2.7"));
    fixture.pass(6);
    let sent = fixture.sent_with_changes();
    assert!(sent.len() == 1 && sent[0].changes.is_none() && sent[0].text.contains("unbanned"), "{sent:?}");
}

#[test]
fn message_that_was_not_sent_yet_is_about_all_of_them() {
    let mut fixture = RouteFixture::new(CHAT);
    fixture.on_hosts(1..4, &ban("192.0.2.7"));
    fixture.pass(30);
    let sent = fixture.sent_with_changes();
    assert!(sent.len() == 1 && sent[0].text.contains("`192.0.2.7` banned on 3 hosts"), "{sent:?}");
    assert_eq!(fixture.counts(), (0, 3, 0));
}

#[test]
fn message_that_says_something_else_by_now_is_not_changed_by_a_series() {
    let mut fixture = RouteFixture::new(&CHAT.replace("same_subject", "restart = false\nsame_subject"));
    fixture.on_hosts(1..2, &ban("192.0.2.7"));
    fixture.sent_with_changes();
    fixture.on_hosts(1..2, &unban("192.0.2.7"));
    let sent = fixture.sent_with_changes();
    assert!(sent.len() == 1 && sent[0].changes.is_some(), "{sent:?}");
    fixture.on_hosts(2..4, &ban("192.0.2.7"));
    fixture.pass(30);
    let sent = fixture.sent_with_changes();
    assert!(
        sent.len() == 1 && sent[0].changes.is_none() && sent[0].text.contains("also banned on 2 hosts"),
        "{sent:?}"
    );
}

#[test]
fn series_that_grows_tenfold_gets_another_message() {
    let mut fixture = RouteFixture::new(CHAT);
    fixture.on_hosts(1..2, &ban("192.0.2.7"));
    fixture.sent_with_changes();
    fixture.on_hosts(2..201, &ban("192.0.2.7"));
    fixture.pass(25);
    fixture.on_hosts(201..202, &ban("192.0.2.7"));
    fixture.pass(5);
    let sent = fixture.sent_with_changes();
    assert!(
        sent.len() == 1 && sent[0].changes.is_none() && sent[0].text.contains("also banned on 200 hosts"),
        "{sent:?}"
    );
    let newer = sent[0].id;
    fixture.on_hosts(202..203, &ban("192.0.2.7"));
    fixture.pass(30);
    let sent = fixture.sent_with_changes();
    assert!(
        sent.len() == 1 && sent[0].changes == Some(newer) && sent[0].text.contains("banned on 201 hosts"),
        "{sent:?}"
    );
}

/// fail2ban restarts on a host.
fn restart(fixture: &mut RouteFixture, host: &str) {
    for jail in ["sshd", "nginx"] {
        fixture.happens_on(host, jail, EventDetails::Flush);
        fixture.happens_on(host, jail, EventDetails::Stop);
    }
    for jail in ["sshd", "nginx"] {
        fixture.happens_on(host, jail, EventDetails::Start);
        fixture.happens_on(host, jail, EventDetails::Ban(banned("192.0.2.7", true)));
    }
}

#[test]
fn restarts_of_many_hosts_are_two_messages() {
    let mut fixture = RouteFixture::new("");
    for host in 1..=50 {
        restart(&mut fixture, &format!("web-{host}"));
    }
    fixture.pass(5);
    let sent = fixture.sent_with_changes();
    assert!(
        sent.len() == 1 && sent[0].text.contains("🔁 fail2ban restarted on `web-1`: 2 jails, 2 bans restored"),
        "{sent:?}"
    );
    fixture.pass(30);
    let sent = fixture.sent_with_changes();
    assert_eq!((sent.len(), fixture.counts()), (1, (0, 400, 0)), "{sent:?}");
    assert!(
        sent[0].text.contains("🔁 fail2ban also restarted on 49 hosts: 2 jails, 98 bans restored")
            && sent[0].text.contains("on `web-2` 2 restored · `web-3` 2 restored"),
        "{}",
        sent[0].text
    );
}

#[test]
fn upgrade_of_a_fleet_is_a_dozen_messages_an_hour() {
    let mut fixture = RouteFixture::new("");
    let mut sent = 0;
    for host in 0..240 {
        restart(&mut fixture, &format!("web-{host}"));
        fixture.pass(15);
        sent += fixture.sent_with_changes().len();
    }
    fixture.pass(300);
    sent += fixture.sent_with_changes().len();
    assert_eq!((sent, fixture.counts()), (16, (0, 240 * 8, 0)));
}

#[test]
fn stops_are_not_among_restarts_and_neither_is_a_restart_that_failed() {
    let mut fixture = RouteFixture::new("");
    for host in 1..=3 {
        restart(&mut fixture, &format!("web-{host}"));
    }
    for (host, starts) in [("web-8", 0), ("web-9", 0), ("web-7", 1)] {
        for jail in ["sshd", "nginx"] {
            fixture.happens_on(host, jail, EventDetails::Stop);
        }
        for jail in ["sshd"].iter().take(starts) {
            fixture.happens_on(host, jail, EventDetails::Start);
        }
    }
    fixture.pass(5);
    let mut sent = fixture.sent_with_changes();
    fixture.pass(30);
    sent.extend(fixture.sent_with_changes());
    for expected in [
        "restarted on `web-1`",
        "stopped on `web-8`",
        "restarted on `web-7`: 1 of 2 jails started",
        "also restarted on 2 hosts",
        "stopped on `web-9`",
    ] {
        assert!(sent.iter().any(|sent| sent.text.contains(expected)), "{expected}: {sent:#?}");
    }
    assert_eq!(sent.len(), 5, "{sent:#?}");
}

#[test]
fn host_that_restarts_again_and_again_says_so_each_time() {
    let mut fixture = RouteFixture::new("");
    for _ in 0..3 {
        restart(&mut fixture, "web-1");
        fixture.pass(6);
        assert_eq!(fixture.sent_with_changes().len(), 1);
    }
}

#[derive(Debug, Clone)]
enum Step {
    Ban {
        host: usize,
        subject: usize,
    },
    Unban {
        host: usize,
        subject: usize,
    },
    Restart(usize),
    Pass(i64),
    /// The process ends, and another one starts.
    Crash,
    Send,
    SetClock(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let (hosts, subjects) = (0..5_usize, 0..3_usize);
    prop_oneof![
        8 => (hosts.clone(), subjects.clone()).prop_map(|(host, subject)| Step::Ban { host, subject }),
        2 => (hosts.clone(), subjects).prop_map(|(host, subject)| Step::Unban { host, subject }),
        2 => hosts.prop_map(Step::Restart),
        4 => prop_oneof![3 => 1..20_i64, 1 => 20..400_i64].prop_map(Step::Pass),
        1 => Just(Step::Crash),
        3 => Just(Step::Send),
        1 => (-100..100_i64).prop_map(Step::SetClock),
    ]
}

/// Whatever happens: each event is in one message, none stays in a digest for longer than its window, and the first ban of an
/// address is posted at once. `number`: of the history, whose hosts and addresses are its own.
fn check(fixture: &mut RouteFixture, number: usize, steps: &[Step]) {
    let address = |subject: &usize| format!("10.{}.{}.{subject}", number / 250, number % 250);
    let name = |host: &usize| format!("web-{number}-{host}");
    let (mut last, mut is_set) = (BTreeMap::new(), false);
    for step in steps {
        match step {
            Step::Ban { host, subject } => {
                let before = (open_digests(fixture), pending(fixture) + 1);
                fixture.happens_on(&name(host), "sshd", ban(&address(subject)));
                fixture.work(false);
                let is_first = last.insert(*subject, fixture.now).is_none_or(|at| at + 300_000 < fixture.now);
                if is_first && !is_set {
                    assert_eq!(
                        (open_digests(fixture), pending(fixture)),
                        before,
                        "the first ban is not posted at once"
                    );
                }
            }
            Step::Unban { host, subject } => fixture.happens_on(&name(host), "sshd", unban(&address(subject))),
            Step::Restart(host) => restart(fixture, &name(host)),
            Step::Pass(seconds) => fixture.pass(*seconds),
            Step::Crash => fixture.live.recent_posts = None,
            Step::Send => drop(fixture.sent_with_changes()),
            Step::SetClock(seconds) => {
                is_set = true;
                fixture.now += seconds * 1_000;
            }
        }
        fixture.work(false);
    }
    // A restart is quiet after 5 s, its series after 5 min at most; an unban waits for a stop first.
    fixture.pass(70);
    fixture.pass(310);
    fixture.pass(310);
    fixture.sent_with_changes();
    let route = fixture.store.ledger().unwrap().routes.get("sec").copied().unwrap_or_default();
    let ended = route.posted + route.digested + route.skipped;
    assert_eq!((open_digests(fixture), ended, route.pending), (0, u64::try_from(fixture.count).unwrap(), 0));
}

fn pending(fixture: &RouteFixture) -> u64 {
    fixture.store.ledger().unwrap().routes.get("sec").map_or(0, |route| route.pending)
}

fn open_digests(fixture: &RouteFixture) -> usize {
    fixture.store.digests_to_close("sec", Timestamp(fixture.now), true).unwrap().len()
}

#[test]
fn any_history_of_series_loses_nothing_and_delays_no_first_ban() {
    let events = "storm = false\nevents = ['start', 'stop', 'flush', 'ban', 'unban']\n";
    for lines in [SAME, CHAT] {
        // One for all of them: a plugin takes its time to load.
        let fixture = RefCell::new((RouteFixture::new(&format!("{events}{lines}")), 0));
        let config = ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() };
        let any_history = TestRunner::new(config).run(&vec(step(), 1..60), |steps| {
            let (fixture, number) = &mut *fixture.borrow_mut();
            *number += 1;
            check(fixture, *number, &steps);
            Ok(())
        });
        any_history.unwrap();
    }
}

/// A ban that is longer than what is stored of a series.
#[test]
fn long_subject_is_grouped_with_nothing() {
    let mut fixture = RouteFixture::new("storm = false\nsame_subject = '30s'");
    let details = EventDetails::Ban(Ban { subject: "x".repeat(300), ..Ban::default() });
    fixture.on_hosts(1..4, &details);
    assert_eq!(fixture.sent_with_changes().len(), 3);
}

//! A fleet with a real nats-server: hosts forward, the worker delivers, and what either or the broker loses is not lost.

mod across_hosts;
mod attacks;
mod broker;
mod cluster;
mod limits;
mod member;
mod monitoring;
mod power_cut;
mod shards;
mod silence;
mod takeover;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::message::Message;
use crate::polling::{until, within};
use crate::reliability::{FaultRow, report};
use crate::seeded_random::{SeededRandom, seed};
use crate::test_env::TestEnv;
use crate::webhook::shown;
use broker::{Broker, SUITES, TOO_OLD};
use member::Member;

/// The broker that a host installs.
pub fn nats_server() -> PathBuf {
    broker::program(NEWEST).canonicalize().unwrap()
}

/// One that is too old for a fleet.
pub fn too_old_nats_server() -> PathBuf {
    broker::program(TOO_OLD).canonicalize().unwrap()
}

/// The newest of them.
const NEWEST: &str = SUITES[1];

/// How long the broker's and the members' pauses after a failure may add up to.
const RECOVERED_WITHIN: Duration = Duration::from_secs(60);

fn address(number: usize) -> String {
    format!("203.0.{}.{}", 113 + number / 250, number % 250 + 1)
}

/// Waits until a message about each of these addresses has arrived. Returns how many messages there are.
#[track_caller]
fn wait_for_addresses(env: &TestEnv, numbers: std::ops::Range<usize>, members: &[&Member<'_>]) -> usize {
    within(RECOVERED_WITHIN, "every ban to arrive", || {
        let arrived = env.webhook.arrived();
        let texts = shown(&arrived).join("\n");
        let missing: Vec<_> = numbers.clone().map(address).filter(|ip| !texts.contains(&format!("`{ip}`"))).collect();
        let logs = || members.iter().map(|member| format!("{}:\n{}\n", member.name, member.log())).collect::<String>();
        if missing.is_empty() { Ok(arrived.len()) } else { Err(format!("missing: {missing:?}\n{}", logs())) }
    })
}

/// The order of the addresses, each where it came first.
fn order(messages: &[Message], count: usize) -> Vec<usize> {
    let mut seen = BTreeSet::new();
    let number = |text: &str| (0..count).find(|number| text.contains(&format!("`{}`", address(*number))));
    shown(messages).iter().filter_map(|text| number(text)).filter(|number| seen.insert(*number)).collect()
}

#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_ban_on_a_host_becomes_a_message_of_the_worker() {
    for suite in SUITES {
        let env = TestEnv::new();
        let broker = Broker::start(&env, suite, &["web-1.example", "web-2"]);
        let mut worker = Member::worker(&env, &broker, "worker", "");
        let mut hosts = ["web-1.example", "web-2"].map(|name| Member::host(&env, &broker, name));
        hosts[0].start();
        hosts[0].ban(&address(0));
        // The worker makes the streams.
        hosts[0].wait_for_log("the broker has no stream for this yet");
        worker.start();
        hosts[1].start();
        hosts[1].ban(&address(1));
        assert_eq!(wait_for_addresses(&env, 0..2, &[&worker, &hosts[0], &hosts[1]]), 2, "{suite}");
        let texts = shown(&env.webhook.arrived()).join("\n");
        assert!(texts.contains("on `web-1.example`") && texts.contains("on `web-2`"), "{texts}");
        for host in &hosts {
            host.wait_until_forwarded(1);
            let status = host.banhook(&["fleet", "status"]).ok();
            assert!(status.stdout.contains("events: 1 forwarded, 0 waiting\n"), "{status}");
        }
        worker.wait_until_settled(2);
        let status = worker.banhook(&["fleet", "status"]).ok();
        assert!(status.stdout.ends_with("settled\nhosts:  2 heard\nworker: worker\n"), "{status}");
        assert_eq!(worker.status()["received"], 2);
        worker.stop();
        let status = hosts[0].banhook(&["fleet", "status"]).exits(1);
        assert!(status.stdout.contains("worker: none"), "{status}");
        hosts.iter_mut().for_each(Member::stop);
        for member in [&worker, &hosts[0], &hosts[1]] {
            let seed = fs::read_to_string(member.path("fleet.nkey")).unwrap();
            assert!(!member.log().contains(seed.trim()) && !member.log().contains("async_nats"), "{}", member.log());
        }
    }
}

#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_broker_killed_while_bans_come_loses_and_repeats_nothing() {
    for suite in SUITES {
        let env = TestEnv::new();
        let mut broker = Broker::set_up(&env, suite, &["web-1"]);
        let mut worker = Member::worker(&env, &broker, "worker", "");
        let mut host = Member::host(&env, &broker, "web-1");
        // Both wait for a broker that is not there.
        worker.start_unready();
        host.start();
        host.ban(&address(0));
        host.wait_for_log("the broker cannot be reached");
        broker.resume();
        for number in 1..40 {
            host.ban(&address(number));
            if number % 10 == 0 {
                broker.kill();
                host.ban(&address(number));
                broker.resume();
            }
        }
        wait_for_addresses(&env, 0..40, &[&worker, &host]);
        host.wait_until_forwarded(43);
        until("the worker to be idle", || {
            let status = worker.status();
            let (received, posted) = (status["received"].as_u64(), status["routes"]["all"]["posted"].as_u64());
            if (received, posted) == (Some(43), Some(43)) { Ok(()) } else { Err(status.to_string()) }
        });
        // Each is an event of its own, the repeated addresses as well.
        assert_eq!(env.webhook.arrived().len(), 43);
        assert_eq!(order(&env.webhook.arrived(), 40), (0..40).collect::<Vec<_>>(), "{suite}");
        worker.stop();
        host.stop();
    }
}

#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_host_and_worker_killed_and_the_workers_disk_lost_lose_nothing() {
    let env = TestEnv::new();
    let broker = Broker::start(&env, NEWEST, &["web-1"]);
    let mut worker = Member::worker(&env, &broker, "worker", "");
    let mut host = Member::host(&env, &broker, "web-1");
    worker.start();
    host.start();
    (0..10).for_each(|number| host.ban(&address(number)));
    wait_for_addresses(&env, 0..10, &[&worker, &host]);
    worker.wait_until_settled(10);
    env.webhook.stop();
    (10..20).for_each(|number| host.ban(&address(number)));
    host.wait_until_forwarded(20);
    host.kill();
    worker.kill();
    fs::remove_dir_all(worker.path("state")).unwrap();
    (20..25).for_each(|number| host.ban(&address(number)));
    host.start();
    env.webhook.start();
    worker.start();
    let messages = wait_for_addresses(&env, 0..25, &[&worker, &host]);
    assert_eq!(messages, 25, "{:?}", shown(&env.webhook.arrived()));
    assert_eq!(order(&env.webhook.arrived(), 25), (0..25).collect::<Vec<_>>());
    assert_eq!(worker.status()["received"], 15, "what was settled is not read again");
}

/// A broker that loses its disk, or is restored from an older copy.
#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_broker_that_lost_what_it_acknowledged_gets_it_again() {
    let env = TestEnv::new();
    let mut broker = Broker::start(&env, NEWEST, &["web-1", "web-2"]);
    let mut worker = Member::worker(&env, &broker, "worker", "");
    let mut hosts = ["web-1", "web-2"].map(|name| Member::host(&env, &broker, name));
    worker.start();
    hosts.iter_mut().for_each(Member::start);
    (0..6).for_each(|number| hosts[number % 2].ban(&address(number)));
    wait_for_addresses(&env, 0..6, &[&worker, &hosts[0], &hosts[1]]);
    broker.kill();
    copy(&broker.stored(), &env.path("older"));
    broker.resume();
    (6..12).for_each(|number| hosts[number % 2].ban(&address(number)));
    wait_for_addresses(&env, 0..12, &[&worker, &hosts[0], &hosts[1]]);
    // The worker is not there to see what happens to the stream.
    worker.stop();
    (12..18).for_each(|number| hosts[number % 2].ban(&address(number)));
    hosts.iter().for_each(|host| host.wait_until_forwarded(9));
    let mut count = 18;
    for restored in [true, false] {
        broker.kill();
        fs::remove_dir_all(broker.stored()).unwrap();
        if restored {
            copy(&env.path("older"), &broker.stored());
        }
        // What is new comes after what is missing.
        (count..count + 2).for_each(|number| hosts[number % 2].ban(&address(number)));
        count += 2;
        broker.resume();
        worker.start();
        wait_for_addresses(&env, 0..count, &[&worker, &hosts[0], &hosts[1]]);
        until("both hosts to have forwarded again", || {
            let logs: Vec<_> = hosts.iter().map(Member::log).collect();
            let again = "events are forwarded again events=";
            let times = if restored { 1 } else { 2 };
            match logs.iter().all(|log| log.matches(again).count() >= times) {
                true => Ok(()),
                false => Err(logs.join("\n---\n")),
            }
        });
        worker.stop();
    }
    assert_eq!(env.webhook.arrived().len(), count, "{:?}", shown(&env.webhook.arrived()));
    assert_eq!(worker.status()["received"], count);
    hosts.iter().for_each(|host| host.wait_until_forwarded(count as u64 / 2));
}

#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_full_stream_holds_events_on_the_host() {
    /// More than a stream of 100 KiB takes.
    const EVENTS: usize = 450;
    let env = TestEnv::new();
    let broker = Broker::start(&env, SUITES[0], &["web-1"]);
    let mut worker = Member::worker(&env, &broker, "worker", "stream_size = \"100KiB\"");
    let mut host = Member::host(&env, &broker, "web-1");
    worker.start();
    worker.stop();
    host.start();
    (0..EVENTS).for_each(|number| host.ban(&address(number)));
    host.wait_for_log("the broker's stream is full");
    let waiting = host.status()["unrouted"].as_u64().unwrap();
    assert!((1..EVENTS as u64).contains(&waiting), "{waiting} of {EVENTS} wait on the host");
    worker.start();
    assert_eq!(wait_for_addresses(&env, 0..EVENTS, &[&worker, &host]), EVENTS);
    host.wait_until_forwarded(EVENTS as u64);
    host.wait_for_log("events are forwarded again; before: the broker's stream is full");
}

#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_second_worker_becomes_the_owner_when_the_first_stops_dies_or_is_frozen() {
    let env = TestEnv::new();
    let broker = Broker::start(&env, NEWEST, &["web-1"]);
    let mut workers = ["worker-1", "worker-2"].map(|name| Member::worker(&env, &broker, name, ""));
    let mut host = Member::host(&env, &broker, "web-1");
    host.start();
    workers[0].start();
    workers[1].start_unready();
    workers[1].wait_for_log("the worker worker-1 has the lease");
    host.ban(&address(0));
    wait_for_addresses(&env, 0..1, &[&workers[0], &host]);
    workers[0].stop();
    host.ban(&address(1));
    wait_for_addresses(&env, 0..2, &[&workers[1], &host]);
    assert_eq!(env.webhook.arrived().len(), 2, "what the first one settled is not sent again");

    workers[0].start_unready();
    workers[0].wait_for_log("the worker worker-2 has the lease");
    // What it settles in the last moments before it is killed, it cannot record.
    workers[1].wait_until_settled(2);
    workers[1].kill();
    host.ban(&address(2));
    wait_for_addresses(&env, 0..3, &[&workers[0], &host]);
    assert_eq!(env.webhook.arrived().len(), 3);

    workers[1].start_unready();
    workers[1].wait_for_log("the worker worker-1 has the lease");
    workers[0].wait_until_settled(3);
    workers[0].daemon().signal(Signal::STOP);
    host.ban(&address(3));
    wait_for_addresses(&env, 0..4, &[&workers[1], &host]);
    workers[0].daemon().signal(Signal::CONT);
    workers[0].wait_for_log("another worker (worker-2) has taken the place of this one");
    // At most the one that was in its hands when it was frozen.
    assert!((4..=5).contains(&env.webhook.arrived().len()), "{:?}", shown(&env.webhook.arrived()));
    // It follows, and goes on when the other one stops.
    let before = env.webhook.arrived().len();
    workers[1].stop();
    host.ban(&address(4));
    wait_for_addresses(&env, 0..5, &[&workers[0], &host]);
    assert_eq!(env.webhook.arrived().len(), before + 1, "{:?}", shown(&env.webhook.arrived()));
}

/// A host that had routes of its own joins a fleet.
#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_host_that_joins_sends_nothing_twice() {
    let env = TestEnv::new();
    let broker = Broker::start(&env, NEWEST, &["web-1"]);
    let mut worker = Member::worker(&env, &broker, "worker", "");
    let mut host = Member::host(&env, &broker, "web-1");
    worker.start();
    let of_fleet = fs::read_to_string(host.path("config.toml")).unwrap();
    fs::copy(env.path("main.url"), host.path("main.url")).unwrap();
    fs::write(host.path("config.toml"), "host = \"web-1\"\n[webhooks.main]\nurl_file = \"main.url\"\n").unwrap();
    host.start();
    host.ban(&address(0));
    wait_for_addresses(&env, 0..1, &[&host]);
    env.webhook.stop();
    host.ban(&address(1));
    host.wait_for_log("not delivered");
    host.stop();
    host.end_runs();
    let alone = fs::read_to_string(host.path("config.toml")).unwrap();
    fs::write(host.path("config.toml"), &of_fleet).unwrap();
    host.banhook(&["run"]).exits(1).complains(&["this host has 1 event to deliver", "banhook drain"]);
    host.banhook(&["drain"]).exits(2).complains(&["belongs to a fleet"]);
    fs::write(host.path("config.toml"), alone).unwrap();
    env.webhook.start();
    host.banhook(&["drain"]).ok();
    fs::write(host.path("config.toml"), of_fleet).unwrap();
    host.start();
    host.ban(&address(2));
    wait_for_addresses(&env, 0..3, &[&worker, &host]);
    host.wait_until_forwarded(1);
    // It leaves the fleet, and joins it again.
    let of_fleet = fs::read_to_string(host.path("config.toml")).unwrap();
    host.stop();
    fs::write(host.path("config.toml"), "host = \"web-1\"\n[webhooks.main]\nurl_file = \"main.url\"\n").unwrap();
    host.start();
    host.ban(&address(3));
    wait_for_addresses(&env, 0..4, &[&worker, &host]);
    host.stop();
    fs::write(host.path("config.toml"), of_fleet).unwrap();
    host.start();
    host.ban(&address(4));
    wait_for_addresses(&env, 0..5, &[&worker, &host]);
    host.wait_until_forwarded(2);
    assert_eq!(env.webhook.arrived().len(), 5, "{:?}", shown(&env.webhook.arrived()));
}

#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_misconfigured_member_says_what_to_do() {
    let env = TestEnv::new();
    let broker = Broker::start(&env, NEWEST, &["web-1"]);
    let host = Member::host(&env, &broker, "web-1");
    let good = fs::read_to_string(host.path("config.toml")).unwrap();
    fs::copy(env.path("main.url"), host.path("main.url")).unwrap();
    for (from, to, words) in [
        (
            "[fleet]",
            "[webhooks.x]\nurl_file = \"main.url\"\n[fleet]",
            &["a host of a fleet has no [webhooks.NAME]", "move it to the worker"][..],
        ),
        ("[fleet]", "[[routes]]\n[fleet]", &["a host of a fleet has no [[routes]]"]),
        ("role = \"host\"", "role = \"boss\"", &["expected \"host\" or \"worker\""]),
        ("role = \"host\"", "", &["[fleet] has no role"]),
        ("role = \"host\"", "role = \"host\"\nlease = \"10s\"", &["unknown key \"lease\" in [fleet]"]),
        ("nats://127.0.0.1", "nats://192.0.2.1", &["nats:// is not encrypted"]),
        (
            "nkey_file = \"fleet.nkey\"",
            "nkey_file = \"main.url\"",
            &["not the seed of a user's nkey", "banhook fleet add"],
        ),
        ("nkey_file = \"fleet.nkey\"", "", &["[fleet] has no nkey"]),
    ] {
        let text = good.replace(from, to);
        assert_ne!(text, good, "{from}");
        fs::write(host.path("config.toml"), text).unwrap();
        host.banhook(&["config", "check"]).exits(2).complains(words);
    }
    fs::write(host.path("config.toml"), good).unwrap();
    let valid = host.banhook(&["config", "check"]).ok();
    assert!(valid.stdout.contains("is valid: a host of a fleet"), "{valid}");
    env.banhook(["fleet", "status"]).exits(2).complains(&["has no [fleet]"]);
    env.banhook(["fleet", "init", "--dir", "broker"]).exits(2).complains(&["exists"]);
    env.banhook(["fleet", "init", "--dir", "other", "--listen", "0.0.0.0:4222"]).exits(2).complains(&["--tls-cert"]);
    env.banhook(["fleet", "add", "web-1", "--dir", "broker"])
        .exits(2)
        .complains(&["web-1 is a host of this fleet already"]);
    let misnamed = env.banhook(["fleet", "add", "web/1", "--dir", "broker"]).exits(2);
    assert!(misnamed.stderr.contains("expected the name of a host"), "{misnamed}");
    env.banhook(["fleet", "remove", "web-2", "--dir", "broker"])
        .exits(2)
        .complains(&["not a host of this fleet", "web-1"]);
    env.banhook(["fleet", "add", "web-2", "--dir", "other"]).exits(2).complains(&["banhook fleet init"]);
}

#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_host_is_added_and_removed_without_a_restart() {
    let env = TestEnv::new();
    let broker = Broker::start(&env, NEWEST, &["web-1"]);
    let mut worker = Member::worker(&env, &broker, "worker", "");
    worker.start();
    let mut host = Member::host(&env, &broker, "web-1");
    host.start();
    host.ban(&address(0));
    wait_for_addresses(&env, 0..1, &[&worker, &host]);
    env.banhook(["fleet", "remove", "web-1", "--dir", "broker"]).ok();
    env.banhook(["fleet", "add", "web-2", "--dir", "broker"]).ok();
    broker.reload();
    host.wait_for_log("the broker refuses this host's nkey");
    host.ban(&address(1));
    let mut other = Member::host(&env, &broker, "web-2");
    other.start();
    other.ban(&address(2));
    wait_for_addresses(&env, 2..3, &[&worker, &other]);
    assert!(!shown(&env.webhook.arrived()).join("\n").contains(&address(1)));
    assert_eq!(host.status()["unrouted"], 1, "it waits on the host");
}

#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_broker_that_is_too_old_is_refused() {
    let env = TestEnv::new();
    let mut broker = Broker::set_up(&env, TOO_OLD, &["web-1"]);
    let conf = broker.directory().join("banhook-nats.conf");
    // It does not know this setting, and syncs every other minute.
    let text = fs::read_to_string(&conf).unwrap().replace("sync_interval: always", "");
    fs::write(conf, text).unwrap();
    broker.resume();
    let mut host = Member::host(&env, &broker, "web-1");
    let mut worker = Member::worker(&env, &broker, "worker", "");
    host.start();
    worker.start_unready();
    for member in [&host, &worker] {
        member.wait_for_log("the broker is nats-server 2.9.10, and a fleet needs 2.10 or later");
    }
    let doctor = host.banhook(&["doctor"]);
    assert!(doctor.stdout.contains("FAIL  fleet: the broker is nats-server 2.9.10"), "{doctor}");
}

/// Whoever is killed, at any moment: nothing is lost, and what is sent again is bounded.
#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_whose_members_and_broker_are_killed_loses_nothing() {
    let rounds = std::env::var("BANHOOK_SOAK").map_or(ROUNDS, |text| text.parse().unwrap());
    let seed = seed();
    let env = TestEnv::new();
    let mut broker = Broker::start(&env, NEWEST, &["web-1", "web-2"]);
    let mut hosts = ["web-1", "web-2"].map(|name| Member::host(&env, &broker, name));
    let mut workers = ["worker-1", "worker-2"].map(|name| Member::worker(&env, &broker, name, ""));
    hosts.iter_mut().for_each(Member::start);
    workers.iter_mut().for_each(Member::start_unready);
    let (mut injected, mut kills) = ([0; FAULTS.len()], Vec::new());
    let mut numbers = 0..;
    for round in 0..rounds {
        let mut random = SeededRandom::new("fleet", seed, round);
        let ban = |number: usize| hosts[number % 2].ban(&address(number));
        (0..random.below(4)).for_each(|_| ban(numbers.next().unwrap()));
        let (fault, whom) = (random.below(4) as usize, random.below(2) as usize);
        injected[fault] += 1;
        match fault {
            0 => {
                broker.kill();
                ban(numbers.next().unwrap());
                broker.resume();
            }
            1 => {
                hosts[whom].kill();
                hosts[whom].ban(&address(numbers.next().unwrap()));
                hosts[whom].start();
            }
            _ => {
                workers[whom].kill();
                kills.push(Instant::now());
                if fault == 3 {
                    fs::remove_dir_all(workers[whom].path("state")).unwrap();
                }
                ban(numbers.next().unwrap());
                workers[whom].start_unready();
            }
        }
    }
    let count = numbers.next().unwrap();
    let all = [&workers[0], &workers[1], &hosts[0], &hosts[1]];
    let messages = wait_for_addresses(&env, 0..count, &all);
    for host in &hosts {
        until("a host to have forwarded all", || {
            let status = host.status();
            if status["unrouted"] == 0 { Ok(()) } else { Err(format!("{status}\n{}", host.log())) }
        });
    }
    let forwarded: u64 = hosts.iter().map(|host| host.status()["forwarded"].as_u64().unwrap()).sum();
    assert_eq!(forwarded, count as u64, "seed {seed}");
    // What a worker sent since it last renewed its lease, with which it records what is settled, and the message in its hands.
    let arrivals = env.webhook.arrivals();
    let sent_before = |kill: &Instant| {
        let age = |at: &Instant| kill.checked_duration_since(*at);
        arrivals.iter().filter(|(at, _)| age(at).is_some_and(|age| age < LEASE_TIME)).count()
    };
    let (again, bound) = (messages - count, kills.iter().map(|kill| sent_before(kill) + 1).sum::<usize>());
    assert!(again <= bound, "seed {seed}: {again} of {count} bans were sent again, at most {bound}");
    let result = format!("no loss in {rounds} rounds with {count} bans; {again} sent again in all");
    let rows = FAULTS.iter().zip(injected).map(|(fault, count)| FaultRow {
        fault: (*fault).to_owned(),
        count,
        result: result.clone(),
    });
    report("fleet", &rows.collect::<Vec<_>>());
    assert!(workers.iter().all(|worker| !worker.log().contains("panicked")));
}

/// What is done to a fleet.
const FAULTS: [&str; 4] = [
    "fleet: the broker is killed",
    "fleet: a host is killed",
    "fleet: a worker is killed, of two",
    "fleet: a worker is killed, of two, and its disk is lost",
];

/// The lease of the workers, as in [`member::LEASE`].
const LEASE_TIME: Duration = Duration::from_secs(1);

/// Rounds of killing: some seconds. `BANHOOK_SOAK=2000` takes minutes.
const ROUNDS: u32 = 25;

/// Copies a directory.
fn copy(from: &std::path::Path, to: &std::path::Path) {
    let copied = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

//! What happens on many hosts at once is few messages.

use std::fs;
use std::time::Duration;

use super::broker::Broker;
use super::member::Member;
use super::takeover::{wait_for_count, wait_until_recorded};
use super::{NEWEST, RECOVERED_WITHIN};
use crate::polling::{until, within};
use crate::test_env::TestEnv;
use crate::webhook::shown;

const HOSTS: [&str; 6] = ["web-1", "web-2", "web-3", "web-4", "web-5", "web-6"];
/// After what time a worker that starts would report a host with the setting of the workers below, `silent = "5s"`: hosts have
/// this long to come back after a broker was down.
const REPORTED_AFTER: Duration = Duration::from_secs(15);
const ADDRESS: &str = "192.0.2.7";

/// Replaces a line of a member's configuration.
fn reconfigure(member: &Member<'_>, from: &str, to: &str) {
    let file = member.path("config.toml");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(file, text.replace(from, to)).unwrap();
}

#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_address_banned_on_many_hosts_is_posted_at_once_and_once_more() {
    let env = TestEnv::new();
    let broker = Broker::start(&env, NEWEST, &HOSTS);
    let mut worker = Member::worker(&env, &broker, "worker", "");
    reconfigure(&worker, "same_subject = false", "same_subject = \"5s\"");
    worker.start();
    let mut hosts = HOSTS.map(|name| Member::host(&env, &broker, name));
    hosts.iter_mut().for_each(Member::start);
    hosts[0].ban(ADDRESS);
    wait_for_count(&env.webhook, 1, &[&worker, &hosts[0]]);
    hosts[1..].iter().for_each(|host| host.ban(ADDRESS));
    wait_for_count(&env.webhook, 2, &[&worker, &hosts[0]]);
    worker.wait_until_settled(6);
    let texts = shown(&env.webhook.arrived());
    assert!(texts.len() == 2 && texts[0].contains("on `web-1`"), "{texts:?}");
    assert!(texts[1].contains("192.0.2.7 also banned on 5 hosts"), "{texts:?}");
    assert!(texts[1].contains("on web-2 · web-3 · web-4 · web-5 · web-6"), "{texts:?}");
    let route = &worker.status()["routes"]["all"];
    assert_eq!((&route["posted"], &route["digested"]), (&1.into(), &5.into()));
}

/// What is in an open digest is pending, so the next worker has it; what was posted is not sent again.
#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_takeover_while_a_digest_of_one_address_is_open_loses_and_repeats_nothing() {
    let env = TestEnv::new();
    let broker = Broker::start(&env, NEWEST, &HOSTS);
    let mut workers = ["worker-1", "worker-2"].map(|name| Member::worker(&env, &broker, name, ""));
    reconfigure(&workers[0], "same_subject = false", "same_subject = \"1h\"");
    reconfigure(&workers[1], "same_subject = false", "same_subject = \"2s\"");
    workers[0].start();
    let mut hosts = HOSTS.map(|name| Member::host(&env, &broker, name));
    hosts.iter_mut().for_each(Member::start);
    hosts[0].ban(ADDRESS);
    wait_for_count(&env.webhook, 1, &[&workers[0], &hosts[0]]);
    wait_until_recorded(&broker, "main", "all", 1);
    hosts[1..5].iter().for_each(|host| host.ban(ADDRESS));
    until("four bans to be in an open digest", || {
        let status = workers[0].status();
        if status["routes"]["all"]["pending"] == 4 { Ok(()) } else { Err(status.to_string()) }
    });
    assert_eq!(env.webhook.arrived().len(), 1);
    workers[0].kill();

    // With an empty disk. The first of those that are pending is posted at once, and the others once more.
    workers[1].start();
    wait_for_count(&env.webhook, 3, &[&workers[1], &hosts[0]]);
    workers[1].wait_until_settled(5);
    let texts = shown(&env.webhook.arrived());
    assert!(texts.len() == 3 && !texts[1..].join("\n").contains("web-1"), "{texts:?}");
    assert!(texts[2].contains("192.0.2.7 also banned on 3 hosts"), "{texts:?}");
    let status = workers[1].status();
    let route = &status["routes"]["all"];
    assert_eq!((&route["posted"], &route["digested"], &route["pending"]), (&1.into(), &3.into(), &0.into()));

    // The first worker comes back with the digest that is open on it.
    workers[0].start_unready();
    workers[0].wait_for_log("the worker worker-2 has the lease");
    workers[1].stop();
    workers[0].wait_for_log("another worker has settled what was pending here; it is not sent again settled=4");
    hosts[5].ban("192.0.2.8");
    wait_for_count(&env.webhook, 4, &[&workers[0], &hosts[5]]);
    workers[0].wait_until_settled(6);
    let texts = shown(&env.webhook.arrived());
    assert!(texts.len() == 4 && texts[3].contains("192.0.2.8"), "{texts:?}");
    let status = workers[0].status();
    let route = &status["routes"]["all"];
    assert_eq!((&route["posted"], &route["skipped"], &route["pending"]), (&2.into(), &4.into(), &0.into()), "{status}");
}

/// An upgrade restarts fail2ban on all hosts.
#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_restarts_of_many_hosts_are_two_messages() {
    let env = TestEnv::new();
    let broker = Broker::start(&env, NEWEST, &HOSTS);
    let mut worker = Member::worker(&env, &broker, "worker", "");
    reconfigure(&worker, "restart = false", "restart = \"1s\"\ndigest_window = \"4s\"");
    worker.start();
    let mut hosts = HOSTS.map(|name| Member::host(&env, &broker, name));
    hosts.iter_mut().for_each(Member::start);
    for host in &hosts {
        for jail in ["sshd", "nginx"] {
            ["flush", "stop", "start"].iter().for_each(|kind| host.notify(&[kind, "--jail", jail]));
        }
    }
    within(RECOVERED_WITHIN, "all restarts to be settled", || {
        let status = worker.status();
        if status["routes"]["all"]["digested"] == 36 { Ok(()) } else { Err(status.to_string()) }
    });
    let texts = shown(&env.webhook.arrived());
    // A host whose events are apart for longer than a second has several restarts; never one a host.
    assert!(texts.len() <= 3 && texts[0].contains("fail2ban restarted on web-"), "{texts:?}");
    assert!(texts.iter().any(|text| text.contains("fail2ban also restarted on ")), "{texts:?}");
}

/// The rights of a host that was added when it did not say yet that it is there.
#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_host_that_may_not_say_that_it_is_there_forwards() {
    let env = TestEnv::new();
    let mut broker = Broker::set_up(&env, NEWEST, &["web-1"]);
    let rights = broker.directory().join("banhook-hosts.conf");
    let text = fs::read_to_string(&rights).unwrap();
    let older = text.replace("\"banhook.host.web-1\", ", "");
    assert_ne!(text, older);
    fs::write(rights, older).unwrap();
    broker.resume();
    let mut worker = Member::worker(&env, &broker, "worker", "");
    worker.start();
    let mut host = Member::host(&env, &broker, "web-1");
    host.start();
    for count in 1..=3 {
        host.ban(&format!("192.0.2.{count}"));
        wait_for_count(&env.webhook, count, &[&worker, &host]);
    }
}

/// Waits until the worker knows of so many hosts that are heard, and silent.
#[track_caller]
pub fn wait_for_hosts(worker: &Member<'_>, line: &str) {
    within(RECOVERED_WITHIN, line, || {
        let status = worker.banhook(&["fleet", "status"]);
        if status.stdout.contains(line) { Ok(()) } else { Err(format!("{status}\n{}", worker.log())) }
    });
}

#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_silent_host_is_reported_once_also_across_workers_and_once_when_it_is_back() {
    let env = TestEnv::new();
    let broker = Broker::start(&env, NEWEST, &HOSTS[..3]);
    let mut workers = ["worker-1", "worker-2"].map(|name| {
        let health = "[health]\nwebhook = \"main\"\n[metrics]\ntextfile = \"metrics.prom\"\n";
        Member::worker_with(&env, &broker, name, "silent = \"5s\"", health)
    });
    workers[0].start();
    let mut hosts = [HOSTS[0], HOSTS[1], HOSTS[2]].map(|name| Member::host(&env, &broker, name));
    hosts.iter_mut().for_each(Member::start);
    wait_for_hosts(&workers[0], "hosts:  3 heard\n");
    hosts[0].kill();
    workers[0].wait_for_log("HOSTS SILENT: nothing is heard any more of web-1");
    wait_for_count(&env.webhook, 1, &[&workers[0]]);
    wait_for_hosts(&workers[0], "hosts:  2 heard, 1 silent (web-1)\n");
    let notice = || shown(&env.webhook.arrived()).last().cloned().unwrap_or_default();
    assert!(notice().contains("1 host of the fleet silent: nothing is heard any more of web-1"), "{}", notice());

    until("the metrics to count it", || {
        let metrics = fs::read_to_string(workers[0].path("metrics.prom")).unwrap_or_default();
        let counts = ["{state=\"heard\"} 2\n", "{state=\"silent\"} 1\n", "{state=\"backlog\"} 0\n"];
        let has = |count: &&str| metrics.contains(&format!("banhook_fleet_hosts{count}"));
        if counts.iter().all(has) { Ok(()) } else { Err(metrics) }
    });
    let doctor = workers[0].banhook(&["doctor"]);
    assert!(doctor.stdout.contains("fleet: 1 host silent: web-1"), "{doctor}");
    assert!(doctor.stdout.contains("fleet: the stream has 0 % of 1GiB, on one server"), "{doctor}");

    // Neither it nor those that are heard are reported by a worker that was not there for longer than that, nor by another one.
    workers[0].stop();
    std::thread::sleep(REPORTED_AFTER / 2);
    workers[0].start();
    std::thread::sleep(REPORTED_AFTER + Duration::from_secs(2));
    workers[0].kill();
    workers[1].start();
    std::thread::sleep(REPORTED_AFTER + Duration::from_secs(2));
    for worker in &workers {
        assert!(!worker.log().contains("HOSTS SILENT"), "{}", worker.log());
    }
    assert_eq!(env.webhook.arrived().len(), 1, "{:?}", shown(&env.webhook.arrived()));
    hosts[0].start();
    workers[1].wait_for_log("hosts are heard again: web-1");
    wait_for_count(&env.webhook, 2, &[&workers[1]]);
    assert!(notice().contains("1 host of the fleet heard again: web-1"), "{}", notice());
    wait_for_hosts(&workers[1], "hosts:  3 heard\n");
}

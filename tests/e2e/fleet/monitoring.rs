//! What the members of a fleet say of their broker: metrics, `fleet status` and `doctor`.

use std::fs;
use std::time::Duration;

use super::broker::Broker;
use super::member::Member;
use super::{NEWEST, RECOVERED_WITHIN, address, wait_for_addresses};
use crate::binary::{banhook, require, root};
use crate::clock_changes::library;
use crate::command_output::CommandOutput;
use crate::metrics::{address_in, assert_promtool_accepts, names, served};
use crate::polling::{until, within};
use crate::test_env::TestEnv;

const METRICS: &str = "[metrics]\nlisten = \"127.0.0.1:0\"\n";

fn metrics(member: &Member<'_>) -> String {
    let log = member.log();
    address_in(&log).map(served).unwrap_or_default()
}

/// Waits until a metric of the fleet is this. `name`: without `banhook_fleet_`.
#[track_caller]
fn wait_for_metric(member: &Member<'_>, name: &str, is_it: impl Fn(f64) -> bool) {
    within(RECOVERED_WITHIN, name, || {
        let text = metrics(member);
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("banhook_fleet_{name} ")));
        match line.map(|value| is_it(value.parse().unwrap())) {
            Some(true) => Ok(()),
            _ => Err(format!("{text}\n{}", member.log())),
        }
    });
}

#[test]
#[ignore = "needs nats-server and promtool: cargo xtask test"]
fn fleet_metrics_of_host_and_worker_say_what_waits_and_where() {
    require("promtool", "prometheus");
    let env = TestEnv::new();
    let mut broker = Broker::start(&env, NEWEST, &["web-1"]);
    let mut worker = Member::worker_with(&env, &broker, "worker", "", METRICS);
    let mut host = Member::host(&env, &broker, "web-1");
    host.append(METRICS);
    worker.start();
    host.start();
    (0..3).for_each(|number| host.ban(&address(number)));
    wait_for_addresses(&env, 0..3, &[&worker, &host]);
    for (name, value) in [("broker_up", 1.0), ("broker_info{version=\"2.15.1\"}", 1.0)] {
        wait_for_metric(&host, name, |found| found == value);
        wait_for_metric(&worker, name, |found| found == value);
    }
    for (name, value) in [("waiting_events", 0.0), ("oldest_waiting_age_seconds", 0.0), ("forwarded_again_total", 0.0)]
    {
        wait_for_metric(&host, name, |found| found == value);
    }
    wait_for_metric(&host, "last_acknowledged_timestamp_seconds", |found| found > 1.7e9);
    for name in ["stream_last_sequence", "stream_received_sequence", "stream_settled_sequence"] {
        wait_for_metric(&worker, name, |found| found == 3.0);
    }
    wait_for_metric(&worker, "stream_max_bytes", |found| found == f64::from(1 << 30));
    wait_for_metric(&worker, "oldest_unsettled_age_seconds", |found| found == 0.0);

    // What cannot be sent is not settled.
    env.webhook.stop();
    host.ban(&address(3));
    wait_for_metric(&worker, "stream_last_sequence", |found| found == 4.0);
    wait_for_metric(&worker, "stream_bytes", |found| found > 100.0);
    wait_for_metric(&worker, "oldest_unsettled_age_seconds", |found| found > 0.0);
    wait_for_metric(&worker, "stream_settled_sequence", |found| found == 3.0);
    env.webhook.start();
    wait_for_metric(&worker, "stream_settled_sequence", |found| found == 4.0);

    // Without a broker, events wait on the host; one without a disk gets them again.
    broker.kill();
    host.ban(&address(4));
    for member in [&host, &worker] {
        wait_for_metric(member, "broker_up", |found| found == 0.0);
    }
    wait_for_metric(&host, "waiting_events", |found| found == 1.0);
    wait_for_metric(&host, "oldest_waiting_age_seconds", |found| found > 0.0);
    let status = host.banhook(&["fleet", "status"]).exits(1);
    assert!(status.stdout.contains("events: 4 forwarded, 1 waiting, the oldest for "), "{status}");
    fs::remove_dir_all(broker.stored()).unwrap();
    broker.resume();
    wait_for_metric(&host, "forwarded_again_total", |found| found == 4.0);
    wait_for_metric(&host, "waiting_events", |found| found == 0.0);
    wait_for_metric(&worker, "broker_up", |found| found == 1.0);
    wait_for_addresses(&env, 0..5, &[&worker, &host]);

    let (of_host, of_worker) = (metrics(&host), metrics(&worker));
    for text in [&of_host, &of_worker] {
        assert_promtool_accepts(&env, text);
    }
    let all = format!("{of_host}{of_worker}");
    let documented = names(&root().join("docs/src/metrics.md"));
    for name in documented.iter().filter(|name| name.starts_with("banhook_fleet_")) {
        assert!(all.contains(&format!("# TYPE {name} ")), "no member has {name}");
    }
    for name in all.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()) {
        assert!(documented.iter().any(|known| known == name), "{name} is not documented");
    }
}

#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_metrics_count_what_the_broker_refuses() {
    let env = TestEnv::new();
    let broker = Broker::start(&env, NEWEST, &["web-1"]);
    let mut worker = Member::worker(&env, &broker, "worker", "stream_size = \"100KiB\"");
    let mut host = Member::host(&env, &broker, "web-1");
    host.append(METRICS);
    worker.start();
    worker.stop();
    host.start();
    (0..450).for_each(|number| host.ban(&address(number)));
    wait_for_metric(&host, "refused_total{reason=\"stream_full\"}", |found| found >= 1.0);
    wait_for_metric(&host, "refused_total{reason=\"host_full\"}", |found| found == 0.0);
    wait_for_metric(&host, "waiting_events", |found| found >= 1.0);
    wait_for_metric(&host, "broker_up", |found| found == 1.0);
}

#[test]
#[ignore = "needs nats-server and faketime: cargo xtask test"]
fn fleet_doctor_finds_a_clock_that_is_far_from_the_brokers() {
    require("faketime", "faketime");
    let env = TestEnv::new();
    let broker = Broker::start(&env, NEWEST, &["web-1"]);
    let mut worker = Member::worker(&env, &broker, "worker", "");
    let host = Member::host(&env, &broker, "web-1");
    worker.start();
    let doctor = |member: &Member<'_>, offset: &str| {
        let mut command = member.command(banhook());
        command.arg("doctor").env("LD_PRELOAD", library()).env("FAKETIME", offset);
        CommandOutput::within(command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1"), Duration::from_secs(60)).stdout
    };
    for member in [&worker, &host] {
        for (offset, words) in [("+5m", "s ahead of the broker's"), ("-5m", "s behind the broker's")] {
            let found = doctor(member, offset);
            assert!(found.contains("warn  fleet: this machine's clock is ") && found.contains(words), "{found}");
        }
        let found = doctor(member, "+5s");
        assert!(found.contains("ok    fleet: the broker") && !found.contains("the broker's\n"), "{found}");
    }
}

/// The broker reserves the size of a stream when it is made.
#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_broker_without_room_for_the_streams_says_what_to_do() {
    let env = TestEnv::new();
    let mut broker = Broker::set_up(&env, NEWEST, &[]);
    let conf = broker.directory().join("banhook-nats.conf");
    let text = fs::read_to_string(&conf).unwrap();
    let small = text.replace("sync_interval: always", "sync_interval: always\n  max_file_store: 400MB");
    assert_ne!(text, small);
    fs::write(conf, small).unwrap();
    broker.resume();
    let mut worker = Member::worker(&env, &broker, "worker", "");
    worker.start_unready();
    worker.wait_for_log("the broker has no room for the streams");
    assert!(worker.log().contains("free some space on its disk, or make stream_size smaller"), "{}", worker.log());
    worker.stop();
    let config = worker.path("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(config, text.replace("lease = ", "stream_size = \"50MiB\"\nlease = ")).unwrap();
    worker.start();
    until("the worker to be alive", || {
        let status = worker.banhook(&["fleet", "status"]);
        if status.stdout.contains("(0 % of 50MiB)") { Ok(()) } else { Err(status.to_string()) }
    });
}

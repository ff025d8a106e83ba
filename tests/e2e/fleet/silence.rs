//! Hosts of which nothing is heard: after a broker was down, many at once, and with a worker that is to report none.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use super::NEWEST;
use super::across_hosts::wait_for_hosts;
use super::attacks::{ask, connect};
use super::broker::Broker;
use super::member::Member;
use super::takeover::wait_for_count;
use crate::test_env::TestEnv;
use crate::webhook::shown;

/// The setting of the workers below, the shortest that there is.
const SILENT: &str = "silent = \"5s\"";

const HEALTH: &str = "[health]\nwebhook = \"main\"\n";

/// The longest pause of a host before it tries again to connect.
const LATE: Duration = Duration::from_secs(8);

/// Until a host that did not come back would have been reported.
const REPORTED_AFTER: Duration = Duration::from_secs(16);

#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_broker_that_was_down_makes_no_host_silent_that_comes_back_late() {
    let env = TestEnv::new();
    let names = ["web-1", "web-2"];
    let mut broker = Broker::start(&env, NEWEST, &names);
    let mut worker = Member::worker_with(&env, &broker, "worker", SILENT, HEALTH);
    worker.start();
    let mut hosts = names.map(|name| Member::host(&env, &broker, name));
    hosts.iter_mut().for_each(Member::start);
    wait_for_hosts(&worker, "hosts:  2 heard\n");
    // One tries again as late as it ever does; in which second that is, is chance otherwise.
    hosts[1].daemon().signal(Signal::STOP);
    broker.kill();
    broker.resume();
    worker.wait_for_log("the events of the fleet are read again");
    std::thread::sleep(LATE);
    hosts[1].daemon().signal(Signal::CONT);
    hosts[1].wait_for_log("events are forwarded again; before:");
    std::thread::sleep(REPORTED_AFTER);
    wait_for_hosts(&worker, "hosts:  2 heard\n");
    assert!(!worker.log().contains("HOSTS SILENT"), "{}", worker.log());
    assert_eq!(env.webhook.arrived().len(), 0, "{:?}", shown(&env.webhook.arrived()));
    // It is noticed nevertheless.
    hosts[1].kill();
    worker.wait_for_log("HOSTS SILENT: nothing is heard any more of web-2");
}

/// As with a rack that loses its network. Then a worker reports none any more, and all of them are as if they never were silent.
#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_many_silent_hosts_are_one_report_and_none_once_none_is_to_be_reported() {
    const HOSTS: usize = 400;
    let env = TestEnv::new();
    let broker = Broker::start(&env, NEWEST, &[]);
    let mut worker = Member::worker_with(&env, &broker, "worker", SILENT, HEALTH);
    worker.start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        // As if they had said it.
        let owner = connect(&broker, "worker.nkey", "_INBOX_operator").await;
        for number in 0..HOSTS {
            let host = format!("web-{number}");
            let said = json!({ "host": host }).to_string();
            ask(&owner, &format!("banhook.host.{host}"), said).await.unwrap();
        }
    });
    wait_for_hosts(&worker, "hosts:  0 heard, 400 silent");
    wait_for_count(&env.webhook, 1, &[&worker]);
    worker.stop();
    assert_eq!(worker.log().matches("HOSTS SILENT").count(), 1, "{}", worker.log());
    assert!(worker.log().contains("hosts=400"), "{}", worker.log());
    assert_eq!(env.webhook.arrived().len(), 1, "{:?}", shown(&env.webhook.arrived()));

    let config = worker.path("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(config, text.replace(SILENT, "silent = false")).unwrap();
    worker.start();
    wait_for_hosts(&worker, "hosts:  400 heard\n");
    assert!(!worker.log().contains("heard again"), "{}", worker.log());
    assert_eq!(env.webhook.arrived().len(), 1, "{:?}", shown(&env.webhook.arrived()));
}

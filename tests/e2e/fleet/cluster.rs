//! A cluster of three brokers, with streams on all of them: one after the other is killed and loses its disk.

use std::fs;
use std::time::Duration;

use super::broker::Broker;
use super::member::Member;
use super::{NEWEST, address, order, wait_for_addresses};
use crate::polling::within;
use crate::test_env::TestEnv;

/// How long three brokers may take to elect a leader, on a machine that has other things to do.
const ELECTED_WITHIN: Duration = Duration::from_secs(60);

/// Bans while one broker is lost.
const BANS: usize = 12;

#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_with_a_cluster_loses_nothing_when_each_broker_in_turn_loses_its_disk() {
    let env = TestEnv::new();
    let mut brokers = Broker::start_cluster(&env, NEWEST, &["web-1", "web-2"]);
    let mut worker = Member::worker(&env, &brokers[0], "worker", "replicas = 3");
    let mut hosts = ["web-1", "web-2"].map(|name| Member::host(&env, &brokers[0], name));
    hosts.iter_mut().for_each(Member::start);
    worker.start_unready();
    let mut numbers = 0..;
    let mut ban = |hosts: &[Member<'_>; 2]| {
        let number = numbers.next().unwrap();
        hosts[number % 2].ban(&address(number));
        number + 1
    };
    let mut count = ban(&hosts);
    wait_for_addresses(&env, 0..count, &[&worker, &hosts[0], &hosts[1]]);
    for lost in 0..brokers.len() {
        // The others have everything, so that what is lost is on two disks.
        within(ELECTED_WITHIN, "all brokers to have all", || {
            let healthy = [0, 1, 2].map(|number: usize| brokers[number].is_healthy());
            if healthy == [true; 3] { Ok(()) } else { Err(format!("{healthy:?}\n{}", worker.log())) }
        });
        (0..BANS / 2).for_each(|_| count = ban(&hosts));
        brokers[lost].kill();
        fs::remove_dir_all(brokers[lost].stored()).unwrap();
        (0..BANS / 2).for_each(|_| count = ban(&hosts));
        wait_for_addresses(&env, 0..count, &[&worker, &hosts[0], &hosts[1]]);
        brokers[lost].resume();
    }
    let messages = wait_for_addresses(&env, 0..count, &[&worker, &hosts[0], &hosts[1]]);
    assert_eq!(messages, count, "{}", worker.log());
    // Of each host in order; between two hosts there is none.
    for host in 0..2 {
        let of_host: Vec<_> = order(&env.webhook.arrived(), count).into_iter().filter(|ban| ban % 2 == host).collect();
        assert!(of_host.is_sorted(), "{of_host:?}");
    }
    for member in [&worker, &hosts[0], &hosts[1]] {
        assert!(!member.log().contains("panicked"), "{}", member.log());
    }
}

/// Without `replicas`, the streams are on one of the three.
#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_doctor_says_that_a_cluster_has_the_stream_on_one_server() {
    let env = TestEnv::new();
    let brokers = Broker::start_cluster(&env, NEWEST, &[]);
    let mut worker = Member::worker(&env, &brokers[0], "worker", "");
    worker.start_unready();
    within(ELECTED_WITHIN, "the worker to read the stream", || {
        let doctor = worker.banhook(&["doctor"]);
        let has = |text: &str| doctor.stdout.contains(text);
        let is_found =
            has("ok    fleet: the stream has 0 % of 1GiB, on one server") && has("replicas = 3 on the worker");
        if is_found { Ok(()) } else { Err(format!("{doctor}\n{}", worker.log())) }
    });
}

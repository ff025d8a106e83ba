//! What the broker has of one host is bounded: that host holds its events then, and the others go on.

use serde_json::json;

use super::attacks::{ask, connect};
use super::broker::{Broker, SUITES};
use super::member::Member;
use super::{address, order, wait_for_addresses};
use crate::polling::until;
use crate::test_env::TestEnv;

/// Messages of a host in the tests: the worker makes the stream with so many that it would take minutes to reach.
const LIMIT: u64 = 20;
const BANS: usize = 30;

/// Changes how many messages of a host the stream takes.
fn limit(broker: &Broker<'_>, messages: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let owner = connect(broker, "worker.nkey", "_INBOX_operator").await;
        let info = ask(&owner, "$JS.API.STREAM.INFO.BANHOOK", json!({}).to_string()).await.unwrap();
        let mut config = info["config"].clone();
        assert_eq!(config["max_msgs_per_subject"], 100_000, "{info}");
        config["max_msgs_per_subject"] = messages.into();
        let changed = ask(&owner, "$JS.API.STREAM.UPDATE.BANHOOK", config.to_string()).await.unwrap();
        assert_eq!(changed["config"]["max_msgs_per_subject"], messages, "{changed}");
    });
}

#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_host_that_reaches_its_limit_holds_its_events_and_others_go_on() {
    for suite in SUITES {
        let env = TestEnv::new();
        let broker = Broker::start(&env, suite, &["web-1", "web-2"]);
        let mut worker = Member::worker(&env, &broker, "worker", "");
        let mut hosts = ["web-1", "web-2"].map(|name| Member::host(&env, &broker, name));
        worker.start();
        hosts.iter_mut().for_each(Member::start);
        // What is not sent is not settled, and stays with the broker.
        env.webhook.stop();
        limit(&broker, LIMIT);
        (0..BANS).for_each(|number| hosts[0].ban(&address(number)));
        hosts[0].wait_for_log("the broker has as many events of this host as it takes");
        until("the host to have forwarded as many as it may", || {
            let status = hosts[0].status();
            let (forwarded, waiting) = (status["forwarded"].as_u64(), status["unrouted"].as_u64());
            match (forwarded, waiting) == (Some(LIMIT), Some(BANS as u64 - LIMIT)) {
                true => Ok(()),
                false => Err(format!("{status}\n{}", hosts[0].log())),
            }
        });
        (BANS..BANS + 3).for_each(|number| hosts[1].ban(&address(number)));
        hosts[1].wait_until_forwarded(3);
        until("the worker to have what the broker has", || {
            let status = worker.status();
            if status["received"] == LIMIT + 3 { Ok(()) } else { Err(status.to_string()) }
        });
        assert!(!hosts[1].log().contains("not forwarded: the broker has"), "{}", hosts[1].log());

        env.webhook.start();
        let messages = wait_for_addresses(&env, 0..BANS + 3, &[&worker, &hosts[0], &hosts[1]]);
        assert_eq!(messages, BANS + 3, "{suite}");
        let of_first = order(&env.webhook.arrived(), BANS);
        assert_eq!(of_first, (0..BANS).collect::<Vec<_>>(), "{suite}");
        hosts[0].wait_until_forwarded(BANS as u64);
        hosts[0].wait_for_log("events are forwarded again; before: the broker has as many events of this host");
    }
}

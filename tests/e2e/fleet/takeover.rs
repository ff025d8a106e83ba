//! What a worker that becomes the owner sends again: nothing that the record says is settled, and a worker that comes back
//! takes the record's word for what is pending on it.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use super::attacks::{ask, connect};
use super::broker::Broker;
use super::member::Member;
use super::{NEWEST, RECOVERED_WITHIN, address, order, wait_for_addresses};
use crate::polling::{until, within};
use crate::test_env::{QUICK, TestEnv};
use crate::webhook::{Fault, Webhook, shown};

/// The record of a shard with the broker.
pub fn record(broker: &Broker<'_>, shard: &str) -> Value {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let owner = connect(broker, "worker.nkey", "_INBOX_operator").await;
        let subject = format!("$JS.API.DIRECT.GET.BANHOOK_STATE.banhook.state.{shard}");
        ask(&owner, &subject, String::new()).await.unwrap_or_default()
    })
}

/// Waits until the record of a shard says that all messages up to this one are settled on a route.
#[track_caller]
pub fn wait_until_recorded(broker: &Broker<'_>, shard: &str, route: &str, through: u64) {
    until("the record to say what is settled", || {
        let record = record(broker, shard);
        let (found, pending) = (&record["routes"][route]["through"], &record["routes"][route]["pending"]);
        let is_settled = found.as_u64() >= Some(through) && pending.as_array().is_some_and(Vec::is_empty);
        if is_settled { Ok(()) } else { Err(record.to_string()) }
    });
}

/// Waits until so many messages have arrived.
#[track_caller]
pub fn wait_for_count(webhook: &Webhook, count: usize, members: &[&Member<'_>]) {
    within(RECOVERED_WITHIN, "messages to arrive", || {
        let arrived = webhook.arrived().len();
        let logs = || members.iter().map(|member| format!("{}:\n{}\n", member.name, member.log())).collect::<String>();
        if arrived >= count { Ok(()) } else { Err(format!("{arrived} of {count}\n{}", logs())) }
    });
}

#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_takeover_while_a_webhook_is_suspended_repeats_nothing_of_the_others() {
    const BANS: usize = 20;
    let env = TestEnv::new();
    let other = Webhook::open();
    let broker = Broker::start(&env, NEWEST, &["web-1"]);
    let routes = format!(
        "[[routes]]\nname = \"other\"\nwebhook = \"other\"\nstorm = false\nrestart = false\nsame_subject = \
         false\n\n[webhooks.other]\nurl_file = \
         \"other.url\"\n{QUICK}\n"
    );
    env.write_url("other.url", &other);
    let mut workers = ["worker-1", "worker-2"].map(|name| {
        let worker = Member::worker_with(&env, &broker, name, "", &routes);
        fs::copy(env.path("other.url"), worker.path("other.url")).unwrap();
        worker
    });
    let mut host = Member::host(&env, &broker, "web-1");
    host.start();
    workers[0].start();
    env.webhook.inject(&[Fault::NoService]);
    host.ban(&address(0));
    workers[0].wait_for_log("WEBHOOK SUSPENDED");
    (1..BANS).for_each(|number| host.ban(&address(number)));
    wait_for_count(&other, BANS, &[&workers[0], &host]);
    wait_until_recorded(&broker, "other", "other", BANS as u64);
    assert_eq!((env.webhook.arrived().len(), record(&broker, "main")["settled"].as_u64()), (0, Some(0)));
    workers[0].kill();

    // With an empty disk. It does not know that the webhook was suspended, which takes messages again.
    workers[1].start();
    wait_for_count(&env.webhook, BANS, &[&workers[1], &host]);
    host.ban(&address(BANS));
    wait_for_count(&env.webhook, BANS + 1, &[&workers[1], &host]);
    wait_for_count(&other, BANS + 1, &[&workers[1], &host]);
    workers[1].wait_until_settled(BANS as u64 + 1);
    let status = workers[1].status();
    assert_eq!((&status["received"], &status["routes"]["other"]["skipped"]), (&(BANS + 1).into(), &BANS.into()));

    // The first one has all of it pending for that webhook.
    workers[0].start_unready();
    workers[0].wait_for_log("the worker worker-2 has the lease");
    workers[1].stop();
    workers[0].wait_for_log("another worker has settled what was pending here; it is not sent again settled=20");
    host.ban(&address(BANS + 1));
    for webhook in [&env.webhook, &other] {
        wait_for_count(webhook, BANS + 2, &[&workers[0], &host]);
        let arrived = webhook.arrived();
        assert_eq!(order(&arrived, BANS + 2), (0..BANS + 2).collect::<Vec<_>>());
        assert_eq!(arrived.len(), BANS + 2, "{:?}", shown(&arrived));
    }
    workers[0].wait_until_settled(BANS as u64 + 2);
    let status = workers[0].status();
    let main = &status["routes"]["all"];
    assert_eq!((&main["skipped"], &main["posted"]), (&BANS.into(), &1.into()), "{status}");
    workers[0].stop();
    host.stop();
}

#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_worker_that_was_replaced_and_returns_repeats_one_message_at_most() {
    const BANS: usize = 12;
    let env = TestEnv::new();
    let broker = Broker::start(&env, NEWEST, &["web-1"]);
    let mut workers = ["worker-1", "worker-2"].map(|name| Member::worker(&env, &broker, name, ""));
    let mut host = Member::host(&env, &broker, "web-1");
    host.start();
    workers[0].start();
    workers[1].start_unready();
    workers[1].wait_for_log("the worker worker-1 has the lease");
    env.webhook.stop();
    (0..BANS).for_each(|number| host.ban(&address(number)));
    host.wait_until_forwarded(BANS as u64);
    until("all to be pending on the first worker", || {
        let status = workers[0].status();
        if status["routes"]["all"]["pending"] == BANS { Ok(()) } else { Err(status.to_string()) }
    });
    workers[0].daemon().signal(Signal::STOP);
    env.webhook.start();
    wait_for_addresses(&env, 0..BANS, &[&workers[1], &host]);
    workers[1].wait_until_settled(BANS as u64);
    assert_eq!(env.webhook.arrived().len(), BANS);
    // All of it is due on the first one.
    workers[0].daemon().signal(Signal::CONT);
    workers[0].wait_for_log("another worker (worker-2) has taken the place of this one");
    workers[0].wait_for_log("the worker worker-2 has the lease");
    let again = env.webhook.arrived().len() - BANS;
    assert!(again <= 1, "{:?}", shown(&env.webhook.arrived()));
    workers[1].stop();
    host.ban(&address(BANS));
    wait_for_addresses(&env, BANS..BANS + 1, &[&workers[0], &host]);
    assert_eq!(env.webhook.arrived().len(), BANS + again + 1, "{:?}", shown(&env.webhook.arrived()));
    workers[0].wait_until_settled(BANS as u64 + 1);
    assert_eq!(workers[0].status()["routes"]["all"]["pending"], 0);
    workers[0].stop();
    host.stop();
}

//! Several workers share the work: each has some of the webhooks, and all follow what the others settle.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use super::attacks::{ask, connect};
use super::broker::Broker;
use super::member::{LEASE, Member};
use super::takeover::{record, wait_for_count, wait_until_recorded};
use super::{LEASE_TIME, NEWEST, RECOVERED_WITHIN, address, order, wait_for_addresses};
use crate::polling::{until, within};
use crate::reliability::{FaultRow, report};
use crate::seeded_random::{SeededRandom, seed};
use crate::test_env::{QUICK, TestEnv};
use crate::webhook::{Webhook, shown};

/// The rate of the third webhook: how long there is between two messages.
const INTERVAL: Duration = Duration::from_millis(50);

/// Over how many messages it is measured.
const RATED: usize = 15;

/// The shards, each of one webhook with the route that all bans match.
const SHARDS: [&str; 3] = ["main", "one", "two"];

/// A fleet whose workers have three webhooks.
struct ThreeWebhooks {
    env: TestEnv,
    others: [Webhook; 2],
}

impl ThreeWebhooks {
    fn new() -> Self {
        let fleet = Self { env: TestEnv::new(), others: [Webhook::open(), Webhook::open()] };
        for (name, webhook) in SHARDS[1..].iter().zip(&fleet.others) {
            fleet.env.write_url(&format!("{name}.url"), webhook);
        }
        fleet
    }

    fn webhooks(&self) -> [&Webhook; 3] {
        [&self.env.webhook, &self.others[0], &self.others[1]]
    }

    fn workers<'e>(&'e self, broker: &Broker<'_>) -> [Member<'e>; 2] {
        let route = |name: &str, rate: &str| {
            format!(
                "[[routes]]\nname = \"{name}\"\nwebhook = \"{name}\"\nstorm = false\nrestart = false\nsame_subject = \
                 false\n\n[webhooks.{name}]\nurl_file = \"{name}.url\"\n{rate}\n\n"
            )
        };
        let routes = route("one", QUICK) + &route("two", "rate = \"20/s\"\nburst = 1");
        ["worker-1", "worker-2"].map(|name| {
            let worker = Member::worker_with(&self.env, broker, name, "", &routes);
            for url in ["one.url", "two.url"] {
                fs::copy(self.env.path(url), worker.path(url)).unwrap();
            }
            worker
        })
    }

    /// Waits until each webhook has got a message about each of these bans.
    #[track_caller]
    fn wait_for_bans(&self, count: usize, members: &[&Member<'_>]) {
        wait_for_addresses(&self.env, 0..count, members);
        for webhook in &self.others {
            within(RECOVERED_WITHIN, "every ban to arrive", || {
                let found = order(&webhook.arrived(), count).len();
                let logs = || members.iter().map(|one| format!("{}:\n{}\n", one.name, one.log())).collect::<String>();
                if found == count { Ok(()) } else { Err(format!("{found} of {count}\n{}", logs())) }
            });
        }
    }

    /// How many messages were sent again to each webhook. All have the bans in order.
    #[track_caller]
    fn repeated(&self, count: usize) -> [usize; 3] {
        self.webhooks().map(|webhook| {
            let arrived = webhook.arrived();
            assert_eq!(order(&arrived, count), (0..count).collect::<Vec<_>>(), "{:?}", shown(&arrived));
            arrived.len() - count
        })
    }
}

/// Who has each shard, as a worker's `fleet status` says.
fn owners(worker: &Member<'_>) -> Vec<String> {
    let output = worker.banhook(&["fleet", "status", "--format", "json"]);
    let status: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output}"));
    let shards = status["broker"]["shards"].as_array().cloned().unwrap_or_default();
    shards.iter().map(|shard| shard["worker"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Waits until the shards are these workers', each of which has one at least.
#[track_caller]
fn wait_for_owners(worker: &Member<'_>, names: &[&str]) -> Vec<String> {
    within(RECOVERED_WITHIN, "the shards to be shared", || {
        let owners = owners(worker);
        let found: BTreeSet<&str> = owners.iter().map(String::as_str).collect();
        let is_so = owners.len() == SHARDS.len() && found == names.iter().copied().collect();
        if is_so { Ok(owners) } else { Err(format!("{owners:?}\n{}", worker.log())) }
    })
}

const BOTH: [&str; 2] = ["worker-1", "worker-2"];

#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_workers_share_the_webhooks_and_each_keeps_its_order_and_rate() {
    const BANS: usize = 40;
    let fleet = ThreeWebhooks::new();
    let broker = Broker::start(&fleet.env, NEWEST, &["web-1"]);
    let mut workers = fleet.workers(&broker);
    let mut host = Member::host(&fleet.env, &broker, "web-1");
    host.start();
    workers.iter_mut().for_each(Member::start);
    // Also while shards are given away.
    (0..BANS / 2).for_each(|number| host.ban(&address(number)));
    let owners = wait_for_owners(&workers[0], &BOTH);
    assert_eq!(self::owners(&workers[1]), owners, "both say the same");
    (BANS / 2..BANS).for_each(|number| host.ban(&address(number)));
    let all = [&workers[0], &workers[1], &host];
    fleet.wait_for_bans(BANS, &all);
    assert_eq!(fleet.repeated(BANS), [0; 3]);
    let requests = fleet.others[1].requests();
    // A request may be late; and a worker does not know when the one before sent last.
    let is_kept = |some: &[Instant]| some[RATED - 1] - some[0] >= INTERVAL * (RATED as u32 - 3);
    assert!(requests.windows(RATED).all(is_kept), "{requests:?}");

    for (number, worker) in workers.iter().enumerate() {
        let status = within(RECOVERED_WITHIN, "all to be settled on both", || {
            let status = worker.status();
            let is_settled = SHARDS.iter().all(|shard| status["routes"][route(shard)]["pending"] == 0);
            if is_settled && status["received"] == BANS {
                Ok(status)
            } else {
                Err(format!("{status}\n{}", worker.log()))
            }
        });
        for (shard, owner) in SHARDS.iter().zip(&owners) {
            let counts = &status["routes"][route(shard)];
            let (posted, skipped) = (counts["posted"].as_u64().unwrap(), counts["skipped"].as_u64().unwrap());
            let is_own = *owner == worker.name;
            assert!(
                posted + skipped == BANS as u64 && (!is_own || posted >= BANS as u64 / 2),
                "{shard} {number} {status}"
            );
        }
    }
    let status = workers[0].banhook(&["fleet", "status"]).ok();
    assert!(status.stdout.contains("workers: worker-1 (this one), worker-2\n"), "{status}");
    assert!(status.stdout.contains(&format!(", settled up to {BANS}\n")), "{status}");
    let status = host.banhook(&["fleet", "status"]).ok();
    assert!(status.stdout.contains("worker: worker-"), "{status}");
}

/// The route of a shard.
fn route(shard: &str) -> &str {
    if shard == "main" { "all" } else { shard }
}

#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_shards_of_a_worker_that_is_killed_or_frozen_are_taken_and_one_message_each_repeated_at_most() {
    let fleet = ThreeWebhooks::new();
    let broker = Broker::start(&fleet.env, NEWEST, &["web-1"]);
    let mut workers = fleet.workers(&broker);
    let mut host = Member::host(&fleet.env, &broker, "web-1");
    host.start();
    workers.iter_mut().for_each(Member::start);
    wait_for_owners(&workers[0], &BOTH);
    (0..10).for_each(|number| host.ban(&address(number)));
    fleet.wait_for_bans(10, &[&workers[0], &workers[1], &host]);
    // What it settles in the last moments before it is killed, it cannot record.
    workers[1].wait_until_settled(10);
    workers[0].kill();
    (10..20).for_each(|number| host.ban(&address(number)));
    fleet.wait_for_bans(20, &[&workers[1], &host]);
    assert_eq!(fleet.repeated(20), [0; 3]);
    assert_eq!(owners(&workers[1]), ["worker-2"; 3]);

    // It is back, and gets some of them without a repeat.
    workers[0].start();
    (20..30).for_each(|number| host.ban(&address(number)));
    wait_for_owners(&workers[1], &BOTH);
    (30..40).for_each(|number| host.ban(&address(number)));
    fleet.wait_for_bans(40, &[&workers[0], &workers[1], &host]);
    assert_eq!(fleet.repeated(40), [0; 3]);

    workers[1].wait_until_settled(40);
    workers[1].daemon().signal(Signal::STOP);
    (40..50).for_each(|number| host.ban(&address(number)));
    fleet.wait_for_bans(50, &[&workers[0], &host]);
    workers[1].daemon().signal(Signal::CONT);
    workers[1].wait_for_log("another worker (worker-1) has taken the place of this one");
    wait_for_owners(&workers[0], &BOTH);
    (50..60).for_each(|number| host.ban(&address(number)));
    fleet.wait_for_bans(60, &[&workers[0], &workers[1], &host]);
    let repeated = fleet.repeated(60);
    assert!(repeated.iter().all(|count| *count <= 1), "{repeated:?}");
}

#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_workers_restarted_one_after_the_other_lose_and_repeat_nothing() {
    let fleet = ThreeWebhooks::new();
    let broker = Broker::start(&fleet.env, NEWEST, &["web-1"]);
    let mut workers = fleet.workers(&broker);
    let mut host = Member::host(&fleet.env, &broker, "web-1");
    host.start();
    workers.iter_mut().for_each(Member::start);
    wait_for_owners(&workers[0], &BOTH);
    let mut numbers = 0..;
    let mut ban = |count: usize| {
        (0..count).for_each(|_| host.ban(&address(numbers.next().unwrap())));
        numbers.start
    };
    for _ in 0..2 {
        for restarted in [0, 1] {
            ban(5);
            workers[restarted].stop();
            ban(5);
            wait_for_owners(&workers[1 - restarted], &[BOTH[1 - restarted]]);
            workers[restarted].start();
            ban(5);
            wait_for_owners(&workers[restarted], &BOTH);
        }
    }
    let count = ban(1);
    fleet.wait_for_bans(count, &[&workers[0], &workers[1], &host]);
    assert_eq!(fleet.repeated(count), [0; 3]);
}

#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_worker_that_stops_leaves_its_shards_at_once() {
    /// Nobody waits for it.
    const LONG: &str = "lease = \"5m\"";
    let fleet = ThreeWebhooks::new();
    let broker = Broker::start(&fleet.env, NEWEST, &["web-1"]);
    let mut workers = fleet.workers(&broker);
    for worker in &mut workers {
        reconfigure(worker, LEASE, LONG);
        worker.start();
        workers_wait(worker);
    }
    let mut host = Member::host(&fleet.env, &broker, "web-1");
    host.start();
    host.ban(&address(0));
    fleet.wait_for_bans(1, &[&workers[0], &workers[1], &host]);
    workers[0].stop();
    host.ban(&address(1));
    fleet.wait_for_bans(2, &[&workers[1], &host]);
    assert_eq!(fleet.repeated(2), [0; 3]);
}

/// As a newer release may leave it, or an operator by mistake.
#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_record_that_cannot_be_read_stops_no_other_shard() {
    let fleet = ThreeWebhooks::new();
    let broker = Broker::start(&fleet.env, NEWEST, &["web-1"]);
    let [mut worker, _] = fleet.workers(&broker);
    worker.start();
    let mut host = Member::host(&fleet.env, &broker, "web-1");
    host.start();
    host.ban(&address(0));
    fleet.wait_for_bans(1, &[&worker]);
    worker.stop();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let written = runtime.block_on(async {
        let owner = connect(&broker, "worker.nkey", "_INBOX_operator").await;
        let answers = [
            ask(&owner, "banhook.state.one", "{".to_owned()).await,
            ask(&owner, "banhook.state.unknown", "[]".to_owned()).await,
        ];
        answers.map(|answer| answer.is_some_and(|answer| answer["seq"].is_u64()))
    });
    assert_eq!(written, [true, true]);
    worker.start();
    host.ban(&address(1));
    wait_for_addresses(&fleet.env, 1..2, &[&worker]);
    worker.wait_for_log("the record of this shard is not readable");
    assert_eq!(order(&fleet.others[0].arrived(), 2).len(), 1, "{}", worker.log());
    // The operator removes it: the events of that shard are still there.
    let removed = runtime.block_on(async {
        let owner = connect(&broker, "worker.nkey", "_INBOX_operator").await;
        let filter = serde_json::json!({ "filter": "banhook.state.one" }).to_string();
        ask(&owner, "$JS.API.STREAM.PURGE.BANHOOK_STATE", filter).await.unwrap()
    });
    assert_eq!(removed["success"], true, "{removed}");
    fleet.wait_for_bans(2, &[&worker]);
}

/// Gives a worker another configuration. Returns its file, and what that had before.
fn reconfigure(worker: &Member<'_>, from: &str, to: &str) -> (PathBuf, String) {
    let file = worker.path("config.toml");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(&file, text.replace(from, to)).unwrap();
    (file, text)
}

/// Waits until a worker has all shards, or knows who has.
fn workers_wait(worker: &Member<'_>) {
    until("the worker to know whose the shards are", || {
        let log = worker.log();
        if log.matches("has the lease").count() >= SHARDS.len() { Ok(()) } else { Err(log) }
    });
}

#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_workers_with_different_configurations_are_named() {
    let fleet = ThreeWebhooks::new();
    let broker = Broker::start(&fleet.env, NEWEST, &["web-1"]);
    let mut workers = fleet.workers(&broker);
    let (file, text) = reconfigure(&workers[1], "name = \"two\"\n", "name = \"two\"\njails = [\"sshd\"]\n");
    workers.iter_mut().for_each(Member::start);
    workers[0].wait_for_log("the worker worker-2 has another configuration of this shard");
    assert_eq!(workers[0].log().matches("has another configuration").count(), 1, "{}", workers[0].log());
    let status = workers[0].banhook(&["fleet", "status"]).ok();
    assert!(status.stdout.contains(") has another configuration of two\n"), "{status}");
    let doctor = workers[1].banhook(&["doctor"]);
    assert!(doctor.stdout.contains("has another configuration of what is sent to \"two\""), "{doctor}");
    assert_eq!(owners(&workers[0])[2], "worker-1", "it stays with the worker that has it");

    // It is corrected while both run.
    fs::write(&file, &text).unwrap();
    until("both to have the same", || {
        let status = workers[0].banhook(&["fleet", "status"]);
        if status.stdout.contains("another configuration") { Err(status.to_string()) } else { Ok(()) }
    });
    wait_for_owners(&workers[0], &BOTH);
}

/// One worker has two webhooks in one shard which the other one has in two.
#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_worker_whose_shards_overlap_those_of_another_one_waits_for_them() {
    let fleet = ThreeWebhooks::new();
    let broker = Broker::start(&fleet.env, NEWEST, &["web-1"]);
    let mut workers = fleet.workers(&broker);
    let (from, to) = ("webhook = \"main\"\n", "webhook = \"main\"\nfallback_webhook = \"one\"\n");
    let (file, text) = reconfigure(&workers[1], from, to);
    let mut host = Member::host(&fleet.env, &broker, "web-1");
    host.start();
    workers.iter_mut().for_each(Member::start);
    workers[1].wait_for_log("the worker worker-1 has the lease; this one takes its place when it stops shard=\"main\"");
    (0..10).for_each(|number| host.ban(&address(number)));
    fleet.wait_for_bans(10, &[&workers[0], &workers[1], &host]);
    // Once its record of "main" is free, the other one still has "one".
    workers[0].stop();
    (10..20).for_each(|number| host.ban(&address(number)));
    fleet.wait_for_bans(20, &[&workers[1], &host]);
    // Its shard has the webhooks of two of this one's.
    workers[0].start();
    workers[0].wait_for_log("the worker worker-2 has the lease; this one takes its place when it stops shard=\"one\"");
    (20..30).for_each(|number| host.ban(&address(number)));
    fleet.wait_for_bans(30, &[&workers[0], &workers[1], &host]);
    assert_eq!(fleet.repeated(30), [0; 3]);
    // Both have the same from now on, and what is pending goes on in the new shards.
    fs::write(&file, &text).unwrap();
    wait_for_owners(&workers[0], &BOTH);
    (30..40).for_each(|number| host.ban(&address(number)));
    fleet.wait_for_bans(40, &[&workers[0], &workers[1], &host]);
    assert_eq!(fleet.repeated(40), [0; 3]);

    // The shard of one of them gets a webhook that is the other one's until that has the same.
    let owners = wait_for_owners(&workers[0], &BOTH);
    let pairs = [(0, 1), (0, 2), (1, 2)];
    let (into, from) = pairs.into_iter().find(|(one, other)| owners[*one] != owners[*other]).unwrap();
    let (into, from, first) = (SHARDS[into], SHARDS[from], usize::from(owners[into] == workers[1].name));
    let joined = text.replace(
        &format!("\nwebhook = \"{into}\"\n"),
        &format!("\nwebhook = \"{into}\"\nfallback_webhook = \"{from}\"\n"),
    );
    assert_ne!(joined, text);
    let mut count = 40;
    for worker in [&workers[first], &workers[1 - first]] {
        let installed = || worker.log().matches("configuration reloaded").count();
        let before = installed();
        fs::write(worker.path("config.toml"), text_of(worker, &joined)).unwrap();
        until("the worker to have the configuration", || if installed() > before { Ok(()) } else { Err(worker.log()) });
        (count..count + 30).for_each(|number| host.ban(&address(number)));
        count += 30;
    }
    fleet.wait_for_bans(count, &[&workers[0], &workers[1], &host]);
    assert_eq!(fleet.repeated(count), [0; 3], "{}\n{}", workers[0].log(), workers[1].log());
}

/// The configuration of a worker in the place of that of another one.
fn text_of(worker: &Member<'_>, text: &str) -> String {
    BOTH.iter().fold(text.to_owned(), |text, name| {
        text.replace(&format!("host = \"{name}\""), &format!("host = {:?}", worker.name))
    })
}

/// What the broker says of a stream.
fn stream(broker: &Broker<'_>, name: &str) -> Value {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let info = runtime.block_on(async {
        let owner = connect(broker, "worker.nkey", "_INBOX_operator").await;
        ask(&owner, &format!("$JS.API.STREAM.INFO.{name}"), String::new()).await.unwrap_or_default()
    });
    info["state"].clone()
}

/// Waits until the record of the stream was written some times, and so the stream pruned as far as it may be.
fn wait_for_records(broker: &Broker<'_>) {
    let written = || stream(broker, "BANHOOK_META")["last_seq"].as_u64().unwrap_or_default();
    let before = written();
    until("the record of the stream to be written", || {
        let now = written();
        if now >= before + 4 { Ok(()) } else { Err(format!("{now}")) }
    });
}

#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_stream_keeps_what_is_pending_on_any_shard() {
    const BANS: usize = 10;
    let fleet = ThreeWebhooks::new();
    let broker = Broker::start(&fleet.env, NEWEST, &["web-1"]);
    let mut workers = fleet.workers(&broker);
    let mut host = Member::host(&fleet.env, &broker, "web-1");
    host.start();
    workers.iter_mut().for_each(Member::start);
    wait_for_owners(&workers[0], &BOTH);
    fleet.others[1].stop();
    (0..BANS).for_each(|number| host.ban(&address(number)));
    for (shard, webhook) in SHARDS.iter().zip(fleet.webhooks()).take(2) {
        wait_for_count(webhook, BANS, &[&workers[0], &workers[1], &host]);
        wait_until_recorded(&broker, shard, route(shard), BANS as u64);
    }
    for worker in [0, 1] {
        wait_for_records(&broker);
        assert_eq!(stream(&broker, "BANHOOK")["messages"], BANS, "{}", record(&broker, "two"));
        // Another one prunes, that has lost all.
        workers[worker].kill();
        fs::remove_dir_all(workers[worker].path("state")).unwrap();
        wait_for_owners(&workers[1 - worker], &[BOTH[1 - worker]]);
        workers[worker].start();
    }
    wait_for_records(&broker);
    assert_eq!(stream(&broker, "BANHOOK")["messages"], BANS);
    fleet.others[1].start();
    fleet.wait_for_bans(BANS, &[&workers[0], &workers[1], &host]);
    within(RECOVERED_WITHIN, "the stream to be pruned", || {
        let state = stream(&broker, "BANHOOK");
        if state["messages"] == 0 { Ok(()) } else { Err(state.to_string()) }
    });
    assert_eq!(fleet.repeated(BANS), [0; 3]);
}

/// A broker that loses its disk, while each worker has some of the webhooks.
#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_broker_that_lost_all_gets_it_again_for_workers_that_share_webhooks() {
    let fleet = ThreeWebhooks::new();
    let mut broker = Broker::start(&fleet.env, NEWEST, &["web-1"]);
    let mut workers = fleet.workers(&broker);
    let mut host = Member::host(&fleet.env, &broker, "web-1");
    host.start();
    workers.iter_mut().for_each(Member::start);
    wait_for_owners(&workers[0], &BOTH);
    (0..10).for_each(|number| host.ban(&address(number)));
    fleet.wait_for_bans(10, &[&workers[0], &workers[1], &host]);
    wait_until_settled_on(&workers);
    broker.kill();
    fs::remove_dir_all(broker.stored()).unwrap();
    (10..15).for_each(|number| host.ban(&address(number)));
    broker.resume();
    (15..20).for_each(|number| host.ban(&address(number)));
    fleet.wait_for_bans(20, &[&workers[0], &workers[1], &host]);
    let owners = wait_for_owners(&workers[0], &BOTH);
    assert_eq!(self::owners(&workers[1]), owners);
    wait_until_settled_on(&workers);
    workers[1].kill();
    (20..25).for_each(|number| host.ban(&address(number)));
    fleet.wait_for_bans(25, &[&workers[0], &host]);
    assert_eq!(fleet.repeated(25), [0; 3]);
}

/// Waits until nothing is pending on either worker.
fn wait_until_settled_on(workers: &[Member<'_>; 2]) {
    for worker in workers {
        within(RECOVERED_WITHIN, "all to be settled on both", || {
            let status = worker.status();
            let is_settled = SHARDS.iter().all(|shard| status["routes"][route(shard)]["pending"] == 0);
            if is_settled && status["unrouted"] == 0 { Ok(()) } else { Err(format!("{status}\n{}", worker.log())) }
        });
    }
}

/// Rounds of what is done to the workers; `BANHOOK_SOAK=500` takes minutes.
const ROUNDS: u32 = 12;

/// What is done.
const FAULTS: [&str; 5] = [
    "fleet: the broker of workers that share webhooks is killed",
    "fleet: a worker is killed, of two that share webhooks",
    "fleet: a worker is killed, of two that share webhooks, and its disk is lost",
    "fleet: a worker is restarted, of two that share webhooks",
    "fleet: a worker is frozen for longer than its lease, of two that share webhooks",
];

#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn fleet_whose_workers_share_webhooks_and_are_killed_or_frozen_loses_nothing() {
    let rounds = std::env::var("BANHOOK_SOAK").map_or(ROUNDS, |text| text.parse().unwrap());
    let seed = seed();
    let fleet = ThreeWebhooks::new();
    let mut broker = Broker::start(&fleet.env, NEWEST, &["web-1"]);
    let mut workers = fleet.workers(&broker);
    let mut host = Member::host(&fleet.env, &broker, "web-1");
    host.start();
    workers.iter_mut().for_each(Member::start_unready);
    let (mut injected, mut ends, mut count) = ([0; FAULTS.len()], Vec::new(), 0);
    for round in 0..rounds {
        let mut random = SeededRandom::new("shards", seed, round);
        for _ in 0..=random.below(4) {
            host.ban(&address(count));
            count += 1;
        }
        std::thread::sleep(random.duration(1_500));
        let (fault, whom) = (random.below(FAULTS.len() as u32) as usize, random.below(2) as usize);
        injected[fault] += 1;
        match fault {
            0 => {
                broker.kill();
                host.ban(&address(count));
                count += 1;
                broker.resume();
            }
            1 | 2 => {
                workers[whom].kill();
                ends.push(Instant::now());
                if fault == 2 {
                    fs::remove_dir_all(workers[whom].path("state")).unwrap();
                }
                workers[whom].start_unready();
            }
            3 => {
                workers[whom].stop();
                workers[whom].start_unready();
            }
            _ => {
                workers[whom].daemon().signal(Signal::STOP);
                ends.push(Instant::now());
                host.ban(&address(count));
                count += 1;
                std::thread::sleep(LEASE_TIME * 2);
                workers[whom].daemon().signal(Signal::CONT);
            }
        }
    }
    fleet.wait_for_bans(count, &[&workers[0], &workers[1], &host]);
    let repeated = fleet.repeated(count);
    // What a worker sent since it last renewed its lease, with which it records what is settled, and the message in its hands.
    for (webhook, again) in fleet.webhooks().iter().zip(repeated) {
        let arrivals = webhook.arrivals();
        let sent_before = |end: &Instant| {
            let age = |at: &Instant| end.checked_duration_since(*at);
            arrivals.iter().filter(|(at, _)| age(at).is_some_and(|age| age < LEASE_TIME)).count()
        };
        let bound = ends.iter().map(|end| sent_before(end) + 1).sum::<usize>();
        assert!(again <= bound, "seed {seed}: {again} of {count} bans were sent again, at most {bound}");
    }
    let again: usize = repeated.iter().sum();
    let result = format!("no loss in {rounds} rounds with {count} bans to three webhooks; {again} sent again in all");
    let rows = FAULTS.iter().zip(injected).map(|(fault, count)| FaultRow {
        fault: (*fault).to_owned(),
        count,
        result: result.clone(),
    });
    report("fleet_shards", &rows.collect::<Vec<_>>());
    assert!(workers.iter().all(|worker| !worker.log().contains("panicked")));
}

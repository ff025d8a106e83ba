//! Many hosts at a time, each with a connection and a key of its own: a ban a second on each, and then as many at once as the
//! broker takes, which the worker reads afterwards.
//!
//! `BANHOOK_HOSTS` says how many hosts there are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use async_nats::{Client, ConnectOptions, HeaderMap};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use tokio::time::{sleep_until, timeout};

use super::members::{Broker, Fleet, Member, Running};
use super::routing_watch::RoutingWatch;
use crate::statistics::quantile;
use crate::webhook::Webhook;

/// Hosts, where nothing else is said.
const HOSTS: usize = 1_000;

/// Bans of each host: one a second, and again as fast as the broker takes them.
const BANS: usize = 20;

/// What the worker reaches at least of the rate at which the bare stream is read.
const AT_LEAST_OF_STREAM: f64 = 0.02;

/// How long after the broker's acknowledgement the worker may have routed a ban, in ms: of a hundred, one may be later.
const AT_MOST_MS: f64 = 1_000.0;

/// How long an answer of the broker may take: all hosts may wait for one at the same time.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Messages that are asked for at a time, as the worker does.
const ASKED: usize = 2_000;

/// Files that are open besides the connections.
const OTHER_FILES: u64 = 500;

/// The worker's route, as it is by default, with a digest that closes soon.
const ROUTES: &str = "[webhooks.main]\nurl_file = \"main.url\"\n[[routes]]\nname = \"all\"\nwebhook = \"main\"\ndigest_window = \"5s\"\n";

/// One ban: its place in the stream, and when it was published and acknowledged.
struct Published {
    sequence: usize,
    sent_at: Instant,
    stored_at: Instant,
}

/// Measures and prints. Fails if an event is lost, or a target is missed.
pub fn measure(fleet: &Fleet) -> anyhow::Result<()> {
    let count = match std::env::var("BANHOOK_HOSTS") {
        Ok(text) => text.parse().context("BANHOOK_HOSTS is not a number")?,
        Err(_) => HOSTS,
    };
    let events = count * BANS;
    allow_files(count)?;
    let webhook = Webhook::open()?;
    let names: Vec<_> = (1..=count).map(|number| format!("web-{number}")).collect();
    let broker = fleet.broker("many", &names)?;
    let worker = fleet.worker("many-worker", &broker, &webhook, ROUTES)?;
    let running = worker.start()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let hosts = runtime.block_on(connect(&broker, &names))?;

    let watch = RoutingWatch::start(&worker.directory.join("state"))?;
    let published = runtime.block_on(publish(&hosts, 0, Pace::EverySecond))?;
    worker.wait_for("routed", events)?;
    let routed = watch.stop()?;
    let memory = memory(&running)?;
    // The digests, too.
    worker.wait_until("all to be delivered", |status| {
        let count = |state: &str| status.pointer(&format!("/routes/all/{state}"))?.as_u64();
        count("posted").zip(count("digested")).is_some_and(|(posted, digested)| posted + digested == events as u64)
    })?;
    println!("{count} hosts, a ban a second on each, {BANS} s, ms                  median      99 %");
    let (to_routed, added) = latencies(&published, &routed)?;
    for (name, times) in [
        ("published to acknowledged, which is synced", &stored(&published)),
        ("published to routed", &to_routed),
        ("acknowledged to routed", &added),
    ] {
        println!("  {name:<52}{:>9.1} {:>9.1}", quantile(times, 0.5), quantile(times, 0.99));
    }
    let late = quantile(&added, 0.99);
    println!("  {:<52}{:>9.1} {:>9.1}", "worker: memory at the end and at most, MB", memory.0, memory.1);
    running.stop()?;

    let began = Instant::now();
    runtime.block_on(publish(&hosts, BANS, Pace::AtOnce))?;
    let publish_rate = events as f64 / began.elapsed().as_secs_f64();
    let read_rate = runtime.block_on(read(&broker, events + 1, events))?;
    let worker_rate = routing_rate(&worker, events)?;
    let share = worker_rate / read_rate;
    println!("{events} bans of these hosts at once, events per second");
    println!("  {:<52}{publish_rate:>9.0}", "published and synced");
    println!("  {:<52}{read_rate:>9.0}", "read from the bare stream");
    println!("  {:<52}{worker_rate:>9.0}", "worker: published to routed");
    println!("  {:<52}{share:>9.2}            at least {AT_LEAST_OF_STREAM:.2}", "worker : bare stream");
    ensure!(late <= AT_MOST_MS && share >= AT_LEAST_OF_STREAM, "a fleet of many hosts misses a target");
    Ok(())
}

/// Allows this process, and those that it starts, as many open files as there are hosts.
fn allow_files(hosts: usize) -> anyhow::Result<()> {
    let needed = hosts as u64 + OTHER_FILES;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    ensure!(
        maximum.is_none_or(|most| most >= needed),
        "{needed} open files are needed, and the system allows {maximum:?}"
    );
    setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum })?;
    Ok(())
}

/// Connects all hosts, as each of them does.
async fn connect(broker: &Broker, names: &[String]) -> anyhow::Result<Vec<(String, Client)>> {
    let mut hosts = Vec::new();
    for name in names {
        hosts.push((name.clone(), client(broker, name, name).await?));
    }
    Ok(hosts)
}

async fn client(broker: &Broker, key: &str, inbox: &str) -> anyhow::Result<Client> {
    let client = ConnectOptions::with_nkey(broker.key(key)?.trim().to_owned())
        .custom_inbox_prefix(format!("_INBOX_{inbox}"))
        .request_timeout(Some(ANSWER_WITHIN))
        .connect(broker.url())
        .await?;
    Ok(client)
}

/// How fast hosts publish.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// One event a second each, at a moment of its own.
    EverySecond,
    /// The next one when the last one is acknowledged.
    AtOnce,
}

/// Has each host publish its events, from this number on.
async fn publish(hosts: &[(String, Client)], first: usize, pace: Pace) -> anyhow::Result<Vec<Published>> {
    let (began, count) = (tokio::time::Instant::now(), hosts.len());
    let of_host = |(index, (name, client)): (usize, &(String, Client))| {
        let (name, client) = (name.clone(), client.clone());
        async move {
            let mut published = Vec::new();
            for number in 0..BANS {
                if pace == Pace::EverySecond {
                    let moment = number as f64 + index as f64 / count as f64;
                    sleep_until(began + Duration::from_secs_f64(moment)).await;
                }
                published.push(ban(&client, &name, first + number).await?);
            }
            anyhow::Ok(published)
        }
    };
    let mut all: FuturesUnordered<_> = hosts.iter().enumerate().map(of_host).collect();
    let mut published = Vec::new();
    while let Some(of_host) = all.next().await {
        published.extend(of_host?);
    }
    Ok(published)
}

/// Publishes a ban, and waits until the broker has synced it.
async fn ban(client: &Client, host: &str, number: usize) -> anyhow::Result<Published> {
    let id = format!("{host}-{number}");
    let host_number: usize = host.rsplit('-').next().unwrap_or_default().parse()?;
    let address = format!("10.{number}.{}.{}", host_number / 250, host_number % 250);
    let event = json!({
        "action": "ban", "id": id, "at": "2026-11-22T10:56:55.601Z", "host": host, "jail": "sshd", "subject": address,
        "failures": 5, "count": 1, "duration": 600,
    });
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", id.as_str());
    let sent_at = Instant::now();
    let answer = client.request_with_headers(format!("banhook.ev.{host}"), headers, event.to_string().into()).await?;
    let stored_at = Instant::now();
    let answer: Value = serde_json::from_slice(&answer.payload)?;
    let Some(sequence) = answer.get("seq").and_then(Value::as_u64) else {
        bail!("the broker does not store it: {answer}")
    };
    Ok(Published { sequence: usize::try_from(sequence)?, sent_at, stored_at })
}

/// The times from publishing to the acknowledgement, in ms.
fn stored(published: &[Published]) -> Vec<f64> {
    published.iter().map(|ban| (ban.stored_at - ban.sent_at).as_secs_f64() * 1e3).collect()
}

/// The times from publishing, and from the acknowledgement, until the worker had routed it, in ms. The worker's inbox has nothing
/// but the stream.
fn latencies(published: &[Published], routed: &[(Instant, usize)]) -> anyhow::Result<(Vec<f64>, Vec<f64>)> {
    let at: BTreeMap<usize, Instant> = routed.iter().map(|(at, through)| (*through, *at)).collect();
    let places: BTreeSet<_> = published.iter().map(|ban| ban.sequence).collect();
    ensure!(places.len() == published.len() && places.last() == Some(&published.len()), "the stream has other events");
    let until_routed = |ban: &Published| {
        let (_, at) = at.range(ban.sequence..).next().with_context(|| format!("event {} is lost", ban.sequence))?;
        let since = |before: Instant| at.saturating_duration_since(before).as_secs_f64() * 1e3;
        Ok((since(ban.sent_at), since(ban.stored_at)))
    };
    published.iter().map(until_routed).collect()
}

/// The memory of a process, now and at most, in MB.
fn memory(process: &Running) -> anyhow::Result<(f64, f64)> {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id()))?;
    let megabytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).context("the memory of a process")?;
        let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
        anyhow::Ok(kilobytes / 1e3)
    };
    Ok((megabytes("VmRSS:")?, megabytes("VmHWM:")?))
}

/// Reads so many events from the stream, from this sequence on, and does nothing with them. Returns how many a second.
async fn read(broker: &Broker, from: usize, events: usize) -> anyhow::Result<f64> {
    let client = client(broker, "worker", "bench").await?;
    let config = json!({
        "deliver_policy": "by_start_sequence", "opt_start_seq": from, "ack_policy": "none", "replay_policy": "instant",
        "mem_storage": true, "num_replicas": 1,
    });
    let create = json!({ "stream_name": "BANHOOK", "config": config });
    let created = client.request("$JS.API.CONSUMER.CREATE.BANHOOK", create.to_string().into()).await?;
    let created: Value = serde_json::from_slice(&created.payload)?;
    let name = created.get("name").and_then(Value::as_str).with_context(|| format!("no consumer: {created}"))?;
    let inbox = client.new_inbox();
    let mut messages = client.subscribe(inbox.clone()).await?;
    let (began, mut read) = (Instant::now(), 0);
    while read < events {
        if read % ASKED == 0 {
            let next = json!({ "batch": ASKED, "expires": 10_000_000_000_u64 }).to_string();
            client
                .publish_with_reply(format!("$JS.API.CONSUMER.MSG.NEXT.BANHOOK.{name}"), inbox.clone(), next.into())
                .await?;
        }
        let message = timeout(ANSWER_WITHIN, messages.next()).await?.context("the connection was lost")?;
        ensure!(message.status.is_none(), "the stream has fewer events than were published");
        read += 1;
    }
    Ok(events as f64 / began.elapsed().as_secs_f64())
}

/// Has a worker route as many events as it had before, which are in the stream. Returns how many a second, from the first on.
fn routing_rate(worker: &Member<'_>, events: usize) -> anyhow::Result<f64> {
    let watch = RoutingWatch::start(&worker.directory.join("state"))?;
    let _running = worker.start()?;
    worker.wait_for("routed", 2 * events)?;
    let routed = watch.stop()?;
    let mut new = routed.iter().filter(|(_, through)| *through > events);
    let (first, last) = new.next().zip(routed.last()).context("nothing was routed")?;
    ensure!(last.1 == 2 * events, "an event is lost");
    Ok((last.1 - first.1) as f64 / (last.0 - first.0).as_secs_f64())
}

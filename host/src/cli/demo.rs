//! `banhook demo`: the whole of it on loopback, with no setup: recorded events, two routes, a stand-in webhook.

mod webhook;

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;

use crate::config::Config;
use crate::daemon::{Daemon, RunMode, Signals, Tails};
use crate::event::{Ban, Event, EventDefaults, EventDetails, Timestamp};
use crate::plugin::{Compiler, Metering, Runtime, Setup};
use crate::store::{StateDir, Store};
use anyhow::Context;

use super::Outcome;
use super::status::ledger_text;
use webhook::DemoWebhook;

/// Recorded events: what `notify` stored beside a real fail2ban, with addresses set aside for examples.
const EVENTS: &str = include_str!("demo/events.jsonl");
/// The configuration, but for the webhook's address.
const CONFIG: &str = include_str!("demo/config.toml");

/// Bans of the storm at the end.
const STORM: u32 = 300;

/// Shows it.
pub fn demo() -> Outcome {
    let folder = tempfile::Builder::new().prefix("banhook-demo-").tempdir()?;
    let webhook = DemoWebhook::start(std::io::stdout().is_terminal())?;
    let text = CONFIG.replace("ADDRESS", &webhook.address());
    let config = Config::parse(&text, Path::new("demo.toml"), &|_| None)?;
    println!("A webhook that stands in for Slack listens at {}. Two routes lead to it:\n", webhook.address());
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        println!("    {line}");
    }

    let state = StateDir::new(folder.path().join("state"));
    let lock = state.try_work_lock()?.context("the demo's own folder is in use")?;
    let store = Store::open_for_work(&state, &lock)?;
    let mut inbox = store.open_inbox()?;
    for line in EVENTS.lines() {
        let event = Event::from_json(line).context("in the demo's events")?;
        inbox.append(&EventDefaults::default().apply(event), Timestamp::now())?;
    }
    let now = Timestamp::now();
    for number in 0..STORM {
        inbox.append(&of_storm(number, now), now)?;
    }
    println!(
        "\n{} recorded events are stored, as `banhook notify` does, and then a storm of {STORM} bans. What arrives:",
        EVENTS.lines().count()
    );

    let runtime = Runtime::new(Setup {
        cache: None,
        compiler: Compiler::this_program(),
        metering: Metering::Time,
        sandbox: config.sandbox,
    })?;
    let work = Daemon {
        config,
        reread: &|| None,
        runtime: Arc::new(runtime),
        system_host: "demo-host".to_owned(),
        store: &store,
        tails: &Tails::default(),
        now: Timestamp::now,
    };
    work.run(&mut Signals::listen()?, RunMode::UntilIdle, || ())?;
    let messages = webhook.stop();

    println!("\n{messages} messages arrived. Where every event is (`banhook status`):\n");
    let ledger = store.ledger()?;
    print!("{}", ledger_text(&ledger));
    println!("\nNext: README.md, \"From nothing to the first alert\".");
    Ok(ledger.balances())
}

/// One of many bans at once, from addresses that are set aside for examples.
fn of_storm(number: u32, at: Timestamp) -> Event {
    let ban = Ban { subject: format!("198.51.100.{}", number % 60), failures: Some(5), ..Ban::default() };
    Event {
        id: format!("storm-{number}"),
        at,
        host: "web-2".to_owned(),
        jail: if number.is_multiple_of(3) { "nginx-botsearch" } else { "sshd" }.to_owned(),
        details: EventDetails::Ban(ban),
        labels: BTreeMap::new(),
    }
}

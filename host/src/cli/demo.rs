//! `banhook demo`: everything on loopback, with no setup: recorded events, two routes, a local webhook.

mod channel;
mod webhook;

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use crate::config::Config;
use crate::daemon::{Daemon, RunMode, Signals, Tails};
use crate::event::{Ban, BanDuration, Event, EventDefaults, EventDetails, Timestamp};
use crate::plugin::Runtime;
use crate::store::{StateDir, Store};
use anyhow::Context;
use banhook_notify::SpooledEvent;
use clap::Args;

use super::command_error::{CommandError, Outcome};
use super::daemon::STUCK_AFTER;
use super::ledger_table::ledger_table;
use channel::DemoChannel;
use webhook::DemoWebhook;

/// Recorded events: stored by `notify` for a real fail2ban, with addresses that are reserved for examples.
const EVENTS: &str = include_str!("demo/events.jsonl");
/// The configuration, with `ADDRESS` for the address of the webhook.
const CONFIG: &str = include_str!("demo/config.toml");

/// The configuration of a conversation, with `API_URL` for the URL of the methods.
const CONVERSATION: &str = include_str!("demo/conversation.toml");

/// Bans of each part of a storm in the conversation.
const STORM_PARTS: [u32; 3] = [12, 20, 25];

/// Bans of the storm at the end.
const STORM: u32 = 300;

/// Run a demonstration on loopback, with no setup: recorded events, two routes, a local webhook
#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// A Slack app instead: messages that change, threads, and a storm that is one message
    #[arg(long)]
    conversation: bool,
}

/// Runs the demonstration.
pub(super) fn demo(arguments: &DemoArgs) -> Outcome {
    if arguments.conversation { conversation() } else { webhooks() }
}

/// Shows one channel as a conversation.
fn conversation() -> Outcome {
    let folder = tempfile::Builder::new().prefix("banhook-demo-").tempdir()?;
    let mut out = std::io::stdout();
    let colors = out.is_terminal();
    let channel = DemoChannel::start(colors)?;
    let text = CONVERSATION.replace("API_URL", &channel.api_url());
    let state = StateDir::new(folder.path().join("state"));
    state.create()?;
    let lock = state.try_work_lock()?.context("the directory of the demonstration is in use")?;
    let store = Store::open_for_work(&state, &lock)?;
    writeln!(out, "A local channel takes the place of one in Slack, for an app with a token:\n")?;
    for line in text.lines() {
        writeln!(out, "    {line}")?;
    }
    let now = Timestamp::now();
    let minutes = |minutes: i64| now.plus_ms(minutes * 60_000);
    let ban = |subject: &str, count, at| Ban {
        subject: subject.to_owned(),
        failures: Some(5),
        count: Some(count),
        ticket_at: Some(at),
        duration: Some(BanDuration::Seconds(600)),
        ..Ban::default()
    };
    let first = ban("203.0.113.7", 1, minutes(-30));
    let second = ban("203.0.113.7", 2, minutes(-10));
    let steps = [
        ("An address is banned.", EventDetails::Ban(first.clone()), minutes(-30)),
        ("The ban is lifted: its message changes.", EventDetails::Unban(first), minutes(-20)),
        ("The address comes back: a reply beneath its first ban.", EventDetails::Ban(second), minutes(-10)),
    ];
    for (number, (what, details, at)) in steps.into_iter().enumerate() {
        writeln!(out, "\n{}. {what}", number + 1)?;
        let event = Event {
            id: format!("conversation-{number}"),
            at,
            host: "web-1".to_owned(),
            jail: "sshd".to_owned(),
            details,
            labels: BTreeMap::new(),
        };
        store_event(&store, event, at)?;
        deliver(parsed(&text)?, &store)?;
    }
    writeln!(out, "\n4. A storm: after some messages, one that counts up.")?;
    let mut number = 0;
    for part in STORM_PARTS {
        for _ in 0..part {
            let now = Timestamp::now();
            store_event(&store, storm_ban(number, now), now)?;
            number += 1;
        }
        deliver(parsed(&text)?, &store)?;
    }
    writeln!(out, "\nThe channel as it is now:")?;
    channel.stop(colors)?;
    let ledger = store.ledger()?;
    writeln!(out, "\nThe ledger (`banhook status`) shows where every event is:\n")?;
    write!(out, "{}", ledger_table(&ledger))?;
    writeln!(out, "\nNext: `banhook slack manifest` leads to an app.")?;
    Ok(ledger.balances())
}

fn parsed(text: &str) -> anyhow::Result<Config> {
    Ok(Config::parse(text, Path::new("demo.toml"), &|_| None)?)
}

/// Stores an event, as `banhook notify` does.
fn store_event(store: &Store, event: Event, received_at: Timestamp) -> anyhow::Result<()> {
    let spooled = SpooledEvent { event, received_at, restored_is_unknown: false };
    Ok(banhook_notify::append(store.folder(), &spooled)?)
}

/// Shows two channels that have incoming webhooks.
fn webhooks() -> Outcome {
    let folder = tempfile::Builder::new().prefix("banhook-demo-").tempdir()?;
    // Not `println!`: a reader that has gone away (`| head`) is an error and no panic.
    let mut out = std::io::stdout();
    let webhook = DemoWebhook::start(out.is_terminal())?;
    let text = CONFIG.replace("ADDRESS", &webhook.address());
    let config = parsed(&text)?;
    writeln!(out, "A local webhook takes the place of Slack at {}. Two routes post to it:\n", webhook.address())?;
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        writeln!(out, "    {line}")?;
    }

    let state = StateDir::new(folder.path().join("state"));
    state.create()?;
    let lock = state.try_work_lock()?.context("the directory of the demonstration is in use")?;
    let store = Store::open_for_work(&state, &lock)?;
    store_events(&store)?;
    writeln!(
        out,
        "\n{} recorded events are stored, as `banhook notify` does, then {STORM} bans at once. The messages:",
        EVENTS.lines().count()
    )?;
    deliver(config, &store)?;
    let messages = webhook.stop();

    writeln!(out, "\n{messages} messages were posted. The ledger (`banhook status`) shows where every event is:\n")?;
    let ledger = store.ledger()?;
    write!(out, "{}", ledger_table(&ledger))?;
    writeln!(out, "\nNext: `banhook setup` leads to the first alert.")?;
    Ok(ledger.balances())
}

/// Stores the recorded events and the storm.
fn store_events(store: &Store) -> Result<(), CommandError> {
    for line in EVENTS.lines() {
        let event = Event::from_json(line).context("in the demonstration's events")?;
        store_event(store, EventDefaults::default().apply(event), Timestamp::now())?;
    }
    let now = Timestamp::now();
    for number in 0..STORM {
        store_event(store, storm_ban(number, now), now)?;
    }
    Ok(())
}

/// Routes, formats and delivers all of it.
fn deliver(config: Config, store: &Store) -> Result<(), CommandError> {
    let runtime = Runtime::for_events(config.sandbox, None)?;
    let daemon = Daemon {
        alive: &|| {},
        stuck_after: STUCK_AFTER,
        config,
        reread: &|| None,
        runtime: Arc::new(runtime),
        system_host: "demo-host".to_owned(),
        store,
        tails: &Tails::default(),
        now: Timestamp::now,
    };
    daemon.run(&mut Signals::listen()?, RunMode::UntilIdle, || ())?;
    Ok(())
}

/// One of many bans at once, of addresses that are reserved for examples.
fn storm_ban(number: u32, at: Timestamp) -> Event {
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

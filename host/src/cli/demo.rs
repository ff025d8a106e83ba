//! `banhook demo`: everything on loopback, with no setup: recorded events, two routes, a local webhook.

mod webhook;

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use crate::config::Config;
use crate::daemon::{Daemon, RunMode, Signals, Tails};
use crate::event::{Ban, Event, EventDefaults, EventDetails, Timestamp};
use crate::plugin::Runtime;
use crate::store::{StateDir, Store};
use anyhow::Context;
use banhook_notify::SpooledEvent;

use super::command_error::{CommandError, Outcome};
use super::daemon::STUCK_AFTER;
use super::ledger_table::ledger_table;
use webhook::DemoWebhook;

/// Recorded events: stored by `notify` for a real fail2ban, with addresses that are reserved for examples.
const EVENTS: &str = include_str!("demo/events.jsonl");
/// The configuration, with `ADDRESS` for the address of the webhook.
const CONFIG: &str = include_str!("demo/config.toml");

/// Bans of the storm at the end.
const STORM: u32 = 300;

/// Runs the demonstration.
pub(super) fn demo() -> Outcome {
    let folder = tempfile::Builder::new().prefix("banhook-demo-").tempdir()?;
    // Not `println!`: a reader that has gone away (`| head`) is an error and no panic.
    let mut out = std::io::stdout();
    let webhook = DemoWebhook::start(out.is_terminal())?;
    let text = CONFIG.replace("ADDRESS", &webhook.address());
    let config = Config::parse(&text, Path::new("demo.toml"), &|_| None)?;
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
    let append = |event, received_at| {
        banhook_notify::append(store.folder(), &SpooledEvent { event, received_at, restored_is_unknown: false })
    };
    for line in EVENTS.lines() {
        let event = Event::from_json(line).context("in the demonstration's events")?;
        append(EventDefaults::default().apply(event), Timestamp::now())?;
    }
    let now = Timestamp::now();
    for number in 0..STORM {
        append(storm_ban(number, now), now)?;
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

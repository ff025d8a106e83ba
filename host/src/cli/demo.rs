//! `banhook demo`: everything on loopback, with no setup: recorded events, two routes, a local webhook.

mod broker;
mod channel;
mod fleet;
mod host;
mod webhook;
mod work;

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};

use crate::config::Config;
use crate::daemon::RunMode;
use crate::event::{Ban, BanDuration, Event, EventDefaults, EventDetails, Timestamp};
use crate::store::{StateDir, Store};
use anyhow::Context;
use clap::{ArgGroup, Args};
use jiff::tz::TimeZone;

use super::command_error::{CommandError, Outcome};
use super::ledger_table::ledger_table;
use channel::{DemoChannel, write_page};
use webhook::DemoWebhook;
use work::{parsed, store_event, work, work_until};

/// Recorded events: stored by `notify` for a real fail2ban, with addresses that are reserved for examples.
const EVENTS: &str = include_str!("demo/events.jsonl");
/// The configuration, with `ADDRESS` for the address of the webhook.
const CONFIG: &str = include_str!("demo/config.toml");

/// The configuration of a conversation, with `API_URL` for the URL of the methods, and `AT` for the time of the report.
const CONVERSATION: &str = include_str!("demo/conversation.toml");

/// Bans of each part of a storm in the conversation.
const STORM_PARTS: [u32; 3] = [12, 20, 25];

/// Bans of the storm at the end.
const STORM: u32 = 300;

/// How far the clock of the demonstration is behind, in ms: a conversation takes a week.
static BEHIND: AtomicI64 = AtomicI64::new(0);

/// The clock of the demonstration.
fn now() -> Timestamp {
    Timestamp::now().plus_ms(-BEHIND.load(Ordering::SeqCst))
}

/// Sets the clock to so many days ago.
fn set_days_ago(days: i64) {
    BEHIND.store(days * 86_400_000, Ordering::SeqCst);
}

/// Run a demonstration on loopback, with no setup: recorded events, two routes, a local webhook
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("page").args(["conversation", "fleet"]))]
pub(super) struct DemoArgs {
    /// A Slack app instead, for a week: messages that change, threads, a storm that is one message, and a report with charts
    #[arg(long)]
    conversation: bool,
    /// A fleet instead: fifty hosts that ban one address, a broker and a worker. Needs nats-server 2.10 or later
    #[arg(long)]
    fleet: bool,
    /// The broker's program [default: nats-server in PATH or /usr/sbin]
    #[arg(long, value_name = "FILE", requires = "fleet")]
    nats_server: Option<PathBuf>,
    /// Write the channel as a page into this file [default: a file in the temporary directory]
    #[arg(long, value_name = "FILE", requires = "page")]
    html: Option<PathBuf>,
}

/// Runs the demonstration.
pub(super) fn demo(arguments: &DemoArgs) -> Outcome {
    let page = arguments.html.as_deref();
    match arguments {
        DemoArgs { conversation: true, .. } => conversation(page),
        DemoArgs { fleet: true, nats_server, .. } => fleet::fleet(nats_server.as_deref(), page),
        _ => webhooks(),
    }
}

/// Shows one channel as a conversation.
fn conversation(page: Option<&Path>) -> Outcome {
    let folder = tempfile::Builder::new().prefix("banhook-demo-").tempdir()?;
    let mut out = std::io::stdout();
    let colors = out.is_terminal();
    let channel = DemoChannel::start(colors)?;
    // At this minute of each week.
    let at = Timestamp::now().to_jiff().to_zoned(TimeZone::UTC).strftime("%a %H:%M").to_string().to_lowercase();
    let text = CONVERSATION.replace("API_URL", &channel.api_url()).replace("\"AT\"", &format!("\"{at}\""));
    let state = StateDir::new(folder.path().join("state"));
    state.create()?;
    let lock = state.try_work_lock()?.context("the directory of the demonstration is in use")?;
    let store = Store::open_for_work(&state, &lock)?;
    writeln!(out, "A local channel takes the place of one in Slack, for an app with a token:\n")?;
    for line in text.lines() {
        writeln!(out, "    {line}")?;
    }
    let ban = |count, at| Ban {
        subject: "203.0.113.7".to_owned(),
        failures: Some(5),
        count: Some(count),
        ticket_at: Some(at),
        duration: Some(BanDuration::Seconds(86_400)),
        ..Ban::default()
    };
    set_days_ago(6);
    let first = ban(1, now());
    set_days_ago(3);
    let second = ban(2, now());
    let steps = [
        (6, "An address is banned.", EventDetails::Ban(first.clone())),
        (5, "The ban is lifted: its message changes.", EventDetails::Unban(first)),
        (3, "The address comes back: a reply beneath its first ban.", EventDetails::Ban(second)),
    ];
    for (number, (days, what, details)) in steps.into_iter().enumerate() {
        writeln!(out, "\n{}. {days} days ago. {what}", number + 1)?;
        set_days_ago(days);
        let event = Event {
            id: format!("conversation-{number}"),
            at: now(),
            host: "web-1".to_owned(),
            jail: "sshd".to_owned(),
            details,
            labels: BTreeMap::new(),
        };
        store_event(store.folder(), event, now())?;
        match number {
            // A daemon, which knows from then on when a report is due.
            0 => run_daemon(parsed(&text)?, &store, &|| channel.count() > 0)?,
            _ => deliver(parsed(&text)?, &store)?,
        }
    }
    set_days_ago(1);
    writeln!(out, "\n4. Yesterday. A storm: after some messages, one that counts up.")?;
    let mut number = 0;
    for part in STORM_PARTS {
        for _ in 0..part {
            store_event(store.folder(), storm_ban(number, now()), now())?;
            number += 1;
        }
        deliver(parsed(&text)?, &store)?;
    }
    set_days_ago(0);
    writeln!(out, "\n5. Now. The report of the week is due.")?;
    let before = channel.count();
    run_daemon(parsed(&text)?, &store, &|| channel.count() > before && store.is_drained().unwrap_or(false))?;
    writeln!(out, "\nThe channel as it is now:")?;
    let html = channel.stop(colors)?;
    let page = write_page(&html, page)?;
    writeln!(out, "\nThe same as a page, with charts: {}", page.display())?;
    let ledger = store.ledger()?;
    writeln!(out, "\nThe ledger (`banhook status`) shows where every event is:\n")?;
    write!(out, "{}", ledger_table(&ledger))?;
    writeln!(out, "\nNext: `banhook slack manifest` leads to an app.")?;
    Ok(ledger.balances())
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
        store_event(store.folder(), EventDefaults::default().apply(event), Timestamp::now())?;
    }
    let now = Timestamp::now();
    for number in 0..STORM {
        store_event(store.folder(), storm_ban(number, now), now)?;
    }
    Ok(())
}

/// Routes, formats and delivers all of it.
fn deliver(config: Config, store: &Store) -> Result<(), CommandError> {
    work(config, store, now, RunMode::UntilIdle, &|| {}, || ())
}

/// Runs as a daemon does, reports included, until this is so.
fn run_daemon(config: Config, store: &Store, is_done: &dyn Fn() -> bool) -> Result<(), CommandError> {
    work_until(config, store, now, is_done, || ())
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

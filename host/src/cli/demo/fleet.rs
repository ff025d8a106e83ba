//! `banhook demo --fleet`: a broker, fifty hosts and a worker on loopback. All hosts ban one address, which is one message at
//! once, and then one more, or one that changes.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};

use super::broker::DemoBroker;
use super::channel::{DemoChannel, write_page};
use super::host::DemoHost;
use super::webhook::DemoWebhook;
use super::work::{DAEMON_TIME_MAX, parsed, work_until};
use crate::cli::command_error::{CommandError, Outcome};
use crate::cli::ledger_table::ledger_table;
use crate::event::Timestamp;
use crate::phrase::counted;
use crate::store::{Ledger, StateDir, Store};

/// The worker's configuration, with `BROKER`, `KEY`, `ADDRESS` and `API_URL` for what is known when it runs.
const CONFIG: &str = include_str!("fleet.toml");

/// The hosts.
const HOSTS: u64 = 50;

/// The address that all ban; it is reserved for examples.
const ADDRESS: &str = "203.0.113.7";

const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Shows what the worker's channels get.
pub(super) fn fleet(server: Option<&Path>, page: Option<&Path>) -> Outcome {
    let folder = tempfile::Builder::new().prefix("banhook-demo-").tempdir()?;
    let names: Vec<_> = (1..=HOSTS).map(|number| format!("web-{number:02}")).collect();
    let broker = DemoBroker::start(server, folder.path(), &names)?;
    let mut out = std::io::stdout();
    let colors = out.is_terminal();
    let (webhook, channel) = (DemoWebhook::start(colors)?, DemoChannel::start(colors)?);
    let text = CONFIG
        .replace("BROKER", &broker.url)
        .replace("KEY", &broker.worker_key.display().to_string())
        .replace("ADDRESS", &webhook.address())
        .replace("API_URL", &channel.api_url());
    writeln!(
        out,
        "A broker ({}, process {}) takes the events of {HOSTS} hosts, each with a key of its own, and one worker reads them:\n",
        broker.name,
        broker.process()
    )?;
    for line in text.lines() {
        writeln!(out, "    {line}")?;
    }
    let keys = names.iter().zip(&broker.host_keys);
    let hosts =
        keys.map(|(name, key)| DemoHost::new(name, folder.path(), &broker.url, key)).collect::<Result<_, _>>()?;
    let state = StateDir::new(folder.path().join("worker"));
    state.create()?;
    let lock = state.try_work_lock()?.context("the directory of the demonstration is in use")?;
    let store = Store::open_for_work(&state, &lock)?;

    let attack = Attack { hosts, store: store.new_connection()?, webhook: &webhook, channel: &channel };
    let (has_ended, (ready, is_ready)) = (AtomicBool::new(false), mpsc::channel());
    let ended = &has_ended;
    let forwarded = thread::scope(|scope| {
        let attack = scope.spawn(move || attack.run(&is_ready, ended));
        let ready = move || {
            // It has ended only if it failed.
            let _ = ready.send(());
        };
        let worked = work_until(parsed(&text)?, &store, Timestamp::now, &|| attack.is_finished(), ready);
        ended.store(true, Ordering::SeqCst);
        let forwarded = attack.join().map_err(|_| anyhow!("a thread of the demonstration broke off"))?;
        worked.and(forwarded)
    })?;
    drop(broker);

    let posted = channel.count();
    writeln!(out, "\nThe app's channel as it is now:")?;
    let html = channel.stop(colors)?;
    writeln!(out, "\nThe same as a page: {}", write_page(&html, page)?.display())?;
    let ledger = store.ledger()?;
    writeln!(out, "\nThe worker's ledger (`banhook status`) shows where every event is:\n")?;
    write!(out, "{}", ledger_table(&ledger))?;
    let is_complete = forwarded == HOSTS && is_settled(&ledger) && ledger.balances();
    writeln!(
        out,
        "\n{HOSTS} bans on {HOSTS} hosts: {forwarded} forwarded, {} received, {}. {} in the webhook's channel, {posted} in the \
         app's.",
        ledger.received,
        if is_complete { "none lost" } else { "NOT ALL DELIVERED" },
        counted(webhook.stop() as u64, "message"),
    )?;
    writeln!(out, "\nNext: `banhook fleet init` leads to a fleet.")?;
    Ok(is_complete)
}

/// What happens while the worker runs.
struct Attack<'c> {
    hosts: Vec<DemoHost>,
    /// The worker's.
    store: Store,
    webhook: &'c DemoWebhook,
    channel: &'c DemoChannel,
}

impl Attack<'_> {
    /// Has all hosts ban an address, and waits until the worker has sent what there is to send, or has ended. Returns how many
    /// events the broker has.
    fn run(mut self, is_ready: &Receiver<()>, ended: &AtomicBool) -> Result<u64, CommandError> {
        // The worker ends where it cannot begin.
        if is_ready.recv().is_err() {
            return Ok(0);
        }
        let mut out = std::io::stdout();
        self.hosts.iter_mut().try_for_each(DemoHost::start)?;
        let (first, others) = self.hosts.split_first().context("hosts")?;
        writeln!(out, "\n1. One host bans {ADDRESS}. Both channels have it at once:")?;
        first.ban(ADDRESS)?;
        wait_until(ended, || Ok(self.webhook.count() > 0 && self.channel.count() > 0))?;

        let began = Instant::now();
        others.iter().try_for_each(|host| host.ban(ADDRESS))?;
        let forwarded = || self.hosts.iter().map(DemoHost::forwarded).sum::<Result<u64, _>>();
        let arrived = wait_until(ended, || Ok(self.store.ledger()?.received == HOSTS))?;
        let seconds = began.elapsed().as_secs_f64();
        if arrived {
            let count = others.len();
            writeln!(out, "\n2. The other {count} ban it, too, and the worker has all of that {seconds:.1} s later:")?;
        }
        wait_until(ended, || Ok(forwarded()? == HOSTS && is_settled(&self.store.ledger()?)))?;
        let forwarded = forwarded()?;
        self.hosts.into_iter().try_for_each(DemoHost::stop)?;
        Ok(forwarded)
    }
}

/// Whether a message has been sent about each event, on each route.
fn is_settled(ledger: &Ledger) -> bool {
    let is_sent = |sent: u64| ledger.received == HOSTS && sent == HOSTS;
    ledger.routes.len() == 2 && ledger.routes.values().all(|route| is_sent(route.posted + route.digested))
}

/// Waits until this is so, or the worker has ended. Returns whether it is so.
fn wait_until(ended: &AtomicBool, is_so: impl Fn() -> Result<bool, CommandError>) -> Result<bool, CommandError> {
    let began = Instant::now();
    while !is_so()? {
        if ended.load(Ordering::SeqCst) || began.elapsed() > DAEMON_TIME_MAX {
            return Ok(false);
        }
        thread::sleep(POLL_INTERVAL);
    }
    Ok(true)
}

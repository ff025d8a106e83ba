//! `banhook status`: the ledger and the queues.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;

use banhook::event::Timestamp;
use banhook::message::one_line;
use banhook::store::{Ledger, PluginState, QueueState, StateFolder, Store};
use serde::Serialize;

use super::Outcome;
use super::arguments::Format;
use super::place::Place;

/// Hexadecimal digits of a hash that people see; programs get all of it.
const SHA256_SHOWN: usize = 12;

/// What is shown; as JSON, the ledger's fields stand at the top.
#[derive(Serialize)]
struct Status {
    #[serde(flatten)]
    ledger: Ledger,
    balances: bool,
    /// Messages by webhook: those that are pending or dead.
    webhooks: BTreeMap<String, QueueState>,
    /// By route: what is live, or was when something was last at work.
    plugins: BTreeMap<String, PluginState>,
}

/// Shows where every event is.
pub fn status(place: &Place, format: Format) -> Outcome {
    let folder = place.folder()?;
    let (ledger, webhooks, plugins) = if folder.has_store()? {
        let store = Store::open(&folder)?;
        (store.ledger()?, store.queues(Timestamp::now())?, store.plugins()?)
    } else {
        Default::default()
    };
    let status = Status { balances: ledger.balances(), ledger, webhooks, plugins };
    // Not `println!`: a reader that has gone (`| head`) is an error and no panic.
    let mut out = std::io::stdout();
    match format {
        Format::Json => writeln!(out, "{}", serde_json::to_string(&status).map_err(anyhow::Error::from)?)?,
        Format::Text => write!(out, "{}", text(&folder, &status))?,
    }
    Ok(status.balances)
}

fn text(folder: &StateFolder, status: &Status) -> String {
    let mut text = String::new();
    if status.ledger == Ledger::default() {
        let _ = writeln!(text, "Nothing stored yet in {}.", folder.path().display());
    }
    text.push_str(&ledger_text(&status.ledger));
    for (webhook, queue) in &status.webhooks {
        let _ = writeln!(text, "{}", queue_text(webhook, queue));
    }
    for (route, plugin) in &status.plugins {
        let _ = writeln!(text, "{}", plugin_text(route, plugin, Timestamp::now()));
    }
    text
}

/// A line on a webhook's messages.
fn queue_text(webhook: &str, queue: &QueueState) -> String {
    let mut text = format!("webhook {webhook}: ");
    if let (Some(error), Some(since)) = (&queue.gone, queue.gone_since) {
        let _ = write!(text, "GONE since {since} ({}); mend its URL, and its messages go out. ", one_line(error));
    }
    let _ = write!(text, "{} pending, {} dead", queue.pending, queue.dead);
    if queue.open > 0 {
        let _ = write!(text, ", {} events held in {} digests", queue.held_events, queue.open);
    }
    if let Some(oldest) = queue.oldest {
        let _ = write!(text, ", oldest from {oldest}");
    }
    if let Some(at) = queue.not_before {
        let _ = write!(text, ", next attempt {at}");
    }
    if let Some(error) = &queue.last_error {
        let _ = write!(text, "; last answer: {}", one_line(error));
    }
    text
}

/// A line on a route's plugin: what it is, and how it fares.
fn plugin_text(route: &str, state: &PluginState, now: Timestamp) -> String {
    let mut text = format!("route {route}: plugin {}", one_line(&state.plugin));
    if let Some(version) = &state.version {
        let _ = write!(text, " {}", one_line(version));
    }
    if let Some(sha256) = &state.sha256 {
        let _ = write!(text, " (sha256 {}), since {}", sha256.get(..SHA256_SHOWN).unwrap_or_default(), state.since);
    } else {
        text.push_str(", not loaded");
    }
    if let Some(until) = state.paused_until.filter(|until| now < *until) {
        let _ = write!(text, ", paused until {until}");
    }
    if state.failures > 0 {
        let _ = write!(text, ", {} failures in a row", state.failures);
    }
    if let Some(error) = &state.error {
        let _ = write!(text, "; {}", one_line(error));
    }
    text
}

/// The ledger as a table, with its two sums.
pub fn ledger_text(ledger: &Ledger) -> String {
    let mut text = String::new();
    let Ledger { taken_in, waiting, unrouted, routed, routes } = ledger;
    let sums = if ledger.balances() { "" } else { "  DOES NOT BALANCE" };
    let _ =
        writeln!(text, "events: {taken_in} taken in = {waiting} waiting + {unrouted} unrouted + {routed} routed{sums}");
    let width = routes.keys().map(|name| name.chars().count()).chain([5]).max().unwrap_or(5);
    if !routes.is_empty() {
        let _ = writeln!(text, "{:width$}  matched = posted + digested + skipped + dead + pending", "route");
    }
    for (name, route) in routes {
        let _ = writeln!(
            text,
            "{name:width$}  {:>7}   {:>6}   {:>8}   {:>7}   {:>4}   {:>7}",
            route.matched, route.posted, route.digested, route.skipped, route.dead, route.pending
        );
    }
    text
}

//! `banhook status`: the ledger and the queues.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;

use crate::event::Timestamp;
use crate::message::one_line;
use crate::store::{Discrepancy, Ledger, PluginState, RouteLedger, StateDir, Store, WebhookQueue};
use serde::Serialize;

use super::Outcome;
use super::arguments::{Format, StatusOptions};
use super::global_options::GlobalOptions;
use super::time_format::with_age;

/// Hexadecimal digits of a hash that people see; programs get all of it.
const SHA256_SHOWN: usize = 12;

/// What is shown; as JSON, the ledger's fields stand at the top.
#[derive(Serialize)]
struct Status {
    #[serde(flatten)]
    ledger: Ledger,
    balances: bool,
    #[serde(skip)]
    is_new: bool,
    /// Whether somebody routes and delivers at this moment.
    running: bool,
    /// What is wrong with the configuration: whoever is at work goes on with the one before.
    #[serde(rename = "configuration_error", skip_serializing_if = "Option::is_none")]
    broken: Option<String>,
    /// Messages by webhook: those of the configuration, and others that have some left.
    webhooks: BTreeMap<String, WebhookQueue>,
    /// By route: what is live, or was when something was last at work.
    plugins: BTreeMap<String, PluginState>,
    /// Where the ledger is not what the rows say; none: nobody asked for the comparison.
    #[serde(skip_serializing_if = "Option::is_none")]
    discrepancies: Option<Vec<Discrepancy>>,
}

/// Shows where every event is; `Ok(false)` if a sum or a count is wrong.
pub fn status(global: &GlobalOptions, options: &StatusOptions) -> Outcome {
    let folder = global.folder()?;
    let (mut ledger, mut webhooks, plugins, discrepancies) = if folder.has_store()? {
        let store = Store::open(&folder)?;
        // As a run does: nothing is told any more, whatever the sums say.
        store.check_inbox()?;
        let discrepancies = options.check.then(|| store.check_ledger()).transpose()?;
        (store.ledger()?, store.queues(Timestamp::now())?, store.plugins()?, discrepancies)
    } else {
        (Ledger::default(), BTreeMap::new(), BTreeMap::new(), options.check.then(Vec::new))
    };
    // Where there is neither a store nor a file, nothing is wrong yet.
    let is_new = ledger == Ledger::default();
    let config = (global.config.exists() || !is_new).then(|| global.config());
    for config in config.iter().flatten() {
        webhooks = config.webhooks.keys().map(|name| (name.clone(), WebhookQueue::default())).chain(webhooks).collect();
        let routes = config.routes.iter().map(|route| (route.name.clone(), RouteLedger::default()));
        ledger.routes = routes.chain(ledger.routes).collect();
    }
    let status = Status {
        balances: ledger.balances(),
        is_new,
        ledger,
        running: folder.is_running(),
        broken: config.and_then(Result::err).map(|failure| failure.text()),
        webhooks,
        plugins,
        discrepancies,
    };
    // Not `println!`: a reader that has suspended (`| head`) is an error and no panic.
    let mut out = std::io::stdout();
    match options.format {
        Format::Json => writeln!(out, "{}", serde_json::to_string(&status).map_err(anyhow::Error::from)?)?,
        Format::Text => write!(out, "{}", text(&folder, &status, Timestamp::now()))?,
    }
    Ok(status.balances && status.discrepancies.is_none_or(|found| found.is_empty()))
}

fn text(folder: &StateDir, status: &Status, now: Timestamp) -> String {
    let mut text = String::new();
    if status.is_new {
        let _ = writeln!(text, "Nothing stored yet in {}.", folder.path().display());
    }
    text.push_str(&ledger_text(&status.ledger));
    for discrepancy in status.discrepancies.iter().flatten() {
        let _ = writeln!(text, "WRONG  {}", one_line(&discrepancy.to_string()));
    }
    if status.balances && status.discrepancies.as_ref().is_some_and(Vec::is_empty) {
        text.push_str("every event is accounted for\n");
    }
    if let Some(error) = &status.broken {
        let _ = writeln!(
            text,
            "THE CONFIGURATION IS BROKEN: {}\n  whoever is at work goes on with the one before, unless its environment is another; see `banhook config check`",
            one_line(error.lines().next().unwrap_or_default())
        );
    }
    let is_pending = status.ledger.unrouted > 0 || status.ledger.routes.values().any(|route| route.pending > 0);
    if is_pending && !status.running {
        text.push_str("NOTHING IS AT WORK: what is left goes out with `banhook drain`, or, unless its webhook is suspended, with the next event\n");
    }
    for (webhook, queue) in &status.webhooks {
        let _ = write!(text, "\n{}", queue_text(webhook, queue, status.running, now));
    }
    if !status.plugins.is_empty() {
        text.push('\n');
    }
    for (route, plugin) in &status.plugins {
        let _ = writeln!(text, "{}", plugin_text(route, plugin, now));
    }
    if status.webhooks.values().any(|queue| queue.dead > 0) {
        text.push_str(
            "\nbanhook queue list --dead   why messages are dead\n\
             banhook queue retry --all   sends them again, once the reason is mended\n\
             banhook queue drop ID       gives one up\n",
        );
    }
    text
}

/// A webhook's messages: a line that counts them, and one for each thing to know about them.
fn queue_text(webhook: &str, queue: &WebhookQueue, running: bool, now: Timestamp) -> String {
    let mut counts = Vec::new();
    if queue.pending > 0 {
        counts.push(format!("{} pending", queue.pending));
    }
    if queue.open > 0 {
        counts.push(format!("{} held in {}", counted(queue.digest_events, "event"), counted(queue.open, "digest")));
    }
    if queue.dead > 0 {
        counts.push(format!("{} dead", queue.dead));
    }
    if counts.is_empty() {
        counts.push("nothing pending".to_owned());
    }
    let mut text = format!("webhook {}: {}\n", one_line(webhook), counts.join(", "));
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:14}  {}", one_line(value));
    };
    if let (Some(error), Some(since)) = (&queue.suspended_error, queue.suspended_at) {
        let then = if running { "and its messages go out" } else { "then run `banhook drain`" };
        line("SUSPENDED", &format!("since {}: {error}; mend its URL, {then}", with_age(since, now)));
    }
    if let Some(oldest) = queue.oldest_pending_at {
        line("oldest pending", &with_age(oldest, now));
    }
    if let Some(at) = queue.next_digest_at {
        line("next digest", &with_age(at, now));
    }
    if let Some(at) = queue.backoff_until.filter(|_| running) {
        line("next attempt", &with_age(at, now));
    }
    // What a dead one got is said below; `suspended` says what such a webhook answers.
    if let Some(error) = queue.last_error.as_ref().filter(|_| queue.pending > 0 && queue.suspended_error.is_none()) {
        line("last answer", error);
    }
    if let Some(error) = &queue.last_dead_error {
        line("last dead", error);
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
        let _ = write!(
            text,
            " (sha256 {}), since {}",
            sha256.get(..SHA256_SHOWN).unwrap_or_default(),
            with_age(state.since, now)
        );
    } else {
        text.push_str(", not loaded");
    }
    if let Some(until) = state.paused_until.filter(|until| now < *until) {
        let _ = write!(text, ", paused until {}", with_age(until, now));
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
    let Ledger { received, unrouted, unmatched, routed, routes } = ledger;
    let sums = if ledger.balances() { "" } else { "  DOES NOT BALANCE" };
    let _ = writeln!(
        text,
        "events: {received} received = {unrouted} unrouted + {unmatched} unmatched + {routed} routed{sums}"
    );
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

/// `1 message`, `2 messages`.
pub fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After a night with an outage and a storm.
    fn night() -> (Status, Timestamp) {
        let now = Timestamp(1_763_809_015_601);
        let ago = |minutes: i64| Some(now.plus_ms(-minutes * 60_000));
        let all = RouteLedger { matched: 1_012, posted: 120, digested: 717, skipped: 30, dead: 3, pending: 142 };
        let ledger = Ledger {
            received: 1_015,
            unrouted: 0,
            unmatched: 3,
            routed: 1_012,
            routes: BTreeMap::from([("all".to_owned(), all)]),
        };
        let main = WebhookQueue {
            pending: 12,
            open: 2,
            digest_events: 130,
            next_digest_at: Some(now.plus_ms(20_000)),
            dead: 3,
            last_dead_error: Some("400 invalid_blocks".to_owned()),
            oldest_pending_at: ago(300),
            last_error: Some("503 <html>\nbusy\u{1b}[2J".to_owned()),
            backoff_until: Some(now.plus_ms(40_000)),
            ..WebhookQueue::default()
        };
        let ops = WebhookQueue {
            pending: 1,
            oldest_pending_at: ago(10),
            last_error: Some("404 no_service".to_owned()),
            suspended_error: Some("404 no_service".to_owned()),
            suspended_at: ago(9),
            ..WebhookQueue::default()
        };
        let plugin = PluginState {
            plugin: "template".to_owned(),
            sha256: Some("0123456789abcdef".to_owned()),
            version: None,
            since: now.plus_ms(-600_000_000),
            failures: 0,
            error: None,
            paused_until: None,
        };
        let status = Status {
            balances: ledger.balances(),
            is_new: false,
            ledger,
            running: true,
            broken: None,
            webhooks: BTreeMap::from([("main".to_owned(), main), ("ops".to_owned(), ops)]),
            plugins: BTreeMap::from([("all".to_owned(), plugin)]),
            discrepancies: None,
        };
        (status, now)
    }

    #[test]
    fn after_a_bad_night() {
        let (status, now) = night();
        assert_eq!(
            text(&StateDir::new("state"), &status, now),
            "\
events: 1015 received = 0 unrouted + 3 unmatched + 1012 routed
route  matched = posted + digested + skipped + dead + pending
all       1012      120        717        30      3       142

webhook main: 12 pending, 130 events held in 2 digests, 3 dead
  oldest pending  2025-11-22 05:56:55 UTC (5 h ago)
  next digest     2025-11-22 10:57:15 UTC (in 20 s)
  next attempt    2025-11-22 10:57:35 UTC (in 40 s)
  last answer     503 <html> busy\\u{1b}[2J
  last dead       400 invalid_blocks

webhook ops: 1 pending
  SUSPENDED       since 2025-11-22 10:47:55 UTC (9 min ago): 404 no_service; mend its URL, and its messages go out
  oldest pending  2025-11-22 10:46:55 UTC (10 min ago)

route all: plugin template (sha256 0123456789ab), since 2025-11-15 12:16:55 UTC (6 days ago)

banhook queue list --dead   why messages are dead
banhook queue retry --all   sends them again, once the reason is mended
banhook queue drop ID       gives one up
"
        );
    }

    #[test]
    fn that_nothing_works_or_the_configuration_is_broken_is_said_first() {
        let (mut status, now) = night();
        let shown = |status: &Status| text(&StateDir::new("state"), status, now);
        assert!(!shown(&status).contains("NOTHING") && !shown(&status).contains("BROKEN"));
        status.running = false;
        assert!(shown(&status).contains("\nNOTHING IS AT WORK: "), "{}", shown(&status));
        status.broken = Some("a.toml:1:1: unknown key\nmore".to_owned());
        assert!(
            shown(&status).contains("\nTHE CONFIGURATION IS BROKEN: a.toml:1:1: unknown key\n"),
            "{}",
            shown(&status)
        );
        (status.ledger, status.broken) = (Ledger::default(), None);
        assert!(!shown(&status).contains("NOTHING IS"), "{}", shown(&status));
    }

    #[test]
    fn the_check_of_the_ledger_says_what_is_wrong() {
        let (mut status, now) = night();
        status.webhooks.clear();
        status.discrepancies = Some(Vec::new());
        let shown = |status: &Status| text(&StateDir::new("state"), status, now);
        assert!(shown(&status).contains("\nevery event is accounted for\n"), "{}", shown(&status));
        let wrong =
            |route: &str| Discrepancy { route: route.to_owned(), state: "dead".to_owned(), ledger: 3, counted: 2 };
        status.discrepancies = Some(vec![wrong("all"), wrong("")]);
        let seen = shown(&status);
        assert!(seen.contains("\nWRONG  route all: dead: 3 in the ledger, 2 counted\n"), "{seen}");
        assert!(seen.contains("\nWRONG  all events: dead: 3 in the ledger, 2 counted\n"), "{seen}");
        assert!(!seen.contains("accounted for"), "{seen}");
    }
}

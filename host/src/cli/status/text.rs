//! The status as people read it.

use std::fmt::Write as _;
use std::path::Path;

use crate::event::Timestamp;
use crate::message::one_line;
use crate::phrase::{counted, without_error_numbers};
use crate::store::{PluginState, WebhookQueue};

use crate::cli::ledger_table::ledger_table;
use crate::cli::mute::describe;
use crate::cli::time_format::with_age;
use crate::status::{LogStatus, StatusReport};

/// Hexadecimal digits of a hash that people see; programs get all of it.
const SHA256_SHOWN: usize = 12;

/// Describes the state of the store in this folder.
pub(super) fn text(folder: &Path, status: &StatusReport, now: Timestamp) -> String {
    let mut text = String::new();
    if status.is_new {
        let _ = writeln!(text, "Nothing is stored yet in {}.", folder.display());
    }
    text.push_str(&ledger_table(&status.ledger));
    for discrepancy in status.discrepancies.iter().flatten() {
        let _ = writeln!(text, "discrepancy: {}", one_line(&discrepancy.to_string()));
    }
    for record in status.damaged.iter().flatten() {
        let _ = writeln!(text, "damaged: {record}: its checksum is not that of its content");
    }
    let is_clean = status.discrepancies.as_ref().is_some_and(Vec::is_empty);
    if status.balances && is_clean && status.damaged.iter().flatten().next().is_none() {
        text.push_str("every event is accounted for\n");
    }
    if let Some(error) = &status.configuration_error {
        let _ = writeln!(
            text,
            "The configuration cannot be loaded: {}\n  `banhook config check` shows all errors. A daemon that is running keeps the previous configuration.",
            one_line(error.lines().next().unwrap_or_default())
        );
    }
    let is_pending = status.ledger.unrouted > 0 || status.ledger.routes.values().any(|route| route.pending > 0);
    if is_pending && !status.running {
        text.push_str("No daemon is running. Run `banhook drain`, or wait for the next event.\n");
    }
    for mute in &status.mutes {
        let _ = writeln!(text, "{}", describe(mute, now));
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
    if !status.logs.is_empty() {
        text.push('\n');
    }
    for (log, state) in &status.logs {
        text.push_str(&log_text(log, state, now));
    }
    if status.webhooks.values().any(|queue| queue.dead > 0) {
        text.push_str(
            "\nbanhook queue list --dead   shows why messages are dead\n\
             banhook queue retry --all   sends them again, once the cause is fixed\n\
             banhook queue drop ID       drops one\n",
        );
    }
    without_error_numbers(&text)
}

/// The queue of a webhook: a line that counts its messages, and one for each fact about them.
fn queue_text(webhook: &str, queue: &WebhookQueue, running: bool, now: Timestamp) -> String {
    let mut counts = Vec::new();
    if queue.pending > 0 {
        counts.push(format!("{} pending", queue.pending));
    }
    if queue.open > 0 {
        counts.push(format!("{} in {}", counted(queue.digest_events, "event"), counted(queue.open, "open digest")));
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
        let then = if running { "" } else { ", then run `banhook drain`" };
        line("suspended", &format!("since {}: {error}; correct its URL{then}", with_age(since, now)));
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
    // The error of a dead message comes below.
    if let Some(error) = queue.last_error.as_ref().filter(|_| queue.pending > 0) {
        let at = queue.last_error_at.map_or_else(String::new, |at| format!("{}: ", with_age(at, now)));
        line("last error", &format!("{at}{error}"));
    }
    if let Some(error) = &queue.last_dead_error {
        line("last dead", error);
    }
    text
}

/// A log: a line with its position, and one with its problem.
fn log_text(log: &str, state: &LogStatus, now: Timestamp) -> String {
    let mut text = format!("log {}: ", one_line(log));
    let mut facts = Vec::new();
    match (state.position, state.lag) {
        (Some(_), Some(0)) => facts.push("read to its end".to_owned()),
        (Some(position), Some(lag)) => facts.push(format!("{position} bytes read, {lag} left")),
        (Some(position), None) => facts.push(format!("{position} bytes read")),
        (None, _) if state.last_event_at.is_none() => facts.push("nothing read yet".to_owned()),
        (None, _) => {}
    }
    facts.extend(state.last_event_at.map(|at| format!("last event {}", with_age(at, now))));
    let _ = writeln!(text, "{}", facts.join(", "));
    if let Some(problem) = &state.problem {
        let since = state.problem_since.map_or_else(String::new, |at| format!("since {}: ", with_age(at, now)));
        let _ = writeln!(text, "  {:14}  {since}{}", "problem", one_line(problem));
    }
    text
}

/// The plugin of a route, in a line: its version, and whether it fails.
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
        let _ = write!(text, ", {} in a row", counted(state.failures, "failure"));
    }
    if let Some(error) = &state.error {
        let _ = write!(text, "; {}", one_line(error));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::store::{Discrepancy, Ledger, RouteLedger};

    /// After a night with an outage and a storm.
    fn night() -> (StatusReport, Timestamp) {
        let now = Timestamp(1_763_809_015_601);
        let ago = |minutes: i64| Some(now.plus_ms(-minutes * 60_000));
        let all = RouteLedger { matched: 1_012, posted: 120, digested: 717, skipped: 30, dead: 3, pending: 142 };
        let ledger = Ledger {
            received: 1_015,
            unrouted: 0,
            unmatched: 3,
            forwarded: 0,
            quarantined: 0,
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
            last_error_at: ago(2),
            backoff_until: Some(now.plus_ms(40_000)),
            ..WebhookQueue::default()
        };
        let ops = WebhookQueue {
            pending: 1,
            oldest_pending_at: ago(10),
            last_error: Some("no connection: Connection refused (os error 111)".to_owned()),
            last_error_at: ago(1),
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
        let status = StatusReport {
            balances: ledger.balances(),
            is_new: false,
            ledger,
            running: true,
            configuration_error: None,
            webhooks: BTreeMap::from([("main".to_owned(), main), ("ops".to_owned(), ops)]),
            plugins: BTreeMap::from([("all".to_owned(), plugin)]),
            logs: BTreeMap::new(),
            spool: Vec::new(),
            unforwarded_since: None,
            to_forward: None,
            mutes: Vec::new(),
            needs_attention: Vec::new(),
            discrepancies: None,
            damaged: None,
        };
        (status, now)
    }

    #[test]
    fn text_after_an_outage_shows_queues_plugins_and_what_to_do() {
        let (status, now) = night();
        assert_eq!(
            text(Path::new("state"), &status, now),
            "\
events: 1015 received = 0 unrouted + 3 unmatched + 1012 routed
route  matched = posted + digested + skipped + dead + pending
all       1012      120        717        30      3       142

webhook main: 12 pending, 130 events in 2 open digests, 3 dead
  oldest pending  2025-11-22 05:56:55 UTC (5 h ago)
  next digest     2025-11-22 10:57:15 UTC (in 20 s)
  next attempt    2025-11-22 10:57:35 UTC (in 40 s)
  last error      2025-11-22 10:54:55 UTC (2 min ago): 503 <html> busy\\u{1b}[2J
  last dead       400 invalid_blocks

webhook ops: 1 pending
  suspended       since 2025-11-22 10:47:55 UTC (9 min ago): 404 no_service; correct its URL
  oldest pending  2025-11-22 10:46:55 UTC (10 min ago)
  last error      2025-11-22 10:55:55 UTC (60 s ago): no connection: Connection refused

route all: plugin template (sha256 0123456789ab), since 2025-11-15 12:16:55 UTC (6 days ago)

banhook queue list --dead   shows why messages are dead
banhook queue retry --all   sends them again, once the cause is fixed
banhook queue drop ID       drops one
"
        );
    }

    #[test]
    fn text_says_if_no_daemon_is_running_or_the_configuration_is_invalid() {
        let (mut status, now) = night();
        let shown = |status: &StatusReport| text(Path::new("state"), status, now);
        assert!(!shown(&status).contains("No daemon") && !shown(&status).contains("configuration"));
        status.running = false;
        assert!(shown(&status).contains("\nNo daemon is running. Run `banhook drain`, "), "{}", shown(&status));
        assert!(shown(&status).contains("correct its URL, then run `banhook drain`\n"), "{}", shown(&status));
        status.configuration_error = Some("a.toml:1:1: unknown key\nmore".to_owned());
        let invalid = "\nThe configuration cannot be loaded: a.toml:1:1: unknown key\n";
        assert!(shown(&status).contains(invalid), "{}", shown(&status));
        (status.ledger, status.configuration_error) = (Ledger::default(), None);
        assert!(!shown(&status).contains("No daemon"), "{}", shown(&status));
    }

    #[test]
    fn text_says_how_each_log_fares() {
        let (mut status, now) = night();
        let good = LogStatus {
            position: Some(1_000),
            lag: Some(0),
            last_event_at: Some(now.plus_ms(-5_000)),
            ..LogStatus::default()
        };
        let bad = LogStatus {
            position: Some(10),
            lag: Some(90),
            problem: Some("no line is understood\u{1b}".to_owned()),
            problem_since: Some(now.plus_ms(-5_000)),
            ..LogStatus::default()
        };
        status.logs = [("/l/a", good), ("/l/b", bad), ("/l/c", LogStatus::default())]
            .map(|(log, state)| (log.to_owned(), state))
            .into();
        let seen = text(Path::new("state"), &status, now);
        assert!(
            seen.contains(
                "\nlog /l/a: read to its end, last event 2025-11-22 10:56:50 UTC (5 s ago)\n\
                 log /l/b: 10 bytes read, 90 left\n  \
                 problem         since 2025-11-22 10:56:50 UTC (5 s ago): no line is understood\\u{1b}\n\
                 log /l/c: nothing read yet\n"
            ),
            "{seen}"
        );
    }

    #[test]
    fn attention_names_what_needs_a_person() {
        let (mut status, _) = night();
        assert_eq!(status.attention(), ["3 dead messages of webhook main", "webhook ops is suspended"]);
        status.webhooks.clear();
        assert_eq!(status.attention(), Vec::<String>::new());
        status.configuration_error = Some("x".to_owned());
        let log = LogStatus { problem: Some("cannot be read".to_owned()), ..LogStatus::default() };
        status.logs = [("/l".to_owned(), log)].into();
        assert_eq!(status.attention(), ["the configuration cannot be loaded", "log /l: cannot be read"]);
    }

    #[test]
    fn text_lists_each_discrepancy_of_the_ledger() {
        let (mut status, now) = night();
        status.webhooks.clear();
        status.discrepancies = Some(Vec::new());
        let shown = |status: &StatusReport| text(Path::new("state"), status, now);
        assert!(shown(&status).contains("\nevery event is accounted for\n"), "{}", shown(&status));
        let wrong =
            |route: &str| Discrepancy { route: route.to_owned(), state: "dead".to_owned(), ledger: 3, counted: 2 };
        status.discrepancies = Some(vec![wrong("all"), wrong("")]);
        let seen = shown(&status);
        assert!(seen.contains("\ndiscrepancy: route all: dead: 3 in the ledger, 2 counted\n"), "{seen}");
        assert!(seen.contains("\ndiscrepancy: all events: dead: 3 in the ledger, 2 counted\n"), "{seen}");
        assert!(!seen.contains("accounted for"), "{seen}");
    }
}

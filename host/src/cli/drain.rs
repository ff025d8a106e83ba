//! `banhook drain`: delivers everything that is stored, then exits.

use std::time::Duration;

use crate::config::{DURATION_RULE, parse_duration};
use crate::store::{Ledger, Store};
use clap::Args;

use super::command_error::{Outcome, print_stderr};
use super::daemon::run_until;
use super::global_options::GlobalOptions;
use super::logging;

/// Deliver everything that is stored, then exit; exit code 1 if anything is still pending or was rejected
///
/// If it runs out of time or is stopped, a short run continues to deliver.
#[derive(Debug, Args)]
pub(super) struct DrainArgs {
    /// Stop after this long, for example 90s or 5m
    #[arg(long, default_value = "60s", value_parser = duration)]
    pub timeout: Duration,
}

/// Parses `90s`, `5m` or `1h30m`, as in the configuration.
fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| format!("write it as {}", DURATION_RULE.replace('"', "")))
}

/// Drains; `Ok(false)` if anything is still pending when the time is up, or became dead meanwhile.
pub(super) fn drain(global: &GlobalOptions, timeout: Duration) -> Outcome {
    let folder = global.folder()?;
    // Before anything else: an invalid one is this command's failure.
    let config = global.config()?;
    logging::to_stderr();
    let store = Store::open(&folder)?;
    let dead_before = dead(&store.ledger()?);
    // A running daemon probes suspended webhooks only now and then.
    for (webhook, _) in store.suspended_webhooks()? {
        store.clear_failures(&webhook)?;
    }
    let continues = run_until(global, config, &folder, timeout)?;
    report(&store, dead_before, continues)
}

/// Says what is left, and what became dead. `continues`: a run delivers it.
fn report(store: &Store, dead_before: u64, continues: bool) -> Outcome {
    // What was stored since is delivered by a run of its own.
    let is_done = !continues && store.suspended_webhooks()?.is_empty();
    let drained = is_done || store.is_drained()?;
    let ledger = store.ledger()?;
    let died = dead(&ledger).saturating_sub(dead_before);
    if !drained {
        let pending: u64 = ledger.unrouted + ledger.routes.values().map(|route| route.pending).sum::<u64>();
        for (webhook, suspended) in store.suspended_webhooks()? {
            print_stderr(&format!("the webhook \"{webhook}\" is suspended ({}); correct its URL", suspended.error));
        }
        print_stderr(&format!(
            "{pending} still pending; {}, see `banhook status`",
            if continues {
                "delivery continues in the background"
            } else {
                "they are sent once the webhook takes messages again"
            }
        ));
    }
    if died > 0 {
        print_stderr(&format!("{died} dead; `banhook queue list --dead` shows why"));
    }
    Ok(drained && died == 0)
}

fn dead(ledger: &Ledger) -> u64 {
    ledger.routes.values().map(|route| route.dead).sum()
}

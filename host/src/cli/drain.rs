//! `banhook drain`: everything that is stored is delivered, then it exits.

use std::time::{Duration, Instant};

use crate::daemon::{ExitReason, RunMode};
use crate::event::Timestamp;
use crate::store::{Ledger, Remaining, Store};

use super::Outcome;
use super::command_error::say;
use super::global_options::GlobalOptions;
use super::logging;
use super::notify::ensure_runner;
use super::run::{finish, wait_for_work};

/// Drains; `Ok(false)` if something is still pending when the time is up, or died meanwhile.
pub fn drain(global: &GlobalOptions, timeout: Duration) -> Outcome {
    let folder = global.folder()?;
    // Before anything else: a broken one is this command's failure.
    let mut config = Some(global.config()?);
    logging::to_stderr();
    let deadline = Instant::now() + timeout;
    let store = Store::open(&folder)?;
    let dead_before = dead(&store.ledger()?);
    // A daemon that is at work left them alone for a while.
    for (webhook, _) in store.suspended_webhooks()? {
        store.clear_failures(&webhook)?;
    }
    let mut rest = Remaining::Work;
    while rest == Remaining::Work && Instant::now() < deadline {
        // Another's work is as good as ours.
        if let Some(lock) =
            wait_for_work(&folder, deadline, || Ok(store.remaining(Timestamp::now())? == Remaining::Work))?
        {
            let left = deadline.saturating_duration_since(Instant::now());
            if finish(
                global,
                config.take().map_or_else(|| global.config(), Ok)?,
                &folder,
                lock,
                RunMode::UntilIdleOr(left),
            )? == ExitReason::Stopped
            {
                break;
            }
        }
        rest = store.remaining(Timestamp::now())?;
    }
    // A `notify` that found us at work has started nothing.
    if store.remaining(Timestamp::now())? == Remaining::Work {
        ensure_runner(&folder, &global.config)?;
    }
    let drained = store.is_drained()?;
    let ledger = store.ledger()?;
    let died = dead(&ledger).saturating_sub(dead_before);
    if !drained {
        let pending: u64 = ledger.unrouted + ledger.routes.values().map(|route| route.pending).sum::<u64>();
        for (webhook, suspended) in store.suspended_webhooks()? {
            say(&format!("the webhook \"{webhook}\" is gone ({}): mend its URL", suspended.error));
        }
        say(&format!("{pending} still pending; they go on being tried, and `banhook status` shows where"));
    }
    if died > 0 {
        say(&format!("{died} refused for good; `banhook queue list --dead` shows why"));
    }
    Ok(drained && died == 0)
}

fn dead(ledger: &Ledger) -> u64 {
    ledger.routes.values().map(|route| route.dead).sum()
}

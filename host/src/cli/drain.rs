//! `banhook drain`: everything that is stored is delivered, then it exits.

use std::time::{Duration, Instant};

use banhook::daemon::Until;
use banhook::store::{Ledger, Store};

use super::Outcome;
use super::failure::say;
use super::logging;
use super::notify::see_to_delivery;
use super::place::Place;
use super::run::{finish, wait_for_work};

/// Drains; `Ok(false)` if something is still pending when the time is up, or died meanwhile.
pub fn drain(place: &Place, timeout: Duration) -> Outcome {
    let folder = place.folder()?;
    let config = place.config()?;
    logging::to_stderr();
    let deadline = Instant::now() + timeout;
    let store = Store::open_for_intake(&folder)?;
    let dead_before = dead(&store.ledger()?);
    loop {
        // Another's work is as good as ours.
        let Some(lock) = wait_for_work(&folder, deadline, || Ok(!store.is_idle()?))? else { break };
        let left = deadline.saturating_duration_since(Instant::now());
        if !finish(&config, &folder, lock, Until::IdleOr(left))? {
            break;
        }
    }
    // A `notify` that found us at work has started nothing.
    if !store.is_idle()? {
        see_to_delivery(&folder, &place.config)?;
    }
    let ledger = store.ledger()?;
    let pending: u64 = ledger.waiting + ledger.routes.values().map(|route| route.pending).sum::<u64>();
    let died = dead(&ledger).saturating_sub(dead_before);
    if pending > 0 {
        say(&format!("{pending} still pending; they go on being tried, and `banhook status` shows where"));
    }
    if died > 0 {
        say(&format!("{died} refused for good; `banhook status` shows where"));
    }
    Ok(pending == 0 && died == 0)
}

fn dead(ledger: &Ledger) -> u64 {
    ledger.routes.values().map(|route| route.dead).sum()
}

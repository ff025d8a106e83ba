//! The pipeline: each event, past each route, through its plugin and the guard, into the outbox.
//!
//! An alert survives its plugin: whatever goes wrong with one, the event goes out as the built-in plain message
//! that says what. Storms, restarts and backlogs are folded into digests here (`folding`). Nothing here knows of networks or
//! threads, and the time is handed in.

mod closing;
mod destination;
mod folding;
#[cfg(test)]
mod folding_tests;
mod health;
mod history;
mod limits;
mod route;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use destination::{Destination, Destinations, destinations};
pub use health::{FAILURES, Health};
pub use limits::{limits, stack};
pub use route::{Fault, LiveRoute};

use crate::config::{Config, PluginSource, Route};
use crate::event::{Event, PastBan, Timestamp};
use crate::message::{digest, fallback};
use crate::plugin::{BUILT_IN, Databases, Runtime};
use crate::source::{Completion, Enricher};
use crate::store::{Assigned, Inbox, StateFolder, Store, StoreError, Verdict, Waiting, Worded};

/// Events that are assigned in one transaction. Each transaction reads again the pages that others have changed, and writes
/// each page that it changes, of which there is up to one for an event, since bans are kept by subject, too. With 32, an
/// event of a backlog took the router 36 µs, and 100,000 of them 1.2 GB of write-ahead log; now it takes 13 µs. Couriers wait
/// 60 ms at most meanwhile, `notify` not at all: it writes to another file.
const ASSIGNED_AT_ONCE: usize = 4_096;

/// Events that are worded in one transaction, for the same reason; the worker ends a batch that takes long. None of their
/// messages goes out before all of them are worded.
const WORDED_AT_ONCE: usize = 1_024;

/// What events are called by that say no host of their own, and what every plugin is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naming {
    /// The host.
    pub host: String,
    /// `[labels]`.
    pub labels: BTreeMap<String, String>,
}

impl Naming {
    /// As configured; `system_host` where that says nothing.
    #[must_use]
    pub fn new(config: &Config, system_host: &str) -> Self {
        Self { host: config.host.clone().unwrap_or_else(|| system_host.to_owned()), labels: config.labels.clone() }
    }

    fn name(&self, event: Event) -> Event {
        event.named(&self.host, &self.labels)
    }
}

/// What routes are loaded with, beside their own configuration.
#[derive(Clone)]
pub struct Surroundings {
    /// What events are called.
    pub naming: Naming,
    /// What is to be known of each webhook.
    pub destinations: Destinations,
    /// Where plugins run.
    pub runtime: Arc<Runtime>,
    /// The MMDB files that are open.
    pub databases: Databases,
    /// Where past bans are; `None`: there were none.
    pub state: Option<StateFolder>,
}

/// What events are completed with before routes get them.
pub struct Completing<'a> {
    /// Asks fail2ban's database.
    pub enricher: &'a mut Enricher,
    /// Where the completed events are stored.
    pub inbox: &'a mut Inbox,
}

/// What came of an assignment.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Assignment {
    /// How many events; 0: none waits, or the first one waits for fail2ban's database.
    pub events: usize,
    /// The routes that want some of them.
    pub routes: BTreeSet<String>,
    /// Whether events are left that are not complete yet.
    pub later: bool,
}

/// Assigns what waits in the inbox to the routes that want it, one batch of it.
///
/// # Errors
/// When the store fails; the events of the batch then still wait.
pub fn assign(
    routes: &[Route],
    naming: &Naming,
    store: &mut Store,
    completing: Option<Completing<'_>>,
    now: Timestamp,
) -> Result<Assignment, StoreError> {
    let mut waiting = store.waiting(ASSIGNED_AT_ONCE)?;
    let found = waiting.len();
    if let Some(completing) = completing {
        complete(&mut waiting, naming, completing, now)?;
    }
    let later = waiting.len() < found;
    let assigned: Vec<_> = waiting.into_iter().map(|waiting| assigned(routes, naming, waiting)).collect();
    if !assigned.is_empty() {
        store.assign(&assigned)?;
    }
    let to = assigned.iter().flat_map(|assigned| assigned.to.iter().map(|(route, _)| route.clone())).collect();
    Ok(Assignment { events: assigned.len(), routes: to, later })
}

/// Completes events of this host, and leaves out the first one that has to wait for it, or to be read again, and all behind
/// it: the order stays.
fn complete(
    waiting: &mut Vec<Waiting>,
    naming: &Naming,
    Completing { enricher, inbox }: Completing<'_>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (mut ready, mut completed) = (0, BTreeSet::new());
    for Waiting { seq, taken_at, event, .. } in waiting.iter_mut() {
        if let Ok(event) = event
            && (event.host.is_empty() || event.host == naming.host)
            && enricher.concerns(event)
        {
            let before = event.clone();
            if enricher.complete(event, *taken_at, now) == Completion::NotYet {
                break;
            }
            if *event != before {
                completed.insert(*seq);
            }
        }
        ready += 1;
    }
    waiting.truncate(ready);
    if completed.is_empty() {
        return Ok(());
    }
    // Before they are assigned, since routes read them again.
    let completed: Vec<_> = waiting.iter().filter(|waiting| completed.contains(&waiting.seq)).collect();
    if let Some(changed) = inbox.complete(&completed)? {
        waiting.retain(|waiting| waiting.seq < changed);
    }
    Ok(())
}

fn assigned(routes: &[Route], naming: &Naming, Waiting { seq, event, .. }: Waiting) -> Assigned {
    match event {
        Ok(event) => {
            let event = naming.name(event);
            let wanted = routes.iter().filter(|route| route.wants(&event));
            let to = wanted.map(|route| (route.name.clone(), route.webhook.clone())).collect();
            Assigned { seq, ban: PastBan::of(&event), to }
        }
        Err(error) => {
            tracing::error!(event = seq, "set aside as unrouted, since the store was changed by hand: {error}");
            Assigned { seq, ban: None, to: Vec::new() }
        }
    }
}

/// Words what is left of a route that the configuration has no more, one batch of it: an alert survives its route. Says
/// how many events and digests there were.
///
/// # Errors
/// When the store fails.
pub fn word_removed(
    route: &str,
    config: &Config,
    naming: &Naming,
    store: &mut Store,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let why = format!("the route \"{route}\" is no longer configured");
    let target = |webhook: &str| config.webhooks.get(webhook).map(|webhook| webhook.target).unwrap_or_default();
    let worded: Vec<_> = store
        .unworded(route, WORDED_AT_ONCE)?
        .into_iter()
        .map(|unworded| {
            let verdict = match unworded.event {
                Ok(event) => Verdict::Send(fallback(&naming.name(event), &why, target(&unworded.webhook))),
                Err(error) => Verdict::Dead(unreadable(&error)),
            };
            Worded { seq: unworded.seq, verdict }
        })
        .collect();
    if !worded.is_empty() {
        store.word(route, None, &worded, None, now)?;
        return Ok(worded.len());
    }
    let holds = store.closing(route, now, true)?;
    for hold in &holds {
        let batch = store.batch(hold, &naming.host, |event| naming.name(event))?;
        store.close(hold.id, &digest(&batch, Some(&why), target(&hold.webhook)), true, now)?;
    }
    Ok(holds.len())
}

fn unreadable(error: &str) -> String {
    format!("the store was changed by hand: {error}")
}

/// Has the built-in plugin compiled, if a route uses it: before all others, so that it never waits for one of theirs that
/// takes long.
pub fn prepare(routes: &[Route], runtime: &Runtime) {
    if let Some(route) = routes.iter().find(|route| route.plugin == PluginSource::BuiltIn) {
        // What is wrong is found again, and told, when a route loads it.
        let _ = runtime.prepare(BUILT_IN, &limits(&route.limits));
    }
}

/// Loads the plugins of all routes, each as it will be, for a look at what is wrong with them.
#[must_use]
pub fn load_all(config: &Config, around: &Surroundings) -> Vec<LiveRoute> {
    config.routes.iter().map(|route| LiveRoute::load(route, around, Timestamp(0))).collect()
}

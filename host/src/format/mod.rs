//! The pipeline: each event, past each route, through its plugin and the guard, into the outbox.
//!
//! An alert survives its plugin: whatever goes wrong with one, the event goes out as the built-in plain message
//! that says what. Storms, restarts and backlogs are grouped into digests here (`grouping`). EmptyProvider here knows of networks or
//! threads, and the time is handed in.

mod breaker;
mod digests;
mod grouping;
#[cfg(test)]
mod grouping_tests;
mod history;
mod loaded_route;
#[cfg(test)]
mod tests;
mod webhook_profile;

use std::sync::Arc;

pub use breaker::{Breaker, FAILURES};
pub use loaded_route::{LoadedRoute, PluginFault};
pub use webhook_profile::{WebhookProfile, WebhookProfiles, profiles};

use crate::config::{Config, PluginSource, Route};
use crate::event::{EventDefaults, Timestamp};
use crate::message::{digest, fallback};
use crate::plugin::{BUILT_IN, GeoDatabases, Runtime};
use crate::store::{Disposition, FormattedEvent, StateDir, Store, StoreError};

/// Events that are formatted in one transaction, for the same reason; the worker ends a batch that takes long. None of their
/// messages goes out before all of them are formatted.
const FORMAT_BATCH: usize = 1_024;

/// What routes are loaded with, beside their own configuration.
#[derive(Clone)]
pub struct RouteContext {
    /// What events are called.
    pub defaults: EventDefaults,
    /// What is to be known of each webhook.
    pub profiles: WebhookProfiles,
    /// Where plugins run.
    pub runtime: Arc<Runtime>,
    /// The MMDB files that are open.
    pub databases: GeoDatabases,
    /// Where past bans are; `None`: there were none.
    pub state: Option<StateDir>,
}

/// Words what is left of a route that the configuration has no more, one batch of it: an alert survives its route. Says
/// how many events and digests there were.
///
/// # Errors
/// When the store fails.
pub fn format_removed_route(
    route: &str,
    config: &Config,
    defaults: &EventDefaults,
    store: &mut Store,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let why = format!("the route \"{route}\" is no longer configured");
    let target = |webhook: &str| config.webhooks.get(webhook).map(|webhook| webhook.target).unwrap_or_default();
    let formatted: Vec<_> = store
        .unformatted(route, FORMAT_BATCH)?
        .into_iter()
        .map(|unformatted| {
            let disposition = match unformatted.event {
                Ok(event) => Disposition::Send(fallback(&defaults.apply(event), &why, target(&unformatted.webhook))),
                Err(error) => Disposition::Dead(unreadable(&error)),
            };
            FormattedEvent { seq: unformatted.seq, disposition }
        })
        .collect();
    if !formatted.is_empty() {
        store.record_formatted(route, None, &formatted, None, now)?;
        return Ok(formatted.len());
    }
    let holds = store.digests_to_close(route, now, true)?;
    for hold in &holds {
        let batch = store.digest_batch(hold, &defaults.host, |event| defaults.apply(event))?;
        store.close_digest(hold.id, &digest(&batch, Some(&why), target(&hold.webhook)), true, now)?;
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
        let _ = runtime.prepare(BUILT_IN, &route.limits);
    }
}

/// Loads the plugins of all routes, each as it will be, for a look at what is wrong with them.
#[must_use]
pub fn load_all(config: &Config, context: &RouteContext) -> Vec<LoadedRoute> {
    config.routes.iter().map(|route| LoadedRoute::load(route, context, Timestamp(0))).collect()
}

//! The pipeline: each event, past each route, through its plugin and the guard, into the outbox.
//!
//! An alert survives its plugin: whatever goes wrong with one, the event goes out as the built-in plain message
//! that says what. Nothing here knows of networks or of time; storms, digests and holding belong here as well.

mod route;

use std::collections::BTreeMap;

pub use route::{Fault, LiveRoute, limits};

use crate::config::Config;
use crate::event::{Event, Timestamp};
use crate::plugin::Runtime;
use crate::store::{Routed, Store, StoreError, Waiting};

/// Events that are routed in one transaction: it keeps `notify` waiting no longer than a few inserts take.
const BATCH: usize = 32;

/// All routes, with their plugins loaded.
pub struct Pipeline {
    host: String,
    labels: BTreeMap<String, String>,
    routes: Vec<LiveRoute>,
}

impl Pipeline {
    /// Loads the plugins of all routes. One that cannot be loaded takes no alert with it: see [`Self::faults`].
    #[must_use]
    pub fn load(config: &Config, system_host: &str, runtime: &Runtime) -> Self {
        Self {
            host: config.host.clone().unwrap_or_else(|| system_host.to_owned()),
            labels: config.labels.clone(),
            routes: config.routes.iter().map(|route| LiveRoute::load(route, runtime)).collect(),
        }
    }

    /// What is wrong with the plugins: those that did not load, and what their trial run found.
    pub fn faults(&self) -> impl Iterator<Item = Fault<'_>> {
        self.routes.iter().flat_map(LiveRoute::faults)
    }

    /// Routes what waits in the inbox, one batch of it, or less if `enough` says so after an event. Says how many events
    /// there were; 0: the inbox is empty.
    ///
    /// # Errors
    /// When the store fails; the events of the batch then still wait.
    pub fn advance(
        &self,
        store: &mut Store,
        now: Timestamp,
        mut enough: impl FnMut() -> bool,
    ) -> Result<usize, StoreError> {
        let mut routed: Vec<Routed> = Vec::new();
        for waiting in store.waiting(BATCH)? {
            routed.push(self.decide(waiting));
            if enough() {
                break;
            }
        }
        if !routed.is_empty() {
            store.route(&routed, now)?;
        }
        Ok(routed.len())
    }

    fn decide(&self, Waiting { seq, event }: Waiting) -> Routed {
        let event: Event = match event {
            Ok(event) => event.named(&self.host, &self.labels),
            Err(error) => {
                tracing::error!(event = seq, "set aside as unrouted, since the store was changed by hand: {error}");
                return Routed { seq, outcomes: Vec::new() };
            }
        };
        let wanted = self.routes.iter().filter(|route| route.wants(&event));
        Routed { seq, outcomes: wanted.map(|route| route.decide(&event)).collect() }
    }
}

//! The route that a plugin works for, as host interfaces need to know it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::tz::TimeZone;

use super::grants::Grants;
use super::recorder::Recorder;
use crate::event::Kind;
use crate::store::StateDir;

/// The route that a plugin works for: the same for all of its events.
#[derive(Clone)]
pub struct PluginContext {
    /// The route's name.
    pub route: String,
    /// The host of events that name none.
    pub host: String,
    /// `[routes.settings]`.
    pub settings: BTreeMap<String, String>,
    /// The route's time zone.
    pub timezone: TimeZone,
    /// `[routes.grants]`.
    pub grants: Grants,
    /// The events that the route has received. `None`: none are stored.
    pub events: Option<RouteEvents>,
    /// Takes down what the plugin asks.
    pub recorder: Option<Recorder>,
}

/// The stored events of one route.
#[derive(Clone)]
pub struct RouteEvents {
    /// Where they are stored.
    pub state: StateDir,
    /// The kinds that the route matches.
    pub kinds: BTreeSet<Kind>,
    /// Whether the route matches the jail with this name.
    pub jails: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    /// The one that the plugin decides on.
    pub current: CurrentEvent,
}

/// The event that a route's plugin decides on: it and later ones are not past. Before the first, when standard events are
/// run, all stored events are past.
#[derive(Debug, Clone)]
pub struct CurrentEvent(Arc<AtomicI64>);

/// A route without settings, grants and stored events, in UTC.
impl Default for PluginContext {
    fn default() -> Self {
        Self {
            route: String::new(),
            host: String::new(),
            settings: BTreeMap::new(),
            timezone: TimeZone::UTC,
            grants: Grants::default(),
            events: None,
            recorder: None,
        }
    }
}

impl CurrentEvent {
    /// Before the first event.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicI64::new(i64::MAX)))
    }

    /// The plugin is about to decide on the event with this number; only those received before it are past.
    pub(crate) fn set(&self, event: i64) {
        self.0.store(event, Ordering::Relaxed);
    }

    /// The number that every past event is below.
    pub(super) fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Default for CurrentEvent {
    fn default() -> Self {
        Self::new()
    }
}

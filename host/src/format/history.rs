//! The past bans that a route's plugin may see: those of the route's jails, before the current event.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::config::{Grant, Jails, Route};
use crate::event::{BanQuery, BanSummary, Kind};
use crate::plugin::{EmptyProvider, History, HistoryError};
use crate::store::{HistoryScope, StateDir, Store};

/// The event that a route's plugin is asked about. In the smoke test at load, everything is past.
#[derive(Debug, Clone)]
pub(super) struct CurrentEvent(Arc<AtomicI64>);

/// The history of one route, over a connection of its own.
struct RouteHistory {
    jails: Jails,
    store: Mutex<Store>,
    current_event: CurrentEvent,
}

/// The history of a store that cannot be opened.
struct Unreadable(String);

/// Returns the provider of a route's `history` interface.
pub(super) fn of(route: &Route, state: Option<&StateDir>, current_event: &CurrentEvent) -> Option<Arc<dyn History>> {
    match (route.grants.history, state) {
        (Grant::Absent, _) => None,
        // A route that gets no bans has seen none.
        (Grant::Given(()), Some(state)) if route.events.contains(&Kind::Ban) => Some(match Store::open(state) {
            Ok(store) => Arc::new(RouteHistory {
                jails: route.jails.clone(),
                store: Mutex::new(store),
                current_event: current_event.clone(),
            }),
            Err(error) => Arc::new(Unreadable(error.to_string())),
        }),
        (Grant::Given(()) | Grant::Refused, _) => Some(Arc::new(EmptyProvider)),
    }
}

impl History for RouteHistory {
    fn bans(&self, query: &BanQuery, deadline: Instant) -> Result<BanSummary, HistoryError> {
        // A panic while it was held leaves a connection that is still whole.
        let store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.current_event.0.load(Ordering::Relaxed);
        let scope = HistoryScope { may_see: &|jail| self.jails.contains(jail), before, deadline };
        match store.bans(query, &scope) {
            Ok(Some(summary)) => Ok(summary),
            Ok(None) => Err(HistoryError::TookTooLong),
            Err(error) => Err(HistoryError::Failed(error.to_string())),
        }
    }
}

impl History for Unreadable {
    fn bans(&self, _query: &BanQuery, _deadline: Instant) -> Result<BanSummary, HistoryError> {
        Err(HistoryError::Failed(self.0.clone()))
    }
}

impl CurrentEvent {
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicI64::new(i64::MAX)))
    }

    /// Makes the events that were received before this one the past.
    pub(super) fn set(&self, event: i64) {
        self.0.store(event, Ordering::Relaxed);
    }
}

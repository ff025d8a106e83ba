//! Retention while nothing else is to be done, in small steps; and the note of which events are settled.

use std::time::{Duration, Instant};

use super::error::DaemonError;
use crate::config::Retention;
use crate::event::Timestamp;
use crate::store::{Inbox, RetentionLimits, Store};

/// How often retention is applied.
const PRUNE_INTERVAL: Duration = Duration::from_secs(60);

pub(super) struct Pruner {
    /// Connections that sync, unlike those for routing.
    store: Store,
    inbox: Inbox,
    /// Where the next step begins; 0: at the oldest event, after the interval.
    next: i64,
    last_step_at: Option<Instant>,
}

impl Pruner {
    pub(super) fn new(store: &Store) -> Result<Self, DaemonError> {
        Ok(Self { store: store.new_connection()?, inbox: store.open_inbox()?, next: 0, last_step_at: None })
    }

    /// Takes a step if it is time for one. Returns whether there is more to do.
    pub(super) fn step(&mut self, retention: &Retention, now: Timestamp) -> Result<bool, DaemonError> {
        if self.next == 0 && self.last_step_at.is_some_and(|at| at.elapsed() < PRUNE_INTERVAL) {
            return Ok(false);
        }
        self.last_step_at = Some(Instant::now());
        self.inbox.record_settled(self.store.settled_through()?)?;
        let since = |age: Duration| now.plus_ms(i64::try_from(age.as_millis()).unwrap_or(i64::MAX).saturating_neg());
        let limits = RetentionLimits {
            events_since: since(retention.history),
            max_events: retention.events,
            dead_since: since(retention.dead_message_max_age),
            max_dead: retention.dead_message_max_count,
        };
        let pruned = self.store.prune(&mut self.inbox, &limits, self.next)?;
        self.next = pruned.next_after;
        Ok(pruned.next_after > 0)
    }
}

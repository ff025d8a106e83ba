//! What is past its time goes, a little at a time while nothing else is to be done; and how far events are over is noted.

use std::time::{Duration, Instant};

use super::DaemonError;
use crate::config::Retention;
use crate::event::Timestamp;
use crate::store::{Inbox, RetentionLimits, Store};

/// How often it is looked for.
const EVERY: Duration = Duration::from_secs(60);

pub(super) struct Pruner {
    /// Connections that sync, which those for routing do not.
    store: Store,
    inbox: Inbox,
    /// Up to where the inbox has been looked at; 0: to its end.
    from: i64,
    at: Option<Instant>,
}

impl Pruner {
    pub(super) fn new(store: &Store) -> Result<Self, DaemonError> {
        Ok(Self { store: store.new_connection()?, inbox: store.open_inbox()?, from: 0, at: None })
    }

    /// Takes a step if it is time for one. Says whether there is more.
    pub(super) fn step(&mut self, retention: &Retention, now: Timestamp) -> Result<bool, DaemonError> {
        if self.from == 0 && self.at.is_some_and(|at| at.elapsed() < EVERY) {
            return Ok(false);
        }
        self.at = Some(Instant::now());
        self.inbox.record_settled(self.store.settled_through()?)?;
        let since = |age: Duration| now.plus_ms(i64::try_from(age.as_millis()).unwrap_or(i64::MAX).saturating_neg());
        let keep = RetentionLimits {
            events_since: since(retention.history),
            max_events: retention.events,
            dead_since: since(retention.dead_message_max_age),
            max_dead: retention.dead_message_max_count,
        };
        let pruned = self.store.prune(&mut self.inbox, &keep, self.from)?;
        self.from = pruned.next;
        Ok(pruned.next > 0)
    }
}

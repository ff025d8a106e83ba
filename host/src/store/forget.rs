//! Forgets a subject: what is stored of it is blanked, and what was stored in pages and logs that are free by now is
//! overwritten. Its events stay, without what they said, so the ledger counts them as before.
//!
//! It works while a daemon runs. Only what is settled is forgotten: an alert that is still to be sent would be lost.

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::error::StoreError;
use super::store::Store;
use super::traces::{Traced, Traces};
use super::{
    checkpoints, history, inbox, ledger, messages, mutes, plugins, recent_posts, routed_events, routing_cursor,
    webhooks,
};
use crate::event::Timestamp;

/// What was forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Forgotten {
    /// Events that are blanked, or from whose log lines it was removed.
    pub events: usize,
    /// Messages that were dropped for it.
    pub dropped: Vec<i64>,
    /// Mutes that were removed.
    pub mutes: usize,
}

/// Why nothing was forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct StillNeeded {
    /// Events that are not formatted yet, or are in an open digest.
    pub events: usize,
    /// Messages that are ready or dead, and would have to be dropped.
    pub messages: BTreeSet<i64>,
}

impl Store {
    /// Forgets everything of a subject that is settled. `drop`: drops messages that have it and are ready or dead.
    ///
    /// # Errors
    /// When the store fails; then nothing has changed.
    pub(crate) fn forget(
        &mut self,
        traces: &Traces,
        drop: bool,
        now: Timestamp,
    ) -> Result<Result<Forgotten, StillNeeded>, StoreError> {
        let mut unreceived = 0;
        self.unreceived_events(|event| {
            unreceived += usize::from(event.is_ok_and(|event| traces.blanked(&event).is_some()))
        })?;
        if unreceived > 0 {
            return Ok(Err(StillNeeded { events: unreceived, ..StillNeeded::default() }));
        }
        self.database.overwrite_deleted()?;
        self.database.write("forget a subject", |transaction| {
            let events = inbox::with_traces(transaction, traces)?;
            let needed = still_needed(transaction, traces, &events)?;
            if needed.events > 0 || !drop && !needed.messages.is_empty() {
                return Ok(Err(needed));
            }
            for message in &needed.messages {
                messages::drop_one(transaction, *message, now)?;
            }
            for event in &events {
                history::remove(transaction, &event.jail, event.at, event.seq)?;
                inbox::blank(transaction, event)?;
                routed_events::forget_name(transaction, event.seq)?;
                messages::forget_threads(transaction, event.seq)?;
            }
            let has = |text: &str| traces.are_in(text);
            routed_events::blank(transaction, has)?;
            messages::blank(transaction, has)?;
            plugins::blank(transaction, has)?;
            webhooks::blank(transaction, has)?;
            checkpoints::blank(transaction, has)?;
            recent_posts::forget(transaction, has)?;
            let mutes = mutes::remove_with(transaction, has)?;
            ledger::count_forgetting(transaction)?;
            Ok(Ok(Forgotten { events: events.len(), dropped: needed.messages.into_iter().collect(), mutes }))
        })
    }

    /// Returns how often something was forgotten.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn forgettings(&self) -> Result<i64, StoreError> {
        self.database.read("look whether something was forgotten", ledger::forgettings)
    }

    /// Writes the whole database again, without what was deleted from it before, and empties the write-ahead log. Needs as much
    /// free space as the database has. Returns false if the log was in use all the time.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn overwrite_free_pages(&mut self) -> Result<bool, StoreError> {
        self.database.vacuum()
    }
}

fn still_needed(connection: &Connection, traces: &Traces, events: &[Traced]) -> rusqlite::Result<StillNeeded> {
    let last_routed = routing_cursor::last_routed(connection)?;
    let mut needed = StillNeeded { events: 0, messages: messages::with_body(connection, |text| traces.are_in(text))? };
    for event in events {
        let unsettled = routed_events::unsettled(connection, event.seq)?;
        let is_open = event.seq > last_routed || unsettled.iter().any(Option::is_none);
        needed.events += usize::from(is_open);
        needed.messages.extend(unsettled.into_iter().flatten());
    }
    Ok(needed)
}

#[cfg(test)]
#[path = "forget_tests.rs"]
mod tests;

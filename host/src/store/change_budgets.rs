//! The table `change_budgets`: what changes of messages have used of the rate that all webhooks with one token share.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::error::StoreError;
use super::store::Store;
use crate::event::Timestamp;

/// What changes have used of their rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ChangeBudget {
    /// When one more change is within the rate, ignoring the burst: as in `WebhookState`.
    pub next_slot_at: Timestamp,
    /// No message is changed before this.
    pub backoff_until: Timestamp,
}

impl Store {
    /// Returns a budget.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn change_budget(&self, budget: &str) -> Result<ChangeBudget, StoreError> {
        self.database.read("read the rate of changes", |connection| read(connection, budget))
    }

    /// Records a budget.
    #[cfg(test)]
    pub(crate) fn record_change_budget(&mut self, budget: &str, state: ChangeBudget) -> Result<(), StoreError> {
        self.database.write("record the rate of changes", |transaction| record(transaction, budget, state))
    }

    /// Has no message changed before a time.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn back_off_changes(&mut self, budget: &str, until: Timestamp) -> Result<(), StoreError> {
        self.database.write("record the rate of changes", |transaction| {
            let state = ChangeBudget { backoff_until: until, ..read(transaction, budget)? };
            record(transaction, budget, state)
        })
    }
}

/// Reads a budget.
pub(super) fn read(connection: &Connection, budget: &str) -> rusqlite::Result<ChangeBudget> {
    let found = connection
        .prepare_cached("SELECT next_slot_at, backoff_until FROM change_budgets WHERE budget = ?")?
        .query_row([budget], |row| {
            // A damaged one is lost: messages are changed at once.
            Ok(ChangeBudget {
                next_slot_at: Timestamp(row.get(0).unwrap_or_default()),
                backoff_until: Timestamp(row.get(1).unwrap_or_default()),
            })
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// Records a budget.
pub(super) fn record(transaction: &Transaction<'_>, budget: &str, state: ChangeBudget) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT OR REPLACE INTO change_budgets (budget, next_slot_at, backoff_until) VALUES (?, ?, ?)")?
        .execute(params![budget, state.next_slot_at.0, state.backoff_until.0])
        .map(drop)
}

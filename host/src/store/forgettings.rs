//! How often something was forgotten: what a process keeps in memory of the store may say it still, and is read again then.

use rusqlite::{Connection, OptionalExtension, Transaction};

use super::error::StoreError;
use super::store::Store;

impl Store {
    /// Returns how often something was forgotten.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn forgettings(&self) -> Result<i64, StoreError> {
        self.database.read("look whether something was forgotten", count)
    }
}

/// Returns how often something was forgotten.
pub(super) fn count(connection: &Connection) -> rusqlite::Result<i64> {
    let times = connection
        .prepare_cached("SELECT n FROM pruned WHERE route = '' AND state = 'forgotten'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(times.unwrap_or_default())
}

/// Notes that something is forgotten, in the transaction that does it.
pub(super) fn add(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT INTO pruned VALUES ('', 'forgotten', 1) ON CONFLICT DO UPDATE SET n = n + 1")?
        .execute([])
        .map(drop)
}

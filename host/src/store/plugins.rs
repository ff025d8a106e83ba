//! The table `plugins`: each route's plugin and its state, as the daemon or the last run recorded them, for `status`.

use std::collections::BTreeMap;

use rusqlite::{Transaction, params};
use serde::Serialize;

use super::database::{lossy, stored};
use super::error::StoreError;
use super::store::Store;
use super::traces::blank_texts;
use crate::event::Timestamp;

/// A route's active plugin; this is its JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PluginState {
    /// Its name in messages.
    pub plugin: String,
    /// The SHA-256 of its file, in hexadecimal; `None`: it could not be loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The version that its author gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Since when it is active.
    pub since: Timestamp,
    /// Consecutive failures, up to now.
    pub failures: u32,
    /// Its last failure, or why it could not be loaded; `None` once it works again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// It is not called before this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_until: Option<Timestamp>,
}

/// The query for the routes whose plugins have a state.
pub(super) const ROUTES: &str = "SELECT route FROM plugins";
/// The statement that removes the state of a route's plugin.
pub(super) const REMOVE: &str = "DELETE FROM plugins WHERE route = ?";

/// Blanks failures that `has` accepts.
pub(super) fn blank(transaction: &Transaction<'_>, has: impl Fn(&str) -> bool) -> rusqlite::Result<()> {
    let select = "SELECT route, error FROM plugins WHERE error IS NOT NULL";
    blank_texts(transaction, (select, "UPDATE plugins SET error = '[forgotten]' WHERE route = ?"), has).map(drop)
}

impl Store {
    /// Records the state of a route's plugin.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn record_plugin(&mut self, route: &str, state: &PluginState) -> Result<(), StoreError> {
        self.database.write("record a plugin's state", |transaction| {
            transaction
                .prepare_cached("INSERT OR REPLACE INTO plugins VALUES (?, ?, ?, ?, ?, ?, ?, ?)")?
                .execute(params![
                    route,
                    state.plugin,
                    state.sha256,
                    state.version,
                    state.since.0,
                    state.failures,
                    state.error.as_deref().map(stored),
                    state.paused_until.map(|at| at.0),
                ])
                .map(drop)
        })
    }

    /// Returns the plugins by route.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn plugins(&self) -> Result<BTreeMap<String, PluginState>, StoreError> {
        self.database.read("read the plugins' state", |connection| {
            connection
                .prepare_cached(
                    "SELECT route, plugin, sha256, version, since, failures, error, paused_until FROM plugins",
                )?
                .query_map([], |row| {
                    let state = PluginState {
                        plugin: lossy(row, 1)?.unwrap_or_default(),
                        sha256: lossy(row, 2)?,
                        version: lossy(row, 3)?,
                        since: Timestamp(row.get(4).unwrap_or_default()),
                        failures: row.get(5).unwrap_or_default(),
                        error: lossy(row, 6)?,
                        paused_until: row.get(7).unwrap_or(None::<i64>).map(Timestamp),
                    };
                    Ok((lossy(row, 0)?.unwrap_or_default(), state))
                })?
                .collect()
        })
    }
}

//! When each route last had something to post: by that a storm is recognized, also by the next process.

use rusqlite::OptionalExtension;

use super::{Store, StoreError};
use crate::event::Timestamp;

impl Store {
    /// When a route had something to post, newest last.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn recent_posts(&self, route: &str) -> Result<Vec<Timestamp>, StoreError> {
        self.database.read("read when a route posted", |connection| {
            let text: Option<String> = connection
                .prepare_cached("SELECT posts FROM recent_posts WHERE route = ?")?
                .query_row([route], |row| row.get(0))
                .optional()?;
            // What cannot be read was changed by hand; the worst is that a storm is noticed late.
            let times: Vec<i64> = text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
            Ok(times.into_iter().map(Timestamp).collect())
        })
    }
}

/// Writes it down, in the transaction that records what a route made of its events.
pub(super) fn record(
    transaction: &rusqlite::Transaction<'_>,
    route: &str,
    posts: &[Timestamp],
) -> rusqlite::Result<()> {
    let times = serde_json::Value::from(posts.iter().map(|at| at.0).collect::<Vec<_>>()).to_string();
    transaction.prepare_cached("INSERT OR REPLACE INTO recent_posts VALUES (?, ?)")?.execute([route, &times]).map(drop)
}

//! The table `recent_posts`: when each route last had something to post, by which the next process, too, recognizes a storm.

use rusqlite::{OptionalExtension, Transaction};

use super::error::StoreError;
use super::store::Store;
use crate::event::Timestamp;

/// The query for the routes with recent posts.
pub(super) const ROUTES: &str = "SELECT route FROM recent_posts";
/// The statement that removes a route's recent posts.
pub(super) const REMOVE: &str = "DELETE FROM recent_posts WHERE route = ?";

impl Store {
    /// Returns when a route had something to post, newest last.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn recent_posts(&self, route: &str) -> Result<Vec<Timestamp>, StoreError> {
        self.database.read("read when a route posted", |connection| {
            let text: Option<String> = connection
                .prepare_cached("SELECT posts FROM recent_posts WHERE route = ?")?
                .query_row([route], |row| row.get(0))
                .optional()?;
            // Text that cannot be parsed was changed by hand; the worst is that a storm is noticed late.
            let times: Vec<i64> = text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
            Ok(times.into_iter().map(Timestamp).collect())
        })
    }
}

/// Records a route's posts, in the transaction that records its formatted events.
pub(super) fn record(transaction: &Transaction<'_>, route: &str, posts: &[Timestamp]) -> rusqlite::Result<()> {
    let times = serde_json::Value::from(posts.iter().map(|at| at.0).collect::<Vec<_>>()).to_string();
    transaction.prepare_cached("INSERT OR REPLACE INTO recent_posts VALUES (?, ?)")?.execute([route, &times]).map(drop)
}

//! The table `recent_posts`: when each route last had something to post, since when that has been a storm, and what alike posts
//! may follow. By it the next process, too, recognizes a storm, and how long one lasts.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Transaction};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::database::lossy;
use super::error::StoreError;
use super::ledger;
use super::store::Store;
use super::traces::blank_texts;
use crate::event::Timestamp;

/// The query for the routes with recent posts.
pub(super) const ROUTES: &str = "SELECT route FROM recent_posts";
/// The statement that removes a route's recent posts.
pub(super) const REMOVE: &str = "DELETE FROM recent_posts WHERE route = ?";

/// When a route had something to post.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PostTimes {
    /// The last posts, newest last.
    pub posts: Vec<Timestamp>,
    /// When the storm began; `None`: there is none.
    pub storm_since: Option<Timestamp>,
    /// The series that go on, by their keys.
    pub series: BTreeMap<String, Series>,
    /// How often something had been forgotten when they were read.
    pub forgettings: i64,
}

/// Posts that are alike, of which the first went out by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// An event of the message that tells of it, and that a later one may change.
    pub event: i64,
    /// The host of the first.
    pub host: String,
    /// When the first went out.
    pub since: Timestamp,
    /// Until when others join it, unless one more does.
    pub until: Timestamp,
    /// Whether others have.
    pub has_followers: bool,
}

impl Store {
    /// Returns when a route had something to post.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn recent_posts(&self, route: &str) -> Result<PostTimes, StoreError> {
        self.database.read("read when a route posted", |connection| {
            // First: what is forgotten then is forgotten in them, or they are read again.
            let forgettings = ledger::forgettings(connection)?;
            let text = connection
                .prepare_cached("SELECT posts FROM recent_posts WHERE route = ?")?
                .query_row([route], |row| lossy(row, 0))
                .optional()?;
            // Text that cannot be parsed is damaged; the worst is that a storm is noticed late.
            let stored: Value = text.flatten().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
            let times = stored.get("posts").and_then(Value::as_array).into_iter().flatten();
            let storm_since = stored.get("storm_since").and_then(Value::as_i64).map(Timestamp);
            let series = stored.get("series").and_then(|series| BTreeMap::deserialize(series).ok()).unwrap_or_default();
            let posts = times.filter_map(Value::as_i64).map(Timestamp).collect();
            Ok(PostTimes { posts, storm_since, series, forgettings })
        })
    }

    /// Records a route's posts, unless something was forgotten since they were read: they may say it.
    ///
    /// # Errors
    /// When the store fails; then nothing has changed.
    pub(crate) fn record_posts(&mut self, route: &str, posts: &PostTimes) -> Result<(), StoreError> {
        self.database.write("record when a route posted", |transaction| record(transaction, route, posts))
    }
}

/// Records a route's posts, in the transaction that records its formatted events, unless something was forgotten since they
/// were read.
pub(super) fn record(transaction: &Transaction<'_>, route: &str, posts: &PostTimes) -> rusqlite::Result<()> {
    if ledger::forgettings(transaction)? != posts.forgettings {
        return Ok(());
    }
    let posted: Vec<i64> = posts.posts.iter().map(|at| at.0).collect();
    let mut times = json!({ "posts": posted, "storm_since": posts.storm_since.map(|at| at.0) });
    if let Some(times) = times.as_object_mut().filter(|_| !posts.series.is_empty()) {
        times.insert("series".to_owned(), json!(posts.series));
    }
    let times = times.to_string();
    transaction.prepare_cached("INSERT OR REPLACE INTO recent_posts VALUES (?, ?)")?.execute([route, &times]).map(drop)
}

/// Forgets the recent posts of routes on which `has` accepts a series: a storm is noticed late at worst.
pub(super) fn forget(transaction: &Transaction<'_>, has: impl Fn(&str) -> bool) -> rusqlite::Result<()> {
    blank_texts(transaction, ("SELECT route, posts FROM recent_posts", REMOVE), has).map(drop)
}

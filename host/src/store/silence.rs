//! When a route last heard of a ban, and when a log last grew: for those that want to know when nothing happens.

use rusqlite::OptionalExtension;

use super::error::StoreError;
use super::store::Store;
use crate::event::Timestamp;

impl Store {
    /// Returns when the newest ban was received of the jails that may be seen; `None`: none is stored.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn last_ban_received(&self, may_see: &dyn Fn(&str) -> bool) -> Result<Option<Timestamp>, StoreError> {
        self.database.read("read the last ban", |connection| {
            let mut of_jail = connection.prepare_cached(
                "SELECT received_at FROM events WHERE seq = (SELECT event FROM bans WHERE jail = ? ORDER BY at DESC, event DESC LIMIT 1)",
            )?;
            let mut jails = connection.prepare_cached("SELECT name FROM jails")?;
            let mut rows = jails.query([])?;
            let mut last = None;
            while let Some(row) = rows.next()? {
                let jail = row.get_ref(0)?.as_str()?;
                if may_see(jail) {
                    let received = of_jail.query_row([jail], |row| row.get(0)).optional()?;
                    last = last.max(received.map(Timestamp));
                }
            }
            Ok(last)
        })
    }

    /// Returns when a log that is followed last grew; `None`: none is.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn logs_grew_at(&self) -> Result<Option<Timestamp>, StoreError> {
        self.database.read("read when a log grew", |connection| {
            let at: Option<i64> = connection
                .prepare_cached("SELECT max(moved_at) FROM logs JOIN checkpoints ON id = checkpoint WHERE followed")?
                .query_row([], |row| row.get(0))?;
            Ok(at.map(Timestamp))
        })
    }
}

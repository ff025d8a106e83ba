//! When a route last heard of a ban, and when a log last grew: for those that want to know when nothing happens.

use rusqlite::params;

use super::error::StoreError;
use super::store::Store;
use crate::event::Timestamp;

impl Store {
    /// Returns when the newest ban was received of the jails that may be seen; `None`: none is stored. `now` is the time: bans
    /// whose own times are later, by a clock that is ahead, do not hide the others.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn last_ban_received(
        &self,
        may_see: &dyn Fn(&str) -> bool,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        self.database.read("read the last ban", |connection| {
            let mut of_jail = connection.prepare_cached(
                "SELECT max(received_at) FROM events WHERE seq IN (
                     (SELECT event FROM bans WHERE jail = ?1 AND at <= ?2 ORDER BY at DESC, event DESC LIMIT 1),
                     (SELECT max(event) FROM bans WHERE jail = ?1 AND at > ?2))",
            )?;
            let mut jails = connection.prepare_cached("SELECT name FROM jails")?;
            let mut rows = jails.query([])?;
            let mut last = None;
            while let Some(row) = rows.next()? {
                let jail = row.get_ref(0)?.as_str()?;
                if may_see(jail) {
                    let received: Option<i64> = of_jail.query_row(params![jail, now.0], |row| row.get(0))?;
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

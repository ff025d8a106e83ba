//! The table `reports`: for each report the day of the last one, for each route that watches for silence what was said last;
//! and what a report says of messages.

use std::time::Instant;

use rusqlite::{OptionalExtension, params};

use super::database::lossy;
use super::error::StoreError;
use super::history::DEADLINE_CHECK_ROWS;
use super::outbox::Notice;
use super::store::Store;
use crate::event::Timestamp;

/// What became of a route's messages in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Deliveries {
    /// Messages that were accepted.
    pub delivered: u64,
    /// Messages that died and are dead.
    pub dead: u64,
    /// Within how many ms half of the messages about one event were accepted, counted from when the event was received.
    pub median_ms: Option<u64>,
}

impl Store {
    /// Returns the day of the last report; `None`: there was none.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn last_report(&self, report: &str) -> Result<Option<String>, StoreError> {
        self.database.read("read the last report", |connection| {
            let day = connection
                .prepare_cached("SELECT day FROM reports WHERE name = ?")?
                .query_row([report], |row| lossy(row, 0))
                .optional()?;
            Ok(day.flatten())
        })
    }

    /// Records the day of a report together with its message; `None`: there is no message.
    ///
    /// # Errors
    /// When the store fails; then the report is still due.
    pub(crate) fn record_report(
        &mut self,
        report: &str,
        day: &str,
        message: Option<&Notice>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.database.write("record a report", |transaction| {
            transaction
                .prepare_cached("INSERT OR REPLACE INTO reports (name, day) VALUES (?, ?)")?
                .execute([report, day])?;
            // One that waits for its webhook is out of date.
            message.map_or(Ok(()), |message| message.replace(transaction, now))
        })
    }

    /// Forgets reports that are no longer configured: should they be again, they are due next and not now.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn keep_reports(&mut self, reports: &[String]) -> Result<(), StoreError> {
        self.database.write("forget old reports", |transaction| {
            transaction
                .prepare_cached("DELETE FROM reports WHERE name NOT IN (SELECT value FROM json_each(?))")?
                .execute([serde_json::json!(reports).to_string()])
                .map(drop)
        })
    }

    /// Returns when the oldest event that is stored was received.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn oldest_event_at(&self) -> Result<Option<Timestamp>, StoreError> {
        self.database.read("read the oldest event", |connection| {
            connection
                .prepare_cached("SELECT received_at FROM events ORDER BY seq LIMIT 1")?
                .query_row([], |row| Ok(Timestamp(row.get(0).unwrap_or_default())))
                .optional()
        })
    }

    /// Counts a route's messages that ended in a period. `None`: at the deadline there were more to look at.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn deliveries(
        &self,
        route: &str,
        (from, to): (Timestamp, Timestamp),
        deadline: Instant,
    ) -> Result<Option<Deliveries>, StoreError> {
        self.database.read("count the messages of a period", |connection| {
            // No index has them: each row is looked at, so that the deadline is, too.
            let mut statement = connection.prepare(
                "SELECT route = ? AND finished_at BETWEEN ? AND ? AND state IN ('posted', 'digested', 'dead'), state = 'dead',
                     CASE WHEN state = 'posted' THEN finished_at - age_starts_at END FROM messages",
            )?;
            let mut rows = statement.query(params![route, from.0, to.0])?;
            let (mut found, mut times, mut seen) = (Deliveries::default(), Vec::new(), 0_u32);
            while let Some(row) = rows.next()? {
                seen = seen.wrapping_add(1);
                if seen.is_multiple_of(DEADLINE_CHECK_ROWS) && Instant::now() > deadline {
                    return Ok(None);
                }
                if row.get::<_, Option<bool>>(0)? != Some(true) {
                    continue;
                }
                *if row.get(1)? { &mut found.dead } else { &mut found.delivered } += 1;
                let time = row.get::<_, Option<i64>>(2).unwrap_or_default();
                times.extend(time.and_then(|time| u64::try_from(time).ok()));
            }
            times.sort_unstable();
            found.median_ms = times.get(times.len() / 2).copied();
            Ok(Some(found))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::StateDir;

    #[test]
    fn deliveries_of_a_period_are_counted_until_the_deadline() {
        let temp = tempfile::tempdir().unwrap();
        let folder = StateDir::new(temp.path().join("state"));
        folder.create().unwrap();
        let lock = folder.try_work_lock().unwrap().unwrap();
        let store = Store::open_for_work(&folder, &lock).unwrap();
        let insert = "WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 999)
            INSERT INTO messages (route, webhook, state, events, age_starts_at, finished_at)
            SELECT iif(n % 10 = 0, 'rest', 'all'), 'main', iif(n % 100 = 1, 'dead', 'posted'), 0, n, n + n % 7 FROM n";
        store
            .new_connection()
            .unwrap()
            .database
            .write("insert", |transaction| transaction.execute(insert, []))
            .unwrap();
        let soon = || Instant::now() + Duration::from_secs(60);
        let count = |to: i64, deadline| store.deliveries("all", (Timestamp(0), Timestamp(to)), deadline).unwrap();
        assert_eq!(count(2_000, soon()), Some(Deliveries { delivered: 890, dead: 10, median_ms: Some(3) }));
        assert_eq!(count(0, soon()), Some(Deliveries::default()));
        assert_eq!(count(2_000, Instant::now()), None);
    }
}

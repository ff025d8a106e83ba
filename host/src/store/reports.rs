//! The table `reports`: for each report the day of the last one, for each route that watches for silence what was said last;
//! and what a report says of messages.

use rusqlite::{OptionalExtension, params};

use super::database::lossy;
use super::error::StoreError;
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

    /// Counts a route's messages that ended in a period.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn deliveries(&self, route: &str, from: Timestamp, to: Timestamp) -> Result<Deliveries, StoreError> {
        self.database.read("count the messages of a period", |connection| {
            let mut statement = connection.prepare(
                "SELECT state, CASE WHEN state = 'posted' THEN finished_at - age_starts_at END FROM messages
                 WHERE route = ? AND finished_at BETWEEN ? AND ? AND state IN ('posted', 'digested', 'dead')",
            )?;
            let mut rows = statement.query(params![route, from.0, to.0])?;
            let (mut found, mut times) = (Deliveries::default(), Vec::new());
            while let Some(row) = rows.next()? {
                if row.get_ref(0)?.as_str()? == "dead" {
                    found.dead += 1;
                } else {
                    found.delivered += 1;
                }
                times
                    .extend(row.get::<_, Option<i64>>(1).unwrap_or_default().and_then(|time| u64::try_from(time).ok()));
            }
            times.sort_unstable();
            found.median_ms = times.get(times.len() / 2).copied();
            Ok(found)
        })
    }
}

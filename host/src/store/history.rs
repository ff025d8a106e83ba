//! Past bans, for plugins that query the history. Writes the tables `bans` and `jails`.
//!
//! A new ban is recorded in the transaction that routes its event. Each query is one statement over one index that covers it,
//! and ends early at its deadline: to read a year of bans of every jail takes longer than formatting an event may.

use std::collections::BTreeSet;
use std::time::Instant;

use rusqlite::{Connection, ToSql, Transaction, params};

use super::error::StoreError;
use super::store::Store;
use crate::event::{BanQuery, BanSummary, PastBan, SubjectQuery, Tally, Timestamp};

/// Rows between two comparisons with the deadline: some 100 µs.
pub(super) const DEADLINE_CHECK_ROWS: u32 = 256;

/// How many jails are listed; fail2ban has some hundred at most.
const MAX_JAILS: u32 = 10_000;

/// The columns and bounds that all queries share. The jails are a JSON list.
macro_rules! ban_query {
    ($from:literal, $which:literal) => {
        concat!(
            "SELECT at, host, jail, subject FROM ",
            $from,
            " WHERE ",
            $which,
            " AND jail IN (SELECT value FROM json_each(?1)) AND at BETWEEN ?2 AND ?3 AND event < ?4"
        )
    };
}

/// The bans of one subject.
pub(super) const OF_SUBJECT: &str =
    ban_query!("bans INDEXED BY bans_of_subject", "subject = ?5 AND host = ifnull(?6, host)");
/// The bans of the subjects in a range of texts.
pub(super) const OF_NETWORK: &str =
    ban_query!("bans INDEXED BY bans_of_subject", "subject >= ?5 AND subject < ?7 AND host = ifnull(?6, host)");
/// The bans of one host.
pub(super) const OF_HOST: &str = ban_query!("bans INDEXED BY bans_of_host", "?5 IS NULL AND host = ?6");
/// The bans of jails; the table is its own index.
pub(super) const OF_JAILS: &str = ban_query!("bans", "?5 IS NULL AND ?6 IS NULL");

/// The bans that a query may see, and its deadline.
pub(crate) struct HistoryScope<'a> {
    /// Returns whether a jail's bans may be seen.
    pub may_see: &'a dyn Fn(&str) -> bool,
    /// Only bans whose events were received before this one may be seen.
    pub before: i64,
    /// When the query ends without an answer.
    pub deadline: Instant,
}

impl Store {
    /// Returns a summary of past bans; `None` at the deadline.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn bans(&self, query: &BanQuery, scope: &HistoryScope<'_>) -> Result<Option<BanSummary>, StoreError> {
        self.database.read("read the history", |connection| {
            let mut tally = Tally::default();
            let complete = each_ban(connection, query, scope, |at, host, jail, subject| {
                tally.add(at, host, jail, subject);
            })?;
            Ok(complete.then(|| tally.finish()))
        })
    }

    /// Calls `each` with every past ban that a query selects: when, on which host, in which jail, whom. False: at the deadline
    /// there were more.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn each_past_ban(
        &self,
        query: &BanQuery,
        scope: &HistoryScope<'_>,
        each: impl FnMut(Timestamp, &str, &str, &str),
    ) -> Result<bool, StoreError> {
        self.database.read("read the history", |connection| each_ban(connection, query, scope, each))
    }

    /// Returns the latest of the past bans that a query selects, at most this many, oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn past_bans(
        &self,
        query: &BanQuery,
        scope: &HistoryScope<'_>,
        at_most: usize,
    ) -> Result<Vec<PastBan>, StoreError> {
        self.database.read("read the history", |connection| {
            let mut bans = Vec::new();
            each_ban(connection, query, scope, |at, host, jail, subject| {
                let [host, jail, subject] = [host, jail, subject].map(str::to_owned);
                bans.push(PastBan { at, host, jail, subject });
            })?;
            bans.sort_by_key(|ban| ban.at);
            Ok(bans.split_off(bans.len().saturating_sub(at_most)))
        })
    }
}

impl Store {
    /// Returns the names of the jails that were ever banned in, started or stopped, as far as that is stored.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn known_jails(&self) -> Result<Vec<String>, StoreError> {
        let mut jails: BTreeSet<String> = self.database.read("read the jails", |connection| {
            connection
                // Events without a subject have an index of their own, and each jail has some of them.
                .prepare(
                    "SELECT name FROM jails UNION SELECT jail FROM events WHERE subject = '' AND jail <> '' LIMIT ?",
                )?
                .query_map([MAX_JAILS], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()
        })?;
        self.unreceived_events(|event| jails.extend(event.map(|event| event.jail)))?;
        Ok(jails.into_iter().collect())
    }
}

/// Reads the past bans that a query selects; false at the deadline.
fn each_ban(
    connection: &Connection,
    query: &BanQuery,
    scope: &HistoryScope<'_>,
    mut each: impl FnMut(Timestamp, &str, &str, &str),
) -> rusqlite::Result<bool> {
    let jails = jails(connection, query, scope)?;
    let since = query.since.map_or(i64::MIN, |since| since.0);
    let range = query.subject.as_ref().and_then(SubjectQuery::text_range).unzip();
    let (from, to) = match &query.subject {
        Some(SubjectQuery::Exact(subject)) => (Some(subject.clone()), None),
        Some(SubjectQuery::Network(_)) | None => range,
    };
    let mut statement = connection.prepare_cached(statement(query, to.is_some()))?;
    // The last parameter is in one statement alone.
    let needed = statement.parameter_count();
    let parameters = [&jails as &dyn ToSql, &since, &query.until.0, &scope.before, &from, &query.host, &to];
    let mut rows = statement.query(parameters.get(..needed).unwrap_or(&parameters))?;
    let mut seen = 0_u32;
    while let Some(row) = rows.next()? {
        let text = |column| Ok::<_, rusqlite::Error>(row.get_ref(column)?.as_str()?);
        let subject = text(3)?;
        if query.subject.as_ref().is_none_or(|asked| asked.matches(subject)) {
            each(Timestamp(row.get(0)?), text(1)?, text(2)?, subject);
        }
        seen = seen.wrapping_add(1);
        if seen.is_multiple_of(DEADLINE_CHECK_ROWS) && Instant::now() > scope.deadline {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Returns the jails that the query selects and may see, as a JSON list.
fn jails(connection: &Connection, query: &BanQuery, scope: &HistoryScope<'_>) -> rusqlite::Result<String> {
    let mut jails = Vec::new();
    if let Some(jail) = &query.jail {
        jails.extend((scope.may_see)(jail).then(|| jail.clone()));
    } else {
        let mut statement = connection.prepare_cached("SELECT name FROM jails")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let jail = row.get_ref(0)?.as_str()?;
            jails.extend((scope.may_see)(jail).then(|| jail.to_owned()));
        }
    }
    Ok(serde_json::Value::from(jails).to_string())
}

/// Returns the statement that reads the fewest rows.
const fn statement(query: &BanQuery, has_range: bool) -> &'static str {
    match (&query.subject, &query.host) {
        (Some(SubjectQuery::Exact(_)), _) => OF_SUBJECT,
        (Some(SubjectQuery::Network(_)), _) if has_range => OF_NETWORK,
        (_, Some(_)) => OF_HOST,
        (_, None) => OF_JAILS,
    }
}

/// Records the bans of events.
pub(super) fn record<'a>(
    transaction: &Transaction<'_>,
    bans: impl IntoIterator<Item = (i64, &'a PastBan)>,
) -> rusqlite::Result<()> {
    let mut bans: Vec<_> = bans.into_iter().collect();
    let jails: BTreeSet<_> = bans.iter().map(|(_, ban)| ban.jail.as_str()).collect();
    let mut insert = transaction.prepare_cached("INSERT OR IGNORE INTO jails VALUES (?)")?;
    jails.into_iter().try_for_each(|jail| insert.execute([jail]).map(drop))?;
    // In the order of the index that scatters them most, so that consecutive rows go to the same page of it.
    bans.sort_by(|(_, a), (_, b)| a.subject.cmp(&b.subject));
    let mut insert =
        transaction.prepare_cached("INSERT INTO bans (event, at, host, jail, subject) VALUES (?, ?, ?, ?, ?)")?;
    bans.into_iter().try_for_each(|(event, ban)| {
        insert.execute(params![event, ban.at.0, ban.host, ban.jail, ban.subject]).map(drop)
    })
}

/// Removes the ban of an event that retention removes, if it had one.
pub(super) fn remove(transaction: &Transaction<'_>, jail: &str, at: i64, event: i64) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("DELETE FROM bans WHERE jail = ? AND at = ? AND event = ?")?
        .execute(params![jail, at, event])
        .map(drop)
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;

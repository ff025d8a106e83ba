//! Past bans, for plugins that ask what happened before.
//!
//! A new ban is recorded in the transaction that assigns its event to routes. Each question is one statement over one index that
//! covers it, and ends early when its time is up: an index over a year of bans of every jail takes longer than an event may.

use std::collections::BTreeSet;
use std::time::Instant;

use rusqlite::{Connection, Transaction, params};

use super::{Store, StoreError};
use crate::event::{BanQuery, BanSummary, PastBan, Tally, Timestamp};

/// Rows between two looks at the clock: some 100 µs.
const ROWS_BETWEEN_LOOKS: u32 = 256;

/// The columns and bounds that all questions share. The jails come as a JSON list.
macro_rules! question {
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

/// Of one subject.
pub(super) const OF_SUBJECT: &str =
    question!("bans INDEXED BY bans_of_subject", "subject = ?5 AND host = ifnull(?6, host)");
/// Of one host.
pub(super) const OF_HOST: &str = question!("bans INDEXED BY bans_of_host", "?5 IS NULL AND host = ?6");
/// Of jails; the table is its own index.
pub(super) const OF_JAILS: &str = question!("bans", "?5 IS NULL AND ?6 IS NULL");

/// Which bans may be seen, and for how long they may be looked for.
pub struct HistoryScope<'a> {
    /// Whether a jail's bans may be seen.
    pub may_see: &'a dyn Fn(&str) -> bool,
    /// Only of events that were taken in before this one.
    pub before: i64,
    /// When an answer would come too late.
    pub deadline: Instant,
}

impl Store {
    /// Past bans, summed up; `None`: the time was up.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn bans(&self, query: &BanQuery, scope: &HistoryScope<'_>) -> Result<Option<BanSummary>, StoreError> {
        self.database.read("read the history", |connection| read_bans(connection, query, scope))
    }
}

fn read_bans(
    connection: &Connection,
    query: &BanQuery,
    scope: &HistoryScope<'_>,
) -> rusqlite::Result<Option<BanSummary>> {
    let mut tally = Tally::default();
    let jails = jails(connection, query, scope)?;
    let since = query.since.map_or(i64::MIN, |since| since.0);
    let mut statement = connection.prepare_cached(statement(query))?;
    let mut rows = statement.query(params![jails, since, query.until.0, scope.before, query.subject, query.host])?;
    let mut seen = 0_u32;
    while let Some(row) = rows.next()? {
        let text = |column| Ok::<_, rusqlite::Error>(row.get_ref(column)?.as_str()?);
        tally.add(Timestamp(row.get(0)?), text(1)?, text(2)?, text(3)?);
        seen = seen.wrapping_add(1);
        if seen.is_multiple_of(ROWS_BETWEEN_LOOKS) && Instant::now() > scope.deadline {
            return Ok(None);
        }
    }
    Ok(Some(tally.finish()))
}

/// The jails to look in, as a JSON list.
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

/// The statement that finds the fewest rows.
const fn statement(query: &BanQuery) -> &'static str {
    match (&query.subject, &query.host) {
        (Some(_), _) => OF_SUBJECT,
        (None, Some(_)) => OF_HOST,
        (None, None) => OF_JAILS,
    }
}

/// Remembers the bans of events.
pub(super) fn record<'a>(
    transaction: &Transaction<'_>,
    bans: impl IntoIterator<Item = (i64, &'a PastBan)>,
) -> rusqlite::Result<()> {
    let mut bans: Vec<_> = bans.into_iter().collect();
    let jails: BTreeSet<_> = bans.iter().map(|(_, ban)| ban.jail.as_str()).collect();
    let mut enter = transaction.prepare_cached("INSERT OR IGNORE INTO jails VALUES (?)")?;
    jails.into_iter().try_for_each(|jail| enter.execute([jail]).map(drop))?;
    // In the order of the index that scatters them most, so that one after another goes to the same page of it.
    bans.sort_by(|(_, a), (_, b)| a.subject.cmp(&b.subject));
    let mut enter =
        transaction.prepare_cached("INSERT INTO bans (event, at, host, jail, subject) VALUES (?, ?, ?, ?, ?)")?;
    bans.into_iter()
        .try_for_each(|(event, ban)| enter.execute(params![event, ban.at.0, ban.host, ban.jail, ban.subject]).map(drop))
}

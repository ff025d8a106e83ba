//! Open digests: which are to be closed, what is in them, and how they close. Also the backlog of a webhook, which becomes
//! one.
//!
//! Only the worker of a route adds to its open digests and closes them, so nothing joins one while it is formatted.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::checksum::{self, DAMAGED, event_columns, parse_event};
use super::database::{lossy, sql_limit};
use super::digest_counts::LivingCounts;
use super::digest_writer::{Closes, DigestKey, DigestWriter, MAX_DIGEST_EVENTS};
use super::error::StoreError;
use super::store::Store;
use super::{digest_counts, messages, routed_events};
use crate::event::{Batch, DigestCause, Event, Kind, LISTED_FIRST, LISTED_LAST, Timestamp, Totals};
use crate::message::Guarded;

/// The most digests that one query returns: a plugin may hold each event by itself, and the route's worker looks between
/// two queries whether to stop.
const CLOSE_BATCH: i64 = 32;

/// How long after the last event of a digest a stop or start still belongs to it, in ms: as long as the digest of a restart
/// is open. A later one was received together with them, after a pause of banhook's own.
const FOLLOWS_WITHIN_MS: i64 = 60_000;

/// A digest that is to be closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenDigest {
    /// Its message's id.
    pub id: i64,
    /// The webhook that gets it.
    pub webhook: String,
    /// Why its events are grouped.
    pub cause: DigestCause,
    /// The key that they share.
    pub key: String,
    /// The number of events at the time of the query; more may have joined since.
    pub events: u32,
    /// When its first event joined.
    pub opened_at: Timestamp,
}

impl Store {
    /// Returns the first open digests of a route that are to be closed now, or of `all` of them; oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub fn digests_to_close(&self, route: &str, now: Timestamp, all: bool) -> Result<Vec<OpenDigest>, StoreError> {
        self.database.read("read the open digests", |connection| {
            // One that was opened later than now is from before the clock was set back.
            connection
                .prepare_cached(
                    "SELECT id, webhook, cause, key, events, opened_at FROM messages
                     WHERE state = 'open' AND route = ?1 AND (?3 OR closes_at <= ?2 OR opened_at > ?2) ORDER BY id LIMIT ?4",
                )?
                .query_map(params![route, now.0, all, CLOSE_BATCH], open_digest)?
                .collect()
        })
    }

    /// Returns a closed digest; `None` if the message is that of one event, or of none.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn closed_digest(&self, message: i64) -> Result<Option<OpenDigest>, StoreError> {
        self.database.read("read a digest", |connection| {
            connection
                .prepare_cached(
                    "SELECT id, webhook, cause, key, events, opened_at FROM messages WHERE id = ? AND cause IS NOT NULL",
                )?
                .query_row([message], open_digest)
                .optional()
        })
    }

    /// Returns when the next open digest of a route closes.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn next_digest_at(&self, route: &str) -> Result<Option<Timestamp>, StoreError> {
        self.database.read("read the open digests", |connection| {
            connection
                .prepare_cached("SELECT min(closes_at) FROM messages WHERE state = 'open' AND route = ?")?
                .query_row([route], |row| Ok(row.get::<_, Option<i64>>(0)?.map(Timestamp)))
        })
    }

    /// Returns the events of an open digest, counted and in part listed, and with them those of the message that it will
    /// change, for which counts are kept. `name` completes each that is listed; `host` is the host of those that have none.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn digest_batch(
        &self,
        digest: &OpenDigest,
        changes: Option<(i64, &mut LivingCounts)>,
        host: &str,
        name: impl Fn(Event) -> Event,
    ) -> Result<Batch, StoreError> {
        let mut damaged = BTreeSet::new();
        let changed = changes.as_ref().map(|(message, _)| *message);
        // Of one moment: the counts know how often something had been forgotten.
        let (listed, (totals, first, last)) =
            self.database.read_snapshot("read the events of a digest", |connection| {
                let listed = list(connection, (digest.id, changed), &mut damaged)?;
                let counted = match changes {
                    Some((message, counts)) => counts.count(connection, (digest.id, message), host, &mut damaged),
                    None => digest_counts::count(connection, digest.id, host, &mut damaged),
                };
                Ok((listed, counted?))
            })?;
        if !damaged.is_empty() {
            self.new_connection()?.quarantine_in_digest(digest.id, damaged)?;
        }
        // The route may not match starts, and what it does match has a cause all the same. That of several hosts was decided by
        // each of them.
        let started = digest.cause == DigestCause::Restart
            && totals.starts == 0
            && totals.restored == 0
            && self.is_followed_by(Kind::Start, digest, &digest.key, host, None)?;
        let cause = match digest.cause {
            DigestCause::Restarts => cause_of_restarts(&digest.key),
            cause => shown_cause(cause, &totals, started),
        };
        let key = (digest.cause == DigestCause::Held).then(|| digest.key.clone());
        let events = listed.into_iter().map(name).collect();
        let (over, labels) = (false, std::collections::BTreeMap::new());
        Ok(Batch { key, cause, continues: false, first, last, totals, events, over, labels })
    }

    /// Moves damaged events of an open digest to dead.
    fn quarantine_in_digest(&mut self, digest: i64, events: BTreeSet<i64>) -> Result<(), StoreError> {
        self.database.write("quarantine events", |transaction| {
            let mut moved = 0;
            for event in events {
                tracing::error!(event, "stored event quarantined: {DAMAGED}");
                moved += routed_events::settle_damaged(transaction, event, digest, DAMAGED)?;
            }
            messages::remove_events(transaction, digest, moved)?;
            messages::set_checksum(transaction, digest)
        })
    }

    /// Closes a digest: it is ready to be sent. `as_digest`: otherwise, as the message of its only event.
    ///
    /// # Errors
    /// When the store fails; then it is still open.
    pub fn close_digest(
        &mut self,
        digest: i64,
        body: &Guarded,
        as_digest: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.database.write("close a digest", |transaction| messages::close(transaction, digest, body, as_digest, now))
    }

    /// Keeps a digest open until a time, or until another event that joins closes it earlier.
    ///
    /// # Errors
    /// When the store fails; then its time is as before.
    pub(crate) fn hold_digest(&mut self, digest: i64, until: Timestamp, now: Timestamp) -> Result<(), StoreError> {
        self.database.write("hold a digest", |transaction| messages::hold_open(transaction, digest, until, now))
    }

    /// Returns whether a jail stopped at the time of the events of a digest, whatever the digest's route matches.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn is_followed_by_stop(
        &self,
        digest: &OpenDigest,
        (host, jail): (&str, &str),
        own_host: &str,
    ) -> Result<bool, StoreError> {
        self.is_followed_by(Kind::Stop, digest, host, own_host, Some(jail))
    }

    fn is_followed_by(
        &self,
        kind: Kind,
        digest: &OpenDigest,
        host: &str,
        own_host: &str,
        jail: Option<&str>,
    ) -> Result<bool, StoreError> {
        self.database.read("read what followed a digest's events", |connection| {
            connection
                .prepare_cached(
                    "WITH digest AS (
                         SELECT min(event) AS first, max(at) AS last
                         FROM routed_events CROSS JOIN events ON seq = event WHERE message = ?1
                     )
                     SELECT EXISTS (
                         SELECT 1 FROM digest CROSS JOIN events
                         WHERE seq > first AND at <= last + ?2 AND kind = ?3 AND jail = ifnull(?4, jail)
                             AND (host = ?5 OR host = '' AND ?5 = ?6)
                     )",
                )?
                .query_row(params![digest.id, FOLLOWS_WITHIN_MS, kind.as_str(), jail, host, own_host], |row| row.get(0))
        })
    }

    /// Has the events of an open digest join another one, which it opens if need be.
    ///
    /// # Errors
    /// When the store fails; then nothing has changed.
    pub(crate) fn merge_digest(
        &mut self,
        route: &str,
        digest: i64,
        into: &DigestKey,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.database.write("merge two digests", |transaction| {
            let events = transaction
                .prepare_cached("SELECT events FROM messages WHERE id = ?")?
                .query_row([digest], |row| row.get(0))?;
            let mut writer = DigestWriter::new(route, now);
            writer.merge(transaction, into, digest, events)?;
            writer.finish(transaction)
        })
    }

    /// Gives the events of a route that are not formatted yet, and its open digests, to this webhook.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn reassign_unformatted(&mut self, route: &str, webhook: &str) -> Result<(), StoreError> {
        self.database.write("reassign a route's events", |transaction| {
            routed_events::reassign_unformatted(transaction, route, webhook)?;
            messages::reassign_open(transaction, route, webhook)
        })
    }

    /// If more than `most` messages for a webhook were never attempted, groups those of a route into an open digest. Returns
    /// how many messages these are.
    ///
    /// # Errors
    /// When the store fails; then nothing has changed.
    pub(crate) fn digest_backlog(
        &mut self,
        route: &str,
        webhook: &str,
        most: u32,
        closes_at: Timestamp,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        // Usually there is nothing to do, and a query waits for no writer.
        let backlog =
            self.database.read("count the backlog", |connection| count_unattempted(connection, webhook, most))?;
        if backlog <= i64::from(most) {
            return Ok(0);
        }
        self.database.write("group the backlog", |transaction| {
            let mut writer = DigestWriter::new(route, now);
            let digest_key = DigestKey {
                cause: DigestCause::Backlog,
                key: String::new(),
                closes: Closes::At(closes_at),
                merge_unbans: None,
            };
            let mut grouped = 0;
            for (message, events) in unattempted(transaction, route, webhook)? {
                // Large digests stay as they are: to count their events repeatedly would take longer each time.
                if events <= MAX_DIGEST_EVENTS / 2 {
                    writer.merge(transaction, &digest_key, message, events)?;
                    grouped += 1;
                }
            }
            writer.finish(transaction)?;
            Ok(grouped)
        })
    }
}

fn open_digest(row: &Row<'_>) -> rusqlite::Result<OpenDigest> {
    Ok(OpenDigest {
        id: row.get(0)?,
        // A name that cannot be read is replaced by the route's own.
        webhook: lossy(row, 1)?.unwrap_or_default(),
        cause: lossy(row, 2)?.and_then(|cause| DigestCause::parse(&cause)).unwrap_or(DigestCause::Held),
        key: lossy(row, 3)?.unwrap_or_default(),
        events: row.get(4).unwrap_or_default(),
        opened_at: Timestamp(row.get(5).unwrap_or_default()),
    })
}

/// Returns the first and the last events of a digest, or of it and of the message that it will change with its earlier changes.
/// Leaves out those that are damaged.
fn list(
    connection: &Connection,
    (digest, changes): (i64, Option<i64>),
    damaged: &mut BTreeSet<i64>,
) -> rusqlite::Result<Vec<Event>> {
    let messages: Vec<i64> = connection
        .prepare_cached(
            "SELECT ?1 UNION SELECT ?2 WHERE ?2 IS NOT NULL UNION SELECT id FROM messages WHERE changes = ?2",
        )?
        .query_map(params![digest, changes], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    // Each by itself: the index has the events of one in order.
    let (mut first, mut last) = (BTreeSet::new(), BTreeSet::new());
    for message in messages {
        for (seqs, order, most) in [(&mut first, "", LISTED_FIRST), (&mut last, "DESC", LISTED_LAST)] {
            let query = format!("SELECT event FROM routed_events WHERE message = ? ORDER BY event {order} LIMIT ?");
            let mut statement = connection.prepare_cached(&query)?;
            let mut rows = statement.query(params![message, sql_limit(most)])?;
            while let Some(row) = rows.next()? {
                seqs.insert(row.get(0)?);
            }
        }
    }
    let listed: BTreeSet<i64> =
        first.into_iter().take(LISTED_FIRST).chain(last.into_iter().rev().take(LISTED_LAST)).collect();
    let mut statement =
        connection.prepare_cached(concat!("SELECT ", event_columns!(), " FROM events WHERE seq = ?"))?;
    let mut events = Vec::with_capacity(listed.len());
    for seq in listed {
        let mut rows = statement.query([seq])?;
        let Some(row) = rows.next()? else { continue };
        match parse_event(checksum::event_body(row, 0)?) {
            Ok(event) => events.push(event),
            Err(_) => drop(damaged.insert(seq)),
        }
    }
    Ok(events)
}

/// The cause that a message names: a restart without starts is a stop, or neither. Unbans are in it because a stop followed.
const fn shown_cause(cause: DigestCause, totals: &Totals, started: bool) -> DigestCause {
    match cause {
        DigestCause::Restart if totals.starts > 0 || totals.restored > 0 => DigestCause::Restart,
        DigestCause::Restart if totals.stops == 0 && totals.unbans == 0 => DigestCause::Other,
        DigestCause::Restart if !started => DigestCause::Stop,
        DigestCause::Unbans => DigestCause::Other,
        cause => cause,
    }
}

/// The cause of what happened to several hosts, by the key of its series.
fn cause_of_restarts(key: &str) -> DigestCause {
    match key {
        "stop" => DigestCause::Stop,
        "other" => DigestCause::Other,
        _ => DigestCause::Restart,
    }
}

/// Counts the messages for a webhook that were never attempted, up to one more than `most`.
fn count_unattempted(connection: &Connection, webhook: &str, most: u32) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(
            "SELECT count(*) FROM (SELECT 1 FROM messages
             WHERE webhook = ? AND state = 'ready' AND attempts = 0 AND parked <> 2 LIMIT ?)",
        )?
        .query_row(params![webhook, i64::from(most) + 1], |row| row.get(0))
}

/// Returns the messages of a route for a webhook that were never attempted, with their numbers of events.
fn unattempted(transaction: &Transaction<'_>, route: &str, webhook: &str) -> rusqlite::Result<Vec<(i64, u32)>> {
    transaction
        .prepare_cached(
            "SELECT id, events FROM messages
             WHERE webhook = ? AND route = ? AND state = 'ready' AND attempts = 0 AND parked <> 2 ORDER BY id",
        )?
        .query_map(params![webhook, route], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

#[cfg(test)]
#[path = "digests_tests.rs"]
mod tests;

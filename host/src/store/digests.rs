//! Messages that are open: events still join them, until they close and are formatted as one.
//!
//! Only the thread of a route adds to its open messages and closes them, so nothing can join one while it is formatted.

use rusqlite::params;

use super::digest_writer::DigestWriter;
use super::routed_events::{limit, parsed};
use super::{Store, StoreError};
use crate::event::{Batch, Counted, Counter, DigestCause, Event, Kind, LISTED_FIRST, LISTED_LAST, Timestamp};
use crate::message::Guarded;

/// Events of one digest at most; the next one begins then. Bounds what wording it takes.
pub const MAX_DIGEST_EVENTS: u32 = 10_000;

/// When a message closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closes {
    /// Then; what joins later may bring it forward.
    At(Timestamp),
    /// This many ms after the last event writer, but at most so many after the first did.
    Quiet {
        /// Without an event.
        quiet_ms: i64,
        /// From the first event on.
        max_ms: i64,
    },
}

/// Which open message an event joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestKey {
    /// Why.
    pub cause: DigestCause,
    /// Events with the same reason and key join the same.
    pub key: String,
    /// When it closes.
    pub closes: Closes,
    /// Another message of the same route, whose events join, too: the unbans before this stop, by their key.
    pub merge_unbans: Option<String>,
}

/// A message that is to be closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenDigest {
    /// Its number.
    pub id: i64,
    /// The webhook that gets it.
    pub webhook: String,
    /// Why its events wait.
    pub cause: DigestCause,
    /// The key that they share.
    pub key: String,
    /// How many when it was looked for; more may have writer since.
    pub events: u32,
}

impl Store {
    /// The first open messages of a route that close now, or of `all` of them; oldest first.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn digests_to_close(&self, route: &str, now: Timestamp, all: bool) -> Result<Vec<OpenDigest>, StoreError> {
        /// A plugin may hold each event by itself; between two such steps it is looked whether to stop.
        const AT_MOST: i64 = 32;
        self.database.read("read what is held", |connection| {
            // One that was opened later than now is of a time before the clock was set back.
            let holds = connection
                .prepare_cached(
                    "SELECT id, webhook, cause, key, events FROM messages
                     WHERE state = 'open' AND route = ?1 AND (?3 OR closes_at <= ?2 OR opened_at > ?2) ORDER BY id LIMIT ?4",
                )?
                .query_map(params![route, now.0, all, AT_MOST], |row| {
                    let cause = row.get_ref(2)?.as_str()?;
                    Ok(OpenDigest {
                        id: row.get(0)?,
                        webhook: row.get(1)?,
                        cause: DigestCause::parse(cause).unwrap_or(DigestCause::Held),
                        key: row.get(3)?,
                        events: row.get(4)?,
                    })
                })?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            Ok(holds)
        })
    }

    /// When the next open message of a route closes.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn next_digest_at(&self, route: &str) -> Result<Option<Timestamp>, StoreError> {
        self.database.read("read what is held", |connection| {
            connection
                .prepare_cached("SELECT min(closes_at) FROM messages WHERE state = 'open' AND route = ?")?
                .query_row([route], |row| Ok(row.get::<_, Option<i64>>(0)?.map(Timestamp)))
        })
    }

    /// The events of an open message, counted and in part listed; each passes through `name` first.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn digest_batch(
        &self,
        hold: &OpenDigest,
        host: &str,
        name: impl Fn(Event) -> Event,
    ) -> Result<Batch, StoreError> {
        let (totals, first, last) = self.database.read("count what is held", |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT kind, restored, host, jail, subject, at FROM routed_events CROSS JOIN inbox.events ON seq = event WHERE message = ?",
            )?;
            let mut rows = statement.query([hold.id])?;
            let (mut counter, mut first, mut last) = (Counter::default(), i64::MAX, i64::MIN);
            while let Some(row) = rows.next()? {
                let Some(kind) = Kind::parse(row.get_ref(0)?.as_str()?) else { continue };
                let stored_host = row.get_ref(2)?.as_str()?;
                counter.add(Counted {
                    kind,
                    restored: row.get(1)?,
                    host: if stored_host.is_empty() { host } else { stored_host },
                    jail: row.get_ref(3)?.as_str()?,
                    subject: row.get_ref(4)?.as_str()?,
                });
                let at = row.get(5)?;
                (first, last) = (first.min(at), last.max(at));
            }
            Ok((counter.finish(), Timestamp(first), Timestamp(last)))
        })?;
        let events = self.listed(hold.id)?.into_iter().map(name).collect();
        let cause = match hold.cause {
            DigestCause::Restart if totals.starts == 0 && totals.restored == 0 && totals.stops > 0 => DigestCause::Stop,
            DigestCause::Restart if totals.starts == 0 && totals.stops == 0 && totals.restored == 0 => {
                DigestCause::Other
            }
            DigestCause::Unbans => DigestCause::Other,
            cause => cause,
        };
        let key = (hold.cause == DigestCause::Held).then(|| hold.key.clone());
        Ok(Batch { key, cause, first, last, totals, events, labels: std::collections::BTreeMap::new() })
    }

    /// The first and the last events of a message.
    fn listed(&self, message: i64) -> Result<Vec<Event>, StoreError> {
        self.database.read("read what is held", |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT event, body FROM (
                     SELECT * FROM (SELECT event FROM routed_events WHERE message = ?1 ORDER BY event LIMIT ?2)
                     UNION
                     SELECT * FROM (SELECT event FROM routed_events WHERE message = ?1 ORDER BY event DESC LIMIT ?3)
                 ) CROSS JOIN inbox.events ON seq = event ORDER BY event",
            )?;
            let events = statement
                .query_map(params![message, limit(LISTED_FIRST), limit(LISTED_LAST)], |row| {
                    Ok(parsed(row.get_ref(1)?.as_str()?).ok())
                })?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            Ok(events.into_iter().flatten().collect())
        })
    }

    /// Closes a message: it is ready to be sent. As a `digest`, or, of one event, as that event's own message.
    ///
    /// # Errors
    /// When the disk refuses; then it is still open.
    pub fn close_digest(&mut self, hold: i64, body: &Guarded, digest: bool, now: Timestamp) -> Result<(), StoreError> {
        self.database.write("close a digest", |transaction| {
            transaction
                .prepare_cached(
                    "UPDATE messages SET state = 'ready', body = ?2, target = ?5, next_attempt_at = ?3, closes_at = NULL,
                         cause = CASE WHEN ?4 THEN cause END, key = CASE WHEN ?4 THEN key END
                     WHERE id = ?1 AND state = 'open'",
                )?
                .execute(params![hold, body.to_json_string(), now.0, digest, body.target().as_str()])
                .map(drop)
        })
    }

    /// Has the events of a route that are not formatted yet, and what is open, go to this webhook.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn reassign_unformatted(&mut self, route: &str, webhook: &str) -> Result<(), StoreError> {
        self.database.write("redirect a route", |transaction| {
            for change in [
                "UPDATE routed_events SET webhook = ?2 WHERE route = ?1 AND state = 'pending' AND message IS NULL",
                "UPDATE routed_events SET webhook = ?2 WHERE message IN (SELECT id FROM messages WHERE route = ?1 AND state = 'open')",
                "UPDATE messages SET webhook = ?2 WHERE route = ?1 AND state = 'open'",
            ] {
                transaction.prepare_cached(change)?.execute(params![route, webhook])?;
            }
            Ok(())
        })
    }

    /// If more than `most` messages wait for a webhook that were never attempted, folds those of a route into an open
    /// message. Says how many messages that were.
    ///
    /// # Errors
    /// When the disk refuses; then all is as it was.
    pub fn digest_backlog(
        &mut self,
        route: &str,
        webhook: &str,
        most: u32,
        closes_at: Timestamp,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let count = |connection: &rusqlite::Connection| {
            connection
                .prepare_cached(
                    "SELECT count(*) FROM (SELECT 1 FROM messages
                     WHERE webhook = ? AND state = 'ready' AND attempts = 0 LIMIT ?)",
                )?
                .query_row(params![webhook, i64::from(most) + 1], |row| row.get::<_, i64>(0))
        };
        // Mostly there is nothing to do, and a look waits for no turn.
        if self.database.read("count what waits", count)? <= i64::from(most) {
            return Ok(0);
        }
        self.database.write("digest_key what waits", |transaction| {
            let messages = transaction
                .prepare_cached(
                    "SELECT id, events FROM messages
                     WHERE webhook = ? AND route = ? AND state = 'ready' AND attempts = 0 ORDER BY id",
                )?
                .query_map(params![webhook, route], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<Vec<(i64, u32)>>>()?;
            let mut writer = DigestWriter::new(route, now);
            let digest_key = DigestKey {
                cause: DigestCause::Backlog,
                key: String::new(),
                closes: Closes::At(closes_at),
                merge_unbans: None,
            };
            let mut grouped = 0;
            for (message, events) in messages {
                // Large digests stay as they are: to count them over and over would take longer and longer.
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

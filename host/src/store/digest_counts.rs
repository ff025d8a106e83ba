//! The events of a digest, counted. Those of a message that digests go on to change are counted once, and kept between its
//! changes.
//!
//! What is kept is used only while the store has the same events in these messages, and nothing was forgotten meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use super::{checksum, ledger, routed_events};
use crate::event::{Counted, Counter, Kind, Timestamp, Totals};

/// The column of an event's tags, when events are counted.
const TAGS_COLUMN: usize = 18;

/// The counted events of a message and of its changes.
#[derive(Debug, Default)]
pub(crate) struct LivingCounts {
    /// The message; 0: none.
    message: i64,
    /// How many events of it, and of each of its changes, are counted.
    counted: BTreeMap<i64, u32>,
    /// How often something had been forgotten.
    forgotten: i64,
    tally: Tally,
}

impl LivingCounts {
    /// Returns whether something was forgotten since they were counted.
    pub(super) fn are_outdated(&self, connection: &Connection) -> rusqlite::Result<bool> {
        Ok(ledger::forgettings(connection)? != self.forgotten)
    }

    /// Notes that the events of a digest are those of an earlier change now.
    pub(super) fn merged(&mut self, digest: i64, earlier: i64) {
        if let Some(events) = self.counted.remove(&digest) {
            *self.counted.entry(earlier).or_default() += events;
        }
    }

    /// Counts what is not counted yet of a message, of its changes, and of a digest that is to change it.
    pub(super) fn count(
        &mut self,
        connection: &Connection,
        (digest, message): (i64, i64),
        host: &str,
        damaged: &mut BTreeSet<i64>,
    ) -> rusqlite::Result<(Totals, Timestamp, Timestamp)> {
        // An error leaves nothing that is counted in part.
        let mut kept = std::mem::take(self);
        let stored: BTreeMap<i64, u32> = connection
            .prepare_cached("SELECT id, events FROM messages WHERE id = ?1 OR changes = ?1")?
            .query_map([message], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        let forgotten = ledger::forgettings(connection)?;
        let is_same = |(id, events): (&i64, &u32)| stored.get(id) == Some(events);
        if kept.message != message || kept.forgotten != forgotten || !kept.counted.iter().all(is_same) {
            kept = Self { message, forgotten, ..Self::default() };
        }
        let mut uncounted: Vec<i64> = stored.into_keys().chain([digest]).collect();
        uncounted.retain(|id| !kept.counted.contains_key(id));
        for id in uncounted {
            let events = kept.tally.add(connection, id, host, damaged)?;
            kept.counted.insert(id, events);
        }
        *self = kept;
        Ok(self.tally.totals())
    }
}

/// Counts the events of a digest. Returns the times of the first and last as well. Leaves out those that are damaged, or
/// that were found to be.
pub(super) fn count(
    connection: &Connection,
    digest: i64,
    host: &str,
    damaged: &mut BTreeSet<i64>,
) -> rusqlite::Result<(Totals, Timestamp, Timestamp)> {
    let mut tally = Tally::default();
    tally.add(connection, digest, host, damaged)?;
    Ok(tally.totals())
}

#[derive(Debug, Default)]
struct Tally {
    counter: Counter,
    /// When the first and the last event were.
    times: Option<(i64, i64)>,
}

impl Tally {
    /// Counts the events of a message, and returns how many they are.
    fn add(
        &mut self,
        connection: &Connection,
        message: i64,
        host: &str,
        damaged: &mut BTreeSet<i64>,
    ) -> rusqlite::Result<u32> {
        let mut statement = connection.prepare_cached(
            "SELECT kind, restored, host, jail, subject, at,
                 seq, received_at, at, logged, kind, host, jail, subject, ticket_at, restored, counterpart, checksum, tags
             FROM routed_events CROSS JOIN events ON seq = event WHERE message = ?",
        )?;
        let mut rows = statement.query([message])?;
        let mut events = 0;
        while let Some(row) = rows.next()? {
            let seq = row.get(6)?;
            if damaged.contains(&seq) || !checksum::is_event_head_intact(row, 6)? {
                damaged.insert(seq);
                continue;
            }
            let Some(kind) = Kind::parse(row.get_ref(0)?.as_str()?) else { continue };
            let stored_host = row.get_ref(2)?.as_str()?;
            let tags = routed_events::tags(row, TAGS_COLUMN);
            self.counter.add(Counted {
                kind,
                restored: row.get(1)?,
                host: if stored_host.is_empty() { host } else { stored_host },
                jail: row.get_ref(3)?.as_str()?,
                subject: row.get_ref(4)?.as_str()?,
                tags: &tags,
            });
            let at = row.get(5)?;
            let (first, last) = self.times.unwrap_or((at, at));
            self.times = Some((first.min(at), last.max(at)));
            events += 1;
        }
        Ok(events)
    }

    fn totals(&self) -> (Totals, Timestamp, Timestamp) {
        let (first, last) = self.times.unwrap_or((i64::MIN, i64::MIN));
        (self.counter.totals(), Timestamp(first), Timestamp(last))
    }
}

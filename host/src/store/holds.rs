//! Messages that are open: events still join them, until they close and are worded as one.
//!
//! Only the thread of a route adds to its open messages and closes them, so nothing can join one while it is worded.

use std::collections::HashMap;

use rusqlite::{OptionalExtension, Transaction, params};

use super::routing::{limit, parsed};
use super::{Store, StoreError};
use crate::event::{Batch, Cause, Counted, Counter, Event, Kind, LISTED_FIRST, LISTED_LAST, Timestamp};
use crate::message::Guarded;

/// Events of one digest at most; the next one begins then. Bounds what wording it takes.
pub const HOLD_MOST: u32 = 10_000;

/// Why events wait for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The plugin asked for it.
    Held,
    /// More events than the route's `storm` lets through one by one.
    Storm,
    /// More messages waiting than the webhook takes in a minute.
    Backlog,
    /// Stops, flushes, starts and restored bans, which may be those of a restart.
    Restart,
    /// Unbans, which may be those before a stop.
    Unbans,
}

/// When a message closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closes {
    /// Then; what joins later may bring it forward.
    At(Timestamp),
    /// This many ms after the last event joined, but at most so many after the first did.
    Quiet {
        /// Without an event.
        for_ms: i64,
        /// From the first event on.
        most_ms: i64,
    },
}

/// Which open message an event joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// Why.
    pub reason: Reason,
    /// Events with the same reason and key join the same.
    pub key: String,
    /// When it closes.
    pub closes: Closes,
    /// Another message of the same route, whose events join, too: the unbans before this stop, by their key.
    pub unbans: Option<String>,
}

/// A message that is to be closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenHold {
    /// Its number.
    pub id: i64,
    /// The webhook that gets it.
    pub webhook: String,
    /// Why its events wait.
    pub reason: Reason,
    /// The key that they share.
    pub key: String,
    /// How many.
    pub events: u32,
}

impl Reason {
    const ALL: [Self; 5] = [Self::Held, Self::Storm, Self::Backlog, Self::Restart, Self::Unbans];

    /// As it is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Storm => "storm",
            Self::Backlog => "backlog",
            Self::Restart => "restart",
            Self::Unbans => "unbans",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

impl Store {
    /// The open messages of a route that close now, or `all` of them; oldest first.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn closing(&self, route: &str, now: Timestamp, all: bool) -> Result<Vec<OpenHold>, StoreError> {
        self.database.read("read what is held", |connection| {
            // One that was opened later than now is of a time before the clock was set back.
            let holds = connection
                .prepare_cached(
                    "SELECT id, webhook, cause, key, events FROM messages
                     WHERE state = 'open' AND route = ?1 AND (?3 OR closes_at <= ?2 OR opened_at > ?2) ORDER BY id",
                )?
                .query_map(params![route, now.0, all], |row| {
                    let reason = row.get_ref(2)?.as_str()?;
                    Ok(OpenHold {
                        id: row.get(0)?,
                        webhook: row.get(1)?,
                        reason: Reason::parse(reason).unwrap_or(Reason::Held),
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
    pub fn next_closing(&self, route: &str) -> Result<Option<Timestamp>, StoreError> {
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
    pub fn batch(&self, hold: &OpenHold, host: &str, name: impl Fn(Event) -> Event) -> Result<Batch, StoreError> {
        let (totals, first, last) = self.database.read("count what is held", |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT kind, restored, host, jail, subject, at FROM outcomes CROSS JOIN inbox.events ON seq = event WHERE message = ?",
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
        let cause = match hold.reason {
            Reason::Held => Cause::Held,
            Reason::Storm => Cause::Storm,
            Reason::Backlog => Cause::Backlog,
            Reason::Restart if totals.starts == 0 && totals.restored == 0 && totals.stops > 0 => Cause::Stop,
            Reason::Restart if totals.starts > 0 || totals.stops > 0 || totals.restored > 0 => Cause::Restart,
            Reason::Restart | Reason::Unbans => Cause::Other,
        };
        let key = (hold.reason == Reason::Held).then(|| hold.key.clone());
        Ok(Batch { key, cause, first, last, totals, events, labels: std::collections::BTreeMap::new() })
    }

    /// The first and the last events of a message.
    fn listed(&self, message: i64) -> Result<Vec<Event>, StoreError> {
        self.database.read("read what is held", |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT event, body FROM (
                     SELECT * FROM (SELECT event FROM outcomes WHERE message = ?1 ORDER BY event LIMIT ?2)
                     UNION
                     SELECT * FROM (SELECT event FROM outcomes WHERE message = ?1 ORDER BY event DESC LIMIT ?3)
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
    pub fn close(&mut self, hold: i64, body: &Guarded, digest: bool, now: Timestamp) -> Result<(), StoreError> {
        self.database.write("close a digest", |transaction| {
            transaction
                .prepare_cached(
                    "UPDATE messages SET state = 'ready', body = ?2, due_at = ?3, closes_at = NULL,
                         cause = CASE WHEN ?4 THEN cause END, key = CASE WHEN ?4 THEN key END
                     WHERE id = ?1 AND state = 'open'",
                )?
                .execute(params![hold, body.to_json_string(), now.0, digest])
                .map(drop)
        })
    }

    /// If more than `most` messages wait for a webhook that were never attempted, folds those of a route into an open
    /// message. Says how many messages that were.
    ///
    /// # Errors
    /// When the disk refuses; then all is as it was.
    pub fn fold_backlog(
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
        self.database.write("fold what waits", |transaction| {
            let messages = transaction
                .prepare_cached(
                    "SELECT id, events FROM messages
                     WHERE webhook = ? AND route = ? AND state = 'ready' AND attempts = 0 ORDER BY id",
                )?
                .query_map(params![webhook, route], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<Vec<(i64, u32)>>>()?;
            let mut joined = Joined::new(route, now);
            let fold =
                Fold { reason: Reason::Backlog, key: String::new(), closes: Closes::At(closes_at), unbans: None };
            let mut folded = 0;
            for (message, events) in messages {
                // Large digests stay as they are: to count them over and over would take longer and longer.
                if events <= HOLD_MOST / 2 {
                    joined.absorb(transaction, &fold, message, events)?;
                    folded += 1;
                }
            }
            joined.finish(transaction)?;
            Ok(folded)
        })
    }
}

/// The open messages of a route that a transaction has events join. Their counts are written once, at the end.
pub(super) struct Joined<'a> {
    route: &'a str,
    now: Timestamp,
    open: HashMap<(Reason, String), Open>,
}

struct Open {
    id: i64,
    events: u32,
    made_at: i64,
    opened_at: i64,
    closes_at: i64,
}

impl<'a> Joined<'a> {
    pub(super) fn new(route: &'a str, now: Timestamp) -> Self {
        Self { route, now, open: HashMap::new() }
    }

    /// Has an event join. False: it is not where it should be (any more).
    pub(super) fn join(
        &mut self,
        transaction: &Transaction<'_>,
        from: Option<i64>,
        seq: i64,
        fold: &Fold,
    ) -> rusqlite::Result<bool> {
        let key = (fold.reason, fold.key.clone());
        if let Some(open) = self.open.get_mut(&key).filter(|open| open.events < HOLD_MOST) {
            if !move_into(transaction, open.id, self.route, from, seq)? {
                return Ok(false);
            }
            open.events += 1;
            open.put_off(fold.closes, self.now);
        } else {
            let place: Option<(String, i64)> = transaction
                .prepare_cached(
                    "SELECT webhook, taken_at FROM outcomes JOIN inbox.events ON seq = event
                     WHERE event = ? AND route = ? AND outcomes.state = 'pending' AND message IS ?",
                )?
                .query_row(params![seq, self.route, from], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let Some((webhook, taken_at)) = place else { return Ok(false) };
            let open = self.open(transaction, fold, &webhook, taken_at, 1)?;
            open.events += 1;
            move_into(transaction, open.id, self.route, from, seq)?;
        }
        if let Some(key) = &fold.unbans {
            self.absorb_unbans(transaction, fold, key)?;
        }
        Ok(true)
    }

    /// Has all events of the unbans with this key join.
    fn absorb_unbans(&mut self, transaction: &Transaction<'_>, fold: &Fold, key: &str) -> rusqlite::Result<()> {
        // Those that joined in this transaction are not counted in the file yet.
        if let Some(open) = self.open.remove(&(Reason::Unbans, key.to_owned())) {
            open.write(transaction)?;
        }
        let unbans = transaction
            .prepare_cached(
                "SELECT id, events FROM messages WHERE state = 'open' AND route = ? AND cause = 'unbans' AND key = ?",
            )?
            .query_map(params![self.route, key], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<Vec<(i64, u32)>>>()?;
        unbans.into_iter().try_for_each(|(id, events)| self.absorb(transaction, fold, id, events))
    }

    /// Has all events of another message join, which is no more then.
    fn absorb(
        &mut self,
        transaction: &Transaction<'_>,
        fold: &Fold,
        message: i64,
        events: u32,
    ) -> rusqlite::Result<()> {
        let (webhook, made_at): (String, i64) = transaction
            .prepare_cached("SELECT webhook, made_at FROM messages WHERE id = ?")?
            .query_row([message], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let open = self.open(transaction, fold, &webhook, made_at, events)?;
        let id = open.id;
        open.events += events;
        open.made_at = open.made_at.min(made_at);
        transaction.prepare_cached("UPDATE outcomes SET message = ? WHERE message = ?")?.execute([id, message])?;
        transaction.prepare_cached("DELETE FROM messages WHERE id = ?")?.execute([message]).map(drop)
    }

    /// The open message of a fold, with room for so many more events.
    fn open(
        &mut self,
        transaction: &Transaction<'_>,
        fold: &Fold,
        webhook: &str,
        made_at: i64,
        room_for: u32,
    ) -> rusqlite::Result<&mut Open> {
        let key = (fold.reason, fold.key.clone());
        if let Some(mut full) = self.open.remove(&key) {
            if full.events.saturating_add(room_for) <= HOLD_MOST {
                full.put_off(fold.closes, self.now);
                return Ok(self.open.entry(key).or_insert(full));
            }
            full.closes_at = self.now.0;
            full.write(transaction)?;
        }
        let found = transaction
            .prepare_cached(
                "SELECT id, events, made_at, opened_at, closes_at FROM messages
                 WHERE state = 'open' AND route = ? AND cause = ? AND key = ? AND webhook = ? AND events <= ?
                 ORDER BY id DESC LIMIT 1",
            )?
            .query_row(
                params![self.route, fold.reason.as_str(), fold.key, webhook, HOLD_MOST.saturating_sub(room_for)],
                |row| {
                    Ok(Open {
                        id: row.get(0)?,
                        events: row.get(1)?,
                        made_at: row.get(2)?,
                        opened_at: row.get(3)?,
                        closes_at: row.get(4)?,
                    })
                },
            )
            .optional()?;
        let mut open = match found {
            Some(open) => open,
            None => {
                let now = self.now.0;
                transaction
                    .prepare_cached(
                        "INSERT INTO messages (route, webhook, state, events, made_at, cause, key, opened_at, closes_at)
                         VALUES (?1, ?2, 'open', 0, ?3, ?4, ?5, ?6, ?6)",
                    )?
                    .execute(params![self.route, webhook, made_at, fold.reason.as_str(), fold.key, now])?;
                let id = transaction.last_insert_rowid();
                Open { id, events: 0, made_at: made_at.min(now), opened_at: now, closes_at: i64::MAX }
            }
        };
        open.put_off(fold.closes, self.now);
        Ok(self.open.entry(key).or_insert(open))
    }

    /// Writes the counts.
    pub(super) fn finish(self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        self.open.into_values().try_for_each(|open| open.write(transaction))
    }
}

impl Open {
    fn put_off(&mut self, closes: Closes, now: Timestamp) {
        self.closes_at = match closes {
            Closes::At(at) => self.closes_at.min(at.0),
            Closes::Quiet { for_ms, most_ms } => {
                now.0.saturating_add(for_ms).min(self.opened_at.saturating_add(most_ms))
            }
        };
    }

    fn write(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        transaction
            .prepare_cached("UPDATE messages SET events = ?, closes_at = ?, made_at = ? WHERE id = ?")?
            .execute(params![self.events, self.closes_at, self.made_at, self.id])
            .map(drop)
    }
}

/// Has an event join a message. False: it is not where it should be (any more).
fn move_into(
    transaction: &Transaction<'_>,
    message: i64,
    route: &str,
    from: Option<i64>,
    seq: i64,
) -> rusqlite::Result<bool> {
    let moved = transaction
        .prepare_cached(
            "UPDATE outcomes SET message = ? WHERE event = ? AND route = ? AND state = 'pending' AND message IS ?",
        )?
        .execute(params![message, seq, route, from])?;
    Ok(moved > 0)
}

/// Takes note that so many events have left an open message; an empty one is no more.
pub(super) fn shrink(transaction: &Transaction<'_>, hold: i64, gone: i64) -> rusqlite::Result<()> {
    transaction.prepare_cached("UPDATE messages SET events = events - ? WHERE id = ?")?.execute([gone, hold])?;
    transaction.prepare_cached("DELETE FROM messages WHERE id = ? AND events = 0")?.execute([hold]).map(drop)
}

//! Taking events in, and the inbox of those that wait to be routed.

use rusqlite::{OptionalExtension, Transaction, params};

use super::{Store, StoreError};
use crate::event::{Event, Timestamp};

/// How far the times of a ban may lie apart that the action and the log both report, in ms: between the line and the
/// action lies whatever other actions the jail has.
const TWIN_WITHIN_MS: i64 = 10_000;

/// What became of an event that was to be taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakenIn {
    /// It is on disk.
    New,
    /// fail2ban ran a failed action again, or its log was faster; the first report of it is on disk.
    Repeat,
}

/// An event in the inbox.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// Its place in the order of intake.
    pub seq: i64,
    /// The event, or why what is stored cannot be read (the store was edited by hand).
    pub event: Result<Event, String>,
}

impl Store {
    /// Takes an event in. When this returns, the event is on disk.
    ///
    /// # Errors
    /// When the disk refuses; then nothing of it is stored.
    pub fn take_in(&mut self, event: &Event, taken_at: Timestamp) -> Result<TakenIn, StoreError> {
        self.write("store the event", |transaction| {
            if is_repeat(transaction, event)? {
                return Ok(TakenIn::Repeat);
            }
            if let Some(seq) = find_twin(transaction, event, false)? {
                enrich_twin(transaction, seq, event)?;
                return Ok(TakenIn::Repeat);
            }
            insert(transaction, event, taken_at, false)?;
            Ok(TakenIn::New)
        })
    }

    /// The first events of the inbox, oldest first.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn waiting(&self, at_most: usize) -> Result<Vec<Waiting>, StoreError> {
        let read = || {
            let mut statement = self
                .connection
                .prepare_cached("SELECT seq, body FROM events WHERE state = 'waiting' ORDER BY seq LIMIT ?")?;
            let rows = statement.query_map([i64::try_from(at_most).unwrap_or(i64::MAX)], |row| {
                let body: String = row.get(1)?;
                Ok(Waiting {
                    seq: row.get(0)?,
                    event: Event::from_stored_json(&body).map_err(|error| error.to_string()),
                })
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|source| self.error("read the inbox", source))
    }

    /// Whether nothing waits: no event to be routed or worded and no message to be sent.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn is_idle(&self) -> Result<bool, StoreError> {
        self.connection
            .prepare_cached(
                "SELECT NOT EXISTS (SELECT 1 FROM events WHERE state = 'waiting')
                    AND NOT EXISTS (SELECT 1 FROM outcomes WHERE state = 'pending' AND message IS NULL)
                    AND NOT EXISTS (SELECT 1 FROM outbox WHERE dead = 0)",
            )
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
            .map_err(|source| self.error("read the queues", source))
    }
}

/// Takes in an event of a log, unless the action has reported it before.
pub(super) fn take_in_logged(
    transaction: &Transaction<'_>,
    event: &Event,
    taken_at: Timestamp,
) -> rusqlite::Result<()> {
    match find_twin(transaction, event, true)? {
        Some(seq) => {
            transaction.prepare_cached("UPDATE events SET twin = 1 WHERE seq = ?")?.execute([seq])?;
            Ok(())
        }
        None => insert(transaction, event, taken_at, true),
    }
}

/// Writes an event into the inbox.
fn insert(transaction: &Transaction<'_>, event: &Event, taken_at: Timestamp, logged: bool) -> rusqlite::Result<()> {
    let ban = event.ban();
    transaction
        .prepare_cached(
            "INSERT INTO events (taken_at, at, logged, kind, host, jail, subject, ticket_at, restored, body)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            taken_at.0,
            event.at.0,
            logged,
            event.action.kind().as_str(),
            event.host,
            event.jail,
            ban.map_or("", |ban| &ban.subject),
            ban.and_then(|ban| ban.ticket_at).map(|at| at.0),
            ban.is_some_and(|ban| ban.restored),
            event.to_json(),
        ])?;
    Ok(())
}

/// The event that the action reported of what is a line of the log, or the other way round. Each has one twin at most,
/// so that what happens twice is told twice.
fn find_twin(transaction: &Transaction<'_>, event: &Event, logged: bool) -> rusqlite::Result<Option<i64>> {
    let ban = event.ban();
    transaction
        .prepare_cached(
            "SELECT seq FROM events WHERE subject = ? AND jail = ? AND host = ? AND kind = ? AND restored = ?
                 AND logged <> ? AND twin = 0 AND at BETWEEN ? AND ? ORDER BY seq LIMIT 1",
        )?
        .query_row(
            params![
                ban.map_or("", |ban| &ban.subject),
                event.jail,
                event.host,
                event.action.kind().as_str(),
                ban.is_some_and(|ban| ban.restored),
                logged,
                event.at.plus_ms(-TWIN_WITHIN_MS).0,
                event.at.plus_ms(TWIN_WITHIN_MS).0,
            ],
            |row| row.get(0),
        )
        .optional()
}

/// The action knows more than the log: if that is not too late, what it says is what is told.
fn enrich_twin(transaction: &Transaction<'_>, seq: i64, event: &Event) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE events SET twin = 1, ticket_at = ?, body = CASE state WHEN 'waiting' THEN ? ELSE body END
             WHERE seq = ?",
        )?
        .execute(params![event.ban().and_then(|ban| ban.ticket_at).map(|at| at.0), event.to_json(), seq])?;
    Ok(())
}

/// Whether the last event of this (host, jail, subject) was the same one: fail2ban runs a failed ban or unban a
/// second time. A start, stop or flush of the jail in between makes it a new one (the same ban, restored again).
fn is_repeat(transaction: &Transaction<'_>, event: &Event) -> rusqlite::Result<bool> {
    let Some(ban) = event.ban() else { return Ok(false) };
    // Without the ticket's time nothing tells a repeat from a second ban.
    let Some(ticket_at) = ban.ticket_at else { return Ok(false) };
    let last: Option<(i64, bool)> = transaction
        .prepare_cached(
            "SELECT seq, kind = ?4 AND ticket_at IS ?5 AND restored = ?6 FROM events
             WHERE subject = ?1 AND jail = ?2 AND host = ?3 AND kind IN ('ban', 'unban') ORDER BY seq DESC LIMIT 1",
        )?
        .query_row(
            params![ban.subject, event.jail, event.host, event.action.kind().as_str(), ticket_at.0, ban.restored],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let Some((seq, true)) = last else { return Ok(false) };
    transaction
        .prepare_cached(
            "SELECT NOT EXISTS (SELECT 1 FROM events
                 WHERE subject = '' AND jail = ? AND host = ? AND seq > ? AND kind IN ('start', 'stop', 'flush'))",
        )?
        .query_row(params![event.jail, event.host, seq], |row| row.get(0))
}

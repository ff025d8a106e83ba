//! Taking events in: the file that is added to by `notify` and tailers, and read by whoever works.

use rusqlite::{OptionalExtension, Transaction, params};

use super::database::Database;
use super::folder::Part;
use super::{StateFolder, StoreError};
use crate::event::{Event, Timestamp};

/// How far the times of a ban may lie apart that the action and the log both report, in ms: between the line and the
/// action lies whatever other actions the jail has.
const TWIN_WITHIN_MS: i64 = 10_000;

/// A twin is looked for among so many events of its subject, the latest: intake takes as long whatever the history.
const TWIN_AMONG: u32 = 32;

/// What became of an event that was to be taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakenIn {
    /// It is on disk.
    New,
    /// fail2ban ran a failed action again, or its log was faster; the first report of it is on disk.
    Repeat,
}

/// Every event, in the order of intake. What `notify` opens.
pub struct Inbox {
    pub(super) database: Database,
}

impl Inbox {
    /// Opens the inbox to take events in, making it where there is none. Leaves an older schema as it is.
    ///
    /// # Errors
    /// When the folder or file cannot be made or opened, or a newer banhook wrote it.
    pub fn open(folder: &StateFolder) -> Result<Self, StoreError> {
        Ok(Self { database: Database::open(folder, Part::Inbox)? })
    }

    /// Takes an event in. When this returns, the event is on disk.
    ///
    /// # Errors
    /// When the disk refuses; then nothing of it is stored.
    pub fn take_in(&mut self, event: &Event, taken_at: Timestamp) -> Result<TakenIn, StoreError> {
        self.database.write("store the event", |transaction| {
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

    /// Stores events again that more has become known of, by their places in the order of intake.
    ///
    /// # Errors
    /// When the disk refuses; then they are as they were.
    pub fn complete(&mut self, events: &[(i64, Event)]) -> Result<(), StoreError> {
        self.database.write("complete events", |transaction| {
            let mut complete = transaction.prepare_cached("UPDATE events SET body = ? WHERE seq = ?")?;
            events.iter().try_for_each(|(seq, event)| complete.execute(params![event.to_json(), seq]).map(drop))
        })
    }

    /// Takes note of how far events have come to their end: see [`Store::over`](super::Store::over).
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn record_over(&mut self, upto: i64) -> Result<(), StoreError> {
        let known: i64 = self.database.read("read the inbox", |connection| {
            connection.prepare_cached("SELECT upto FROM over")?.query_row([], |row| row.get(0))
        })?;
        if upto <= known {
            return Ok(());
        }
        self.database.write("record what is over", |transaction| {
            transaction.prepare_cached("UPDATE over SET upto = ?")?.execute([upto]).map(drop)
        })
    }

    /// The folder that it lives in.
    #[must_use]
    pub const fn folder(&self) -> &StateFolder {
        self.database.folder()
    }

    /// Moves the write-ahead log into the database if it has grown; cheap otherwise.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn checkpoint_if_long(&self) -> Result<(), StoreError> {
        self.database.checkpoint_if_long()
    }

    /// For what may be lost in a crash of the machine: whoever takes an event in still syncs it.
    pub(super) fn prepare_for_routing(&self) -> Result<(), StoreError> {
        self.database.prepare_for_routing()
    }

    pub(super) fn limit_wal(&self) -> Result<(), StoreError> {
        self.database.limit_wal()
    }

    pub(super) fn checkpoint_and_truncate(&self) -> Result<(), StoreError> {
        self.database.checkpoint("TRUNCATE")
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
            "SELECT seq FROM (SELECT * FROM events WHERE subject = ? AND jail = ? AND host = ? ORDER BY seq DESC LIMIT ?)
             WHERE kind = ? AND restored = ? AND logged <> ? AND twin = 0 AND at BETWEEN ? AND ? ORDER BY seq LIMIT 1",
        )?
        .query_row(
            params![
                ban.map_or("", |ban| &ban.subject),
                event.jail,
                event.host,
                TWIN_AMONG,
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

/// The action knows more than the log: unless the event was worded already, what it says is what is told.
fn enrich_twin(transaction: &Transaction<'_>, seq: i64, event: &Event) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("UPDATE events SET twin = 1, ticket_at = ?, body = ? WHERE seq = ?")?
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

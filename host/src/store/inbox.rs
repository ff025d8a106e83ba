//! Taking events in: the file that is added to by `notify` and tailers, and read by whoever works.

use rusqlite::{Transaction, params};

use super::database_file::Database;
use super::state_dir::DbFile;
use super::{StateDir, StoreError, UnroutedEvent};
use crate::event::{Event, Timestamp};

/// How far the times of a ban may lie apart that the action and the log both report, in ms: between the line and the
/// action lies whatever other actions the jail has.
const COUNTERPART_WITHIN_MS: u64 = 10_000;

/// What an event may repeat is looked for among so many of its subject, the latest: intake takes as long whatever the
/// history.
const LATEST: u32 = 16;

/// What became of an event that was to be taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
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
    pub fn open(folder: &StateDir) -> Result<Self, StoreError> {
        Ok(Self { database: Database::open(folder, DbFile::Inbox)? })
    }

    /// Takes an event in. When this returns, the event is on disk.
    ///
    /// # Errors
    /// When the disk refuses; then nothing of it is stored.
    pub fn append(&mut self, event: &Event, received_at: Timestamp) -> Result<Appended, StoreError> {
        self.database.write("store the event", |transaction| {
            let latest = latest(transaction, event)?;
            if is_repeat(transaction, event, &latest)? {
                return Ok(Appended::Repeat);
            }
            if let Some(seq) = counterpart(event, false, &latest) {
                enrich_counterpart(transaction, seq, event)?;
                return Ok(Appended::Repeat);
            }
            insert(transaction, event, received_at, false)?;
            Ok(Appended::New)
        })
    }

    /// Stores events again that more has become known of. Says which is the first that was stored anew since it was read:
    /// the action has reported what the log told before, and what it said stays.
    ///
    /// # Errors
    /// When the disk refuses; then they are as they were.
    pub fn update_enriched(&mut self, events: &[&UnroutedEvent]) -> Result<Option<i64>, StoreError> {
        self.database.write("complete events", |transaction| {
            let mut complete = transaction.prepare_cached("UPDATE events SET body = ? WHERE seq = ? AND body = ?")?;
            let mut changed = None;
            for UnroutedEvent { seq, event, body, .. } in events {
                if let Ok(event) = event
                    && complete.execute(params![event.to_json(), seq, body])? == 0
                {
                    changed = changed.or(Some(*seq));
                }
            }
            Ok(changed)
        })
    }

    /// Takes note of how far events have come to their end: see [`Store::over`](super::Store::over).
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn record_settled(&mut self, settled_through: i64) -> Result<(), StoreError> {
        let known: i64 = self.database.read("read the inbox", |connection| {
            connection.prepare_cached("SELECT settled_through FROM inbox_meta")?.query_row([], |row| row.get(0))
        })?;
        if settled_through <= known {
            return Ok(());
        }
        self.database.write("record which events are settled", |transaction| {
            transaction
                .prepare_cached("UPDATE inbox_meta SET settled_through = ?")?
                .execute([settled_through])
                .map(drop)
        })
    }

    /// The folder that it lives in.
    #[must_use]
    pub const fn folder(&self) -> &StateDir {
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
pub(super) fn append_logged(
    transaction: &Transaction<'_>,
    event: &Event,
    received_at: Timestamp,
) -> rusqlite::Result<()> {
    match counterpart(event, true, &latest(transaction, event)?) {
        Some(seq) => {
            transaction.prepare_cached("UPDATE events SET counterpart = 1 WHERE seq = ?")?.execute([seq])?;
            Ok(())
        }
        None => insert(transaction, event, received_at, true),
    }
}

/// Writes an event into the inbox.
fn insert(transaction: &Transaction<'_>, event: &Event, received_at: Timestamp, logged: bool) -> rusqlite::Result<()> {
    let ban = event.ban();
    transaction
        .prepare_cached(
            "INSERT INTO events (received_at, at, logged, kind, host, jail, subject, ticket_at, restored, body)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            received_at.0,
            event.at.0,
            logged,
            event.kind().as_str(),
            event.host,
            event.jail,
            ban.map_or("", |ban| &ban.subject),
            ban.and_then(|ban| ban.ticket_at).map(|at| at.0),
            ban.is_some_and(|ban| ban.restored),
            event.to_json(),
        ])?;
    Ok(())
}

/// An event of the same subject, jail and host as one that is to be taken in.
struct Known {
    seq: i64,
    /// The same action upon a ban that is restored or not as well.
    is_alike: bool,
    is_ban_or_unban: bool,
    ticket_at: Option<i64>,
    logged: bool,
    counterpart: bool,
    at: i64,
}

/// The latest events of an event's subject, jail and host, the last one first: one look for all that a new one may repeat.
fn latest(transaction: &Transaction<'_>, event: &Event) -> rusqlite::Result<Vec<Known>> {
    let ban = event.ban();
    transaction
        .prepare_cached(
            "SELECT seq, kind = ?4 AND restored = ?5, kind IN ('ban', 'unban'), ticket_at, logged, counterpart, at FROM events
             WHERE subject = ?1 AND jail = ?2 AND host = ?3 ORDER BY seq DESC LIMIT ?6",
        )?
        .query_map(
            params![
                ban.map_or("", |ban| &ban.subject),
                event.jail,
                event.host,
                event.kind().as_str(),
                ban.is_some_and(|ban| ban.restored),
                LATEST,
            ],
            |row| {
                Ok(Known {
                    seq: row.get(0)?,
                    is_alike: row.get(1)?,
                    is_ban_or_unban: row.get(2)?,
                    ticket_at: row.get(3)?,
                    logged: row.get(4)?,
                    counterpart: row.get(5)?,
                    at: row.get(6)?,
                })
            },
        )?
        .collect()
}

/// The event that the action reported of what is a line of the log, or the other way round. Each has one counterpart at most,
/// so that what happens twice is told twice.
fn counterpart(event: &Event, logged: bool, latest: &[Known]) -> Option<i64> {
    let is_near = |known: &Known| known.at.abs_diff(event.at.0) <= COUNTERPART_WITHIN_MS;
    let is_counterpart =
        |known: &&Known| known.is_alike && known.logged != logged && !known.counterpart && is_near(known);
    latest.iter().rev().find(is_counterpart).map(|known| known.seq)
}

/// The action knows more than the log: unless the event was formatted already, what it says is what is told.
fn enrich_counterpart(transaction: &Transaction<'_>, seq: i64, event: &Event) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("UPDATE events SET counterpart = 1, ticket_at = ?, body = ? WHERE seq = ?")?
        .execute(params![event.ban().and_then(|ban| ban.ticket_at).map(|at| at.0), event.to_json(), seq])?;
    Ok(())
}

/// Whether the last event of this (host, jail, subject) was the same one: fail2ban runs a failed ban or unban a
/// second time. A start, stop or flush of the jail in between makes it a new one (the same ban, restored again).
fn is_repeat(transaction: &Transaction<'_>, event: &Event, latest: &[Known]) -> rusqlite::Result<bool> {
    // Without the ticket's time nothing tells a repeat from a second ban.
    let Some(ticket_at) = event.ban().and_then(|ban| ban.ticket_at) else { return Ok(false) };
    let last = latest.iter().find(|known| known.is_ban_or_unban);
    let Some(last) = last.filter(|last| last.is_alike && last.ticket_at == Some(ticket_at.0)) else {
        return Ok(false);
    };
    transaction
        .prepare_cached(
            "SELECT NOT EXISTS (SELECT 1 FROM events
                 WHERE subject = '' AND jail = ? AND host = ? AND seq > ? AND kind IN ('start', 'stop', 'flush'))",
        )?
        .query_row(params![event.jail, event.host, last.seq], |row| row.get(0))
}

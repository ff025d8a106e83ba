//! The inbox: every event, in the order of receipt. Writes the table `events`.
//!
//! Two sources append to it: the spool, in which `notify` leaves what fail2ban's action reports, and the readers of logs. It
//! recognizes the reports that are one event.

use std::borrow::Cow;

use banhook_notify::SpooledEvent;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Row, Rows, Transaction, params};

use super::checkpoints::{self, Checkpoint};
use super::checksum::{self, COUNTERPART, EventHead, event_columns};
use super::error::StoreError;
use super::store::Store;
use super::traces::{Traced, Traces};
use crate::event::{Event, EventDetails, Timestamp};

/// How far apart the times may be of a ban that both the action and the log report, in ms: other actions of the jail run
/// between the line and the action.
const COUNTERPART_WITHIN_MS: u64 = 10_000;

/// The number of a subject's latest events among which a repeat or counterpart is looked for, so that appending takes the
/// same time whatever the history.
const RECENT_EVENTS: u32 = 16;

/// A ban that follows the start of its jail, or a ban restored by that start, no later than this, in ms, is restored as well,
/// where fail2ban does not say so: it restores one after the other, while other jails do the same.
const RESTORED_GAP_MS: i64 = 3_000;

/// No ban is taken as restored that is further from the start of its jail, in ms: an attack may follow without a gap.
const RESTORED_WITHIN_MS: i64 = 60_000;

/// The number of latest events among which the jail's last restored ban is looked for.
const RECENT_OF_ALL_JAILS: u32 = 256;

/// The column `restored` of a ban that is restored as far as [`follows_start`] knows: it equals a report of the other kind.
const PRESUMED_RESTORED: i64 = 2;

/// Bytes of stored JSON that are read at a time: they are in memory together.
const READ_BYTES: usize = 2 << 20;

/// The result of appending an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Appended {
    /// It is stored.
    New,
    /// fail2ban ran a failed action again, or its log was faster; the first report of the event is stored.
    Repeat,
}

/// An event in the inbox.
#[derive(Debug, Clone)]
pub struct UnroutedEvent {
    /// Its number in the order of receipt.
    pub seq: i64,
    /// When it was received.
    pub received_at: Timestamp,
    /// The event, or why it is quarantined: the record is damaged, or cannot be parsed.
    pub event: Result<Event, String>,
    /// Its stored text, by which a later change is noticed.
    pub(super) body: String,
}

impl Store {
    /// Appends events of a log, in their order, and moves the log's checkpoint after them, both or neither. On a
    /// connection that syncs, they are on disk when this returns.
    ///
    /// # Errors
    /// When the store fails; then nothing of it is stored.
    pub fn append_all(
        &mut self,
        events: &[Event],
        checkpoint: Option<(&str, &Checkpoint)>,
        received_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.database.write("store the events", |transaction| {
            let mut inbox = Inbox::new(transaction)?;
            for event in events {
                inbox.append_logged(event, received_at)?;
            }
            match checkpoint {
                Some((log, checkpoint)) => {
                    let last_event_at = events.iter().map(|event| event.at).max();
                    checkpoints::record(transaction, log, checkpoint, last_event_at, received_at)
                }
                None => Ok(()),
            }
        })
    }

    /// Returns how far a log has been read; `None` if it was never read.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn log_checkpoint(&self, log: &str) -> Result<Option<Checkpoint>, StoreError> {
        self.database.read("read the checkpoints", |connection| checkpoints::of_log(connection, log))
    }

    /// Returns how far each file has been read, the last one that was read first.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn file_checkpoints(&self) -> Result<Vec<Checkpoint>, StoreError> {
        self.database.read("read the checkpoints", checkpoints::all)
    }

    /// Records that a log is followed, and its problem, if it has one, for status.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn record_log_problem(
        &mut self,
        log: &str,
        problem: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.database
            .write("store how logs fare", |transaction| checkpoints::record_problem(transaction, log, problem, now))
    }

    /// Records that no log is followed any more.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn record_unfollowed(&mut self) -> Result<(), StoreError> {
        self.database.write("store how logs fare", checkpoints::record_unfollowed)
    }

    /// Stores events to which details have been added. Returns the first that was not stored, since it has changed after it
    /// was read: the action has reported an event of the log, and its report stays.
    ///
    /// # Errors
    /// When the store fails; then they are unchanged.
    pub(crate) fn update_enriched(&mut self, events: &[&UnroutedEvent]) -> Result<Option<i64>, StoreError> {
        self.database.write("store the details of events", |transaction| {
            let mut update = transaction.prepare_cached(
                "UPDATE events SET body = ?1, checksum = (checksum & -4294967296) | ?2 WHERE seq = ?3 AND body = ?4",
            )?;
            let mut changed = None;
            for UnroutedEvent { seq, event, body, .. } in events {
                let Ok(event) = event else { continue };
                let enriched = event.to_json();
                if update.execute(params![enriched, checksum::of_body(&enriched), seq, body])? == 0 {
                    changed = changed.or(Some(*seq));
                }
            }
            Ok(changed)
        })
    }
}

/// Returns whether this very report is stored, by its id.
pub(super) fn has(connection: &Connection, event: &Event) -> rusqlite::Result<bool> {
    find(connection, event).map(|found| found.is_some())
}

fn find(connection: &Connection, event: &Event) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT max(seq) FROM events WHERE subject = ? AND jail = ? AND host = ? AND instr(body, ?)")?
        .query_row(
            params![event.ban().map_or("", |ban| &ban.subject), event.jail, event.host, id_in_body(&event.id)],
            |row| row.get(0),
        )
}

/// Returns how the body of an event has its id.
pub(super) fn id_in_body(id: &str) -> String {
    format!("\"id\":\"{id}\"")
}

#[cfg(test)]
impl Store {
    /// Appends an event that the action has reported.
    pub(crate) fn append(&mut self, event: &Event, received_at: Timestamp) -> Result<Appended, StoreError> {
        let event = event.clone();
        self.append_spooled(SpooledEvent { event, received_at, restored_is_unknown: false })
    }

    /// Appends an event of a fail2ban that does not say whether a ban is restored.
    fn append_unmarked(&mut self, event: Event, received_at: Timestamp) -> Result<Appended, StoreError> {
        self.append_spooled(SpooledEvent { event, received_at, restored_is_unknown: true })
    }

    fn append_spooled(&mut self, spooled: SpooledEvent) -> Result<Appended, StoreError> {
        let json = spooled.event.to_json();
        self.database.write("store the event", |transaction| Inbox::new(transaction)?.append_reported(spooled, &json))
    }
}

/// Removes an event.
pub(super) fn remove(transaction: &Transaction<'_>, seq: i64) -> rusqlite::Result<()> {
    transaction.prepare_cached("DELETE FROM events WHERE seq = ?")?.execute([seq]).map(drop)
}

/// Returns the events that have what is to be forgotten. Reads all of them.
pub(super) fn with_traces(connection: &Connection, traces: &Traces) -> rusqlite::Result<Vec<Traced>> {
    let mut found = Vec::new();
    let mut statement = connection.prepare("SELECT seq, jail, at, body FROM events ORDER BY seq")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (ValueRef::Text(bytes) | ValueRef::Blob(bytes)) = row.get_ref(3)? else { continue };
        let text = String::from_utf8_lossy(bytes);
        let blanked = match Event::from_stored_json(&text) {
            Ok(event) => match traces.blanked(&event) {
                Some(blanked) => Some(blanked),
                None => continue,
            },
            Err(_) if traces.are_in(&text) => None,
            Err(_) => continue,
        };
        found.push(Traced {
            seq: row.get(0)?,
            jail: row.get(1).unwrap_or_default(),
            at: row.get(2).unwrap_or_default(),
            blanked,
        });
    }
    Ok(found)
}

/// Replaces an event by what is left of it.
pub(super) fn blank(transaction: &Transaction<'_>, event: &Traced) -> rusqlite::Result<()> {
    let subject = event.blanked.as_ref().and_then(Event::ban).map_or("", |ban| ban.subject.as_str());
    let body = event.blanked.as_ref().map(Event::to_json).unwrap_or_default();
    transaction
        .prepare_cached("UPDATE events SET subject = ?, body = ? WHERE seq = ?")?
        .execute(params![subject, body, event.seq])?;
    let checksum = transaction
        .prepare_cached(concat!("SELECT ", event_columns!(), " FROM events WHERE seq = ?"))?
        .query_row([event.seq], checksum::of_event_row)?;
    transaction.prepare_cached("UPDATE events SET checksum = ? WHERE seq = ?")?.execute([checksum, event.seq]).map(drop)
}

/// Returns the number of the last event; 0: there is none.
pub(super) fn last_seq(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("SELECT ifnull(max(seq), 0) FROM events")?.query_row([], |row| row.get(0))
}

/// Appends events within a transaction.
pub(super) struct Inbox<'a> {
    transaction: &'a Transaction<'a>,
    /// The number of the last event. No other process appends meanwhile.
    last_seq: i64,
}

impl<'a> Inbox<'a> {
    pub(super) fn new(transaction: &'a Transaction<'a>) -> rusqlite::Result<Self> {
        Ok(Self { transaction, last_seq: last_seq(transaction)? })
    }

    /// Returns the number of the last event; 0: there is none.
    pub(super) const fn last_seq(&self) -> i64 {
        self.last_seq
    }

    /// Returns whether this very report is stored, by its id. A report that was taken for a repeat of another is not.
    pub(super) fn has(&self, event: &Event) -> rusqlite::Result<bool> {
        has(self.transaction, event)
    }

    /// Returns the number of the event that this very report is stored as, by its id.
    pub(super) fn find(&self, event: &Event) -> rusqlite::Result<Option<i64>> {
        find(self.transaction, event)
    }

    /// Appends an event that the action has reported; `json` is its text. If fail2ban does not say whether a ban is restored,
    /// it is if it belongs to the burst that follows the start of its jail.
    pub(super) fn append_reported(&mut self, spooled: SpooledEvent, json: &str) -> rusqlite::Result<Appended> {
        self.append_or_find(spooled, json).map(|(appended, _)| appended)
    }

    /// The same. Returns the number of the event that the report is stored as, too.
    pub(super) fn append_or_find(&mut self, spooled: SpooledEvent, json: &str) -> rusqlite::Result<(Appended, i64)> {
        let SpooledEvent { mut event, received_at, restored_is_unknown } = spooled;
        let mut body = Cow::Borrowed(json);
        let is_presumed = restored_is_unknown && follows_start(self.transaction, &event)?;
        let mut restored = i64::from(event.ban().is_some_and(|ban| ban.restored));
        if let EventDetails::Ban(ban) = &mut event.details
            && is_presumed
        {
            (ban.restored, restored) = (true, PRESUMED_RESTORED);
            body = event.to_json().into();
        }
        if let Some(repeated) = repeated(self.transaction, &event, restored)? {
            return Ok((Appended::Repeat, repeated));
        }
        if let Some(stored) = counterpart(self.transaction, &event, restored, false)? {
            replace_with_counterpart(self.transaction, &stored, &event, &body, restored)?;
            return Ok((Appended::Repeat, stored.seq));
        }
        self.insert(&event, &body, restored, received_at, false)?;
        Ok((Appended::New, self.last_seq))
    }

    /// Appends an event of a log, unless the action has reported it before.
    fn append_logged(&mut self, event: &Event, received_at: Timestamp) -> rusqlite::Result<()> {
        let restored = i64::from(event.ban().is_some_and(|ban| ban.restored));
        match counterpart(self.transaction, event, restored, true)? {
            Some(stored) => {
                // SQLite has no exclusive or.
                self.transaction
                    .prepare_cached(
                        "UPDATE events SET counterpart = 1, checksum = (checksum | ?1) - (checksum & ?1) WHERE seq = ?2",
                    )?
                    .execute([COUNTERPART, stored.seq])
                    .map(drop)
            }
            None => self.insert(event, &event.to_json(), restored, received_at, true),
        }
    }

    /// Appends a damaged record of the spool, with its bytes. It is quarantined when it is routed.
    pub(super) fn append_damaged(&mut self, bytes: &[u8], now: Timestamp) -> rusqlite::Result<()> {
        let empty = ValueRef::Text(b"");
        let seq = self.last_seq + 1;
        let [seq_value, zero, now] = [seq, 0, now.0].map(ValueRef::Integer);
        tracing::error!(event = seq, bytes = bytes.len(), "a record of the spool is damaged; it is quarantined");
        let head = [seq_value, now, now, zero, ValueRef::Text(b"damaged"), empty, empty, empty, ValueRef::Null, zero];
        self.insert_row(&head, ValueRef::Blob(bytes))
    }

    fn insert(
        &mut self,
        event: &Event,
        body: &str,
        restored: i64,
        received_at: Timestamp,
        logged: bool,
    ) -> rusqlite::Result<()> {
        let head = head(event, restored, self.last_seq + 1, received_at.0, event.at.0, logged);
        self.insert_row(&head, ValueRef::Text(body.as_bytes()))
    }

    /// Inserts a row with the number after the last one.
    fn insert_row(&mut self, head: &EventHead<'_>, body: ValueRef<'_>) -> rusqlite::Result<()> {
        let [seq, received_at, at, logged, kind, host, jail, subject, ticket_at, restored] =
            head.map(ToSqlOutput::Borrowed);
        self.transaction
            .prepare_cached(
                "INSERT INTO events (seq, received_at, at, logged, kind, host, jail, subject, ticket_at, restored, body, checksum)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                seq,
                received_at,
                at,
                logged,
                kind,
                host,
                jail,
                subject,
                ticket_at,
                restored,
                ToSqlOutput::Borrowed(body),
                checksum::of_event(head, body),
            ])?;
        self.last_seq += 1;
        Ok(())
    }
}

/// Returns whether a ban belongs to the burst of bans that follows the start of its jail.
fn follows_start(transaction: &Transaction<'_>, event: &Event) -> rusqlite::Result<bool> {
    let last = transaction
        .prepare_cached(
            "SELECT seq, at FROM events WHERE subject = '' AND jail = ?1 AND host = ?2 AND kind = 'start'
                 AND seq = (SELECT max(seq) FROM events WHERE subject = '' AND jail = ?1 AND host = ?2)",
        )?
        .query_row(params![event.jail, event.host], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))
        .optional()?;
    let Some((start, started_at)) = last else { return Ok(false) };
    let since = |at: i64| event.at.0.saturating_sub(at);
    if !(0..=RESTORED_WITHIN_MS).contains(&since(started_at)) {
        return Ok(false);
    }
    let last_restored: Option<i64> = transaction
        .prepare_cached(
            "SELECT max(at) FROM (SELECT at, jail, host, restored FROM events WHERE seq > ? ORDER BY seq DESC LIMIT ?)
             WHERE jail = ? AND host = ? AND restored != 0",
        )?
        .query_row(params![start, RECENT_OF_ALL_JAILS, event.jail, event.host], |row| row.get(0))?;
    Ok(since(last_restored.unwrap_or(started_at)) <= RESTORED_GAP_MS)
}

/// The columns of an event.
fn head(event: &Event, restored: i64, seq: i64, received_at: i64, at: i64, logged: bool) -> EventHead<'_> {
    let ban = event.ban();
    let text = |text: &'static str| ValueRef::Text(text.as_bytes());
    [
        ValueRef::Integer(seq),
        ValueRef::Integer(received_at),
        ValueRef::Integer(at),
        ValueRef::Integer(logged.into()),
        text(event.kind().as_str()),
        ValueRef::Text(event.host.as_bytes()),
        ValueRef::Text(event.jail.as_bytes()),
        ValueRef::Text(ban.map_or(&[], |ban| ban.subject.as_bytes())),
        ban.and_then(|ban| ban.ticket_at).map_or(ValueRef::Null, |at| ValueRef::Integer(at.0)),
        ValueRef::Integer(restored),
    ]
}

/// A stored event of the same subject, jail and host as the one that is to be appended.
struct StoredEvent {
    seq: i64,
    received_at: i64,
    at: i64,
    logged: bool,
}

/// Returns the action's report of a logged event, or the log's of a reported one, among the latest events of its subject, jail
/// and host; the oldest, if there are several. Each has at most one counterpart, so that what happens twice is stored twice.
fn counterpart(
    transaction: &Transaction<'_>,
    event: &Event,
    restored: i64,
    logged: bool,
) -> rusqlite::Result<Option<StoredEvent>> {
    // The index has what the inner query needs. So without another source, no row is read.
    let mut statement = transaction.prepare_cached(
        "SELECT event.seq, event.received_at, event.at, event.logged FROM
             (SELECT seq, logged FROM events WHERE subject = ?1 AND jail = ?2 AND host = ?3 ORDER BY seq DESC LIMIT ?4) AS latest
             CROSS JOIN events AS event ON event.seq = latest.seq
         WHERE latest.logged != ?5 AND event.counterpart = 0
             AND event.kind = ?6 AND (event.restored = ?7 OR 2 IN (event.restored, ?7))",
    )?;
    let mut rows = statement.query(params![
        event.ban().map_or("", |ban| &ban.subject),
        event.jail,
        event.host,
        RECENT_EVENTS,
        logged,
        event.kind().as_str(),
        restored,
    ])?;
    let mut oldest: Option<StoredEvent> = None;
    while let Some(row) = rows.next()? {
        let stored = || -> rusqlite::Result<StoredEvent> {
            Ok(StoredEvent { seq: row.get(0)?, received_at: row.get(1)?, at: row.get(2)?, logged: row.get(3)? })
        };
        // A damaged one is like no other.
        if let Ok(stored) = stored()
            && stored.at.abs_diff(event.at.0) <= COUNTERPART_WITHIN_MS
            && oldest.as_ref().is_none_or(|oldest| stored.seq < oldest.seq)
        {
            oldest = Some(stored);
        }
    }
    Ok(oldest)
}

/// Replaces a logged event by the action's report of it, which knows more. A message that was formatted already stays.
fn replace_with_counterpart(
    transaction: &Transaction<'_>,
    stored: &StoredEvent,
    event: &Event,
    body: &str,
    restored: i64,
) -> rusqlite::Result<()> {
    let head = head(event, restored, stored.seq, stored.received_at, stored.at, stored.logged);
    let checksum = checksum::of_event(&head, ValueRef::Text(body.as_bytes())) ^ COUNTERPART;
    transaction
        .prepare_cached(
            "UPDATE events SET counterpart = 1, ticket_at = ?, restored = ?, body = ?, checksum = ? WHERE seq = ?",
        )?
        .execute(params![
            event.ban().and_then(|ban| ban.ticket_at).map(|at| at.0),
            restored,
            body,
            checksum,
            stored.seq
        ])?;
    Ok(())
}

/// Returns the last event of this (host, jail, subject) if it was the same one: fail2ban runs a failed ban or unban a
/// second time. A start, stop or flush of the jail in between makes it a new one (the same ban, restored again).
fn repeated(transaction: &Transaction<'_>, event: &Event, restored: i64) -> rusqlite::Result<Option<i64>> {
    // Without the ticket's time, a repeat cannot be distinguished from a second ban.
    let Some((ban, ticket_at)) = event.ban().and_then(|ban| Some((ban, ban.ticket_at?))) else { return Ok(None) };
    let last = transaction
        .prepare_cached(
            "SELECT seq, kind = ?4 AND (restored = ?5 OR 2 IN (restored, ?5)) AND ticket_at IS ?6 FROM events
             WHERE subject = ?1 AND jail = ?2 AND host = ?3 AND kind IN ('ban', 'unban') ORDER BY seq DESC LIMIT 1",
        )?
        .query_row(params![ban.subject, event.jail, event.host, event.kind().as_str(), restored, ticket_at.0], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?))
        })
        .optional()?;
    let Some((last, true)) = last else { return Ok(None) };
    let is_new: bool = transaction
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM events
                 WHERE subject = '' AND jail = ? AND host = ? AND seq > ? AND kind IN ('start', 'stop', 'flush'))",
        )?
        .query_row(params![event.jail, event.host, last], |row| row.get(0))?;
    Ok((!is_new).then_some(last))
}

/// Reads rows that have the [`event_columns!`](super::checksum::event_columns) from the third column on, up to the first with
/// which the bodies have [`READ_BYTES`].
pub(super) fn read_events<T>(
    mut rows: Rows<'_>,
    read: impl Fn(&Row<'_>, Result<&str, String>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let (mut events, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let body = checksum::event_body(row, 2)?;
        bytes += body.as_ref().map_or(0, |body| body.len());
        events.push(read(row, body)?);
        if bytes >= READ_BYTES {
            break;
        }
    }
    Ok(events)
}

#[cfg(test)]
#[path = "inbox_tests.rs"]
mod tests;

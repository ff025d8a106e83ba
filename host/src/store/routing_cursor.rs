//! The table `routing_cursor`: up to which event the inbox has been routed, and which inbox that was.
//!
//! It moves in the transaction that routes the events, so nothing ever has to be written to both files at once.

use rusqlite::{Connection, OptionalExtension, Transaction};

use super::checksum::is_event_head_intact;
use super::database_file::Database;
use super::error::StoreError;
use super::ledger;
use super::schema::DbFile;

/// Returns the number of the last event that has been routed.
pub(super) fn last_routed(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("SELECT last_seq FROM routing_cursor")?.query_row([], |row| row.get(0))
}

/// Records that all events up to this one are routed, and which inbox and event these are: see [`check_inbox`].
pub(super) fn advance(transaction: &Transaction<'_>, last_seq: i64) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE routing_cursor SET last_seq = ?1, inbox = (SELECT id FROM inbox.inbox_meta),
                 received_at = (SELECT received_at FROM inbox.events WHERE seq = ?1),
                 subject = (SELECT subject FROM inbox.events WHERE seq = ?1)",
        )?
        .execute([last_seq])
        .map(drop)
}

/// Checks that the inbox is the one that was routed so far, and not an older copy of it: numbers alone prove nothing once
/// another inbox has received as many events. If the last event that was routed has been pruned, so was this inbox used
/// since.
///
/// # Errors
/// If it is another one, or when the store fails.
pub(super) fn check_inbox(database: &Database) -> Result<(), StoreError> {
    let is_other = database.read("read the inbox", |connection| {
        connection.query_row(
            "SELECT last_seq > 0 AND (
                 inbox IS NOT (SELECT id FROM inbox.inbox_meta)
                 OR last_seq > ifnull((SELECT max(seq) FROM inbox.events), 0)
             ) FROM routing_cursor",
            [],
            |row| row.get::<_, bool>(0),
        )
    })? || database.read("read the inbox", is_last_routed_another)?;
    let path = |file| database.folder().file(file);
    if is_other { Err(StoreError::Mismatch { path: path(DbFile::Inbox), work: path(DbFile::Work) }) } else { Ok(()) }
}

/// Returns whether the event that was routed last is another one in the inbox. A damaged one says nothing.
fn is_last_routed_another(connection: &Connection) -> rusqlite::Result<bool> {
    let found = connection
        .query_row(
            concat!(
                "SELECT (event.received_at, event.subject) <> (routing_cursor.received_at, routing_cursor.subject), ",
                "seq, event.received_at, at, logged, kind, host, jail, event.subject, ticket_at, restored, counterpart, ",
                "checksum FROM routing_cursor JOIN inbox.events AS event ON seq = last_seq"
            ),
            [],
            |row| Ok(row.get::<_, Option<bool>>(0)? == Some(true) && is_event_head_intact(row, 1)?),
        )
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// Moves past the events that the inbox knows to be settled, if this file is an older copy or new: which routes they
/// matched is no longer known. Returns how many they are.
pub(super) fn advance_past_settled(database: &mut Database) -> Result<u64, StoreError> {
    let settled = "SELECT max(0, (SELECT settled_through FROM inbox.inbox_meta) - last_seq) FROM routing_cursor";
    let count = |connection: &Connection| connection.query_row(settled, [], |row| row.get::<_, u64>(0));
    if database.read("read the inbox", count)? == 0 {
        return Ok(0);
    }
    database.write("move past settled events", |transaction| {
        let events = count(transaction)?;
        let settled_through: i64 =
            transaction.query_row("SELECT settled_through FROM inbox.inbox_meta", [], |row| row.get(0))?;
        advance(transaction, settled_through)?;
        ledger::count_unmatched(transaction, events)?;
        Ok(events)
    })
}

/// Returns up to which event all are settled (posted, digested, skipped or dead): those are not sent again should this file
/// be lost.
pub(super) fn settled_through(database: &Database) -> Result<i64, StoreError> {
    database.read("read which events are settled", |connection| {
        connection
            .prepare_cached(
                "SELECT ifnull((SELECT min(event) - 1 FROM (
                     SELECT min(event) AS event FROM routed_events WHERE state = 'pending' AND message IS NULL
                     UNION ALL SELECT (SELECT min(event) FROM routed_events WHERE message = id) FROM messages
                         WHERE state IN ('open', 'ready')
                 )), last_seq) FROM routing_cursor",
            )?
            .query_row([], |row| row.get(0))
    })
}

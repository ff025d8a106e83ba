//! The table `routing_cursor`: up to which event the inbox has been routed. It moves in the transaction that routes the events.

use rusqlite::{Connection, Transaction};

use super::database::Database;
use super::error::StoreError;

/// Returns the number of the last event that has been routed.
pub(super) fn last_routed(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("SELECT last_seq FROM routing_cursor")?.query_row([], |row| row.get(0))
}

/// Records that all events up to this one are routed.
pub(super) fn advance(transaction: &Transaction<'_>, last_seq: i64) -> rusqlite::Result<()> {
    transaction.prepare_cached("UPDATE routing_cursor SET last_seq = ?")?.execute([last_seq]).map(drop)
}

/// Returns up to which event all are settled (posted, digested, skipped or dead): those are not sent again should the database
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

//! The table `receipts`: how far each segment of the spool has been received, and how far what was received is settled.
//!
//! A row is inserted in the transaction that appends the events before it, so a crash neither loses nor repeats a record.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use spool::SegmentId;

use crate::event::Timestamp;

/// How far a segment has been received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Receipt {
    /// The segment.
    pub segment: SegmentId,
    /// All before this byte has been received.
    pub offset: u64,
    /// When that was.
    pub received_at: Timestamp,
    /// Whether all events of it are settled.
    pub is_settled: bool,
}

/// Returns the checkpoint of a segment; 0: nothing has been received.
pub(super) fn checkpoint(connection: &Connection, segment: SegmentId) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("SELECT ifnull(max(byte_offset), 0) FROM receipts WHERE segment = ?")?
        .query_row([segment.to_string()], |row| row.get(0))
}

/// The last bytes before a checkpoint, by which it is found out whether they are still those that were received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tail {
    /// Where they begin; they end at the checkpoint.
    pub begin: u64,
    /// Their CRC-32.
    pub crc: u32,
}

/// Records that all before an offset has been received, as events up to `last_seq`; 0: as events that are settled and no longer
/// stored. `tail`: `None` if nobody has seen the bytes.
pub(super) fn record(
    transaction: &Transaction<'_>,
    (segment, offset): (SegmentId, u64),
    tail: Option<Tail>,
    last_seq: i64,
    now: Timestamp,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO receipts (segment, byte_offset, tail_begin, tail_crc, last_seq, received_at)
             VALUES (?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            segment.to_string(),
            offset,
            tail.map(|tail| tail.begin),
            tail.map(|tail| tail.crc),
            last_seq,
            now.0
        ])
        .map(drop)
}

/// Returns the checkpoint of a segment, and the bytes before it as they were received; `None`: nothing has been received.
pub(super) fn received(connection: &Connection, segment: SegmentId) -> rusqlite::Result<Option<(u64, Option<Tail>)>> {
    connection
        .prepare_cached(
            "SELECT byte_offset, tail_begin, tail_crc FROM receipts WHERE segment = ? ORDER BY byte_offset DESC LIMIT 1",
        )?
        .query_row([segment.to_string()], |row| {
            let tail = row.get::<_, Option<u64>>(1)?.zip(row.get(2)?).map(|(begin, crc)| Tail { begin, crc });
            Ok((row.get(0)?, tail))
        })
        .optional()
}

/// Returns whether events of receipts are settled that were not before.
pub(super) fn has_newly_settled(connection: &Connection, settled_through: i64) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM receipts WHERE settled = 0 AND last_seq <= ?)")?
        .query_row([settled_through], |row| row.get(0))
}

/// Records that all events up to this one are settled, and forgets the receipts that later ones stand for.
pub(super) fn settle(transaction: &Transaction<'_>, settled_through: i64) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("UPDATE receipts SET settled = 1 WHERE settled = 0 AND last_seq <= ?")?
        .execute([settled_through])?;
    transaction
        .prepare_cached(
            "DELETE FROM receipts WHERE settled = 1 AND byte_offset <
                 (SELECT max(byte_offset) FROM receipts AS later WHERE later.segment = receipts.segment AND settled = 1)",
        )?
        .execute([])
        .map(drop)
}

/// Returns the last receipt of each segment, or the last one whose events are settled.
pub(super) fn last(connection: &Connection, settled_only: bool) -> rusqlite::Result<Vec<Receipt>> {
    let mut statement = connection.prepare_cached(
        "SELECT segment, max(byte_offset), received_at, settled FROM receipts WHERE settled >= ? GROUP BY segment",
    )?;
    let rows = statement.query_map([settled_only], |row| {
        let segment = SegmentId::parse(row.get_ref(0)?.as_str()?);
        let (offset, received_at, is_settled) = (row.get(1)?, Timestamp(row.get(2)?), row.get(3)?);
        Ok(segment.map(|segment| Receipt { segment, offset, received_at, is_settled }))
    })?;
    rows.filter_map(Result::transpose).collect()
}

/// Forgets a segment, which is gone.
pub(super) fn forget(transaction: &Transaction<'_>, segment: SegmentId) -> rusqlite::Result<()> {
    transaction.prepare_cached("DELETE FROM receipts WHERE segment = ?")?.execute([segment.to_string()]).map(drop)
}

//! The table `checkpoints`: how far each log has been read. A checkpoint moves in the transaction that appends the events
//! before it, so a crash neither loses nor repeats a line.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

/// How far a log has been read, and in which file: after a rotation, the log's name is a new file's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checkpoint {
    /// The file's inode; 0: there was no file yet.
    pub inode: u64,
    /// The length of the file's beginning that the fingerprint covers, in bytes.
    pub head: u64,
    /// A hash of that beginning: inodes are reused.
    pub fingerprint: String,
    /// The events of all lines before this byte have been appended.
    pub offset: u64,
}

/// Returns a log's checkpoint; `None` if the log was never read.
pub(super) fn read(connection: &Connection, log: &str) -> rusqlite::Result<Option<Checkpoint>> {
    connection
        .prepare_cached("SELECT inode, head, fingerprint, byte_offset FROM checkpoints WHERE log = ?")?
        .query_row([log], |row| {
            let inode: i64 = row.get(0)?;
            Ok(Checkpoint {
                inode: inode.cast_unsigned(),
                head: row.get(1)?,
                fingerprint: row.get(2)?,
                offset: row.get(3)?,
            })
        })
        .optional()
}

/// Moves a log's checkpoint.
pub(super) fn record(transaction: &Transaction<'_>, log: &str, checkpoint: &Checkpoint) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO checkpoints (log, inode, head, fingerprint, byte_offset) VALUES (?, ?, ?, ?, ?)",
        )?
        .execute(params![
            log,
            checkpoint.inode.cast_signed(),
            checkpoint.head,
            checkpoint.fingerprint,
            checkpoint.offset
        ])?;
    Ok(())
}

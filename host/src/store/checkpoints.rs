//! How far each log has been read. A checkpoint moves in the transaction that takes in the events before it, so a crash
//! neither loses nor repeats a line.

use rusqlite::{OptionalExtension, Transaction, params};

use super::{Inbox, StoreError, inbox};
use crate::event::{Event, Timestamp};

/// Up to where a log has been read, and in which file: a log's name is a new file's after each rotation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checkpoint {
    /// The file's number in its file system; 0: there was none yet.
    pub inode: u64,
    /// How much of the file's beginning the fingerprint is of, in bytes.
    pub head: u64,
    /// A hash of that: inodes are used again.
    pub fingerprint: String,
    /// All that lies before this byte has been taken in.
    pub offset: u64,
}

impl Inbox {
    /// How far a log has been read; `None`: it was never read.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn log_checkpoint(&self, log: &str) -> Result<Option<Checkpoint>, StoreError> {
        self.database.read("read the checkpoints", |connection| {
            connection
                .prepare_cached("SELECT inode, head, fingerprint, byte FROM checkpoints WHERE log = ?")?
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
        })
    }

    /// Takes in events of a log, in their order, and moves its checkpoint behind them, both or neither. When this
    /// returns, it is on disk.
    ///
    /// # Errors
    /// When the disk refuses; then nothing of it is stored.
    pub fn append_all(
        &mut self,
        events: &[Event],
        checkpoint: Option<(&str, &Checkpoint)>,
        received_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.database.write("store the events", |transaction| {
            for event in events {
                inbox::append_logged(transaction, event, received_at)?;
            }
            match checkpoint {
                Some((log, checkpoint)) => move_to(transaction, log, checkpoint),
                None => Ok(()),
            }
        })
    }
}

fn move_to(transaction: &Transaction<'_>, log: &str, checkpoint: &Checkpoint) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO checkpoints (log, inode, head, fingerprint, byte) VALUES (?, ?, ?, ?, ?)",
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

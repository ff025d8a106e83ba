//! The tables `checkpoints`, how far each file of a log has been read, and `logs`, which of them a log is in at present and
//! how it fares. A checkpoint moves in the transaction that appends the events before it, so a crash neither loses nor
//! repeats a line.
//!
//! A file has one checkpoint, whatever its name: it may be renamed, copied, compressed, or named by another path. Those that
//! have been read to their end are kept, so that nobody reads them again under their next name.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::database::Database;
use super::error::StoreError;
use super::traces::blank_texts;
use crate::event::Timestamp;

/// How many checkpoints are kept at least: a log that is rotated daily has so many files in three years.
const MAX_CHECKPOINTS: u32 = 1_000;

/// How many logs are kept at least that nobody follows.
const MAX_LOGS: u32 = 1_000;

/// How far a file has been read, and how it is recognized.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checkpoint {
    /// Identifies the checkpoint, at random; 0: there was no file yet.
    pub id: i64,
    /// The file's inode.
    pub inode: u64,
    /// The length of the file's beginning that the fingerprint covers, in bytes.
    pub head: u64,
    /// A hash of that beginning: inodes are reused.
    pub fingerprint: String,
    /// The events of all lines before this byte have been appended.
    pub offset: u64,
}

/// How a log fares.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct LogState {
    /// Its path, or the pattern of a source.
    pub log: String,
    /// Where it is read; the id 0 if it does not exist yet.
    pub checkpoint: Checkpoint,
    /// The time of its last event.
    pub last_event_at: Option<Timestamp>,
    /// Whether the process that routes and delivers reads it, or did when it last ran.
    pub followed: bool,
    /// Why nothing is read or understood, and what to do.
    pub problem: Option<String>,
    /// Since when.
    pub problem_since: Option<Timestamp>,
}

/// The columns of a checkpoint, where `logs` may have none.
const COLUMNS: &str = "coalesce(checkpoints.id, 0), coalesce(inode, 0), coalesce(head, 0), coalesce(fingerprint, ''), \
                       coalesce(byte_offset, 0)";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Checkpoint> {
    let inode: i64 = row.get(1)?;
    Ok(Checkpoint {
        id: row.get(0)?,
        inode: inode.cast_unsigned(),
        head: row.get(2)?,
        fingerprint: row.get(3)?,
        offset: row.get(4)?,
    })
}

/// Returns where a log was read last; `None` if it was never read.
pub(super) fn of_log(connection: &Connection, log: &str) -> rusqlite::Result<Option<Checkpoint>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM logs LEFT JOIN checkpoints ON id = checkpoint WHERE log = ?"))?
        .query_row([log], from_row)
        .optional()
}

/// Returns the checkpoints of all files, the last one that was moved first.
pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<Checkpoint>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM checkpoints ORDER BY moved_at DESC"))?
        .query_map([], from_row)?
        .collect()
}

/// Moves a log's checkpoint. `last_event_at` is the time of the last event before it, if there are new ones.
pub(super) fn record(
    transaction: &Transaction<'_>,
    log: &str,
    checkpoint: &Checkpoint,
    last_event_at: Option<Timestamp>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO logs (log, checkpoint, last_event_at) VALUES (?, ?, ?)
             ON CONFLICT DO UPDATE SET checkpoint = excluded.checkpoint,
                 last_event_at = coalesce(excluded.last_event_at, last_event_at)",
        )?
        .execute(params![log, checkpoint.id, last_event_at.map(|at| at.0)])?;
    if checkpoint.id == 0 {
        return Ok(());
    }
    let values = params![
        checkpoint.id,
        checkpoint.inode.cast_signed(),
        checkpoint.head,
        checkpoint.fingerprint,
        checkpoint.offset,
        now.0
    ];
    let known = transaction
        .prepare_cached(
            "UPDATE checkpoints SET inode = ?2, head = ?3, fingerprint = ?4, byte_offset = ?5, moved_at = ?6 WHERE id = ?1",
        )?
        .execute(values)?;
    if known == 0 {
        transaction
            .prepare_cached(
                "INSERT INTO checkpoints (id, inode, head, fingerprint, byte_offset, moved_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(values)?;
        forget_oldest(transaction)?;
    }
    Ok(())
}

/// Bounds both tables. What is in use stays.
fn forget_oldest(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "DELETE FROM logs WHERE NOT followed AND log NOT IN
                 (SELECT log FROM logs LEFT JOIN checkpoints ON id = checkpoint ORDER BY moved_at DESC LIMIT ?)",
        )?
        .execute([MAX_LOGS])?;
    transaction
        .prepare_cached(
            "DELETE FROM checkpoints WHERE id NOT IN (SELECT checkpoint FROM logs)
                 AND id NOT IN (SELECT id FROM checkpoints ORDER BY moved_at DESC LIMIT ?)",
        )?
        .execute([MAX_CHECKPOINTS])?;
    Ok(())
}

/// Records whether a log is followed and what its problem is. Since when it has that problem stays as it was.
pub(super) fn record_problem(
    transaction: &Transaction<'_>,
    log: &str,
    problem: Option<&str>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO logs (log, checkpoint, followed, problem, problem_since)
                 VALUES (?1, 0, 1, ?2, CASE WHEN ?2 IS NOT NULL THEN ?3 END)
             ON CONFLICT DO UPDATE SET followed = 1, problem = excluded.problem,
                 problem_since = CASE WHEN excluded.problem IS NOT NULL THEN coalesce(problem_since, ?3) END",
        )?
        .execute(params![log, problem, now.0])?;
    Ok(())
}

/// Blanks problems that `has` accepts.
pub(super) fn blank(transaction: &Transaction<'_>, has: impl Fn(&str) -> bool) -> rusqlite::Result<()> {
    let select = "SELECT log, problem FROM logs WHERE problem IS NOT NULL";
    blank_texts(transaction, (select, "UPDATE logs SET problem = '[forgotten]' WHERE log = ?"), has).map(drop)
}

/// Records that no log is followed any more.
pub(super) fn record_unfollowed(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute("UPDATE logs SET followed = 0 WHERE followed", []).map(drop)
}

/// Returns the logs that were ever read, or tried to, by name.
pub(super) fn logs(database: &Database) -> Result<Vec<LogState>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS}, log, last_event_at, followed, problem, problem_since
         FROM logs LEFT JOIN checkpoints ON id = checkpoint ORDER BY log"
    );
    database.read("read how logs fare", |connection| {
        let state = |row: &Row<'_>| {
            Ok(LogState {
                checkpoint: from_row(row)?,
                log: row.get(5)?,
                last_event_at: row.get::<_, Option<i64>>(6)?.map(Timestamp),
                followed: row.get(7)?,
                problem: row.get(8)?,
                problem_since: row.get::<_, Option<i64>>(9)?.map(Timestamp),
            })
        };
        connection.prepare(&sql)?.query_map([], state)?.collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;
    use crate::store::fixture::{Fixture, fixture};

    fn checkpoint(id: i64) -> Checkpoint {
        Checkpoint { id, inode: 7, head: 9, fingerprint: "f".into(), offset: 100 }
    }

    #[test]
    fn record_keeps_a_checkpoint_for_each_file_of_a_log() {
        let Fixture { store, mut inbox, temp: _temp, .. } = fixture();
        for (id, now) in [(5, 1), (6, 2), (5, 3)] {
            inbox.append_all(&[], Some(("/l", &checkpoint(id))), Timestamp(now)).unwrap();
        }
        assert_eq!(inbox.log_checkpoint("/l").unwrap(), Some(checkpoint(5)));
        assert_eq!(inbox.file_checkpoints().unwrap(), [checkpoint(5), checkpoint(6)]);
        inbox.append_all(&[], Some(("/none", &Checkpoint::default())), Timestamp(4)).unwrap();
        assert_eq!(inbox.log_checkpoint("/none").unwrap(), Some(Checkpoint::default()));
        assert_eq!(store.logs().unwrap().len(), 2);
    }

    #[test]
    fn record_forgets_the_oldest_files_but_none_in_use() {
        let Fixture { mut inbox, temp: _temp, .. } = fixture();
        inbox.append_all(&[], Some(("/old", &checkpoint(1))), Timestamp(1)).unwrap();
        let id = |n: u32| i64::from(n) + 10;
        for n in 0..MAX_CHECKPOINTS + 2 {
            inbox.append_all(&[], Some(("/l", &checkpoint(id(n)))), Timestamp(id(n))).unwrap();
        }
        let kept: Vec<_> = inbox.file_checkpoints().unwrap().iter().map(|checkpoint| checkpoint.id).collect();
        assert_eq!((kept.len(), kept.contains(&1), kept.contains(&id(1))), (1_001, true, false));
    }

    #[test]
    fn record_problem_keeps_since_when_it_is() {
        let Fixture { store, mut inbox, temp: _temp, .. } = fixture();
        let problem = |store: &Store| {
            let log = store.logs().unwrap().remove(0);
            (log.followed, log.problem, log.problem_since.map(|at| at.0))
        };
        inbox.record_log_problem("/l", Some("unreadable"), Timestamp(1)).unwrap();
        inbox.record_log_problem("/l", Some("still unreadable"), Timestamp(2)).unwrap();
        assert_eq!(problem(&store), (true, Some("still unreadable".to_owned()), Some(1)));
        inbox.append_all(&[], Some(("/l", &checkpoint(1))), Timestamp(3)).unwrap();
        assert_eq!(problem(&store).2, Some(1));
        inbox.record_log_problem("/l", None, Timestamp(4)).unwrap();
        assert_eq!(problem(&store), (true, None, None));
        inbox.record_unfollowed().unwrap();
        assert!(!problem(&store).0);
    }
}

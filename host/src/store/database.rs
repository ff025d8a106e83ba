//! The SQLite file of the store: how it is created, opened, written to in turn, and checkpointed.
//!
//! SQLite has one writer and lets others poll, which starves them; so writers queue on a lock file before
//! `BEGIN IMMEDIATE`, and a transaction does no plugin, file or network work. Here is no table's SQL.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, Row, Transaction, TransactionBehavior, config::DbConfig};
use rustix::fs::Access;
use rustix::io::Errno;

use super::error::{Probe, StoreError};
use super::schema::SCHEMA;
use crate::event::readable::cut;
use banhook_notify::{StateDir, StateDirError};

/// How long a statement waits for a writer that does not queue on the lock file, such as `sqlite3`.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a statement is repeated for which SQLite does not wait.
const BUSY_POLL_INTERVAL: Duration = Duration::from_millis(1);

/// The usual length of a write-ahead log, in bytes. It keeps that length and is overwritten from its start: then a sync
/// has no change of length to write, and is cheaper.
const WAL_BYTES: u64 = 4 << 20;

/// The length at which it is overwritten even during a backlog: a million events must not take gigabytes.
const WAL_BYTES_MAX: u64 = 64 << 20;

/// Prepared statements that a connection keeps: all that any of them uses repeatedly.
const STATEMENTS: usize = 64;

/// Memory for pages that a transaction of the router may use. With SQLite's 2 MB, 2,000 events would not fit, and pages that
/// are changed repeatedly would be written each time.
const CACHE_KIB: u32 = 16 << 10;

/// An open file. One for each thread that uses it.
pub(super) struct Database {
    pub(super) connection: Connection,
    folder: StateDir,
    /// Its device and inode when it was opened.
    identity: Option<(u64, u64)>,
}

impl Database {
    /// Opens a file, creating it where there is none. Leaves an older schema as it is.
    ///
    /// # Errors
    /// When the folder or file cannot be created or opened, or a newer banhook has migrated it.
    pub(super) fn open(folder: &StateDir) -> Result<Self, StoreError> {
        let identity = ensure_files(folder)?;
        let path = folder.database();
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags).map_err(|reason| {
            StoreError::from_sqlite("open", (folder.path(), &path), reason, &Files { folder, identity })
        })?;
        let mut database = Self { connection, folder: folder.clone(), identity };
        database.read("open", |connection| {
            connection.busy_timeout(BUSY_TIMEOUT)?;
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
            // Plans do not depend on values. Without this, statements on tables with partial indexes are planned again for
            // each event.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
            connection.set_prepared_statement_cache_capacity(STATEMENTS);
            connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;")
        })?;
        let (mut found, known) = (database.version()?, SCHEMA.version());
        if found == 0 {
            database.create_tables()?;
            found = database.version()?;
        }
        if found > known {
            return Err(StoreError::Newer { path, found, known });
        }
        Ok(database)
    }

    /// Migrates the schema to this version, and starts with a short write-ahead log.
    pub(super) fn migrate(&mut self) -> Result<(), StoreError> {
        self.write("migrate", |transaction| SCHEMA.migrate(transaction))?;
        self.limit_wal()?;
        self.wal_checkpoint("PASSIVE")
    }

    /// Has the write-ahead log cut to its usual length when it is overwritten, so that its length says whether it has
    /// grown.
    pub(super) fn limit_wal(&self) -> Result<(), StoreError> {
        self.read("configure", |connection| {
            connection.query_row(&format!("PRAGMA journal_size_limit = {WAL_BYTES}"), [], |_| Ok(()))
        })
    }

    /// Makes this connection fit for routing: its commits survive a crash of the process, and a crash of the machine only
    /// after the next checkpoint, or the next transaction of a connection that syncs. Gives it memory for large
    /// transactions.
    pub(super) fn configure_for_routing(&self) -> Result<(), StoreError> {
        self.read("configure", |connection| {
            connection.execute_batch(&format!("PRAGMA synchronous = NORMAL; PRAGMA main.cache_size = -{CACHE_KIB}"))
        })
    }

    /// Returns whether another file, or none, is where the open one was. An error of the system's says nothing of the kind.
    pub(super) fn was_replaced(&self) -> bool {
        Files { folder: &self.folder, identity: self.identity }.was_replaced().unwrap_or_default()
    }

    pub(super) const fn folder(&self) -> &StateDir {
        &self.folder
    }

    /// Copies the write-ahead log into the database, so that it is overwritten from its start and stays short. `TRUNCATE`
    /// empties it, too. Writers wait meanwhile, some milliseconds: otherwise they could keep it from ever restarting.
    pub(super) fn wal_checkpoint(&self, mode: &str) -> Result<(), StoreError> {
        let _lock = lock_writer(&self.folder)?;
        self.read("checkpoint", |connection| {
            connection.query_row(&format!("PRAGMA main.wal_checkpoint({mode})"), [], |_| Ok(()))
        })
    }

    /// The same if the log has grown; cheap otherwise.
    pub(super) fn wal_checkpoint_if_long(&self) -> Result<(), StoreError> {
        self.wal_checkpoint_if_longer(WAL_BYTES)
    }

    /// The same during a backlog, only if the log has grown much: the fewer checkpoints, the less is written twice.
    pub(super) fn wal_checkpoint_if_very_long(&self) -> Result<(), StoreError> {
        self.wal_checkpoint_if_longer(WAL_BYTES_MAX)
    }

    fn wal_checkpoint_if_longer(&self, bytes: u64) -> Result<(), StoreError> {
        if wal_bytes(&self.folder) > bytes { self.wal_checkpoint("PASSIVE") } else { Ok(()) }
    }

    /// Runs a query.
    pub(super) fn read<T>(
        &self,
        step: &'static str,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        query(&self.connection).map_err(|reason| self.error(step, reason))
    }

    /// Runs several queries on one snapshot of each file, taken when the first of them uses it.
    pub(super) fn read_snapshot<T>(
        &self,
        step: &'static str,
        queries: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.read(step, |connection| queries(&*connection.unchecked_transaction()?))
    }

    /// Runs a transaction, in its turn among all writers. When it returns, the change is on disk.
    pub(super) fn write<T>(
        &mut self,
        step: &'static str,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let _lock = lock_writer(&self.folder)?;
        let done = (|| {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = change(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })();
        done.map_err(|reason| self.error(step, reason))
    }

    /// Has what this connection deletes overwritten with zeros.
    pub(super) fn overwrite_deleted(&self) -> Result<(), StoreError> {
        self.read("configure", |connection| connection.query_row("PRAGMA secure_delete = ON", [], |_| Ok(())))
    }

    /// Writes the whole file again, without what was deleted before, and empties the write-ahead log. Returns false if a reader
    /// kept that from being emptied.
    pub(super) fn vacuum(&self) -> Result<bool, StoreError> {
        let _lock = lock_writer(&self.folder)?;
        self.read("vacuum", |connection| connection.execute_batch("VACUUM"))?;
        self.read("checkpoint", |connection| {
            connection.query_row("PRAGMA main.wal_checkpoint(TRUNCATE)", [], |row| Ok(row.get::<_, i64>(0)? == 0))
        })
    }

    /// Returns whether there is a table, for queries of a store that no process of this version has worked on yet.
    pub(super) fn has_table(&self, name: &str) -> Result<bool, StoreError> {
        self.read("look for a table", |connection| {
            connection
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?)")?
                .query_row([name], |row| row.get(0))
        })
    }

    fn version(&self) -> Result<i64, StoreError> {
        self.read("read", |connection| connection.query_row("PRAGMA user_version", [], |row| row.get(0)))
    }

    /// Creates the tables, unless another process just did.
    fn create_tables(&mut self) -> Result<(), StoreError> {
        let _lock = lock_writer(&self.folder)?;
        if self.version()? != 0 {
            return Ok(());
        }
        self.read("create", |connection| use_wal(connection, || std::thread::sleep(BUSY_POLL_INTERVAL)))?;
        let folder = self.folder.clone();
        let created = (|| {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            SCHEMA.create(&transaction)?;
            // SQLite is built to leave this to us (.cargo/config.toml). Before the commit: whoever finds the tables relies
            // on the file, even if we are killed right after it.
            let synced = folder.sync();
            if synced.is_ok() {
                transaction.commit()?;
            }
            Ok(synced)
        })();
        Ok(created.map_err(|reason| self.error("create", reason))??)
    }

    fn error(&self, step: &'static str, reason: rusqlite::Error) -> StoreError {
        let Self { folder, identity, .. } = self;
        let files = Files { folder, identity: *identity };
        StoreError::from_sqlite(step, (folder.path(), &folder.database()), reason, &files)
    }
}

/// The file that an error was about.
struct Files<'a> {
    folder: &'a StateDir,
    identity: Option<(u64, u64)>,
}

impl Probe for Files<'_> {
    fn is_damaged(&self) -> bool {
        // A connection of its own: SQLite reads everything again. It closes the file only after all others did, so that
        // their locks stay.
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let check = Connection::open_with_flags(self.folder.database(), flags)
            .and_then(|connection| connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0)));
        match check {
            Ok(found) => found != "ok",
            Err(error) => {
                matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
            }
        }
    }

    fn was_replaced(&self) -> io::Result<bool> {
        match fs::metadata(self.folder.database()) {
            Ok(meta) => Ok(self.identity != Some((meta.dev(), meta.ino()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Opens no file of the store: to close it would release SQLite's locks.
    fn access(&self) -> io::Result<()> {
        fs::File::open("/")?;
        let (folder, file) = (self.folder.path(), self.folder.database());
        rustix::fs::access(folder, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK)?;
        for path in [file, wal(self.folder)] {
            match rustix::fs::access(&path, Access::READ_OK | Access::WRITE_OK) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn has_space_and_inodes(&self) -> (bool, bool) {
        let Ok(space) = rustix::fs::statvfs(self.folder.path()) else { return (true, true) };
        // Some file systems count no inodes.
        (space.f_bavail > 0, space.f_files == 0 || space.f_favail > 0)
    }
}

/// Bytes of an error or reason that are stored.
const ERROR_BYTES: usize = 2_000;

/// An error or reason as it is stored: a plugin or a webhook wrote it, and thousands of rows may hold it.
pub(super) fn stored(text: &str) -> &str {
    cut(text, ERROR_BYTES)
}

/// A text that may be damaged; `None` if there is none.
pub(super) fn lossy(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<String>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => None,
    })
}

/// A limit on rows, as SQLite takes it.
pub(super) fn sql_limit(at_most: usize) -> i64 {
    i64::try_from(at_most).unwrap_or(i64::MAX)
}

/// The right to write to the database; held for one transaction.
struct WriterLock {
    _file: fs::File,
}

/// Waits for the right to write.
fn lock_writer(folder: &StateDir) -> Result<WriterLock, StateDirError> {
    let path = folder.path().join("writer.lock");
    let file = folder.open_private(&path)?;
    file.lock().map_err(|error| folder.error("lock", &path, error))?;
    Ok(WriterLock { _file: file })
}

/// The write-ahead log.
fn wal(folder: &StateDir) -> PathBuf {
    let mut path = folder.database().into_os_string();
    path.push("-wal");
    path.into()
}

/// The length of the write-ahead log in bytes; 0 if there is none.
fn wal_bytes(folder: &StateDir) -> u64 {
    fs::metadata(wal(folder)).map_or(0, |meta| meta.len())
}

/// Creates the folder and an empty file where there are none, for their owner only. Returns the file's device and inode.
fn ensure_files(folder: &StateDir) -> Result<Option<(u64, u64)>, StateDirError> {
    let path = folder.database();
    let meta = match fs::metadata(&path) {
        Ok(meta) => {
            if meta.len() > 0 && !wal(folder).exists() {
                create_wal(folder)?;
            }
            Ok(meta)
        }
        Err(_) => {
            folder.create()?;
            folder.open_private(&path)?.metadata()
        }
    };
    Ok(meta.ok().map(|meta| (meta.dev(), meta.ino())))
}

/// Creates a write-ahead log that is missing (`sqlite3` removes it when it is the last to close the file), as a writer:
/// whoever finds it and then writes has waited until the folder was synced.
fn create_wal(folder: &StateDir) -> Result<(), StateDirError> {
    let _lock = lock_writer(folder)?;
    folder.open_private(&wal(folder))?;
    folder.sync()
}

/// Has a new file use a write-ahead log. Outside a transaction, since the journal mode cannot change within one. SQLite does
/// not wait here for another writer, which there may be despite the lock: the kernel releases a killed process's locks one
/// after the other. `on_busy` is called before each repetition.
fn use_wal(connection: &Connection, mut on_busy: impl FnMut()) -> rusqlite::Result<()> {
    let deadline = Instant::now() + BUSY_TIMEOUT;
    loop {
        match connection.execute_batch("PRAGMA journal_mode = WAL;") {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && Instant::now() < deadline => {
                on_busy();
            }
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn use_wal_while_another_connection_writes_waits_for_it() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("file");
        let [connection, other] = [0; 2].map(|_| Connection::open(&file).unwrap());
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut waits = 0;
        use_wal(&connection, || {
            waits += 1;
            // At the second, so that one alone does not end it.
            if waits == 2 {
                other.execute_batch("COMMIT").unwrap();
            }
        })
        .unwrap();
        assert_eq!(waits, 2);
        let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
        assert_eq!(mode, "wal");
    }

    #[test]
    fn open_file_without_a_write_ahead_log_creates_it() {
        let temp = tempfile::tempdir().unwrap();
        let folder = StateDir::new(temp.path());
        drop(Database::open(&folder).unwrap());
        fs::remove_file(wal(&folder)).unwrap();
        drop(Database::open(&folder).unwrap());
        assert!(wal(&folder).exists());
    }

    #[test]
    fn statement_with_other_values_is_not_planned_again() {
        let temp = tempfile::tempdir().unwrap();
        let database = Database::open(&StateDir::new(temp.path())).unwrap();
        // One partial index of routed_events covers rows with a message, another one those without.
        let mut statement =
            database.connection.prepare("SELECT 1 FROM routed_events WHERE event = ? AND message IS ?").unwrap();
        for message in [None, Some(1), None] {
            assert!(!statement.exists(rusqlite::params![1, message]).unwrap());
        }
        assert_eq!(statement.get_status(rusqlite::StatementStatus::RePrepare), 0);
    }
}

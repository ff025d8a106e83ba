//! One SQLite file of the store: how it is opened, written to in turn, and checkpointed.
//!
//! SQLite has one writer and lets others poll, which starves them; so writers queue on a lock file (`folder`) in front of
//! `BEGIN IMMEDIATE`, and a transaction does no plugin, file or network work.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior, config::DbConfig};

use super::schema::Schema;
use super::state_dir::DbFile;
use super::{StateDir, StoreError};

/// How long a statement waits for a writer that is not ours (ours queue on the lock file), such as `sqlite3`.
const BUSY: Duration = Duration::from_secs(10);

/// How often is tried what SQLite does not wait for.
const BUSY_LOOK: Duration = Duration::from_millis(1);

/// The usual length of a write-ahead log, in bytes. It stays at that and is written over again: then a sync has no
/// change of length to write, and is cheaper.
const WAL_BYTES: u64 = 4 << 20;

/// The length at which it is written over again also while there is work: a backlog of a million events must not take
/// gigabytes.
const WAL_BYTES_MOST: u64 = 64 << 20;

/// Statements that a connection keeps prepared: all that any of them uses again and again.
const STATEMENTS: usize = 64;

/// Memory for pages that a transaction of the router may use. With SQLite's 2 MB, 2,000 events would not fit, and pages that
/// are changed again and again would be written each time.
const CACHE_KIB: u32 = 16 << 10;

/// An open file. One for each thread that uses it.
pub(super) struct Database {
    pub(super) connection: Connection,
    folder: StateDir,
    part: DbFile,
}

impl Database {
    /// Opens a file, making it where there is none. Leaves an older schema as it is.
    ///
    /// # Errors
    /// When the folder or file cannot be made or opened, or a newer banhook wrote it.
    pub(super) fn open(folder: &StateDir, part: DbFile) -> Result<Self, StoreError> {
        folder.prepare(part)?;
        let file = folder.file(part);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
        let connection = Connection::open_with_flags(&file, flags)
            .map_err(|source| StoreError::new("open", folder, &file, source))?;
        let mut database = Self { connection, folder: folder.clone(), part };
        database.read("open", |connection| {
            connection.busy_timeout(BUSY)?;
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
            // Plans do not depend on values. Else what reads tables with partial indexes is planned anew for each event.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
            connection.set_prepared_statement_cache_capacity(STATEMENTS);
            connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;")
        })?;
        let (mut found, known) = (database.version()?, Schema::of(part).version());
        if found == 0 {
            database.create()?;
            found = database.version()?;
        }
        if found > known {
            return Err(StoreError::Newer { path: file, found, known });
        }
        Ok(database)
    }

    /// Brings the schema up to date, and begins with a short write-ahead log.
    pub(super) fn prepare_for_work(&mut self) -> Result<(), StoreError> {
        let part = self.part;
        self.write("migrate", |transaction| Schema::of(part).migrate(transaction))?;
        self.limit_wal()?;
        self.checkpoint("PASSIVE")
    }

    /// Has the file cut to its usual length when it begins anew, so that its length says whether it has grown.
    pub(super) fn limit_wal(&self) -> Result<(), StoreError> {
        self.read("configure", |connection| {
            connection.query_row(&format!("PRAGMA journal_size_limit = {WAL_BYTES}"), [], |_| Ok(()))
        })
    }

    /// Has what is written be safe from a crash of ours at once, but from one of the machine only with the next
    /// checkpoint, or the next transaction of a connection that syncs. And makes it fit for large transactions.
    pub(super) fn prepare_for_routing(&self) -> Result<(), StoreError> {
        self.read("configure", |connection| {
            connection.execute_batch(&format!("PRAGMA synchronous = NORMAL; PRAGMA main.cache_size = -{CACHE_KIB}"))
        })
    }

    /// Lets this connection read the inbox as well, as the schema `inbox`. Read-only: else `BEGIN IMMEDIATE` would take
    /// the inbox's lock, too, and have every `notify` wait.
    pub(super) fn attach_inbox(&self) -> Result<(), StoreError> {
        let file = self.folder.file(DbFile::Inbox);
        let uri = uri(&file);
        self.read("open", |connection| connection.execute("ATTACH ? AS inbox", [&uri]).map(drop))
    }

    pub(super) const fn folder(&self) -> &StateDir {
        &self.folder
    }

    /// Moves the write-ahead log into the database, so that it is written over again from its start and stays short.
    /// `TRUNCATE` empties it, too. Writers wait meanwhile, some milliseconds: in between they could keep it from ever
    /// starting again.
    pub(super) fn checkpoint(&self, mode: &str) -> Result<(), StoreError> {
        let _turn = self.folder.writers_turn(self.part)?;
        self.read("checkpoint", |connection| {
            connection.query_row(&format!("PRAGMA main.wal_checkpoint({mode})"), [], |_| Ok(()))
        })
    }

    /// The same if it has grown; cheap otherwise.
    pub(super) fn checkpoint_if_long(&self) -> Result<(), StoreError> {
        self.checkpoint_if_longer(WAL_BYTES)
    }

    /// The same amid a backlog, only if it has grown much: the fewer checkpoints, the less is written twice.
    pub(super) fn checkpoint_if_very_long(&self) -> Result<(), StoreError> {
        self.checkpoint_if_longer(WAL_BYTES_MOST)
    }

    fn checkpoint_if_longer(&self, bytes: u64) -> Result<(), StoreError> {
        if self.folder.wal_bytes(self.part) > bytes { self.checkpoint("PASSIVE") } else { Ok(()) }
    }

    /// Reads.
    pub(super) fn read<T>(
        &self,
        what: &'static str,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        query(&self.connection).map_err(|source| self.error(what, source))
    }

    /// Reads more than once, and sees one moment of each file: that of its first use in `queries`.
    pub(super) fn read_one_moment<T>(
        &self,
        what: &'static str,
        queries: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.read(what, |connection| queries(&*connection.unchecked_transaction()?))
    }

    /// Runs a transaction in its turn among all writers. When it returns, the change is on disk.
    pub(super) fn write<T>(
        &mut self,
        what: &'static str,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let _turn = self.folder.writers_turn(self.part)?;
        let done = (|| {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = change(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })();
        done.map_err(|source| self.error(what, source))
    }

    fn version(&self) -> Result<i64, StoreError> {
        self.read("read", |connection| connection.query_row("PRAGMA user_version", [], |row| row.get(0)))
    }

    /// Makes the tables; whoever comes second finds them made.
    fn create(&mut self) -> Result<(), StoreError> {
        let part = self.part;
        let _turn = self.folder.writers_turn(part)?;
        if self.version()? != 0 {
            return Ok(());
        }
        self.read("create", use_wal)?;
        let folder = self.folder.clone();
        let made = (|| {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            Schema::of(part).create(&transaction)?;
            // SQLite is built to leave this to us (.cargo/config.toml). Before the tables can be seen: whoever finds them
            // relies on both files, also if we are killed right behind this.
            let synced = folder.sync();
            if synced.is_ok() {
                transaction.commit()?;
            }
            Ok(synced)
        })();
        made.map_err(|source| self.error("create", source))?
    }

    fn error(&self, what: &'static str, source: rusqlite::Error) -> StoreError {
        StoreError::new(what, &self.folder, &self.folder.file(self.at_fault(&source)), source)
    }

    /// Which file an error is about. SQLite does not say, and it may be the inbox that is attached: whoever moved the other
    /// one away would have everything told once more.
    fn at_fault(&self, error: &rusqlite::Error) -> DbFile {
        if self.part == DbFile::Inbox || error.sqlite_error_code() != Some(ErrorCode::DatabaseCorrupt) {
            return self.part;
        }
        let check = self.connection.query_row("PRAGMA main.quick_check(1)", [], |row| row.get::<_, String>(0));
        if check.is_ok_and(|found| found == "ok") { DbFile::Inbox } else { DbFile::Work }
    }
}

/// Has a new file use a write-ahead log. Outside a transaction: the journal mode cannot change within one. SQLite does not
/// wait here for another writer: one that was killed as it made the file loses its turn a moment before its lock.
fn use_wal(connection: &Connection) -> rusqlite::Result<()> {
    let deadline = Instant::now() + BUSY;
    loop {
        match connection.execute_batch("PRAGMA journal_mode = WAL;") {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && Instant::now() < deadline => {
                std::thread::sleep(BUSY_LOOK);
            }
            done => return done,
        }
    }
}

/// A file's URI, to be opened for reading only. Bytes that mean something in one are written as `%xx`.
fn uri(file: &Path) -> String {
    let mut uri = "file:".to_owned();
    for byte in file.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' => uri.push(char::from(*byte)),
            _ if byte.is_ascii_alphanumeric() => uri.push(char::from(*byte)),
            _ => uri.push_str(&format!("%{byte:02x}")),
        }
    }
    uri.push_str("?mode=ro");
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_made_although_another_has_begun_to_write() {
        let temp = tempfile::tempdir().unwrap();
        let folder = StateDir::new(temp.path());
        folder.prepare(DbFile::Inbox).unwrap();
        let other = Connection::open(folder.file(DbFile::Inbox)).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        std::thread::scope(|scope| {
            let made = scope.spawn(|| Database::open(&folder, DbFile::Inbox).map(drop));
            // Long enough for it to try; if it has not yet, nothing is tested, and nothing fails.
            std::thread::sleep(Duration::from_millis(50));
            other.execute_batch("COMMIT").unwrap();
            made.join().unwrap().unwrap();
        });
    }

    #[test]
    fn no_statement_is_planned_anew_for_other_values() {
        let temp = tempfile::tempdir().unwrap();
        let database = Database::open(&StateDir::new(temp.path()), DbFile::Work).unwrap();
        // An index of routed_events is of those with a message only, another one of those without.
        let mut statement =
            database.connection.prepare("SELECT 1 FROM routed_events WHERE event = ? AND message IS ?").unwrap();
        for message in [None, Some(1), None] {
            assert!(!statement.exists(rusqlite::params![1, message]).unwrap());
        }
        assert_eq!(statement.get_status(rusqlite::StatementStatus::RePrepare), 0);
    }

    #[test]
    fn a_path_as_a_uri() {
        assert_eq!(uri(Path::new("/a b/c?d#e%/é.sqlite3")), "file:/a%20b/c%3fd%23e%25/%c3%a9.sqlite3?mode=ro");
    }
}

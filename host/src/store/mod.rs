//! The store: everything that must survive a crash, in one SQLite file. The only SQL on files of our own.
//!
//! An event is first *taken in* (`inbox`). Then it is *assigned* to the routes that want it and *worded* by each
//! (`routing`), which puts its messages into the `outbox`; delivery then moves outcomes to their end. The `ledger` counts every such step by triggers in the schema, so no step can be left uncounted.
//!
//! SQLite has one writer and lets others poll, which starves them; so writers queue on a lock file (`folder`)
//! in front of `BEGIN IMMEDIATE`, and a transaction does no plugin, file or network work.
//! Only the process that holds the work lock checkpoints and migrates: a `notify` that did would sync five times.

mod checkpoints;
mod error;
mod folder;
mod groups;
mod history;
#[cfg(test)]
mod history_tests;
mod inbox;
mod ledger;
mod outbox;
mod plugins;
mod routing;
mod schema;
#[cfg(test)]
mod tests;

use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, config::DbConfig};

pub use checkpoints::Checkpoint;
pub use error::StoreError;
pub use folder::{StateFolder, WorkLock, YIELD};
pub use history::Sight;
pub use inbox::{TakenIn, Waiting};
pub use ledger::{Ledger, RouteLedger};
pub use outbox::{Pending, QueueState};
pub use plugins::PluginState;
pub use routing::{Assigned, Unworded, Verdict, Worded};

/// How long a statement waits for a writer that is not ours (ours queue on the lock file), such as `sqlite3`.
const BUSY: Duration = Duration::from_secs(10);

/// The usual length of the write-ahead log, in bytes. It stays at that and is written over again: then a sync has no
/// change of length to write, and is cheaper.
const WAL_BYTES: u64 = 4 << 20;

/// An open store. One for each thread that uses it.
pub struct Store {
    connection: Connection,
    folder: StateFolder,
}

impl Store {
    /// Opens the store to take events in, making it where there is none. Leaves an older schema as it is.
    ///
    /// # Errors
    /// When the folder or file cannot be made or opened, or a newer banhook wrote it.
    pub fn open_for_intake(folder: &StateFolder) -> Result<Self, StoreError> {
        let file = folder.database();
        folder.prepare()?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(&file, flags).map_err(|source| StoreError::new("open", folder, source))?;
        let mut store = Self { connection, folder: folder.clone() };
        store.configure().map_err(|source| store.error("open", source))?;
        let mut version = store.version()?;
        if version == 0 {
            store.create()?;
            version = store.version()?;
        }
        if version > schema::VERSION {
            return Err(StoreError::Newer { path: file, found: version, known: schema::VERSION });
        }
        Ok(store)
    }

    /// Opens the store to work on it, and brings its schema up to date. Takes the lock as proof that nobody else
    /// works on it.
    ///
    /// # Errors
    /// As [`Store::open_for_intake`], or when migrating fails.
    pub fn open_for_work(folder: &StateFolder, _lock: &WorkLock) -> Result<Self, StoreError> {
        let mut store = Self::open_for_intake(folder)?;
        store.write("migrate", schema::migrate)?;
        store.limit_wal()?;
        store.checkpoint()?;
        Ok(store)
    }

    /// Opens another connection beside one that was opened for work.
    ///
    /// # Errors
    /// As [`Store::open_for_intake`].
    pub fn another(&self) -> Result<Self, StoreError> {
        let another = Self::open_for_intake(&self.folder)?;
        another.limit_wal()?;
        Ok(another)
    }

    /// Opens another connection, for routing: what it writes is safe from a crash of ours at once, and from one of the
    /// machine with the next attempt to send, which is synced and comes before any of it leaves. An event that is lost to
    /// routing so is still in the inbox.
    ///
    /// # Errors
    /// As [`Store::open_for_intake`].
    pub fn another_for_routing(&self) -> Result<Self, StoreError> {
        let another = self.another()?;
        another
            .connection
            .execute_batch("PRAGMA synchronous = NORMAL")
            .map_err(|source| another.error("configure", source))?;
        Ok(another)
    }

    /// The folder that it lives in.
    #[must_use]
    pub const fn folder(&self) -> &StateFolder {
        &self.folder
    }

    /// Moves the write-ahead log into the database, so that it is written over again from its start and stays short.
    /// Writers wait meanwhile, some milliseconds: in between they could keep it from ever starting again.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        let _turn = self.folder.writers_turn()?;
        self.run_checkpoint("PASSIVE")
    }

    /// Moves the whole write-ahead log into the database and empties it; for the end of work.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn checkpoint_and_truncate(&self) -> Result<(), StoreError> {
        let _turn = self.folder.writers_turn()?;
        self.run_checkpoint("TRUNCATE")
    }

    fn run_checkpoint(&self, mode: &str) -> Result<(), StoreError> {
        self.connection
            .query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()))
            .map_err(|source| self.error("checkpoint", source))
    }

    /// Moves the write-ahead log into the database if it has grown; cheap otherwise.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn checkpoint_if_long(&self) -> Result<(), StoreError> {
        if self.folder.wal_bytes() > WAL_BYTES { self.checkpoint() } else { Ok(()) }
    }

    /// Has the file cut to its usual length when it begins anew, so that its length says whether it has grown.
    fn limit_wal(&self) -> Result<(), StoreError> {
        self.connection
            .query_row(&format!("PRAGMA journal_size_limit = {WAL_BYTES}"), [], |_| Ok(()))
            .map_err(|source| self.error("configure", source))
    }

    fn configure(&self) -> rusqlite::Result<()> {
        self.connection.busy_timeout(BUSY)?;
        self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        self.connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;")
    }

    fn version(&self) -> Result<i64, StoreError> {
        self.connection
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .map_err(|source| self.error("read", source))
    }

    /// Makes the tables; whoever comes second finds them made.
    fn create(&mut self) -> Result<(), StoreError> {
        let _turn = self.folder.writers_turn()?;
        if self.version()? == 0 {
            // Outside a transaction: the journal mode cannot change within one.
            self.connection
                .execute_batch("PRAGMA journal_mode = WAL;")
                .map_err(|source| self.error("create", source))?;
            let made = (|| {
                let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                schema::create(&transaction)?;
                transaction.commit()
            })();
            made.map_err(|source| self.error("create", source))?;
            // SQLite is built to leave this to us (.cargo/config.toml). In the turn: nobody can have relied on the
            // files before.
            self.folder.sync()?;
        }
        Ok(())
    }

    /// Runs a transaction in its turn among all writers. When it returns, the change is on disk.
    fn write<T>(
        &mut self,
        what: &'static str,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let _turn = self.folder.writers_turn()?;
        let done = (|| {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = change(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })();
        done.map_err(|source| self.error(what, source))
    }

    fn error(&self, what: &'static str, source: rusqlite::Error) -> StoreError {
        StoreError::new(what, &self.folder, source)
    }
}

//! The open store: its connections, how each is configured, and its checkpoints.
//!
//! Only the process that holds the work lock checkpoints and migrates: a `notify` that did would sync five times.

use super::checkpoints::{self, LogState};
use super::checksum::{self, event_columns, message_columns};
use super::database::Database;
use super::error::StoreError;
use super::ledger::{self, Discrepancy, Ledger};
use super::receipts;
use crate::event::Timestamp;
use banhook_notify::{StateDir, WorkLock};

/// The open store. One for each thread that uses it.
pub struct Store {
    pub(super) database: Database,
}

impl Store {
    /// Opens the store for queries or a small change, also while another process holds the work lock, creating it where
    /// there is none. Leaves an older schema as it is.
    ///
    /// # Errors
    /// When the folder or file cannot be created or opened, or a newer banhook has migrated it.
    pub fn open(folder: &StateDir) -> Result<Self, StoreError> {
        Ok(Self { database: Database::open(folder)? })
    }

    /// Opens the store to receive, route and deliver, and migrates the schema to this version. Takes the lock as proof that no
    /// other process does so.
    ///
    /// # Errors
    /// As [`Store::open`], or when migrating fails.
    pub fn open_for_work(folder: &StateDir, _lock: &WorkLock) -> Result<Self, StoreError> {
        let mut store = Self::open(folder)?;
        store.database.migrate()?;
        store.restore_checkpoints(Timestamp::now())?;
        Ok(store)
    }

    /// Opens another connection to a store that was opened for work.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub(crate) fn new_connection(&self) -> Result<Self, StoreError> {
        let store = Self::open(self.folder())?;
        store.database.limit_wal()?;
        Ok(store)
    }

    /// Opens another connection, for routing and formatting. What it commits survives a crash of the process at once, and a
    /// crash of the machine from the next attempt to send on, which is synced and precedes every request. What is
    /// lost until then is still in the spool.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn new_routing_connection(&self) -> Result<Self, StoreError> {
        Self::connect_for_routing(self.folder())
    }

    /// The same by the folder of a store that was opened for work.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub(crate) fn connect_for_routing(folder: &StateDir) -> Result<Self, StoreError> {
        let store = Self::open(folder)?;
        store.database.limit_wal()?;
        store.database.configure_for_routing()?;
        Ok(store)
    }

    /// Returns the ledger, as of one moment.
    ///
    /// # Errors
    /// When the store fails.
    pub fn ledger(&self) -> Result<Ledger, StoreError> {
        // Of one moment, so that what is received meanwhile is counted in the spool.
        let (mut ledger, receipts) = self.database.read_snapshot("read the ledger", |connection| {
            Ok((ledger::read(connection)?, receipts::last(connection, false)?))
        })?;
        let spooled = self.unreceived(&receipts)?.records;
        ledger.received += spooled;
        ledger.unrouted += spooled;
        Ok(ledger)
    }

    /// Counts every row and returns the differences from the ledger, as of one moment, also while a daemon is running.
    /// Takes a while where there is much history.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn check_ledger(&self) -> Result<Vec<Discrepancy>, StoreError> {
        ledger::check(&self.database)
    }

    /// Reads every event, and every message that is ready or dead, and returns the damaged ones, as text. Those that are
    /// quarantined already are listed again, as long as they are kept.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn damaged_records(&self) -> Result<Vec<String>, StoreError> {
        let mut damaged = Vec::new();
        self.database.read_snapshot("read all records", |connection| {
            let mut statement =
                connection.prepare(concat!("SELECT ", event_columns!(), " FROM events ORDER BY seq"))?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                if checksum::event_body(row, 0)?.is_err() {
                    damaged.push(format!("event {}", row.get::<_, i64>(1)?));
                }
            }
            let mut statement = connection.prepare(concat!(
                "SELECT id, ",
                message_columns!(),
                " FROM messages WHERE state IN ('ready', 'dead') ORDER BY id"
            ))?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                if !checksum::is_message_intact(row, 1)? {
                    damaged.push(format!("message {}", row.get::<_, i64>(0)?));
                }
            }
            Ok(())
        })?;
        Ok(damaged)
    }

    /// Returns how the logs fare that were ever read, by name.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn logs(&self) -> Result<Vec<LogState>, StoreError> {
        checkpoints::logs(&self.database)
    }

    /// Returns whether another database, or none, is where the open one was. An error of the system's says nothing of the kind.
    pub(crate) fn was_replaced(&self) -> bool {
        self.database.was_replaced()
    }

    /// The folder that it is in.
    #[must_use]
    pub(crate) const fn folder(&self) -> &StateDir {
        self.database.folder()
    }

    /// Copies the write-ahead log into the database if it has grown; cheap otherwise.
    ///
    /// # Errors
    /// When the store fails.
    pub fn wal_checkpoint_if_long(&self) -> Result<(), StoreError> {
        self.database.wal_checkpoint_if_long()
    }

    /// Copies the write-ahead log into the database if it has grown much; cheap otherwise. For use during a backlog.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn wal_checkpoint_if_very_long(&self) -> Result<(), StoreError> {
        self.database.wal_checkpoint_if_very_long()
    }

    /// Copies the write-ahead log into the database, empties it, and records which events are settled; for the end of a run.
    ///
    /// # Errors
    /// When the store fails.
    pub fn wal_checkpoint_and_truncate(&mut self) -> Result<(), StoreError> {
        self.prune_spool(Timestamp::now())?;
        self.database.wal_checkpoint("TRUNCATE")
    }
}

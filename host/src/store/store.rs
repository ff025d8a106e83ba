//! The open store: its connections, how each is configured, and its checkpoints.
//!
//! Only the process that holds the work lock checkpoints and migrates: a `notify` that did would sync five times.

use super::checkpoints::{self, LogState};
use super::checksum::{self, event_columns, message_columns};
use super::database_file::Database;
use super::error::StoreError;
use super::inbox::Inbox;
use super::ledger::{self, Discrepancy, Ledger};
use super::locks::WorkLock;
use super::routing_cursor;
use super::schema::DbFile;
use super::state_dir::StateDir;

/// Both files: it writes the one with routed events and messages, and reads the inbox. One for each thread that uses it.
pub struct Store {
    pub(super) database: Database,
}

impl Store {
    /// Opens the store for queries or a small change, also while another process holds the work lock, creating it where
    /// there is none. Leaves an older schema as it is.
    ///
    /// # Errors
    /// When the folder or a file cannot be created or opened, or a newer banhook has migrated it.
    pub fn open(folder: &StateDir) -> Result<Self, StoreError> {
        // Both exist before one is attached to the other.
        Inbox::open(folder)?;
        Self::connect(folder)
    }

    /// Connects to the store of an inbox that exists.
    fn connect(folder: &StateDir) -> Result<Self, StoreError> {
        let database = Database::open(folder, DbFile::Work)?;
        database.attach_inbox()?;
        Ok(Self { database })
    }

    /// Opens the store to route and deliver, and migrates both schemas to this version. Takes the lock as proof that no
    /// other process does so.
    ///
    /// # Errors
    /// As [`Store::open`], when migrating fails, or when the inbox is not the one that was routed so far.
    pub fn open_for_work(folder: &StateDir, _lock: &WorkLock) -> Result<Self, StoreError> {
        Database::open(folder, DbFile::Inbox)?.migrate()?;
        let mut store = Self::open(folder)?;
        store.database.migrate()?;
        store.check_inbox()?;
        let events = routing_cursor::advance_past_settled(&mut store.database)?;
        if events > 0 {
            tracing::warn!(
                events,
                "the results of settled events are lost with the file that held them; the events are not sent again"
            );
        }
        Ok(store)
    }

    /// Opens another connection to a store that was opened for work.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub(crate) fn new_connection(&self) -> Result<Self, StoreError> {
        let store = Self::connect(self.folder())?;
        store.database.limit_wal()?;
        Ok(store)
    }

    /// Opens another connection, for routing and formatting. What it commits survives a crash of the process at once, and a
    /// crash of the machine from the next attempt to send on, which is synced and precedes every request. What routing
    /// loses is still in the inbox.
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
        let store = Self::connect(folder)?;
        store.database.limit_wal()?;
        store.database.configure_for_routing()?;
        Ok(store)
    }

    /// Opens the inbox of a store that was opened for work.
    ///
    /// # Errors
    /// As [`Inbox::open`].
    pub fn open_inbox(&self) -> Result<Inbox, StoreError> {
        let inbox = Inbox::open(self.folder())?;
        inbox.database.limit_wal()?;
        Ok(inbox)
    }

    /// Opens the inbox for changes that a crash of the machine may undo: the details that are added to events. Appending to
    /// it through other connections still syncs.
    ///
    /// # Errors
    /// As [`Inbox::open`].
    pub(crate) fn open_routing_inbox(&self) -> Result<Inbox, StoreError> {
        let inbox = self.open_inbox()?;
        inbox.database.configure_for_routing()?;
        Ok(inbox)
    }

    /// Checks that the inbox is the one that was routed so far, and not an older copy of it or a new one.
    ///
    /// # Errors
    /// If it is another one, or when the store fails.
    pub(crate) fn check_inbox(&self) -> Result<(), StoreError> {
        routing_cursor::check_inbox(&self.database)
    }

    /// Returns up to which event all are settled: those are not sent again should the file with their results be lost.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn settled_through(&self) -> Result<i64, StoreError> {
        routing_cursor::settled_through(&self.database)
    }

    /// Returns the ledger, as of one moment.
    ///
    /// # Errors
    /// When the store fails.
    pub fn ledger(&self) -> Result<Ledger, StoreError> {
        ledger::read(&self.database)
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
                connection.prepare(concat!("SELECT ", event_columns!(), " FROM inbox.events ORDER BY seq"))?;
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

    /// Copies the write-ahead logs of both files into them, empties the logs, and records which events are settled; for the
    /// end of a run.
    ///
    /// # Errors
    /// When the store fails.
    pub fn wal_checkpoint_and_truncate(&self) -> Result<(), StoreError> {
        self.database.wal_checkpoint("TRUNCATE")?;
        let mut inbox = self.open_inbox()?;
        inbox.record_settled(self.settled_through()?)?;
        inbox.database.wal_checkpoint("TRUNCATE")
    }
}

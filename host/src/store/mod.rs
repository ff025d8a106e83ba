//! The store: everything that must survive a crash, in two SQLite files. The only SQL on files of our own.
//!
//! The [`Inbox`] holds every event, in the order of intake; all that `notify` and tailers do is to add to it. The [`Store`]
//! holds what becomes of them, and reads the inbox: an event is *routed* to the routes that want it and *formatted* by each
//! (`routing`), which puts it into a message of its own or into one that it shares with others (`holds`); delivery then
//! brings messages to their end (`outbox`). How far the inbox was routed is stored in the transaction that does so, so
//! nothing ever has to be written to both files at once. The `ledger` counts every step by triggers in the schema, so no
//! step can be left uncounted.
//!
//! Only the process that holds the work lock checkpoints and migrates: a `notify` that did would sync five times.

mod checkpoints;
mod database_file;
mod digest_writer;
mod digests;
#[cfg(test)]
mod digests_tests;
mod error;
mod history;
#[cfg(test)]
mod history_tests;
mod inbox;
#[cfg(test)]
mod inbox_tests;
mod ledger;
#[cfg(test)]
mod ledger_tests;
mod message_admin;
mod messages;
mod plugins;
mod recent_posts;
mod reformat;
mod retention;
#[cfg(test)]
mod retention_tests;
mod routed_events;
mod schema;
mod state_dir;
#[cfg(test)]
mod state_dir_tests;
#[cfg(test)]
mod tests;
mod unconfigured;
mod webhook_queues;
mod webhooks;

use database_file::Database;
use state_dir::DbFile;

pub use checkpoints::Checkpoint;
pub use digests::{Closes, DigestKey, MAX_DIGEST_EVENTS, OpenDigest};
pub use error::StoreError;
pub use history::HistoryScope;
pub use inbox::{Appended, Inbox};
pub use ledger::{Discrepancy, Ledger, RouteLedger};
pub use message_admin::{ConfiguredNames, MessageInfo, MessageSelector, MessageState, Retried, RetryBlocked};
pub use messages::{DeadReason, FailedAttempt, OutboundMessage, Remaining};
pub use plugins::PluginState;
pub use retention::{Pruned, RetentionLimits};
pub use routed_events::{Disposition, FormattedEvent, RoutedTo, UnformattedEvent, UnroutedEvent};
pub use state_dir::{NO_FOLLOW, StateDir, WorkLock, YIELD};
pub use webhook_queues::WebhookQueue;
pub use webhooks::{MAX_WAIT_MS, Suspended, WebhookState};

/// What becomes of events. One for each thread that uses it.
pub struct Store {
    database: Database,
}

impl Store {
    /// Opens the store for a look or a small change beside whoever works on it, making it where there is none. Leaves an
    /// older schema as it is.
    ///
    /// # Errors
    /// When the folder or a file cannot be made or opened, or a newer banhook wrote it.
    pub fn open(folder: &StateDir) -> Result<Self, StoreError> {
        // Both exist before the one is attached to the other.
        Inbox::open(folder)?;
        Self::beside_inbox(folder)
    }

    fn beside_inbox(folder: &StateDir) -> Result<Self, StoreError> {
        let database = Database::open(folder, DbFile::Work)?;
        database.attach_inbox()?;
        Ok(Self { database })
    }

    /// Opens the store to work on it, and brings both schemas up to date. Takes the lock as proof that nobody else works
    /// on it.
    ///
    /// # Errors
    /// As [`Store::open`], when migrating fails, or when the inbox is not the one that was worked on.
    pub fn open_for_work(folder: &StateDir, _lock: &WorkLock) -> Result<Self, StoreError> {
        Database::open(folder, DbFile::Inbox)?.prepare_for_work()?;
        let mut store = Self::open(folder)?;
        store.database.prepare_for_work()?;
        store.check_inbox()?;
        let skipped = store.skip_settled_events()?;
        if skipped > 0 {
            tracing::warn!(
                "what became of {skipped} events is not known here any more; they had come to their end, and are not told again"
            );
        }
        Ok(store)
    }

    /// Opens another connection beside one that was opened for work.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn new_connection(&self) -> Result<Self, StoreError> {
        let another = Self::beside_inbox(self.folder())?;
        another.database.limit_wal()?;
        Ok(another)
    }

    /// Opens another connection, for routing: what it writes is safe from a crash of ours at once, and from one of the
    /// machine with the next attempt to send, which is synced and comes before any of it leaves. An event that is lost to
    /// routing so is still in the inbox.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn new_routing_connection(&self) -> Result<Self, StoreError> {
        let another = self.new_connection()?;
        another.database.prepare_for_routing()?;
        Ok(another)
    }

    /// Opens the inbox beside a store that was opened for work.
    ///
    /// # Errors
    /// As [`Inbox::open`].
    pub fn open_inbox(&self) -> Result<Inbox, StoreError> {
        let inbox = Inbox::open(self.folder())?;
        inbox.limit_wal()?;
        Ok(inbox)
    }

    /// Opens the inbox for what may be lost in a crash of the machine: completing events, and removing them.
    ///
    /// # Errors
    /// As [`Inbox::open`].
    pub fn open_routing_inbox(&self) -> Result<Inbox, StoreError> {
        let inbox = self.open_inbox()?;
        inbox.prepare_for_routing()?;
        Ok(inbox)
    }

    /// The folder that it lives in.
    #[must_use]
    pub const fn folder(&self) -> &StateDir {
        self.database.folder()
    }

    /// Moves the write-ahead log into the database if it has grown; cheap otherwise.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn checkpoint_if_long(&self) -> Result<(), StoreError> {
        self.database.checkpoint_if_long()
    }

    /// Moves the write-ahead log into the database if it has grown much; cheap otherwise. For amid work.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn checkpoint_if_very_long(&self) -> Result<(), StoreError> {
        self.database.checkpoint_if_very_long()
    }

    /// Moves the whole write-ahead logs of both files into them and empties them, and takes note of how far events are
    /// over; for the end of work.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn checkpoint_and_truncate(&self) -> Result<(), StoreError> {
        self.database.checkpoint("TRUNCATE")?;
        let mut inbox = self.open_inbox()?;
        inbox.record_settled(self.settled_through()?)?;
        inbox.checkpoint_and_truncate()
    }
}

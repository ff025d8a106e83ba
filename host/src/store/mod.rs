//! The store: everything that must survive a crash, in two SQLite files. The only SQL on files of our own.
//!
//! The [`Inbox`] holds every event, in the order of intake; all that `notify` and tailers do is to add to it. The [`Store`]
//! holds what becomes of them, and reads the inbox: an event is *assigned* to the routes that want it and *worded* by each
//! (`routing`), which puts it into a message of its own or into one that it shares with others (`holds`); delivery then
//! brings messages to their end (`outbox`). How far the inbox was assigned is stored in the transaction that does so, so
//! nothing ever has to be written to both files at once. The `ledger` counts every step by triggers in the schema, so no
//! step can be left uncounted.
//!
//! Only the process that holds the work lock checkpoints and migrates: a `notify` that did would sync five times.

mod checkpoints;
mod database;
mod error;
mod folder;
#[cfg(test)]
mod folder_tests;
mod forgetting;
mod groups;
mod history;
#[cfg(test)]
mod history_tests;
mod holds;
#[cfg(test)]
mod holds_tests;
mod inbox;
#[cfg(test)]
mod inbox_tests;
mod joined;
mod ledger;
#[cfg(test)]
mod ledger_tests;
mod letters;
mod outbox;
mod plugins;
mod queues;
mod recent;
mod retention;
#[cfg(test)]
mod retention_tests;
mod rewording;
mod routing;
mod schema;
#[cfg(test)]
mod tests;
mod webhooks;

use database::Database;
use folder::Part;

pub use checkpoints::Checkpoint;
pub use error::StoreError;
pub use folder::{NO_FOLLOW, StateFolder, WorkLock, YIELD};
pub use history::Sight;
pub use holds::{Closes, Fold, HOLD_MOST, OpenHold, Reason};
pub use inbox::{Inbox, TakenIn};
pub use ledger::{Discrepancy, Ledger, RouteLedger};
pub use letters::{Choice, Configured, Left, Letter, LetterState, Retried};
pub use outbox::{Failure, Pending, Rest};
pub use plugins::PluginState;
pub use queues::QueueState;
pub use retention::{Keep, Pruned};
pub use routing::{Assigned, Unworded, Verdict, Waiting, Worded};
pub use webhooks::{Gone, LONGEST_WAIT_MS, WebhookState};

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
    pub fn open(folder: &StateFolder) -> Result<Self, StoreError> {
        // Both exist before the one is attached to the other.
        Inbox::open(folder)?;
        Self::beside_inbox(folder)
    }

    fn beside_inbox(folder: &StateFolder) -> Result<Self, StoreError> {
        let database = Database::open(folder, Part::Work)?;
        database.attach_inbox()?;
        Ok(Self { database })
    }

    /// Opens the store to work on it, and brings both schemas up to date. Takes the lock as proof that nobody else works
    /// on it.
    ///
    /// # Errors
    /// As [`Store::open`], when migrating fails, or when the inbox is not the one that was worked on.
    pub fn open_for_work(folder: &StateFolder, _lock: &WorkLock) -> Result<Self, StoreError> {
        Database::open(folder, Part::Inbox)?.prepare_for_work()?;
        let mut store = Self::open(folder)?;
        store.database.prepare_for_work()?;
        store.check_inbox()?;
        let skipped = store.skip_what_is_over()?;
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
    pub fn another(&self) -> Result<Self, StoreError> {
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
    pub fn another_for_routing(&self) -> Result<Self, StoreError> {
        let another = self.another()?;
        another.database.prepare_for_routing()?;
        Ok(another)
    }

    /// Opens the inbox beside a store that was opened for work.
    ///
    /// # Errors
    /// As [`Inbox::open`].
    pub fn inbox(&self) -> Result<Inbox, StoreError> {
        let inbox = Inbox::open(self.folder())?;
        inbox.limit_wal()?;
        Ok(inbox)
    }

    /// Opens the inbox for what may be lost in a crash of the machine: completing events, and removing them.
    ///
    /// # Errors
    /// As [`Inbox::open`].
    pub fn inbox_for_routing(&self) -> Result<Inbox, StoreError> {
        let inbox = self.inbox()?;
        inbox.prepare_for_routing()?;
        Ok(inbox)
    }

    /// The folder that it lives in.
    #[must_use]
    pub const fn folder(&self) -> &StateFolder {
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
        let mut inbox = self.inbox()?;
        inbox.record_over(self.over()?)?;
        inbox.checkpoint_and_truncate()
    }
}

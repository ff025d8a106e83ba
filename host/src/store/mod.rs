//! The store: everything that must survive a crash, in two SQLite files. The only SQL on files of our own.
//!
//! The [`Inbox`] holds every event, in the order of receipt; `notify` and the log readers only append to it. The [`Store`]
//! holds the rest, and reads the inbox: an event is *routed* to the routes that it matches (`routed_events`) and *formatted*
//! by each (`formatting`), which makes it a message of its own or part of a digest (`digests`); delivery then sends the
//! messages (`outbox`). The position up to which the inbox was routed is stored in the transaction that routes, so nothing
//! ever has to be written to both files at once.
//!
//! Each table is written by one file, named after it. The `ledger` counts every change by triggers in the `schema`, so none
//! can be left uncounted.

mod checkpoints;
mod database_file;
mod digest_writer;
mod digests;
mod error;
#[cfg(test)]
mod fixture;
mod formatting;
mod history;
mod inbox;
mod ledger;
mod locks;
mod message_info;
mod messages;
mod outbox;
mod plugins;
mod recent_posts;
mod retention;
mod retry;
mod routed_events;
mod routing_cursor;
mod schema;
mod state_dir;
#[allow(clippy::module_inception, reason = "the noun itself")]
mod store;
mod stored_events;
#[cfg(test)]
mod tests;
mod unconfigured;
mod webhook_queues;
mod webhooks;

pub use checkpoints::Checkpoint;
pub use digest_writer::{Closes, DigestKey, MAX_DIGEST_EVENTS};
pub use digests::OpenDigest;
pub use error::StoreError;
pub use formatting::{Disposition, FormattedEvent};
pub use history::HistoryScope;
pub use inbox::{Appended, Inbox, UnroutedEvent};
pub use ledger::{Discrepancy, Ledger, RouteLedger};
pub use locks::{WorkLock, YIELD};
pub use message_info::{MessageInfo, MessageState};
pub use messages::DeadReason;
pub use outbox::{FailedAttempt, OutboundMessage, Remaining};
pub use plugins::PluginState;
pub use retention::{Pruned, RetentionLimits};
pub use retry::{ConfiguredNames, MessageSelector, Retried, RetryBlocked};
pub use routed_events::RoutedTo;
pub use state_dir::{NO_FOLLOW, StateDir};
pub use store::Store;
pub use stored_events::UnformattedEvent;
pub use webhook_queues::WebhookQueue;
pub use webhooks::{MAX_WAIT_MS, Suspended, WebhookState};

//! The store: everything that must survive a crash, in the spool and one SQLite file. The only SQL on files of our own.
//!
//! An event that fail2ban's action reports is received from the spool (`spool`, `receipts`), one of a log with its checkpoint
//! (`checkpoints`); both are appended to the `inbox`. An event is *routed* to the routes that it matches (`routed_events`) and
//! *formatted* by each (`formatting`), which makes it a message of its own or part of a digest (`digests`); delivery then sends
//! the messages (`outbox`).
//!
//! Each table is written by one file, named after it. The `ledger` counts every change by triggers in the `schema`, so none
//! can be left uncounted.

mod change_budgets;
mod checkpoints;
mod checksum;
mod conversations;
mod database;
mod digest_counts;
mod digest_writer;
mod digests;
mod error;
mod event_progress;
#[cfg(test)]
mod fixture;
mod forget;
mod formatting;
mod forwarding;
mod history;
mod inbox;
mod ledger;
mod living_series;
mod living_storm;
mod message_info;
mod messages;
mod mutes;
mod outbox;
mod plugins;
mod receipts;
mod recent_posts;
mod reports;
mod retention;
mod retry;
mod routed_events;
mod routing_cursor;
mod schema;
mod sequences;
mod settled_before;
mod silence;
mod spool;
mod spool_marks;
#[allow(clippy::module_inception, reason = "the noun itself")]
mod store;
mod stored_events;
mod stream_progress;
mod stream_receipts;
mod stream_settlement;
#[cfg(test)]
mod tests;
mod traces;
mod webhooks;

pub use banhook_notify::StateDir;
pub(crate) use banhook_notify::{NO_FOLLOW, WorkLock, YIELD};
pub(crate) use change_budgets::ChangeBudget;
pub(crate) use checkpoints::{Checkpoint, LogState};
pub(crate) use digest_counts::LivingCounts;
pub use digest_writer::{Closes, DigestKey};
pub use digests::OpenDigest;
pub(crate) use error::StoreError;
pub(crate) use event_progress::{RouteProgress, Stage};
pub(crate) use forget::{Forgotten, StillNeeded};
pub(crate) use formatting::NO_MESSAGE;
pub use formatting::{Disposition, FormattedEvent};
pub(crate) use forwarding::{LastForwarded, Passed};
pub(crate) use history::HistoryScope;
pub(crate) use inbox::UnroutedEvent;
pub(crate) use ledger::{Discrepancy, Ledger, RouteLedger};
pub(crate) use living_storm::StormEnd;
pub(crate) use message_info::{MessageInfo, MessageState};
pub(crate) use messages::DeadReason;
pub(crate) use mutes::{MUTE_MAX_MS, MUTES_MAX, Mute, subject_query};
pub(crate) use outbox::{FailedAttempt, Lane, Notice, OutboundMessage, Remaining};
pub use plugins::PluginState;
pub use recent_posts::{PostTimes, Series};
pub(crate) use reports::Deliveries;
pub(crate) use retention::RetentionLimits;
pub(crate) use retry::{ConfiguredNames, MessageSelector, Retried, RetryBlocked};
pub use routed_events::RoutedTo;
pub(crate) use settled_before::SettledBefore;
pub use spool::Received;
pub use store::Store;
pub(crate) use stored_events::UnformattedEvent;
#[cfg(test)]
pub(crate) use stream_progress::SettledOnRoute;
pub(crate) use stream_progress::StreamProgress;
pub(crate) use stream_receipts::{StreamMessage, StreamPosition};
#[cfg(test)]
pub(crate) use stream_settlement::SettledHere;
pub(crate) use traces::Traces;
pub use webhooks::WebhookQueue;
pub use webhooks::WebhookState;
pub(crate) use webhooks::{MAX_WAIT_MS, Suspended};

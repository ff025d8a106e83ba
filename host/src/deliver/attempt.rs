//! What the queue decides before an attempt, and what an attempt came to.

use std::time::Duration;

use crate::event::Timestamp;
use crate::store::OutboundMessage;

/// What a worker does next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NextAction {
    /// Send this message now.
    Send(Box<OutboundMessage>),
    /// Wait until then.
    WaitUntil(Timestamp),
    /// Ask again: messages in another target's form were given back to be formatted again, or one cannot go the way that it was
    /// to go.
    AskAgain,
    /// Wait for messages.
    Idle,
}

/// What an answer came to, for the log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum AttemptOutcome {
    /// The webhook has the message.
    Accepted {
        /// The message that this one overtook, which is parked now.
        parked_message: Option<i64>,
        /// Whether the webhook failed or was suspended before.
        recovered: bool,
    },
    /// It is sent again after this time; with the error.
    RetryIn(Duration, String),
    /// The webhook rejected it as it was formatted, and its plain form is sent next; with the error.
    PlainNext(String),
    /// The webhook rejected it for good; with the error.
    Rejected(String),
    /// What it was to change or to be beneath cannot be changed, and it is sent in another way next; with the error.
    Detached(String),
    /// It is older than its route's `max_age` and keeps failing; with the last error.
    Expired(String),
    /// The webhook takes no more messages.
    Suspended {
        /// Its answer.
        error: String,
        /// Whether it took messages until now.
        news: bool,
        /// Messages that it rejected before, and that are pending again.
        revived: Vec<i64>,
    },
}

/// What an answer came to, for its message and for others of the webhook.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AttemptReport {
    pub(crate) outcome: AttemptOutcome,
    /// Other messages that are expired, with their routes.
    pub(crate) expired: Vec<(i64, String)>,
}

impl From<AttemptOutcome> for AttemptReport {
    fn from(outcome: AttemptOutcome) -> Self {
        Self { outcome, expired: Vec::new() }
    }
}

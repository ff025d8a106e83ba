//! Why a daemon broke off.

use std::io;

use crate::deliver::DeliveryError;
use crate::receive::tail::TailError;
use crate::store::StoreError;

/// A daemon broke off; nothing that was stored is lost.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DaemonError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Delivery failed.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    /// The system refused what every daemon needs.
    #[error("cannot {what}: {reason}")]
    System {
        /// What was to be done.
        what: &'static str,
        /// The system's reason.
        reason: io::Error,
    },
    /// The counters cannot be set up.
    #[error("the metrics cannot be set up: {0}; this is a bug in banhook")]
    Metrics(#[from] prometheus::Error),
    /// A thread that routes or formats panicked.
    #[error("a routing thread broke off; this is a bug in banhook")]
    Router,
    /// A log could not be read.
    #[error(transparent)]
    Tail(#[from] TailError),
    /// A thread that reads a log panicked.
    #[error("a tailing thread broke off; this is a bug in banhook")]
    Tailer,
}

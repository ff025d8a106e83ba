//! Why a log could not be read on.

use std::io;
use std::path::PathBuf;

use crate::store::StoreError;

/// A log could not be read on.
#[derive(Debug, thiserror::Error)]
pub enum TailError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The events could not be written.
    #[error("cannot write the events: {0}")]
    Output(io::Error),
    /// The file cannot be read.
    #[error("cannot read {path}: {reason}", path = path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
}

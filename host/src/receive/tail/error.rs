//! Why a log cannot be read.

use std::io;
use std::path::PathBuf;

use crate::store::StoreError;

/// A log cannot be read, or its events cannot be passed on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TailError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The events cannot be written.
    #[error("cannot write the events: {0}")]
    Output(io::Error),
    /// A file or folder cannot be read.
    #[error("cannot read {path}: {reason}", path = path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
}

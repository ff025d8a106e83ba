//! Why a log cannot be read.

use std::io;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use crate::accounts::{log_hint, user_name};
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
    #[error("cannot read {path}: {reason}{hint}", path = path.display(), hint = access_hint(reason, path))]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
}

/// Returns the command that lets this user read a log: banhook may have been started by root, and become another user.
fn access_hint(reason: &io::Error, path: &Path) -> String {
    log_hint(reason, path, &user_name(geteuid()))
}

//! Reads logs as they grow, through everything that is done to logs: renamed and made anew, copied and cut, deleted,
//! linked elsewhere, not there yet, gone with their folder.
//!
//! A log is a chain of files under one name. The one that is open is read to its end, and on while fail2ban goes on
//! writing into it: after a rotation it does so until it is told to open the new one, so the old one is at its end when
//! something stands in the new one and nothing more comes (`follower`). What became of a file in the meantime, while
//! banhook was down say, is told by its inode and by its first bytes (`log_file`, `rotated`).
//!
//! How far a log has been read is stored together with the events up to there ([`EventSink`]), so that a crash at any
//! instant loses and repeats nothing.

mod event_sink;
mod follower;

mod log_file;
mod packed;
mod pipe;
mod rotated;
#[cfg(test)]
mod tests;
mod watch;

use std::io;
use std::path::PathBuf;

use jiff::tz::TimeZone;

use crate::event::Event;
use crate::store::{Checkpoint, StoreError};

pub use event_sink::{DryRun, InboxSink};
pub use follower::{Follower, Step};
pub use pipe::{Pipe, read_pipe};
pub use watch::{Stop, Stopped, follow, stop_switch};

/// A log that is to be read.
#[derive(Debug, Clone)]
pub struct Log {
    /// Where it is; absolute, as the checkpoint's name.
    pub path: PathBuf,
    /// What its local times are in.
    pub timezone: TimeZone,
    /// Where to begin if it was never read: at its beginning, or at its end.
    pub from_start: bool,
}

/// Where the events of a log go.
pub trait EventSink {
    /// How far a log was read before.
    ///
    /// # Errors
    /// When that cannot be found out.
    fn checkpoint(&mut self, log: &str) -> Result<Option<Checkpoint>, TailError>;

    /// Appends events and moves the log's checkpoint past them, both or neither.
    ///
    /// # Errors
    /// When it cannot; then it has done neither.
    fn append(&mut self, log: &str, events: Vec<Event>, checkpoint: Option<&Checkpoint>) -> Result<(), TailError>;
}

/// A log could not be read on.
#[derive(Debug, thiserror::Error)]
pub enum TailError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The events could not be written.
    #[error("cannot write the events: {0}")]
    Output(io::Error),
    /// The file does not let us.
    #[error("cannot read {path}: {reason}", path = path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
}

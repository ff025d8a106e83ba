//! Reads logs as they grow, through everything that happens to logs: they are renamed and created again, copied and
//! truncated, deleted, linked elsewhere, missing at first, or removed with their directory.
//!
//! A log is a chain of files under one name. The open file is read to its end, and on while fail2ban goes on writing into
//! it: after a rotation fail2ban does so until it reopens its log, so the old file is complete when the new one has content
//! and nothing more comes (`follower`). A file that was rotated in between, while banhook was down for example, is found by
//! its inode and by its first bytes (`log_file`, `rotated`).
//!
//! How far a log has been read is stored together with the events up to there ([`EventSink`]), so that a crash at any
//! instant loses and repeats nothing.

mod error;
mod event_sink;
mod follower;
mod log;
mod log_file;
mod packed;
mod pipe;
mod rotated;
#[cfg(test)]
mod tests;
mod watch;

pub use error::TailError;
pub use event_sink::{DryRun, EventSink, InboxSink};
pub use follower::{Follower, Step};
pub use log::Log;
pub use pipe::{Pipe, read_pipe};
pub use watch::{Stop, Stopped, follow, stop_switch};

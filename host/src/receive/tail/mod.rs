//! Reads logs as they grow, through everything that happens to logs: renamed and created again, copied and truncated,
//! deleted, linked elsewhere, not there yet, removed with their folder.
//!
//! A log is a chain of files under one name. The open one is read to its end, and further while fail2ban writes to it: after
//! a rotation fail2ban does so until it reopens its log, so the old one is complete when something is in the new
//! one and nothing more is added to the old one (`follower`). What became of a file in the meantime, for example while
//! banhook was down, is recognized by its inode and by its first bytes (`log_file`, `rotation`), and so is a file that was
//! read before under another name. A source may name several logs, by patterns too (`named_files`, `log_set`); a file that
//! several names lead to is read once (`open_files`).
//!
//! How far a log has been read is stored together with the events up to there ([`EventSink`]), so that a crash at any
//! moment loses and repeats nothing.

mod compression;
mod error;
mod event_sink;
mod follow;
mod follower;
mod log_file;
mod log_set;
mod log_watch;
mod named_files;
mod open_files;
mod pipe;
mod problem_report;
mod rotation;
mod stop_switch;
#[cfg(test)]
mod tests;

pub(crate) use error::TailError;
pub(crate) use event_sink::{DryRunSink, EventSink, InboxSink};
pub(crate) use follow::{FollowedSources, follow};
pub(crate) use follower::{Follower, Step};
pub(crate) use log_set::{NamedLog, named_logs, parser, problem, sort_by_time};
pub(crate) use named_files::matching;
pub(crate) use open_files::OpenFiles;
pub(crate) use pipe::{Pipe, STDIN, read_pipe};
pub(crate) use stop_switch::{StopHandle, StopSignal, stop_switch};

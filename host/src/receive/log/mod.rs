//! fail2ban's log as events: a state machine that is fed bytes and knows nothing of files, time or the store.
//!
//! It reads the logs of every fail2ban from 0.8 to 1.1, written to each of its targets: a file, syslog, standard output, the
//! journal, each with or without the prefix of systemd or syslog (`line`). A log contains more than fail2ban's messages: text
//! of attackers, the output of commands that failed, half a line where a disk was full. So a line counts only if all of it is
//! fail2ban's own; any other is counted and ignored.
//!
//! What the line of a ban does not say comes from others: the failures from the `Found` lines before it (`failures`), its
//! count and duration from its `Increase Ban` line (`event_queue`).

mod ban_duration;
mod clock;
mod event_queue;
mod failures;
mod line;
mod message;
#[allow(dead_code, reason = "the sources set it")]
mod origin;
mod parser;
#[cfg(test)]
mod tests;
#[allow(dead_code, reason = "the sources show it")]
mod unread;

#[allow(unused_imports, reason = "the sources set it")]
pub(crate) use origin::LogOrigin;
pub(crate) use parser::LogCounts;
pub use parser::LogParser;
#[allow(unused_imports, reason = "the sources show it")]
pub(crate) use unread::{UNREAD_LINES, Unread, UnreadReason};

//! fail2ban's log as events: a state machine that is fed bytes and knows nothing of files, time or the store.
//!
//! It reads the logs of every fail2ban from 0.8 to 1.1, written to each of its targets: a file, syslog, standard output, the
//! journal (`header`), inside what carried them: syslog, Docker, Kubernetes (`envelope`, `json_line`; `line` puts both
//! together). A log contains more than fail2ban's messages: text of attackers, the output of commands that failed, half a line
//! where a disk was full, other programs. So a line counts only if it is fail2ban's own from its first byte, shows as much of
//! itself as those before it, and is of a writer that is believed (`writers`); any other is counted, and `unread` says what is
//! wrong with it.
//!
//! `interpreter` makes events of the messages. What the line of a ban does not say comes from others: the failures from the
//! `Found` lines before it (`failures`), its count and duration from its `Increase Ban` line (`event_queue`).

mod ban_duration;
mod clock;
mod envelope;
mod event_queue;
mod failures;
mod header;
mod interpreter;
mod json_line;
mod line;
mod line_time;
mod log_counts;
mod message;
mod origin;
mod parser;
mod pieces;
mod problem;
mod repeated;
mod scan;
#[cfg(test)]
mod tests;
mod unread;
mod writers;

pub(crate) use log_counts::LogCounts;
pub(crate) use origin::LogOrigin;
pub use parser::LogParser;
pub(crate) use problem::LogProblem;
pub(crate) use unread::Unread;

//! fail2ban's log as events: a state machine that is fed bytes and knows nothing of files, time or the store.
//!
//! It reads what every fail2ban from 0.8 to 1.1 writes, to each of its targets: a file, syslog, standard output, the
//! journal, each with or without what systemd or syslog put in front (`line`). A log says more than fail2ban meant to
//! say: text of attackers stands in it, commands that failed are printed with their line feeds, a disk that ran full
//! leaves half a line. So a line counts only if it is one of fail2ban's own from front to back; everything else is
//! counted and left alone.
//!
//! What a line does not say is put together from others: the failures from the `Found` lines before a ban
//! (`failures`), how long it lasts and the how manieth it is from `Increase Ban`, which another thread of fail2ban
//! writes, mostly just after the ban.

mod clock;
mod failures;
mod line;
mod message;
mod parser;
mod span;
#[cfg(test)]
mod tests;

pub use parser::{LogCounts, LogParser, LoggedEvent};

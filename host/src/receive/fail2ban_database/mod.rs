//! fail2ban's own database: what it knows of a ban beyond its action and its log.
//!
//! The action must not be handed the matched lines (an attacker who makes them too long for a command line, or puts a NUL
//! into them, would keep it from running), and with `bantime.increment` the duration and count of a ban are decided while
//! the action already runs. All of it is in the table `bans`, a moment later.
//!
//! It is another program's file, and fail2ban must neither wait for banhook nor fail because of it: the file is opened
//! read-only, one statement at a time reads one row, and nothing is locked in between. fail2ban keeps its journal in memory,
//! so a reader and a writer wait for each other; fail2ban's writer waits up to five seconds, banhook 50 milliseconds.

mod database;
mod known_ban;
#[cfg(test)]
pub(crate) mod test_database;
#[cfg(test)]
mod tests;

pub(crate) use database::{DatabaseError, Fail2banDatabase};

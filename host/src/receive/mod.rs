//! The first stage: fail2ban's action and its log become events in the inbox; fail2ban's database enriches them later.

mod action;
pub(crate) mod fail2ban_database;
mod log;
pub(crate) mod tail;

pub(crate) use action::{ActionArguments, ActionOption, OPTIONS};

pub use log::LogParser;
#[allow(unused_imports, reason = "the sources set and show these")]
pub(crate) use log::{LogCounts, LogOrigin, UNREAD_LINES, Unread, UnreadReason};

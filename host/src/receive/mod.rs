//! The first stage: fail2ban's action and its log become events in the inbox; fail2ban's database enriches them later.

pub(crate) mod bounded_command;
pub(crate) mod fail2ban_client;
pub(crate) mod fail2ban_database;
pub(crate) mod heartbeat;
mod log;
pub(crate) mod tail;

pub(crate) use banhook_notify::{ActionArguments, ActionOption, OPTIONS};

pub use log::LogParser;
pub(crate) use log::{LogCounts, LogProblem, Unread};

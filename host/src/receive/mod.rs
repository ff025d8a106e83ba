//! The first stage: fail2ban's action and its log become events in the inbox; fail2ban's database enriches them later.

mod action;
pub mod fail2ban_database;
mod log;
pub mod tail;

pub use action::{ActionArguments, ActionOption, ArgumentError, OPTIONS};
pub use log::{LogCounts, LogParser, LoggedEvent};

//! The first stage: fail2ban's action and its log become events in the inbox.

mod action;
mod log;
pub mod tail;

pub use action::{ActionArguments, ActionOption, ArgumentError, OPTIONS};
pub use log::{LogCounts, LogParser, LoggedEvent};

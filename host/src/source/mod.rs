//! Where events come from: fail2ban's action and its log; other hosts have their place here.

mod action;
mod log;
mod readable;
pub mod tail;

pub use action::{ActionArguments, ArgumentError};
pub use log::{LogCounts, LogParser, LoggedEvent};

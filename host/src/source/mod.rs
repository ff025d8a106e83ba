//! Where events come from: fail2ban's action, its log, and its database for what these two leave open; other hosts have
//! their place here.

mod action;
mod database;
#[cfg(test)]
mod database_tests;
mod enricher;
mod log;
mod readable;
pub mod tail;

pub use action::{ActionArguments, ArgumentError};
pub use database::{DatabaseError, Fail2banDatabase, KnownBan};
pub use enricher::{Completion, Enricher};
pub use log::{LogCounts, LogParser, LoggedEvent};

//! Where events come from: fail2ban's action today; its log and other hosts have their place here.

mod action;
mod readable;

pub use action::{ActionArguments, ArgumentError};

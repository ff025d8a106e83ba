//! Lines for banhook's log, which `banhook test` shows: [`debug!`](crate::debug), [`info!`](crate::info),
//! [`warn!`](crate::warn) and [`error!`](crate::error), with arguments as of `format!`.

pub use crate::bindings::imports::banhook::plugin::log::{Level, write};

/// Logs a line for the plugin's author.
#[macro_export]
macro_rules! debug {
    ($($arguments:tt)+) => { $crate::log::write($crate::log::Level::Debug, &::std::format!($($arguments)+)) };
}

/// Logs a line that is worth knowing.
#[macro_export]
macro_rules! info {
    ($($arguments:tt)+) => { $crate::log::write($crate::log::Level::Info, &::std::format!($($arguments)+)) };
}

/// Logs a line about something that is not as it should be.
#[macro_export]
macro_rules! warn {
    ($($arguments:tt)+) => { $crate::log::write($crate::log::Level::Warn, &::std::format!($($arguments)+)) };
}

/// Logs a line about something that did not work.
#[macro_export]
macro_rules! error {
    ($($arguments:tt)+) => { $crate::log::write($crate::log::Level::Error, &::std::format!($($arguments)+)) };
}

/// Logs the message and the place of a panic, which the trap that follows would lose.
pub(crate) fn panics() {
    std::panic::set_hook(Box::new(|panic| write(Level::Error, &panic.to_string())));
}

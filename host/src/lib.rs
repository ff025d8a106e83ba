//! banhook turns fail2ban events into chat messages, and lets each team decide, in sandboxed WebAssembly,
//! whether and how.
//!
//! An event passes the stages in this order: `receive`, `route`, `format`, `deliver`. They share `event`,
//! `message`, `config`, `store` and `plugin`; what `notify` needs is in a crate of its own (`banhook-notify`).
//! `daemon` runs them, and `cli` is what users call. Each module uses only what is below it
//! (`ARCHITECTURE.md` has the map). Public is what the program, the benchmarks and the fuzz targets use.

#![warn(unreachable_pub)]

pub mod cli;
mod config;
mod counters;
mod daemon;
mod deliver;
mod fleet;
mod format;
mod geo;
mod inotify;
pub mod message;
pub mod plugin;
pub mod receive;
// Shared with the end-to-end tests, which are another crate.
#[cfg(test)]
#[allow(unreachable_pub)]
#[path = "../../tests/e2e/reliability.rs"]
mod reliability;
mod report;
mod route;
mod status;
pub mod store;

pub use banhook_notify::event;
use banhook_notify::{accounts, hex, phrase};

/// Reads a configuration, for a fuzz target.
///
/// # Errors
/// What is wrong with it, as it is shown.
#[cfg(fuzzing)]
pub fn check_configuration(text: &str) -> Result<(), String> {
    config::Config::parse(text, std::path::Path::new("config.toml"), &|_| None)
        .map(drop)
        .map_err(|errors| errors.to_string())
}

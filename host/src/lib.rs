//! banhook turns fail2ban events into chat messages, and lets each team decide, in sandboxed WebAssembly,
//! whether and how.
//!
//! An event passes the stages in this order: `receive`, `route`, `format`, `deliver`. They share `event`,
//! `message`, `config`, `store` and `plugin`, over `accounts` and small modules that know nothing of all this
//! (`hex`, `phrase`); `daemon` runs them, `cli` is what users call. Each module uses only what is below it
//! (`ARCHITECTURE.md` has the map). Public is what the program, the benchmarks and the fuzz targets use.

#![warn(unreachable_pub)]

mod accounts;
pub mod cli;
mod config;
mod daemon;
mod deliver;
pub mod event;
mod format;
mod hex;
pub mod message;
mod phrase;
pub mod plugin;
pub mod receive;
mod route;
pub mod store;

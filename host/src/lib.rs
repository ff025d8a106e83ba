//! banhook turns fail2ban events into chat messages, and lets each team decide, in sandboxed WebAssembly,
//! whether and how.
//!
//! An event passes the stages in this order: [`receive`], [`route`], [`format`], [`deliver`]. They share [`event`],
//! [`message`], [`config`], [`store`] and [`plugin`], over [`accounts`] and small modules that know nothing of all this
//! (`hex`, `phrase`); [`daemon`] runs them, [`cli`] is what users call. Each module uses only what is below it
//! (`ARCHITECTURE.md` has the map).

pub mod accounts;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod deliver;
pub mod event;
pub mod format;
mod hex;
pub mod message;
mod phrase;
pub mod plugin;
pub mod receive;
pub mod route;
pub mod store;

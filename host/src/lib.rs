//! banhook turns what fail2ban does into Slack messages, and lets each team decide, in sandboxed WebAssembly,
//! whether and how.
//!
//! The modules, each using only those above it (`ARCHITECTURE.md` has the map): [`event`]; [`config`] and
//! [`message`]; [`store`] and [`plugin`]; [`source`] and [`pipeline`]; [`delivery`]; [`daemon`].

pub mod config;
pub mod daemon;
pub mod delivery;
pub mod event;
pub mod message;
pub mod pipeline;
pub mod plugin;
pub mod source;
pub mod store;

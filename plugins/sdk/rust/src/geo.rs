//! Where an address is registered. A plugin that asks needs `grants.geo` in its route.

pub use crate::bindings::imports::banhook::plugin::geo::{Place, lookup};

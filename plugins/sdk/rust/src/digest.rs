//! Digests: many events that become one message. [`Digester`](crate::Digester) decides on them.

pub use crate::bindings::digester::exports::banhook::plugin::digester::{Batch, Cause, Decision, Tally, Totals};

//! The process that works on a state folder: it wires the pipeline and the couriers to the store, to `notify`'s
//! wake-ups and to signals.
//!
//! The pipeline has a thread of its own, since plugins compute; delivery waits, and is async. Both look at the
//! store by themselves now and then, so that a lost wake-up costs a second and not an alert.

mod couriers;
mod router;
mod signals;
mod work;

pub use signals::Signals;
pub use work::{DaemonError, End, Until, Work};

//! The time of the event, and the wall clock in the route's time zone.

pub use crate::bindings::imports::banhook::plugin::clock::{LocalTime, Weekday, at, local, now};

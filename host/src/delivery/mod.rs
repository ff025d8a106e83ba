//! Delivery: what is in the outbox reaches its webhook, in order, once where that can be told. The only reqwest.
//!
//! Each webhook has a [`Courier`] of its own, so a slow one delays nobody else. An attempt is recorded before it is
//! sent and its answer after; a message is sent twice only if banhook died, or the answer got lost, in between.
//! Which message comes next, and when, is the business of its `queue`, which knows neither clock nor network.

mod answer;
mod backoff;
mod courier;
mod handover;
mod http;
mod post;
mod queue;
#[cfg(test)]
mod queue_tests;

pub use courier::{Addresses, Courier, DeliveryError};
pub use handover::hand_over;
pub use http::{HttpSettings, Via};
pub use post::{Client, Endpoint};
pub use queue::Rules;

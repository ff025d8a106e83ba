//! Delivery: what is in the outbox reaches its webhook, in order, once where that can be told. The only reqwest.
//!
//! Each webhook has a [`Courier`] of its own, so a slow one delays nobody else. An attempt is recorded before it is
//! sent and its answer after; a message is sent twice only if banhook died, or the answer got lost, in between.
//! Rates, digests and fallback webhooks belong here as well.

mod answer;
mod backoff;
mod courier;
mod http;
mod post;

pub use courier::{Courier, DeliveryError};
pub use http::{HttpSettings, Via};
pub use post::{Client, Endpoint, Endpoints};

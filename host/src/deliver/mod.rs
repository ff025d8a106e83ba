//! Delivery: what is in the outbox reaches its webhook, in order, once where that can be told. The only reqwest.
//!
//! Each webhook has a [`DeliveryWorker`] of its own, so a slow one delays nobody else. An attempt is recorded before it is
//! sent and its answer after; a message is sent twice only if banhook died, or the answer got lost, in between.
//! Which message comes next, and when, is the business of its `queue`, which knows neither clock nor network.

mod backoff;
mod client;
mod failover;
mod http;
mod queue;
#[cfg(test)]
mod queue_tests;
mod send_result;
mod worker;

pub use client::{Client, Endpoint};
pub use failover::failover;
pub use http::{HttpSettings, Via};
pub use queue::DeliveryPolicy;
pub use worker::{DeliveryError, DeliveryWorker, Endpoints};

//! The last stage: each message in the outbox reaches its webhook, in order and within the webhook's rate. The only reqwest.
//!
//! Each webhook has a [`DeliveryWorker`] of its own, so a slow one delays no other. An attempt is recorded before it is
//! sent and its result after; a message is sent twice only if banhook died, or the answer was lost, in between.
//! `queue` decides which message is next and when, and knows neither clock nor network.

mod attempt;
mod backoff;
mod client;
mod connection;
mod delivery_policy;
mod endpoint;
mod failover;
mod health;
mod plain_form;
mod queue;
mod redaction;
mod send_result;
mod worker;

pub(crate) use client::Client;
pub(crate) use endpoint::Endpoints;
pub(crate) use failover::failover;
pub(crate) use worker::{DeliveryContext, DeliveryError, DeliveryWorker};

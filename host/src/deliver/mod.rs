//! The last stage: each message in the outbox reaches its webhook, in order and within the webhook's rate. The only reqwest.
//!
//! Each webhook has a [`DeliveryWorker`] of its own, so a slow one delays no other. An attempt is recorded before it is
//! sent and its result after; a message is sent twice only if banhook died, or the answer was lost, in between.
//! `queue` decides which message is next and when, and knows neither clock nor network.

mod attempt;
mod backoff;
mod changes;
mod client;
mod connection;
#[cfg(test)]
mod conversation_tests;
mod delivery_policy;
mod endpoint;
mod failover;
mod failures;
mod health;
mod plain_form;
mod queue;
mod redaction;
mod send_result;
mod signature;
mod worker;

#[cfg(test)]
pub(crate) use attempt::NextAction;
pub(crate) use client::Client;
#[cfg(test)]
pub(crate) use endpoint::Endpoint;
pub(crate) use endpoint::Endpoints;
pub(crate) use failover::failover;
#[cfg(test)]
pub(crate) use failover::reassign_removed;
pub(crate) use health::HealthWebhook;
#[cfg(test)]
pub(crate) use queue::Queue;
#[cfg(test)]
pub(crate) use send_result::SendResult;
pub(crate) use worker::{DeliveryContext, DeliveryError, DeliveryWorker};

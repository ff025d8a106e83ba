//! What was reported and is fixed, by area. Each test is named after its class; the line above it names its source.

mod channel;
mod commands;
mod delivery;
mod sources;
mod store;
mod text;

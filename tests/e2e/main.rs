//! banhook as a whole: the built program, a real fail2ban in front of it, a strict webhook behind it.
//!
//! Each test has a [`env::TestEnv`] of its own and touches nothing outside; nothing is slept for, conditions are polled
//! with a deadline. `cargo xtask test` installs what they need; a missing program fails a test and names its package.
//!
//! `BANHOOK_BIN` tests a binary that is already built, `BANHOOK_FRESH_TEMPLATE` names a template plugin built from source
//! and `BANHOOK_GUESTS` the folder of the example plugins built so (both set by `cargo xtask test`), `BANHOOK_SOAK` is how
//! many rounds the tests of interleavings, crashes and power failures and the hostile corpus' soak run, and has the whole
//! storm, and `BANHOOK_SEED` has a run of crashes or power failures make the random choices of an earlier one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "in tests a panic is how a failure is told"
)]

mod bad_input;
mod binary;
mod broken_plugins;
mod clock_changes;
mod command_output;
mod component;
mod concurrent_notify;
mod connection;
mod crash;
mod daemon;
mod damaged_store;
mod delivered;
mod delivery;
mod demo;
mod disk_errors;
mod fail2ban;
mod fail2ban_database;
mod fail2ban_restart;
mod file_access;
mod grants;
mod guests;
mod hostile;
mod https_webhook;
mod interleavings;
mod life_cycle;
mod lint;
mod message;
mod notify;
mod plugin_cases;
mod polling;
mod power_failure;
mod proxy;
mod queue;
mod reload;
mod renamed_webhooks;
mod seeded_random;
mod service_manager;
mod storm;
mod syscall_trace;
mod tail;
mod test_env;
mod webhook;

//! End-to-end tests: the built program, with a real fail2ban and a strict mock webhook.
//!
//! Each test has a [`test_env::TestEnv`] of its own and touches nothing outside. No test sleeps to wait: conditions are
//! polled with a deadline. Tests that need root, another program or a plugin built from source are `#[ignore]`d with the
//! reason; `cargo xtask test` installs what they need, runs them too, and fails if it cannot.
//!
//! Environment variables:
//! * `BANHOOK_BIN`: the binary under test, instead of one that is built here.
//! * `BANHOOK_FRESH_TEMPLATE`: the template plugin built from source (set by `cargo xtask test`).
//! * `BANHOOK_CHAT_PARSERS`: the folder of the chats' parsers (set by `cargo xtask test`; default `.tools/chat_parsers`).
//! * `BANHOOK_GUESTS`: the folder of the example plugins built from source (set by `cargo xtask test`).
//! * `BANHOOK_FAIL2BAN`: the folder of other releases of fail2ban (set by `cargo xtask test`).
//! * `BANHOOK_NATS_SERVER`: the folder of releases of nats-server (set by `cargo xtask test`).
//! * `BANHOOK_PACKAGES` and `BANHOOK_DEBIAN_ROOT`: the packages, and the Debian to install them into (set by `cargo xtask
//!   test`).
//! * `BANHOOK_SOAK`: the number of rounds for interleavings, crashes, power failures, failing calls, damaged files and the
//!   hostile corpus. If set, the storm test runs at full size.
//! * `BANHOOK_SEED`: the seed for crashes, power failures, failing calls and damaged files, to repeat an earlier run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test reports its failure by a panic"
)]

mod architecture;
mod author_errors;
mod backup;
mod bad_input;
mod binary;
mod broken_plugins;
mod case_export;
mod chromium;
mod clock_changes;
mod command_output;
mod compiled;
mod component;
mod concurrent_notify;
mod config_schema;
mod connection;
mod container;
mod conversation;
mod crash;
mod daemon;
mod damaged_files;
mod damaged_store;
mod delivered;
mod delivery;
mod demo;
mod discord;
mod disk_errors;
mod docs;
mod doctor;
mod exhaustion;
mod fail2ban;
mod fail2ban_database;
mod fail2ban_restart;
mod failing_calls;
mod file_access;
mod fleet;
mod forget;
mod grants;
mod guests;
mod hostile;
mod http_request;
mod https_webhook;
mod interleavings;
mod json_schema;
mod json_webhook;
mod life_cycle;
mod lint;
mod message;
mod metrics;
mod mute;
mod notify;
mod ntfy;
mod package;
mod plugin_cases;
mod plugin_command;
mod plugin_dev;
mod plugin_new;
mod plugin_update;
mod polling;
mod power_failure;
mod privileges;
mod proxy;
mod queue;
mod reference;
mod regressions;
mod reliability;
mod reload;
mod remote_file_systems;
mod renamed_webhooks;
mod report;
mod seeded_random;
mod service_manager;
mod setup;
mod silence;
mod slack_app;
mod storm;
mod support;
mod syscall_trace;
mod tail;
mod teams;
mod telegram;
mod test_env;
mod upgrade;
mod webhook;

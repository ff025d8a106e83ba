//! banhook's default plugin: a MiniJinja template for each of the five events, and one for digests.
//!
//! A template in `[routes.settings]` replaces a built-in one. Both are rendered by the same code, so a built-in template can
//! be copied and changed. The steps of an event:
//!
//! `guest` (the component's exports) → `post` (template to decision) → `engine` (compile, render) with
//! `variables` (the event) and `filters` → `layout` (lines to a Slack message). A digest's begin in `digest` instead, with
//! `digest_variables`.
//!
//! Only `guest` talks to the host; the rest is plain Rust and is tested without WebAssembly.

// The allocator of the SDK for Rust, which this plugin does without otherwise.
#[cfg(any(test, target_family = "wasm"))]
#[path = "../../sdk/rust/src/arena.rs"]
mod arena;
mod bindings;
mod check;
mod digest;
mod digest_variables;
mod engine;
mod error;
mod filters;
mod foreign;
pub mod guest;
mod layout;
mod links;
mod mrkdwn;
mod names;
mod nearest;
mod post;
mod row;
mod sample;
mod setting;
mod variables;

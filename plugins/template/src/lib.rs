//! banhook's default plugin: a MiniJinja template for each of the five events.
//!
//! A team that wants other words writes a template into `[routes.settings]`; the built-in ones are rendered on
//! the same path, so they can be copied and changed. An event takes this way:
//!
//! `guest` (the component's exports) → `post` (template to decision) → `engine` (compile, render) with
//! `variables` (the event) and `filters` → `layout` (lines to a Slack message).
//!
//! Only `guest` talks to the host; the rest is plain Rust and is tested without WebAssembly.

#[cfg(any(test, target_family = "wasm"))]
mod arena;
mod bindings;
mod check;
mod engine;
mod error;
mod filters;
pub mod guest;
mod layout;
mod mrkdwn;
mod nearest;
mod post;
mod sample;
mod setting;
mod variables;

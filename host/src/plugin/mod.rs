//! Plugins: WebAssembly components that decide on events, in a sandbox. The only wasmtime in the project.
//!
//! A [`Runtime`] compiles components (or takes them from its [`Cache`]) and loads them as [`Plugin`]s. Each event gets a
//! fresh instance, so a plugin remembers nothing, and nothing that it does outlives its answer; [`Limits`] bound what it
//! may use and return. What it may ask is in `host`: one module for each interface.

mod answer;
mod bindings;
mod cache;
mod call;
mod compiler;
mod component;
mod components;
mod engine;
mod error;
#[cfg(test)]
pub(crate) mod guest;
pub(crate) mod host;
mod lift;
mod limiter;
mod limits;
mod lower;
#[allow(clippy::module_inception, reason = "the noun itself")]
mod plugin;
mod reused;
mod runtime;
mod slots;
mod standard;
mod state;
#[cfg(test)]
mod tests;
mod ticker;

pub use answer::{Answer, Level, LogLine};
pub use cache::Cache;
pub use compiler::{Compiler, serve as compile_for_parent};
pub use engine::Metering;
pub use error::PluginError;
pub use host::{CurrentEvent, Grant, GrantSyntax, Grants, Host, PluginContext, Providers, RouteEvents, grantable};
pub use limits::{FUEL_PER_MS, INSTANCES_MOST, Limits, Sandbox, TABLE_MOST};
pub use plugin::Plugin;
pub use runtime::{Runtime, Setup};

/// The default plugin, `plugins/template`: a core module that carries its component type.
pub const BUILT_IN: &[u8] = include_bytes!("../../../plugins/dist/template.wasm");

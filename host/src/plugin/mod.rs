//! Plugins: WebAssembly components that decide on events, in a sandbox. The only wasmtime in the project.
//!
//! A [`Runtime`] compiles components (or takes them from its [`Cache`]) and loads them as [`Plugin`]s. Each event gets a
//! fresh instance, so a plugin remembers nothing, and nothing that it does outlives its answer; [`Limits`] bound what it
//! may use and return. What it may ask is in `host`: one module for each interface.

mod anatomy;
mod answer;
mod bindings;
mod cache;
mod call;
mod compile_process;
mod compiler;
mod component;
mod components;
mod declarations;
mod description;
mod engine;
mod error;
mod functions;
#[cfg(test)]
pub(crate) mod guest;
pub(crate) mod host;
mod lift;
mod limiter;
mod limits;
mod lower;
#[allow(clippy::module_inception, reason = "the noun itself")]
mod plugin;
mod printed;
mod reused;
mod runtime;
mod standard;
mod state;
#[cfg(test)]
mod tests;
mod ticker;

pub(crate) use anatomy::Anatomy;
pub(crate) use answer::{Answer, Level, LogLine, Usage};
pub use cache::Cache;
pub(crate) use compile_process::{load as load_for_parent, serve as compile_for_parent};
pub use compiler::Compiler;
pub(crate) use description::{Description, SettingDescription, SettingKind};
pub use engine::Metering;
pub use error::PluginError;
pub(crate) use host::{
    CurrentEvent, Grant, GrantSyntax, Grants, Host, Recorder, RouteEvents, grantable, refusing_others,
};
pub use host::{PluginContext, Providers};
pub(crate) use limits::{INSTANCES_MOST, TABLE_MOST, fuel_for};
pub use limits::{Limits, Sandbox};
pub use plugin::Plugin;
pub(crate) use plugin::SmokeTestMessage;
pub use runtime::{Runtime, Setup};
pub(crate) use standard::events as standard_events;

/// The default plugin, `plugins/template`: a core module that carries its component type.
pub const BUILT_IN: &[u8] = include_bytes!("../../../plugins/dist/template.wasm");

//! Plugins: WebAssembly components that decide on events, in a sandbox. The only wasmtime in the project.
//!
//! A [`Runtime`] compiles components (or takes them from its [`Cache`]) and loads them as [`Plugin`]s. Each event
//! gets a fresh instance, so nothing is remembered and nothing that a plugin does outlives its answer; time,
//! memory and what it may hand over are bounded by [`Limits`]. It is given `log`, `settings` and `clock`; anything
//! else that a component imports is refused when it is loaded. Grants (`history`, `geo`) and an empty WASI belong
//! into `imports.rs`, beside these.

mod answer;
mod bindings;
mod cache;
mod component;
mod convert;
mod error;
mod imports;
mod limits;
mod runtime;
mod standard;
#[cfg(test)]
mod tests;
mod ticker;

pub use answer::{Answer, Level, LogLine};
pub use cache::Cache;
pub use error::PluginError;
pub use imports::Context;
pub use limits::Limits;
pub use runtime::{Plugin, Runtime};

/// The default plugin, `plugins/template`: a core module that carries its component type.
pub const BUILT_IN: &[u8] = include_bytes!("../../../plugins/dist/template.wasm");

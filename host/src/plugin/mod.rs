//! Plugins: WebAssembly components that decide on events, in a sandbox. The only wasmtime in the project.
//!
//! A [`Runtime`] compiles components (or takes them from its [`Cache`]) and loads them as [`Plugin`]s. Each event
//! gets a fresh instance, so nothing is remembered and nothing that a plugin does outlives its answer; [`Limits`] bound
//! what it may use and hand over. It is given `log`, `settings` and `clock`, an empty WASI if it asks, and
//! `history` and `geo` where its route grants them ([`Grants`]); anything else that a component imports is refused when
//! it is loaded.

mod answer;
mod bindings;
mod cache;
mod compiler;
mod component;
mod convert;
#[cfg(test)]
mod digest_tests;
mod error;
pub(crate) mod geo;
mod grants;
#[cfg(test)]
mod grants_tests;
#[cfg(test)]
pub(crate) mod guest;
mod history;
mod imports;
mod limiter;
mod limits;
#[allow(clippy::module_inception, reason = "the noun itself")]
mod plugin;
mod reused;
mod runtime;
mod slots;
mod standard;
#[cfg(test)]
mod tests;
mod ticker;
mod wasi;

pub use answer::{Answer, Level, LogLine};
pub use cache::Cache;
pub use compiler::{Compiler, serve as compile_for_parent};
pub use error::PluginError;
pub use geo::{Geo, GeoDatabases, GeoError, GeoFiles, GeoInfo};
pub use grants::{EmptyProvider, Grants};
pub use history::{History, HistoryError};
pub use imports::PluginContext;
pub use limits::{FUEL_PER_MS, INSTANCES_MOST, Limits, Sandbox, TABLE_MOST};
pub use plugin::Plugin;
pub use runtime::{Metering, Runtime, Setup};

/// The default plugin, `plugins/template`: a core module that carries its component type.
pub const BUILT_IN: &[u8] = include_bytes!("../../../plugins/dist/template.wasm");

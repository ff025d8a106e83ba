//! The seam of the host interfaces: what each of them provides.

use std::path::PathBuf;

use wasmtime::component::LinkerInstance;
use wasmtime::component::types::ComponentInstance;
use wasmtime::{Engine, StoreContextMut};

use super::context::PluginContext;
use super::grants::{Grant, GrantSyntax};
use crate::plugin::state::State;

/// The context that a host function gets.
pub(super) type Cx<'a> = StoreContextMut<'a, State>;
/// Where host functions are defined.
pub(super) type Linked<'a> = LinkerInstance<'a, State>;

/// One interface that plugins may import. It lives as long as the process, and keeps what its routes share.
pub(super) trait HostInterface: Send + Sync {
    /// Its name in `wit/`, under `[routes.grants]` and in test cases.
    fn name(&self) -> &'static str;

    /// Whether a component that imports this full name (`banhook:plugin/log@0.1.0`) imports this interface.
    fn is_imported_as(&self, import: &str) -> bool {
        own_interface(import) == Some(self.name())
    }

    /// How a route grants it. `None`: every plugin has it.
    fn grant(&self) -> Option<GrantSyntax> {
        None
    }

    /// Opens it for one route. An interface that every plugin has gets [`Grant::Given`].
    fn open(&self, grant: &Grant, route: &PluginContext) -> Opened;

    /// Reads the files that have changed since they were read.
    fn reload(&self) -> Vec<Reloaded> {
        Vec::new()
    }
}

/// Answers the plugin of one route, for one interface.
pub(super) trait Provider: Send + Sync {
    /// Defines the functions. This is done once, when the plugin is loaded; each function keeps the data that it needs.
    fn link(&self, to: &mut Linked<'_>, import: &Import<'_>) -> wasmtime::Result<()>;
}

/// An interface, opened for one route.
pub(super) struct Opened {
    /// Answers the plugin.
    pub(super) provider: Box<dyn Provider>,
    /// The faults of the grant. As long as there are any, answers are incomplete.
    pub(super) faults: Vec<String>,
}

/// A file that has changed, with an error if it cannot be used.
pub(super) type Reloaded = (PathBuf, Result<(), String>);

/// A component's import of one interface, in all versions that are compatible: wasmtime finds what is defined for the
/// newest of them for the others as well.
pub(super) struct Import<'a> {
    pub(super) engine: &'a Engine,
    /// The interface's full name, of the newest version that the component imports.
    pub(super) name: &'a str,
    /// The types and functions that it uses, of each version.
    pub(super) instances: Vec<ComponentInstance>,
}

/// Answers every question with nothing.
pub(super) struct EmptyProvider;

impl<P: Provider + 'static> From<P> for Opened {
    fn from(provider: P) -> Self {
        Self { provider: Box::new(provider), faults: Vec::new() }
    }
}

/// The interface of `banhook:plugin` that a full name means, if it is of a version that this host offers.
pub(super) fn own_interface(import: &str) -> Option<&str> {
    let (interface, version) = import.strip_prefix("banhook:plugin/")?.split_once('@')?;
    (version == "0.1" || version.starts_with("0.1.")).then_some(interface)
}

//! Host interfaces: the functions that plugins may import.
//!
//! Each is a module behind one trait ([`interface`]), and [`interfaces`] lists them. `log`, `settings`, `clock` and an
//! empty WASI are there for every plugin; a route grants the others. Everything else that a component imports is refused
//! when it is loaded.

mod clock;
mod context;
mod geo;
mod grants;
mod history;
mod interface;
mod log;
mod recorder;
mod settings;
#[cfg(test)]
mod tests;
mod wasi;

use std::collections::BTreeMap;
use std::path::PathBuf;

use wasmtime::component::types::{ComponentInstance, ComponentItem};
use wasmtime::component::{Component, Linker};

pub use context::PluginContext;
pub(crate) use context::{CurrentEvent, RouteEvents};
pub(crate) use grants::{Grant, GrantSyntax, Grants};
use interface::{HostInterface, Import, Opened, Provider, own_interface};
pub(crate) use recorder::Recorder;

use super::PluginError;
use super::error::NAME_BYTES;
use super::state::State;
use crate::event::readable::cut;
use crate::phrase::listed;

/// The one list. A new interface adds its module, and its line here.
fn interfaces() -> Vec<Box<dyn HostInterface>> {
    vec![
        Box::new(log::Log),
        Box::new(settings::Settings),
        Box::new(clock::Clock),
        Box::new(history::History),
        Box::new(geo::Geo::default()),
        Box::new(wasi::Wasi),
    ]
}

/// Interfaces that hold types only. Components import them when another interface uses them.
const TYPES: [&str; 2] = ["types", "messages"];

/// The interfaces that a route may grant, and how it writes that.
#[must_use]
pub(crate) fn grantable() -> Vec<(&'static str, GrantSyntax)> {
    interfaces().iter().filter_map(|interface| Some((interface.name(), interface.grant()?))).collect()
}

/// Refuses the interfaces that a route does not mention, so that its plugin may import all and use those that answer.
#[must_use]
pub(crate) fn refusing_others(grants: Grants) -> Grants {
    grants.refusing_others(grantable().into_iter().map(|(name, _)| name))
}

/// The host interfaces of one process, with what its routes share.
pub struct Host(Vec<Box<dyn HostInterface>>);

/// The providers that answer the plugin of one route, by interface.
pub struct Providers {
    route: String,
    by_name: BTreeMap<&'static str, Box<dyn Provider>>,
}

impl PluginContext {
    /// The context of a route without settings that refuses every grant: any plugin loads, and no host interface answers.
    #[must_use]
    pub fn refusing() -> Self {
        Self { grants: refusing_others(Grants::default()), ..Self::default() }
    }
}

impl Host {
    /// Opens no file yet.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self(interfaces())
    }

    /// Opens the interfaces for one route. Also returns the faults of its grants.
    #[must_use]
    pub fn open(&self, route: &PluginContext) -> (Providers, Vec<PluginError>) {
        let mut providers = Providers { route: route.route.clone(), by_name: BTreeMap::new() };
        let mut all_faults = Vec::new();
        for interface in &self.0 {
            let import = interface.name();
            let grant = if interface.grant().is_none() { Some(&Grant::Given) } else { route.grants.get(import) };
            let Some(grant) = grant else { continue };
            let Opened { provider, faults } = interface.open(grant, route);
            providers.by_name.insert(import, provider);
            all_faults.extend(faults.into_iter().map(|reason| PluginError::Grant { import, reason }));
        }
        (providers, all_faults)
    }

    /// Defines the functions that a component imports.
    ///
    /// # Errors
    /// When it imports an interface that does not exist, or that its route does not grant.
    pub(super) fn link(
        &self,
        linker: &mut Linker<State>,
        component: &Component,
        providers: &Providers,
    ) -> Result<(), PluginError> {
        let engine = &linker.engine().clone();
        let component = component.component_type();
        let mut by_track: BTreeMap<&str, Vec<(&str, ComponentInstance)>> = BTreeMap::new();
        for (name, import) in component.imports(engine) {
            if own_interface(name).is_some_and(|interface| TYPES.contains(&interface)) {
                continue;
            }
            let interface = self.interface(name);
            let (Some(interface), ComponentItem::ComponentInstance(instance)) = (interface, import.ty) else {
                return Err(PluginError::Import { import: cut(name, NAME_BYTES).to_owned(), offered: self.offered() });
            };
            providers.get(interface)?;
            by_track.entry(version_track(name).0).or_default().push((name, instance));
        }
        for mut versions in by_track.into_values() {
            versions.sort_by_key(|(name, _)| version_track(name).1);
            let Some(&(name, _)) = versions.last() else { continue };
            let Some(interface) = self.interface(name) else { continue };
            let instances = versions.into_iter().map(|(_, instance)| instance).collect();
            let provider = providers.get(interface)?;
            linker
                .instance(name)
                .and_then(|mut to| provider.link(&mut to, &Import { engine, name, instances }))
                .map_err(|error| PluginError::Invalid(format!("{error:#}")))?;
        }
        Ok(())
    }

    /// Reads the files of grants that have changed since they were read: replaced, overwritten, or there at last. Plugins
    /// use the previous content meanwhile.
    ///
    /// Returns each file that has changed, with an error if it cannot be used; the previous content then stays.
    #[must_use]
    pub(crate) fn reload(&self) -> Vec<(PathBuf, Result<(), String>)> {
        self.0.iter().flat_map(|interface| interface.reload()).collect()
    }

    /// The interface with this full name (`banhook:plugin/log@0.1.0`).
    fn interface(&self, import: &str) -> Option<&dyn HostInterface> {
        self.0.iter().map(Box::as_ref).find(|interface| interface.is_imported_as(import))
    }

    /// The names of all interfaces, for somebody who imports another one.
    fn offered(&self) -> String {
        let named = |granted: bool| {
            let some = self.0.iter().filter(|interface| interface.grant().is_some() == granted);
            listed(some.map(|interface| interface.name()), "and")
        };
        format!("{}, and if its route grants them, {}", named(false), named(true))
    }
}

/// The part of a full name that all compatible versions share (`wasi:cli/exit@0.2` of `wasi:cli/exit@0.2.3`), and the
/// rest of the version. Both packages that plugins may import from are before version 1.
fn version_track(name: &str) -> (&str, u64) {
    name.rsplit_once('.').map_or((name, 0), |(track, patch)| (track, patch.parse().unwrap_or(0)))
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

impl Providers {
    fn get(&self, interface: &dyn HostInterface) -> Result<&dyn Provider, PluginError> {
        let import = interface.name();
        self.by_name.get(import).map(Box::as_ref).ok_or_else(|| PluginError::NotGranted {
            import,
            route: self.route.clone(),
            line: interface.grant().map(|syntax| syntax.example(import)).unwrap_or_default(),
        })
    }
}

//! Loads plugins: compiles their components, gives them the host interfaces that they import, and bounds their calls.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Linker;

use super::bindings::exports::banhook::plugin::{checker, digester, formatter};
use super::call::Caller;
use super::components::Components;
use super::engine::Slots;
use super::engine::{INSTANCES, Metering, engine};
use super::host::{Host, Providers};
use super::limits::{Limits, Sandbox};
use super::plugin::Plugin;
use super::ticker::Ticker;
use super::{Cache, Compiler, PluginError, component};

/// How a runtime is set up.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Where compiled components are kept.
    pub cache: Option<Cache>,
    /// Where components are compiled.
    pub compiler: Compiler,
    /// How computing time is bounded.
    pub metering: Metering,
    /// The settings that all plugins share.
    pub sandbox: Sandbox,
}

/// Runs plugins; shared by all routes.
pub struct Runtime {
    engine: Engine,
    metering: Metering,
    sandbox: Sandbox,
    host: Host,
    ticker: Arc<Ticker>,
    slots: Slots,
    components: Components,
}

impl Runtime {
    /// Sets the engine up.
    ///
    /// # Errors
    /// When the system has no room for it.
    pub fn new(setup: Setup) -> Result<Self, PluginError> {
        let Setup { cache, compiler, metering, sandbox } = setup;
        let engine = engine(metering, sandbox).map_err(|error| PluginError::Engine(format!("{error:#}")))?;
        let ticker = Ticker::start(&engine).map_err(|error| PluginError::Engine(error.to_string()))?;
        Ok(Self {
            components: Components::new(engine.clone(), metering, cache, compiler),
            engine,
            metering,
            sandbox,
            host: Host::new(),
            ticker: Arc::new(ticker),
            slots: Slots::new(INSTANCES),
        })
    }

    /// The interfaces that plugins may import.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Loads a plugin from the bytes of its file; `providers` answer what it asks. It may still fail on events: see
    /// [`Plugin::smoke_test`].
    ///
    /// # Errors
    /// When it cannot be compiled, imports what it cannot have, or is not a plugin.
    pub fn load(&self, file: &[u8], providers: &Providers, limits: Limits) -> Result<Plugin, PluginError> {
        let sha256 = Sha256::digest(file).into();
        let (shared, component) = self.components.load(file, &sha256, &limits)?;
        let mut linker = Linker::new(&self.engine);
        self.host.link(&mut linker, &component, providers)?;
        let component = linker
            .instantiate_pre(&component)
            .map_err(|error: wasmtime::Error| PluginError::Invalid(format!("{error:#}")))?;
        let formatter = formatter::GuestIndices::new(&component).map_err(|_| PluginError::WrongWorld)?;
        let digester = digester::GuestIndices::new(&component).ok();
        let checker = checker::GuestIndices::new(&component).ok();
        let caller = Caller {
            engine: self.engine.clone(),
            ticker: Arc::clone(&self.ticker),
            slots: self.slots.clone(),
            metering: self.metering,
            sandbox: self.sandbox,
            limits,
        };
        let version = component::version(file);
        Ok(Plugin { caller, component, _shared: shared, formatter, digester, checker, sha256, version })
    }

    /// Loads a plugin from its file.
    ///
    /// # Errors
    /// As [`Runtime::load`], and when the file cannot be read.
    pub(crate) fn load_file(&self, path: &Path, providers: &Providers, limits: Limits) -> Result<Plugin, PluginError> {
        let (found, allowed) = (fs::metadata(path)?.len(), limits.component);
        if found > allowed {
            return Err(PluginError::TooLarge { found, allowed });
        }
        self.load(&fs::read(path)?, providers, limits)
    }

    /// Compiles a component, so that loading it takes no time.
    ///
    /// # Errors
    /// When it cannot be compiled.
    pub(crate) fn prepare(&self, file: &[u8], limits: &Limits) -> Result<(), PluginError> {
        self.components.prepare(file, limits)
    }
}

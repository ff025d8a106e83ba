//! Loads plugins: compiles their components, gives them the host interfaces that they import, and bounds their calls.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use super::bindings::exports::banhook::plugin::{checker, descriptor, digester, formatter};
use super::call::Caller;
use super::components::{Components, FileHash, Shared};
use super::engine::{INSTANCES, Metering, Slots, engine};
use super::host::{Host, Providers};
use super::limits::{Limits, Sandbox};
use super::plugin::Plugin;
use super::ticker::Ticker;
use super::{Cache, Compiler, PluginError, component};
use crate::hex::hex;

/// Files that are in memory at once, to see whether they are compiled.
const READING: u32 = 2;

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
    /// For reading a plugin's file.
    reading: Slots,
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
            reading: Slots::new(READING),
        })
    }

    /// Sets the engine up as a daemon needs it: another process of this program compiles, and wall time is limited.
    ///
    /// # Errors
    /// When the system has no room for it.
    pub(crate) fn for_events(sandbox: Sandbox, cache: Option<Cache>) -> Result<Self, PluginError> {
        Self::new(Setup { cache, compiler: Compiler::this_program(), metering: Metering::Time, sandbox })
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
        self.load_hashed(file, Sha256::digest(file).into(), None, providers, limits)
    }

    /// The same for a file whose hash is known, since a large one takes longer to hash than to call. The component is found in
    /// memory as long as another plugin of it is kept. `path`: where the file is.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub(crate) fn load_hashed(
        &self,
        file: &[u8],
        sha256: FileHash,
        path: Option<&Path>,
        providers: &Providers,
        limits: Limits,
    ) -> Result<Plugin, PluginError> {
        component::check(file, limits.component)?;
        let found = match self.components.find(&sha256) {
            Some(found) => found,
            None => {
                let _turn = self.components.turn();
                self.components.compile(file, &sha256, path, &limits)?
            }
        };
        self.link(file, sha256, found, providers, limits)
    }

    /// Makes a plugin of a component.
    fn link(
        &self,
        file: &[u8],
        sha256: FileHash,
        (shared, component): (Shared, Component),
        providers: &Providers,
        limits: Limits,
    ) -> Result<Plugin, PluginError> {
        let mut linker = Linker::new(&self.engine);
        self.host.link(&mut linker, &component, providers)?;
        let component = linker
            .instantiate_pre(&component)
            .map_err(|error: wasmtime::Error| PluginError::Invalid(format!("{error:#}")))?;
        let formatter = formatter::GuestIndices::new(&component).map_err(|_| PluginError::WrongWorld)?;
        let digester = digester::GuestIndices::new(&component).ok();
        let checker = checker::GuestIndices::new(&component).ok();
        let descriptor = descriptor::GuestIndices::new(&component).ok();
        let caller = Caller {
            engine: self.engine.clone(),
            ticker: Arc::clone(&self.ticker),
            slots: self.slots.clone(),
            metering: self.metering,
            sandbox: self.sandbox,
            limits,
        };
        let version = component::version(file);
        Ok(Plugin { caller, component, _shared: shared, formatter, digester, checker, descriptor, sha256, version })
    }

    /// Loads a plugin from its file. `pin`: the only SHA-256 that the file may have, in hexadecimal digits.
    ///
    /// # Errors
    /// As [`Runtime::load`], and when the file cannot be read, or is not the one that the route pins.
    pub(crate) fn load_file(
        &self,
        path: &Path,
        providers: &Providers,
        limits: Limits,
        pin: Option<&str>,
    ) -> Result<Plugin, PluginError> {
        {
            // A file may be large, so few are in memory at once; and one that is compiled waits for no other to be compiled.
            let _turn = self.reading.take();
            let file = read(path, &limits)?;
            let sha256 = hash(&file, pin)?;
            if let Some(found) = self.components.find(&sha256) {
                return self.link(&file, sha256, found, providers, limits);
            }
        }
        let _turn = self.components.turn();
        let file = read(path, &limits)?;
        let sha256 = hash(&file, pin)?;
        let compiled = self.components.compile(&file, &sha256, Some(path), &limits)?;
        self.link(&file, sha256, compiled, providers, limits)
    }

    /// Compiles a component, so that loading it takes no time.
    ///
    /// # Errors
    /// When it cannot be compiled.
    pub(crate) fn prepare(&self, file: &[u8], limits: &Limits) -> Result<(), PluginError> {
        self.components.prepare(file, limits)
    }
}

/// Returns the SHA-256 of a plugin's file, if it is the one that the route pins.
fn hash(file: &[u8], pin: Option<&str>) -> Result<FileHash, PluginError> {
    let sha256: FileHash = Sha256::digest(file).into();
    let found = hex(&sha256);
    match pin {
        Some(pinned) if pinned != found => Err(PluginError::Pin { found, pinned: pinned.to_owned() }),
        _ => Ok(sha256),
    }
}

/// Reads a plugin's file, if its size is allowed.
fn read(path: &Path, limits: &Limits) -> Result<Vec<u8>, PluginError> {
    let file = File::options().read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed()).open(path)?;
    let (found, allowed) = (file.metadata()?.len(), limits.component);
    if found > allowed {
        return Err(PluginError::TooLarge { found, allowed });
    }
    let mut bytes = Vec::new();
    // It may grow, and a device has no size.
    file.take(allowed.saturating_add(1)).read_to_end(&mut bytes)?;
    component::check(&bytes, allowed)?;
    Ok(bytes)
}

//! The engine that plugins run in, and how they get there.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use sha2::{Digest, Sha256};
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::bindings::exports::banhook::plugin::{checker, digester, formatter};
use super::imports::{PluginContext, State, add_to_linker, is_offered};
use super::limits::{INSTANCES_MOST, Limits, MEMORIES, MEMORY_MOST, Sandbox, TABLE_MOST, TABLES};
use super::plugin::Plugin;
use super::slots::Slots;
use super::ticker::Ticker;
use super::{Cache, Compiler, PluginError, cache, component, wasi};

/// Instances that may exist at once, one for each route at work. Those beyond it wait for a moment.
pub(super) const INSTANCES: u32 = 32;

/// Bytes of a linear memory that stay mapped between two events and are written over instead: more than what a guest in
/// Rust touches, which is 64 KiB for the template plugin. What is not kept, the next event pays for in page faults: with
/// 16 KiB the template plugin takes 32 µs instead of 17.
const KEEP_RESIDENT: usize = 256 << 10;

/// Frames of a trap's backtrace that are kept.
const BACKTRACE_FRAMES: usize = 20;

/// How what a plugin computes is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metering {
    /// By wall time: cheap, and what counts in production.
    Time,
    /// By fuel as well: the same on every machine, for tests. Wall time is ten times as long.
    Fuel,
}

impl Metering {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Fuel => "fuel",
        }
    }

    /// The metering with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Time, Self::Fuel].into_iter().find(|metering| metering.name() == name)
    }
}

/// What a runtime works with.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Where compiled components are kept.
    pub cache: Option<Cache>,
    /// Where components are compiled.
    pub compiler: Compiler,
    /// How time is bounded.
    pub metering: Metering,
    /// What all plugins share.
    pub sandbox: Sandbox,
}

/// One component, once it is loaded. Kept by the plugins that use it.
pub(super) type Shared = Mutex<Option<Component>>;

/// The engine, shared by all plugins.
pub struct Runtime {
    engine: Engine,
    linker: Linker<State>,
    ticker: Arc<Ticker>,
    slots: Slots,
    setup: Setup,
    /// What is loaded already, by the SHA-256 of its file: routes often share a plugin. Each has a lock of its own, so
    /// that one which takes long to compile holds up only those who want the same.
    components: Mutex<HashMap<[u8; 32], Weak<Shared>>>,
    /// What was prepared last, so that whoever loads it finds it also where there is no cache.
    prepared: Mutex<Arc<Shared>>,
}

impl Runtime {
    /// Sets the engine up.
    ///
    /// # Errors
    /// When the system has no room for it.
    pub fn new(setup: Setup) -> Result<Self, PluginError> {
        let engine_error = |error: wasmtime::Error| PluginError::Engine(format!("{error:#}"));
        let engine = engine(setup.metering, setup.sandbox).map_err(engine_error)?;
        let mut linker = Linker::new(&engine);
        add_to_linker(&mut linker).map_err(engine_error)?;
        let ticker = Ticker::start(&engine).map_err(|error| PluginError::Engine(error.to_string()))?;
        Ok(Self {
            engine,
            linker,
            ticker: Arc::new(ticker),
            slots: Slots::new(INSTANCES),
            setup,
            components: Mutex::default(),
            prepared: Mutex::default(),
        })
    }

    /// Loads a plugin from the bytes of its file. It may still fail on events: see [`Plugin::smoke_test`].
    ///
    /// # Errors
    /// When it cannot be compiled, imports what it cannot have, or is no plugin.
    pub fn load(&self, file: &[u8], context: PluginContext, limits: Limits) -> Result<Plugin, PluginError> {
        let sha256: [u8; 32] = Sha256::digest(file).into();
        let (shared, component) = self.component(file, &sha256, &limits)?;
        let mut wants_wasi = false;
        for (name, _) in component.component_type().imports(&self.engine) {
            let covered = wasi::is_covered(name);
            wants_wasi |= covered;
            if !covered && !is_offered(name) {
                return Err(PluginError::Import(name.to_owned()));
            }
            context.grants.check(name)?;
        }
        let invalid = |error: wasmtime::Error| PluginError::Invalid(format!("{error:#}"));
        let pre = if wants_wasi {
            let mut linker = self.linker.clone();
            wasi::add_to_linker(&mut linker, &component).map_err(invalid)?;
            linker.instantiate_pre(&component)
        } else {
            self.linker.instantiate_pre(&component)
        };
        let pre = pre.map_err(invalid)?;
        let formatter = formatter::GuestIndices::new(&pre).map_err(|_| PluginError::WrongWorld)?;
        let digester = digester::GuestIndices::new(&pre).ok();
        let checker = checker::GuestIndices::new(&pre).ok();
        Ok(Plugin {
            engine: self.engine.clone(),
            ticker: Arc::clone(&self.ticker),
            slots: self.slots.clone(),
            metering: self.setup.metering,
            sandbox: self.setup.sandbox,
            pre,
            _shared: shared,
            formatter,
            digester,
            checker,
            context: Arc::new(context),
            limits,
            sha256,
            version: component::version(file),
        })
    }

    /// Loads a plugin from its file.
    ///
    /// # Errors
    /// As [`Runtime::load`], and when the file cannot be read.
    pub fn load_file(&self, path: &Path, context: PluginContext, limits: Limits) -> Result<Plugin, PluginError> {
        let (found, allowed) = (fs::metadata(path)?.len(), limits.component);
        if found > allowed {
            return Err(PluginError::TooLarge { found, allowed });
        }
        self.load(&fs::read(path)?, context, limits)
    }

    /// Has a component compiled, so that loading it takes no time.
    ///
    /// # Errors
    /// When it cannot be compiled.
    pub fn prepare(&self, file: &[u8], limits: &Limits) -> Result<(), PluginError> {
        let (shared, _) = self.component(file, &Sha256::digest(file).into(), limits)?;
        *locked(&self.prepared) = shared;
        Ok(())
    }

    fn component(
        &self,
        file: &[u8],
        sha256: &[u8; 32],
        limits: &Limits,
    ) -> Result<(Arc<Shared>, Component), PluginError> {
        component::check(file, limits.component)?;
        let shared = self.shared(sha256);
        let mut loaded = locked(&shared);
        if let Some(component) = &*loaded {
            let component = component.clone();
            drop(loaded);
            return Ok((shared, component));
        }
        let cache = self.setup.cache.as_ref();
        let component = match cache.and_then(|cache| cache.get(&self.engine, sha256)) {
            Some(component) => component,
            None => {
                let compiled = self.setup.compiler.compile(file, self.setup.metering, limits.compile)?;
                // A cache that cannot be written costs time at the next start, nothing else.
                let kept = cache.and_then(|cache| {
                    cache.put(&self.engine, sha256, &compiled).ok()?;
                    cache.remove_unused(&self.engine, &self.in_use());
                    cache.get(&self.engine, sha256)
                });
                kept.map_or_else(|| cache::load(&self.engine, &compiled), Ok)?
            }
        };
        *loaded = Some(component.clone());
        drop(loaded);
        Ok((shared, component))
    }

    /// Where the component with this hash of its file is, or will be.
    fn shared(&self, sha256: &[u8; 32]) -> Arc<Shared> {
        let mut components = locked(&self.components);
        if let Some(shared) = components.get(sha256).and_then(Weak::upgrade) {
            return shared;
        }
        components.retain(|_, shared| shared.strong_count() > 0);
        let shared = Arc::default();
        components.insert(*sha256, Arc::downgrade(&shared));
        shared
    }

    /// The hashes of all that is loaded, or about to be.
    fn in_use(&self) -> Vec<[u8; 32]> {
        let components = locked(&self.components);
        components.iter().filter(|(_, shared)| shared.strong_count() > 0).map(|(sha256, _)| *sha256).collect()
    }
}

/// A panic while it was held leaves what it guards whole: each is changed in one step.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The pool is sized for the largest limits that a route may set: it reserves address space, not memory. Where that is
/// rationed (`ulimit -v`), instances are allocated one by one, which is slower.
fn engine(metering: Metering, sandbox: Sandbox) -> wasmtime::Result<Engine> {
    let with = |strategy| Engine::new(config(metering).max_wasm_stack(sandbox.stack).allocation_strategy(strategy));
    with(InstanceAllocationStrategy::Pooling(pool())).or_else(|_| with(InstanceAllocationStrategy::OnDemand))
}

/// An engine that compiles what [`engine`] runs, and runs nothing itself.
pub(super) fn compiling_engine(metering: Metering) -> wasmtime::Result<Engine> {
    Engine::new(config(metering).allocation_strategy(InstanceAllocationStrategy::OnDemand))
}

/// Which pages an instance wrote to is asked of the kernel (from Linux 6.7 on, or else it is done without). Otherwise the
/// lowest `KEEP_RESIDENT` bytes are written over whatever they hold and the rest is unmapped; but the lowest megabyte of a
/// guest in Rust is its stack, of which it uses the upper end. Saves most of an event's time: 8 µs instead of 19 for a
/// small guest, 17 instead of 53 for the template plugin.
#[allow(clippy::cast_possible_truncation, reason = "constants below a hundred")]
fn pool() -> PoolingAllocationConfig {
    let most = u32::try_from(INSTANCES_MOST).unwrap_or(u32::MAX);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(INSTANCES)
        .max_core_instances_per_component(most)
        .total_core_instances(INSTANCES * most)
        .total_memories(INSTANCES * MEMORIES as u32)
        .total_tables(INSTANCES * TABLES as u32)
        .max_memory_size(MEMORY_MOST)
        .table_elements(TABLE_MOST)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(KEEP_RESIDENT)
        .pagemap_scan(Enabled::Auto);
    pool
}

fn config(metering: Metering) -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .consume_fuel(metering == Metering::Fuel)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(BACKTRACE_FRAMES));
    config
}

/// The wall time after which a call is stopped.
pub(super) fn wall_time(metering: Metering, limits: &Limits) -> Duration {
    match metering {
        Metering::Time => limits.time,
        Metering::Fuel => limits.time.saturating_mul(10),
    }
}

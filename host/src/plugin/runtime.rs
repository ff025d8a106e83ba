//! The engine that plugins run in, and a loaded plugin.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store, Trap, WasmBacktrace};

use super::answer::Answer;
use super::bindings::exports::banhook::plugin::{checker, formatter};
use super::imports::{Context, State, add_to_linker, is_offered};
use super::limits::{COMPONENT_BYTES, HANDED_OVER, HANDLES, Limits, MEMORY_MOST, TABLE_ELEMENTS};
use super::ticker::Ticker;
use super::{Cache, PluginError, component, convert, standard};
use crate::event::{Event, Timestamp};
use crate::message::Decision;

/// Instances that may exist at once: one for each thread that puts events through plugins, and a few to spare.
const INSTANCES: u32 = 8;

/// Bytes of a linear memory that stay mapped between two events: what a small guest touches. Without it, each
/// event pays for the page faults again (36 µs instead of 10 for a small Rust guest).
const KEEP_RESIDENT: usize = 256 << 10;

/// Frames of a trap's backtrace that are kept.
const BACKTRACE_FRAMES: usize = 20;

/// The engine, shared by all plugins.
pub struct Runtime {
    engine: Engine,
    linker: Linker<State>,
    ticker: Arc<Ticker>,
    cache: Option<Cache>,
    /// What is compiled already, by the SHA-256 of its file: routes often share a plugin.
    components: Mutex<HashMap<[u8; 32], Component>>,
}

/// A component, loaded for one route.
pub struct Plugin {
    engine: Engine,
    ticker: Arc<Ticker>,
    pre: InstancePre<State>,
    formatter: formatter::GuestIndices,
    checker: Option<checker::GuestIndices>,
    context: Arc<Context>,
    limits: Limits,
}

impl Runtime {
    /// Sets the engine up.
    ///
    /// # Errors
    /// When the system has no room for it.
    pub fn new(cache: Option<Cache>) -> Result<Self, PluginError> {
        let engine_error = |error: wasmtime::Error| PluginError::Engine(format!("{error:#}"));
        let engine = engine().map_err(engine_error)?;
        let mut linker = Linker::new(&engine);
        add_to_linker(&mut linker).map_err(engine_error)?;
        let ticker = Ticker::start(&engine).map_err(|error| PluginError::Engine(error.to_string()))?;
        Ok(Self { engine, linker, ticker: Arc::new(ticker), cache, components: Mutex::default() })
    }

    /// Loads a plugin from the bytes of its file. It may still fail on events: see [`Plugin::trial`].
    ///
    /// # Errors
    /// When it cannot be compiled, imports what it cannot have, or is no plugin.
    pub fn load(&self, file: &[u8], context: Context, limits: Limits) -> Result<Plugin, PluginError> {
        let component = self.component(file)?;
        for (name, _) in component.component_type().imports(&self.engine) {
            if !is_offered(name) {
                return Err(PluginError::Import(name.to_owned()));
            }
        }
        let pre =
            self.linker.instantiate_pre(&component).map_err(|error| PluginError::Invalid(format!("{error:#}")))?;
        let formatter = formatter::GuestIndices::new(&pre).map_err(|_| PluginError::WrongWorld)?;
        let checker = checker::GuestIndices::new(&pre).ok();
        Ok(Plugin {
            engine: self.engine.clone(),
            ticker: Arc::clone(&self.ticker),
            pre,
            formatter,
            checker,
            context: Arc::new(context),
            limits: Limits { memory: limits.memory.min(MEMORY_MOST), ..limits },
        })
    }

    /// Loads a plugin from its file.
    ///
    /// # Errors
    /// As [`Runtime::load`], and when the file cannot be read.
    pub fn load_file(&self, path: &Path, context: Context, limits: Limits) -> Result<Plugin, PluginError> {
        let found = fs::metadata(path)?.len();
        if found > COMPONENT_BYTES {
            return Err(PluginError::TooLarge { found, allowed: COMPONENT_BYTES });
        }
        self.load(&fs::read(path)?, context, limits)
    }

    fn component(&self, file: &[u8]) -> Result<Component, PluginError> {
        let hash: [u8; 32] = Sha256::digest(file).into();
        // A panic while it was held leaves a map that is still whole.
        let mut components = self.components.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(component) = components.get(&hash) {
            return Ok(component.clone());
        }
        let component = if let Some(component) = self.cache.as_ref().and_then(|cache| cache.get(&self.engine, file)) {
            component
        } else {
            let wasm = component::from_file(file)?;
            let component =
                Component::new(&self.engine, &wasm).map_err(|error| PluginError::Invalid(format!("{error:#}")))?;
            if let Some(cache) = &self.cache {
                // A cache that cannot be written costs time at the next start, nothing else.
                let _ = cache.put(&self.engine, file, &component);
            }
            component
        };
        components.insert(hash, component.clone());
        Ok(component)
    }
}

impl Plugin {
    /// Puts an event through the plugin, in a fresh instance.
    #[must_use]
    pub fn format(&self, event: &Event) -> Answer {
        let mut store = self.store(event.at);
        let decision = self.call_format(&mut store, event);
        let State { log, log_dropped, .. } = store.into_data();
        Answer { decision, log, log_dropped }
    }

    /// Runs the plugin's own check of its settings, and one standard event of each kind. Empty: all is well.
    #[must_use]
    pub fn trial(&self) -> Vec<PluginError> {
        let problems = self.check();
        if !problems.is_empty() {
            return problems;
        }
        // Mostly the same for each kind; saying it once is enough.
        standard::events().iter().find_map(|event| self.format(event).decision.err()).into_iter().collect()
    }

    fn check(&self) -> Vec<PluginError> {
        let Some(indices) = &self.checker else { return Vec::new() };
        let mut store = self.store(Timestamp(0));
        let _running = self.ticker.running();
        let called = self.pre.instantiate(&mut store).and_then(|instance| {
            let guest = indices.load(&mut store, &instance)?;
            guest.call_check(&mut store)
        });
        match called {
            Ok(problems) => problems
                .into_iter()
                .map(|problem| PluginError::Setting { setting: problem.setting, message: problem.message })
                .collect(),
            Err(error) => vec![self.failure(&store, &error)],
        }
    }

    fn call_format(&self, store: &mut Store<State>, event: &Event) -> Result<Decision, PluginError> {
        let _running = self.ticker.running();
        let called = self.pre.instantiate(&mut *store).and_then(|instance| {
            let guest = self.formatter.load(&mut *store, &instance)?;
            guest.call_format(&mut *store, &convert::event(event))
        });
        match called {
            Ok(Ok(decision)) => Ok(convert::decision(decision)),
            Ok(Err(error)) => Err(PluginError::Returned(error)),
            Err(error) => Err(self.failure(store, &error)),
        }
    }

    fn store(&self, now: Timestamp) -> Store<State> {
        let state = State::new(self.limits, Arc::clone(&self.context), now);
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(HANDED_OVER);
        store.set_max_component_handles(HANDLES);
        store.set_epoch_deadline(Ticker::ticks(self.limits.time));
        store
    }

    fn failure(&self, store: &Store<State>, error: &wasmtime::Error) -> PluginError {
        let trap = error.downcast_ref::<Trap>();
        if trap == Some(&Trap::Interrupt) {
            return PluginError::Time(self.limits.time);
        }
        // Most guests abort when memory is refused; what they then trap with says less than the refusal.
        if let Some(refusal) = store.data().limiter.refusal() {
            return refusal;
        }
        let root = error.root_cause().to_string();
        // wasmtime has no type for this error.
        if root.contains("fuel allocated for hostcalls") {
            return PluginError::TooMuchData(HANDED_OVER);
        }
        let backtrace = error.downcast_ref::<WasmBacktrace>().map(ToString::to_string).unwrap_or_default();
        let reason = trap.map_or(root, |trap| trap.to_string().trim_start_matches("wasm trap: ").to_owned());
        PluginError::Trap { reason, backtrace }
    }
}

/// The pool is sized for the largest limits that a route may set: it reserves address space, not memory. Where that is
/// rationed (`ulimit -v`), instances are allocated one by one, which is slower.
fn engine() -> wasmtime::Result<Engine> {
    Engine::new(config().allocation_strategy(InstanceAllocationStrategy::Pooling(pool())))
        .or_else(|_| Engine::new(config().allocation_strategy(InstanceAllocationStrategy::OnDemand)))
}

fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(INSTANCES)
        .total_core_instances(INSTANCES * 16)
        .total_memories(INSTANCES * 2)
        .total_tables(INSTANCES * 16)
        .max_memory_size(MEMORY_MOST)
        .table_elements(TABLE_ELEMENTS)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(KEEP_RESIDENT);
    pool
}

fn config() -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true).wasm_backtrace_max_frames(std::num::NonZeroUsize::new(BACKTRACE_FRAMES));
    config
}

//! The wasmtime engine: how it is configured, to run plugins and to compile them.

use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use wasmtime::{CacheStore, Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::limits::{INSTANCES_MOST, Limits, MEMORIES, MEMORY_MOST, Sandbox, TABLE_MOST, TABLES};

/// Instances that may exist at once: one for each route whose plugin runs. Calls beyond it wait for a moment.
pub(super) const INSTANCES: u32 = 32;

/// Bytes of a linear memory that stay mapped between two events and are overwritten instead: more than a guest in
/// Rust touches, which is 64 KiB for the template plugin. Whatever is not kept costs the next event page faults: with
/// 16 KiB the template plugin takes 32 µs instead of 17.
const KEEP_RESIDENT: usize = 256 << 10;

/// Frames of a trap's backtrace that are kept.
const BACKTRACE_FRAMES: usize = 20;

/// How the computing time of a plugin is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metering {
    /// By wall time: cheap, and used in production.
    Time,
    /// By fuel as well: the same on every machine, for tests. The limit on wall time is ten times as long.
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
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Time, Self::Fuel].into_iter().find(|metering| metering.name() == name)
    }

    /// The wall time after which a call is stopped.
    pub(super) fn wall_time(self, limits: &Limits) -> Duration {
        match self {
            Self::Time => limits.time,
            Self::Fuel => limits.time.saturating_mul(10),
        }
    }
}

/// An engine that runs plugins.
///
/// The pool is sized for the largest limits that a route may set: it reserves address space, not memory. Where that is
/// rationed (`ulimit -v`), instances are allocated one by one, which is slower.
pub(super) fn engine(metering: Metering, sandbox: Sandbox) -> wasmtime::Result<Engine> {
    let with = |strategy| {
        let mut config = config(metering);
        config.max_wasm_stack(sandbox.stack).allocation_strategy(strategy);
        // That of asynchronous calls, which there are none of. It may not be the smaller one.
        config.async_stack_size(sandbox.stack.max(ASYNC_STACK));
        Engine::new(&config)
    };
    with(InstanceAllocationStrategy::Pooling(pool())).or_else(|_| with(InstanceAllocationStrategy::OnDemand))
}

/// The default of [`Config::async_stack_size`].
const ASYNC_STACK: usize = 2 << 20;

/// An engine that compiles for [`engine`], and runs nothing itself. `functions`: those that need not be compiled.
pub(super) fn compiling_engine(metering: Metering, functions: Option<Arc<dyn CacheStore>>) -> wasmtime::Result<Engine> {
    let mut config = config(metering);
    if let Some(functions) = functions {
        config.enable_incremental_compilation(functions)?;
    }
    Engine::new(config.allocation_strategy(InstanceAllocationStrategy::OnDemand))
}

/// The kernel (from Linux 6.7 on) says which pages an instance wrote to. Without that, the lowest `KEEP_RESIDENT` bytes
/// are overwritten whatever they hold and the rest is unmapped; but the lowest megabyte of a guest in Rust is its
/// stack, of which it uses the upper end. This saves most of an event's time: 8 µs instead of 19 for a small guest, 17
/// instead of 53 for the template plugin.
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
        // The same event gets the same answer, on every processor.
        .relaxed_simd_deterministic(true)
        .cranelift_nan_canonicalization(true)
        .wasm_backtrace_max_frames(NonZeroUsize::new(BACKTRACE_FRAMES));
    config
}

/// Bounds how many calls run at once, or compilations: one more waits, instead of failing because of the others.
#[derive(Clone)]
pub(super) struct Slots(Arc<(Mutex<u32>, Condvar)>);

/// The right to run, until it is dropped.
pub(super) struct Slot(Slots);

impl Slots {
    pub(super) fn new(count: u32) -> Self {
        Self(Arc::new((Mutex::new(count), Condvar::new())))
    }

    /// Waits until one is free. None is kept for longer than a time limit.
    pub(super) fn take(&self) -> Slot {
        let (free, freed) = &*self.0;
        let free = free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = freed.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Slot(self.clone())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let (free, freed) = &*self.0.0;
        *free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engine_takes_every_stack_that_the_configuration_takes() {
        for stack in [64 << 10, Sandbox::STANDARD.stack, 4 << 20] {
            engine(Metering::Time, Sandbox { stack }).unwrap();
        }
    }
}

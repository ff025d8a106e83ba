//! One call of a plugin: how it is bounded, and why it failed.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Instant;

use wasmtime::component::{Instance, InstancePre};
use wasmtime::{Engine, Store, Trap, WasmBacktrace};

use super::PluginError;
use super::answer::{Answer, Level, Usage};
use super::engine::Metering;
use super::engine::{Slot, Slots};
use super::error::HostError;
use super::limits::{HANDLES, Limits, MEMORIES, Sandbox, TABLES, fuel_for};
use super::state::State;
use super::ticker::Ticker;
use crate::event::Timestamp;
use crate::event::readable::cut;

/// Makes the calls of one plugin.
pub(super) struct Caller {
    pub(super) engine: Engine,
    pub(super) ticker: Arc<Ticker>,
    pub(super) slots: Slots,
    pub(super) metering: Metering,
    pub(super) sandbox: Sandbox,
    pub(super) limits: Limits,
}

/// Bytes of a line of a backtrace: it has the name of a function, which may have 100,000.
const FRAME_BYTES: usize = 200;

/// One call: its store, and when it began.
pub(super) struct Call {
    pub(super) store: Store<State>,
    begun: Instant,
    /// Released after the store.
    slot: Slot,
}

impl Caller {
    /// Begins a call; the plugin's clock shows `now`, its random numbers follow from `seed`.
    pub(super) fn begin(&self, now: Timestamp, seed: &str) -> Call {
        let slot = self.slots.take();
        let mut hasher = DefaultHasher::new();
        seed.hash(&mut hasher);
        let mut store = Store::new(&self.engine, State::new(self.limits, now, hasher.finish()));
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(self.limits.transfer);
        store.set_max_component_handles(HANDLES);
        store.set_epoch_deadline(Ticker::ticks(self.metering.wall_time(&self.limits)));
        if self.metering == Metering::Fuel {
            // Fails only if the engine counts no fuel, and this one does.
            let _ = store.set_fuel(self.fuel());
        }
        Call { store, begun: Instant::now(), slot }
    }

    /// Calls an export in a fresh instance, while the epoch advances.
    pub(super) fn call<T>(
        &self,
        call: &mut Call,
        component: &InstancePre<State>,
        export: impl FnOnce(&mut Store<State>, &Instance) -> wasmtime::Result<T>,
    ) -> wasmtime::Result<T> {
        let _running = self.ticker.running();
        let store = &mut call.store;
        let instance = component.instantiate(&mut *store)?;
        export(store, &instance)
    }

    /// Ends a call: its answer, with what was logged.
    pub(super) fn end<T>(&self, call: Call, decision: Result<T, PluginError>) -> Answer<T> {
        let (fuel, time) = (self.fuel_consumed(&call), call.begun.elapsed());
        let Call { store, slot, .. } = call;
        let state = store.into_data();
        drop(slot);
        let (printed, memory) = (state.printed(), state.limiter.memory());
        let State { log, log_dropped, log_cut, .. } = state;
        Answer { decision, log, log_dropped, log_cut, printed, usage: Usage { fuel, memory, time } }
    }

    /// Explains the error of a call.
    pub(super) fn failure(&self, call: &Call, error: &wasmtime::Error) -> PluginError {
        let trap = error.downcast_ref::<Trap>();
        // A guest that looks for memory until its time is up lacks memory.
        if let (Some(Trap::Interrupt | Trap::OutOfFuel), Some(refusal)) = (trap, call.store.data().limiter.refusal()) {
            return refusal;
        }
        match trap {
            Some(Trap::Interrupt) => {
                let allowed = self.metering.wall_time(&self.limits);
                return PluginError::Time { taken: call.begun.elapsed(), allowed };
            }
            Some(Trap::OutOfFuel) => return PluginError::Fuel(self.fuel()),
            Some(Trap::StackOverflow) => return PluginError::Stack(self.sandbox.stack),
            _ => {}
        }
        if let Some(HostError(reason)) = error.downcast_ref() {
            return PluginError::Host(reason.clone());
        }
        // Most guests abort when memory is refused; the trap that follows says less than the refusal.
        if let Some(refusal) = call.store.data().limiter.refusal() {
            return refusal;
        }
        let root = error.root_cause().to_string();
        if let Some(exceeded) = self.exceeded(&root) {
            return exceeded;
        }
        let backtrace = error.downcast_ref::<WasmBacktrace>().map(shown).unwrap_or_default();
        let mut reason = trap.map_or(root, |trap| trap.to_string().trim_start_matches("wasm trap: ").to_owned());
        // A guest in C has a stack of its own in its memory, and what overflows it lies outside.
        if trap == Some(&Trap::MemoryOutOfBounds) {
            reason.push_str("; an address is wrong, or a function calls itself too often, or without end");
        }
        let state = call.store.data();
        let printed = state.printed();
        // What the SDKs for Rust and C log of a panic. A language with a standard error prints it.
        if printed.is_empty()
            && let Some(logged) = state.log.iter().rfind(|line| line.level == Level::Error)
        {
            reason.push_str(&format!("; it logged last: {}", logged.message));
        }
        PluginError::Trap { reason, backtrace, printed }
    }

    /// The limit that an error is about, by its text: wasmtime has no type for these errors.
    fn exceeded(&self, error: &str) -> Option<PluginError> {
        if error.contains("fuel allocated for hostcalls") {
            return Some(PluginError::Transfer(self.limits.transfer));
        }
        if error.contains("store handle limit exceeded") {
            let found = (HANDLES + 1).to_string();
            return Some(PluginError::TooMany { what: "handle".to_owned(), found, allowed: HANDLES });
        }
        let (what, found) = error.strip_prefix("resource limit exceeded: ")?.split_once(" count too high at ")?;
        let allowed = match what {
            "memory" => MEMORIES,
            "table" => TABLES,
            _ => self.limits.instances,
        };
        Some(PluginError::TooMany { what: what.to_owned(), found: found.to_owned(), allowed })
    }

    /// The fuel of one call.
    fn fuel(&self) -> u64 {
        fuel_for(&self.limits)
    }

    fn fuel_consumed(&self, call: &Call) -> Option<u64> {
        (self.metering == Metering::Fuel).then(|| self.fuel().saturating_sub(call.store.get_fuel().unwrap_or(0)))
    }
}

/// A backtrace, each line cut.
fn shown(backtrace: &WasmBacktrace) -> String {
    let text = backtrace.to_string();
    let lines: Vec<_> = text.lines().map(|line| cut(line, FRAME_BYTES)).collect();
    lines.join("\n")
}

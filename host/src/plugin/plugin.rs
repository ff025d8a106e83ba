//! A component, loaded for one route, and what one call of it comes to.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Instant;

use wasmtime::component::{Instance, InstancePre};
use wasmtime::{Engine, Store, Trap, WasmBacktrace};

use super::answer::Answer;
use super::bindings::exports::banhook::plugin::{checker, digester, formatter};
use super::history::HistoryError;
use super::imports::{PluginContext, State};
use super::limits::{FUEL_PER_MS, HANDLES, Limits, MEMORIES, Sandbox, TABLES};
use super::runtime::{Metering, Shared, wall_time};
use super::slots::{Slot, Slots};
use super::ticker::Ticker;
use super::wasi::Denied;
use super::{PluginError, convert, standard};
use crate::event::{Batch, DigestCause, Event, Timestamp};
use crate::hex::hex;
use crate::message::{Decision, Message};

/// Problems with settings that are told, and bytes of each: more help nobody.
const PROBLEMS: usize = 20;
const PROBLEM_BYTES: usize = 1_000;

/// A component, loaded for one route.
pub struct Plugin {
    pub(super) engine: Engine,
    pub(super) ticker: Arc<Ticker>,
    pub(super) slots: Slots,
    pub(super) metering: Metering,
    pub(super) sandbox: Sandbox,
    pub(super) pre: InstancePre<State>,
    /// So that the next one which loads the same file finds it.
    pub(super) _shared: Arc<Shared>,
    pub(super) formatter: formatter::GuestIndices,
    pub(super) digester: Option<digester::GuestIndices>,
    pub(super) checker: Option<checker::GuestIndices>,
    pub(super) context: Arc<PluginContext>,
    pub(super) limits: Limits,
    pub(super) sha256: [u8; 32],
    pub(super) version: Option<String>,
}

/// One call: its store, and when it began.
pub(super) struct Call {
    pub(super) store: Store<State>,
    begun: Instant,
    /// Let go of after the store.
    slot: Slot,
}

impl Plugin {
    /// Puts an event through the plugin, in a fresh instance.
    #[must_use]
    pub fn format(&self, event: &Event) -> Answer {
        let mut call = self.begin(event.at, &event.id);
        let decision = self.call_format(&mut call, event);
        self.end(call, decision)
    }

    /// Has the plugin word a batch, in a fresh instance; `now` is when the hold closed. `None`: it words none.
    #[must_use]
    pub fn digest(&self, batch: &Batch, now: Timestamp) -> Option<Answer<Message>> {
        let digester = self.digester.as_ref()?;
        // So the same batch gets the same answer; an empty one does not occur.
        let seed = batch.events.first().map_or("digest", |event| &event.id);
        let mut call = self.begin(now, seed);
        let message = self.call_digest(digester, &mut call, batch);
        Some(self.end(call, message))
    }

    /// Runs the plugin's own check of its settings, one standard event of each kind, and a digest of these. Empty: all is
    /// well.
    #[must_use]
    pub fn smoke_test(&self) -> Vec<PluginError> {
        let problems = self.check();
        if !problems.is_empty() {
            return problems;
        }
        let events = standard::events();
        // Mostly the same for each kind; saying it once is enough.
        let of_events = || events.iter().find_map(|event| self.format(event).decision.err());
        let of_digest = || {
            let batch = Batch::of(&events, DigestCause::Held, Some(standard::KEY.to_owned()));
            self.digest(&batch, batch.last)?.decision.err()
        };
        of_events().or_else(of_digest).into_iter().collect()
    }

    /// The SHA-256 of its file.
    #[must_use]
    pub fn sha256(&self) -> String {
        hex(&self.sha256)
    }

    /// The version that its author gave it, if any.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    fn check(&self) -> Vec<PluginError> {
        let Some(indices) = &self.checker else { return Vec::new() };
        let mut call = self.begin(Timestamp(0), "check");
        let called = self.call(&mut call, |store, instance| indices.load(&mut *store, instance)?.call_check(store));
        match called {
            Ok(problems) => problems
                .into_iter()
                .take(PROBLEMS)
                .map(|problem| PluginError::Setting {
                    setting: shortened(problem.setting, PROBLEM_BYTES),
                    message: shortened(problem.message, PROBLEM_BYTES),
                })
                .collect(),
            Err(error) => vec![self.failure(&call, &error)],
        }
    }

    fn call_format(&self, call: &mut Call, event: &Event) -> Result<Decision, PluginError> {
        let called = self.call(call, |store, instance| {
            let guest = self.formatter.load(&mut *store, instance)?;
            guest.call_format(store, &convert::event(event))
        });
        convert::decision(self.returned(call, called)?, &self.limits)
    }

    fn call_digest(
        &self,
        digester: &digester::GuestIndices,
        call: &mut Call,
        batch: &Batch,
    ) -> Result<Message, PluginError> {
        let called = self.call(call, |store, instance| {
            let guest = digester.load(&mut *store, instance)?;
            guest.call_digest(store, &convert::batch(batch))
        });
        convert::message(self.returned(call, called)?, &self.limits)
    }

    /// Calls something in a fresh instance, watched over.
    fn call<T>(
        &self,
        call: &mut Call,
        export: impl FnOnce(&mut Store<State>, &Instance) -> wasmtime::Result<T>,
    ) -> wasmtime::Result<T> {
        let _running = self.ticker.running();
        let store = &mut call.store;
        let instance = self.pre.instantiate(&mut *store)?;
        export(store, &instance)
    }

    /// What a call returned, which may be an error of the plugin's own.
    fn returned<T>(&self, call: &Call, called: wasmtime::Result<Result<T, String>>) -> Result<T, PluginError> {
        match called {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(PluginError::Returned(shortened(error, self.limits.text))),
            Err(error) => Err(self.failure(call, &error)),
        }
    }

    pub(super) fn begin(&self, now: Timestamp, seed: &str) -> Call {
        let slot = self.slots.take();
        let mut hasher = DefaultHasher::new();
        seed.hash(&mut hasher);
        let state = State::new(self.limits, Arc::clone(&self.context), now, hasher.finish());
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(self.limits.transfer);
        store.set_max_component_handles(HANDLES);
        store.set_epoch_deadline(Ticker::ticks(wall_time(self.metering, &self.limits)));
        if self.metering == Metering::Fuel {
            // Fails only where the engine counts no fuel, and this one does.
            let _ = store.set_fuel(self.fuel());
        }
        Call { store, begun: Instant::now(), slot }
    }

    /// The answer that a call came to.
    fn end<T>(&self, call: Call, decision: Result<T, PluginError>) -> Answer<T> {
        let fuel = self.fuel_burnt(&call);
        let Call { store, slot, .. } = call;
        let State { log, log_dropped, .. } = store.into_data();
        drop(slot);
        Answer { decision, log, log_dropped, fuel }
    }

    /// The fuel of one call.
    fn fuel(&self) -> u64 {
        u64::try_from(self.limits.time.as_millis()).unwrap_or(u64::MAX).saturating_mul(FUEL_PER_MS)
    }

    fn fuel_burnt(&self, call: &Call) -> Option<u64> {
        (self.metering == Metering::Fuel).then(|| self.fuel().saturating_sub(call.store.get_fuel().unwrap_or(0)))
    }

    pub(super) fn failure(&self, call: &Call, error: &wasmtime::Error) -> PluginError {
        let trap = error.downcast_ref::<Trap>();
        if trap == Some(&Trap::Interrupt) {
            return PluginError::Time { taken: call.begun.elapsed(), allowed: wall_time(self.metering, &self.limits) };
        }
        if trap == Some(&Trap::OutOfFuel) {
            return PluginError::Fuel(self.fuel());
        }
        if trap == Some(&Trap::StackOverflow) {
            return PluginError::Stack(self.sandbox.stack);
        }
        if let Some(denied) = error.downcast_ref::<Denied>() {
            return PluginError::Denied(denied.to_string());
        }
        if let Some(error) = error.downcast_ref::<HistoryError>() {
            return PluginError::History(error.clone());
        }
        // Most guests abort when memory is refused; what they then trap with says less than the refusal.
        if let Some(refusal) = call.store.data().limiter.refusal() {
            return refusal;
        }
        let root = error.root_cause().to_string();
        // wasmtime has no type for these errors.
        if root.contains("fuel allocated for hostcalls") {
            return PluginError::Transfer(self.limits.transfer);
        }
        if let Some((what, found)) =
            root.strip_prefix("resource limit exceeded: ").and_then(|rest| rest.split_once(" count too high at "))
        {
            let allowed = match what {
                "memory" => MEMORIES,
                "table" => TABLES,
                _ => self.limits.instances,
            };
            return PluginError::TooMany { what: what.to_owned(), found: found.to_owned(), allowed };
        }
        if root.contains("store handle limit exceeded") {
            return PluginError::TooMany {
                what: "handle".to_owned(),
                found: (HANDLES + 1).to_string(),
                allowed: HANDLES,
            };
        }
        let backtrace = error.downcast_ref::<WasmBacktrace>().map(ToString::to_string).unwrap_or_default();
        let reason = trap.map_or(root, |trap| trap.to_string().trim_start_matches("wasm trap: ").to_owned());
        PluginError::Trap { reason, backtrace, printed: call.store.data().wasi.printed() }
    }
}

fn shortened(mut text: String, bytes: usize) -> String {
    text.truncate(text.floor_char_boundary(bytes));
    text
}

//! One instance for many events, which banhook never does: benchmarks measure against it what a fresh one costs.

use super::bindings::exports::banhook::plugin::formatter;
use super::call::Call;
use super::ticker::Ticker;
use super::{Plugin, PluginError, lift, lower};
use crate::event::{Event, Timestamp};
use crate::message::Decision;

/// An instance that is kept. For benchmarks alone: what a plugin keeps in its memory shows in the next answer.
#[doc(hidden)]
pub struct Reused<'a> {
    plugin: &'a Plugin,
    call: Call,
    guest: formatter::Guest,
}

impl Plugin {
    /// An instance to use more than once.
    ///
    /// # Errors
    /// When the plugin fails to start.
    #[doc(hidden)]
    pub fn reused(&self) -> Result<Reused<'_>, PluginError> {
        let mut call = self.caller.begin(Timestamp(0), "reused");
        let store = &mut call.store;
        let instance = self.component.instantiate(&mut *store);
        match instance.and_then(|instance| self.formatter.load(&mut *store, &instance)) {
            Ok(guest) => Ok(Reused { plugin: self, call, guest }),
            Err(error) => Err(self.caller.failure(&call, &error)),
        }
    }
}

impl Reused<'_> {
    /// Asks the instance to decide on an event. After an error it cannot be used again.
    ///
    /// # Errors
    /// As the plugin's own `format`.
    pub fn format(&mut self, event: &Event) -> Result<Decision, PluginError> {
        let caller = &self.plugin.caller;
        let _running = caller.ticker.running();
        self.call.store.set_epoch_deadline(Ticker::ticks(caller.limits.time));
        match self.guest.call_format(&mut self.call.store, &lower::event(event)) {
            Ok(Ok(decision)) => lift::decision(decision, &caller.limits),
            Ok(Err(error)) => Err(PluginError::Returned(error)),
            Err(error) => Err(caller.failure(&self.call, &error)),
        }
    }
}

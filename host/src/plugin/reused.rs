//! One instance for many events, which banhook never does: benchmarks measure against it what a fresh one costs.

use super::bindings::exports::banhook::plugin::formatter;
use super::plugin::Call;
use super::ticker::Ticker;
use super::{Plugin, PluginError, convert};
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
        let mut call = self.begin(Timestamp(0), "reused");
        let store = &mut call.store;
        let started =
            self.pre.instantiate(&mut *store).and_then(|instance| self.formatter.load(&mut *store, &instance));
        match started {
            Ok(guest) => Ok(Reused { plugin: self, call, guest }),
            Err(error) => Err(self.failure(&call, &error)),
        }
    }
}

impl Reused<'_> {
    /// Puts an event through it. After an error there is nothing left to use.
    ///
    /// # Errors
    /// As the plugin's own `format`.
    pub fn format(&mut self, event: &Event) -> Result<Decision, PluginError> {
        let _running = self.plugin.ticker.running();
        self.call.store.set_epoch_deadline(Ticker::ticks(self.plugin.limits.time));
        match self.guest.call_format(&mut self.call.store, &convert::event(event)) {
            Ok(Ok(decision)) => convert::decision(decision, &self.plugin.limits),
            Ok(Err(error)) => Err(PluginError::Returned(error)),
            Err(error) => Err(self.plugin.failure(&self.call, &error)),
        }
    }
}

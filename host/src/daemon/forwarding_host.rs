//! A host of a fleet within another process, with a store and a key of its own: a demonstration has many of them.

use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

use super::error::DaemonError;
use super::forwarding::{self, ForwardingContext};
use super::pulse::Pulses;
use super::router::RouterCommand;
use crate::config::{Config, Fleet};
use crate::counters::Counters;
use crate::event::Timestamp;
use crate::store::Store;

/// The running host. Ended on drop.
pub(crate) struct ForwardingHost {
    commands: Option<Sender<RouterCommand>>,
    thread: Option<JoinHandle<Result<(), DaemonError>>>,
}

impl ForwardingHost {
    /// Forwards what is stored there. Whoever starts it holds the work lock of the store.
    ///
    /// # Errors
    /// When the system has no room for a thread.
    pub(crate) fn start(config: Config, fleet: Fleet, store: Store) -> Result<Self, DaemonError> {
        let (commands, received) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("host".into())
            .spawn(move || {
                let (system_host, pulses) = (config.event_defaults("").host, Pulses::new());
                let (now, counters) = (Timestamp::now, Counters::new()?);
                let context =
                    ForwardingContext { system_host: &system_host, now, pulses: &pulses, counters: &counters };
                forwarding::run(Arc::new(config), fleet, store, &context, &received)
            })
            .map_err(|reason| DaemonError::System { what: "start a thread", reason })?;
        Ok(Self { commands: Some(commands), thread: Some(thread) })
    }

    /// Has it look for new events.
    pub(crate) fn wake(&self) {
        // It is gone only if it failed, which `stop` returns.
        let _ = self.commands.as_ref().map(|commands| commands.send(RouterCommand::Wake));
    }

    /// Ends it.
    ///
    /// # Errors
    /// When it failed before.
    pub(crate) fn stop(mut self) -> Result<(), DaemonError> {
        self.commands = None;
        self.thread.take().map_or(Ok(()), |thread| thread.join().map_err(|_| DaemonError::Router)?)
    }
}

impl Drop for ForwardingHost {
    fn drop(&mut self) {
        self.commands = None;
        // Whoever wants to know of a failure stops it.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

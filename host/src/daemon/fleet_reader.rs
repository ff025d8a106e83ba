//! The thread of a fleet's worker that reads the stream.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::{self, Scope, ScopedJoinHandle};

use tokio::runtime::Builder;
use tokio::sync::{Notify, watch};

use super::error::DaemonError;
use super::router::RouterCommand;
use crate::event::Timestamp;
use crate::fleet::Reader;
use crate::store::{Store, StoreError};

/// The running thread.
pub(super) struct FleetReader<'scope> {
    stop: watch::Sender<bool>,
    thread: Option<ScopedJoinHandle<'scope, Result<(), StoreError>>>,
}

impl<'scope> FleetReader<'scope> {
    pub(super) fn start(
        scope: &'scope Scope<'scope, '_>,
        reader: Reader,
        store: &Store,
        now: fn() -> Timestamp,
        router: Sender<RouterCommand>,
        ended: Arc<Notify>,
    ) -> Result<Self, DaemonError> {
        let failed = |what| move |reason| DaemonError::System { what, reason };
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed("set up the connection to the broker"))?;
        // Without syncs: what a power failure takes back, with how far the stream is read, is read again.
        let store = store.new_routing_connection()?;
        let (stop, stopped) = watch::channel(false);
        let thread = thread::Builder::new()
            .name("fleet".into())
            .spawn_scoped(scope, move || {
                // The router is gone only if it failed, which ends the daemon.
                let wake = || drop(router.send(RouterCommand::Wake));
                // Delivery of what is another worker's stops at once.
                let changed = || {
                    wake();
                    ended.notify_one();
                };
                let result = runtime.block_on(reader.run(store, now, (&wake, &changed), stopped));
                ended.notify_one();
                result
            })
            .map_err(failed("start a thread"))?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Returns whether it has ended by itself, which is a failure.
    pub(super) fn has_ended(&self) -> bool {
        self.thread.as_ref().is_some_and(ScopedJoinHandle::is_finished)
    }

    /// Stops it and waits for its end.
    pub(super) fn stop(mut self) -> Result<(), DaemonError> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        drop(self);
        thread.join().map_err(|_| DaemonError::Router)?.map_err(DaemonError::from)
    }
}

/// Stops it also where something else could not be started.
impl Drop for FleetReader<'_> {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

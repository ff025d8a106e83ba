//! Stops a thread that follows a log, and wakes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// Stops or wakes the thread that has the [`StopSignal`].
#[derive(Debug, Clone)]
pub(crate) struct StopHandle {
    stopped: Arc<AtomicBool>,
    wake: SyncSender<()>,
}

/// What the thread waits for.
#[derive(Debug)]
pub(crate) struct StopSignal {
    handle: StopHandle,
    woken: Receiver<()>,
}

/// Makes a handle and its signal.
#[must_use]
pub(crate) fn stop_switch() -> (StopHandle, StopSignal) {
    // One wake-up is as good as many.
    let (wake, woken) = sync_channel(1);
    let handle = StopHandle { stopped: Arc::default(), wake };
    (handle.clone(), StopSignal { handle, woken })
}

impl StopHandle {
    /// Stops the thread.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.wake();
    }

    /// Wakes the thread.
    pub(super) fn wake(&self) {
        // A full channel has a wake-up in it already.
        let _ = self.wake.try_send(());
    }
}

impl StopSignal {
    /// Returns whether the thread is to stop.
    #[must_use]
    pub(crate) fn is_stopped(&self) -> bool {
        self.handle.stopped.load(Ordering::Relaxed)
    }

    /// Returns a handle to this signal.
    pub(super) fn handle(&self) -> StopHandle {
        self.handle.clone()
    }

    /// Waits until it is woken or stopped, or for this long. Returns false if nothing can wake it any more.
    pub(crate) fn wait(&self, timeout: Duration) -> bool {
        self.woken.recv_timeout(timeout) != Err(RecvTimeoutError::Disconnected)
    }
}

//! The thread that drives the connection of a host, also while that has nothing to forward: otherwise it would answer no ping,
//! and notice no end.

use std::io;
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The running thread. Stopped on drop.
pub(super) struct Driver {
    /// Where work on the connection is awaited.
    pub handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Driver {
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name("broker".into()).spawn(move || {
            // An error is a sender that is gone, which is a stop as well.
            let _ = runtime.block_on(stopped);
        })?;
        Ok(Self { handle, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It cannot panic: it runs nothing but the library's tasks, whose panics stay with them.
            let _ = thread.join();
        }
    }
}

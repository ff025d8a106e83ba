//! The signals that a daemon listens to, from before it opens the store and loads plugins: one that comes meanwhile must not
//! end a process that others rely on.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use rustix::io::Errno;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::error::DaemonError;

/// Longer than any process lives.
const FOREVER: Duration = Duration::from_secs(1 << 32);

/// Listens as long as it lives, and remembers signals that come between two waits.
pub(crate) struct Signals {
    pub(super) runtime: Runtime,
    pub(super) terminate: Signal,
    pub(super) interrupt: Signal,
    pub(super) hang_up: Signal,
}

impl Signals {
    /// Starts to listen.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn listen() -> Result<Self, DaemonError> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .thread_keep_alive(FOREVER)
            .build()
            .map_err(|reason| DaemonError::System { what: "start the runtime", reason })?;
        // Starts the first thread for what blocks, which stays. Where the system has none to spare later, others wait for it;
        // without any, tokio panics.
        let no_thread = |reason| DaemonError::System { what: "start a thread", reason };
        let hook = panic::take_hook();
        panic::set_hook(Box::new(|_| {}));
        let started = panic::catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(async { tokio::task::spawn_blocking(|| {}).await })
        }));
        panic::set_hook(hook);
        started.map_err(|_| no_thread(Errno::AGAIN.into()))?.map_err(|error| no_thread(io::Error::other(error)))?;
        let listen = |kind| {
            let _inside = runtime.enter();
            signal(kind).map_err(|reason| DaemonError::System { what: "listen for signals", reason })
        };
        let terminate = listen(SignalKind::terminate())?;
        let interrupt = listen(SignalKind::interrupt())?;
        let hang_up = listen(SignalKind::hangup())?;
        Ok(Self { runtime, terminate, interrupt, hang_up })
    }
}

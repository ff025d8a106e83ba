//! The signals that a daemon listens to, from before it opens the store and loads plugins: one that comes meanwhile must not
//! end a process that others rely on.

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::error::DaemonError;

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
            .build()
            .map_err(|reason| DaemonError::System { what: "start the runtime", reason })?;
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

//! The threads of a daemon that read logs, one for each source.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Scope, ScopedJoinHandle};

use super::error::DaemonError;
use crate::config::LogSource;
use crate::event::Timestamp;
use crate::receive::tail::{
    FollowedSources, InboxSink, Pipe, StopHandle, StopSignal, TailError, follow, parser, read_pipe, stop_switch,
};
use crate::store::Store;

/// The logs that a daemon reads.
#[derive(Clone, Default)]
pub(crate) struct Tails {
    /// Logs that are followed.
    pub logs: Vec<LogSource>,
    /// A log that comes through a pipe, and how it is read. It outlives a reload, with what was read ahead.
    pub pipe: Option<(Arc<Pipe>, LogSource)>,
}

/// The running threads.
pub(super) struct Tailers<'scope> {
    stops: Vec<StopHandle>,
    threads: Vec<ScopedJoinHandle<'scope, Result<(), TailError>>>,
    failed: Arc<AtomicBool>,
}

impl<'scope> Tailers<'scope> {
    pub(super) fn start(
        scope: &'scope Scope<'scope, '_>,
        tails: &Tails,
        store: &Store,
        now: fn() -> Timestamp,
    ) -> Result<Self, DaemonError> {
        let mut tailers = Self { stops: Vec::new(), threads: Vec::new(), failed: Arc::default() };
        store.new_connection()?.record_unfollowed()?;
        let followed = FollowedSources::new(tails.logs.iter().cloned());
        for source in followed.all() {
            let (followed, source) = (Arc::clone(&followed), Arc::clone(source));
            tailers.spawn(scope, store, now, move |sink, stopped| follow(&followed, &source, now, sink, stopped))?;
        }
        if let Some((pipe, source)) = tails.pipe.clone() {
            tailers.spawn(scope, store, now, move |sink, stopped| {
                read_pipe(&pipe, parser(&source, now), sink, &|| stopped.is_stopped()).map(drop)
            })?;
        }
        Ok(tailers)
    }

    fn spawn(
        &mut self,
        scope: &'scope Scope<'scope, '_>,
        store: &Store,
        now: fn() -> Timestamp,
        read: impl FnOnce(&mut InboxSink, &StopSignal) -> Result<(), TailError> + Send + 'scope,
    ) -> Result<(), DaemonError> {
        let (stop, stopped) = stop_switch();
        let mut sink = InboxSink { inbox: store.new_connection()?, now, new_id: || uuid::Uuid::now_v7().to_string() };
        let failed = Arc::clone(&self.failed);
        let thread = thread::Builder::new()
            .name("tailer".into())
            .spawn_scoped(scope, move || {
                read(&mut sink, &stopped).inspect_err(|_| failed.store(true, Ordering::Relaxed))
            })
            .map_err(|reason| DaemonError::System { what: "start a thread", reason })?;
        self.stops.push(stop);
        self.threads.push(thread);
        Ok(())
    }

    /// Returns whether nothing more comes: every log was read to its end, or something failed.
    pub(super) fn are_done(&self) -> bool {
        let read = !self.threads.is_empty() && self.threads.iter().all(ScopedJoinHandle::is_finished);
        read || self.failed.load(Ordering::Relaxed)
    }

    /// Stops the threads and waits for their end.
    pub(super) fn stop(mut self) -> Result<(), DaemonError> {
        let threads = std::mem::take(&mut self.threads);
        drop(self);
        for thread in threads {
            thread.join().map_err(|_| DaemonError::Tailer)??;
        }
        Ok(())
    }
}

/// Stops the threads, also where not all of them could be started: the daemon's end waits for them.
impl Drop for Tailers<'_> {
    fn drop(&mut self) {
        self.stops.iter().for_each(StopHandle::stop);
    }
}

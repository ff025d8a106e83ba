//! The threads that read logs while work goes on, one for each log.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Scope, ScopedJoinHandle};

use jiff::tz::TimeZone;

use super::DaemonError;
use crate::event::Timestamp;
use crate::receive::LogParser;
use crate::receive::tail::{Follower, InboxSink, Log, Pipe, Stop, Stopped, TailError, follow, read_pipe, stop_switch};
use crate::store::Store;

/// What is read while work goes on.
#[derive(Clone, Default)]
pub struct Tails {
    /// Logs that are followed.
    pub logs: Vec<Log>,
    /// A log that comes through a pipe, and the zone of its times. It outlives a reload, with what was read ahead of it.
    pub pipe: Option<(Arc<Pipe>, TimeZone)>,
}

/// The threads at work.
pub(super) struct Tailers<'scope> {
    stops: Vec<Stop>,
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
        for log in &tails.logs {
            let log = log.clone();
            tailers.spawn(scope, store, now, move |into, stopped| follow_log(&log, now, into, stopped))?;
        }
        if let Some((pipe, zone)) = tails.pipe.clone() {
            tailers.spawn(scope, store, now, move |into, stopped| {
                let parser = LogParser::new(zone, now);
                read_pipe(&pipe, parser, into, &|| stopped.is_stopped()).map(drop)
            })?;
        }
        Ok(tailers)
    }

    fn spawn(
        &mut self,
        scope: &'scope Scope<'scope, '_>,
        store: &Store,
        now: fn() -> Timestamp,
        read: impl FnOnce(&mut InboxSink, &Stopped) -> Result<(), TailError> + Send + 'scope,
    ) -> Result<(), DaemonError> {
        let (stop, stopped) = stop_switch();
        let mut into = InboxSink { inbox: store.open_inbox()?, now, new_id: || uuid::Uuid::now_v7().to_string() };
        let failed = Arc::clone(&self.failed);
        let thread = thread::Builder::new()
            .name("tailer".into())
            .spawn_scoped(scope, move || {
                read(&mut into, &stopped).inspect_err(|_| failed.store(true, Ordering::Relaxed))
            })
            .map_err(|reason| DaemonError::System { what: "start a thread", reason })?;
        self.stops.push(stop);
        self.threads.push(thread);
        Ok(())
    }

    /// Whether there is nothing more to come: all that was to be read has been, or something failed.
    pub(super) fn are_done(&self) -> bool {
        let read = !self.threads.is_empty() && self.threads.iter().all(ScopedJoinHandle::is_finished);
        read || self.failed.load(Ordering::Relaxed)
    }

    /// Stops them and waits for their end.
    pub(super) fn stop(self) -> Result<(), DaemonError> {
        self.stops.iter().for_each(Stop::stop);
        for thread in self.threads {
            thread.join().map_err(|_| DaemonError::Tailer)??;
        }
        Ok(())
    }
}

/// A log that does not let us at first is tried again until it does.
fn follow_log(log: &Log, now: fn() -> Timestamp, into: &mut InboxSink, stopped: &Stopped) -> Result<(), TailError> {
    let mut told = false;
    while !stopped.is_stopped() {
        match Follower::new(log.clone(), now, into) {
            Ok(follower) => return follow(follower, into, stopped),
            Err(TailError::Read { path, reason }) => {
                if !std::mem::replace(&mut told, true) {
                    tell(&path, &reason);
                }
                stopped.wait();
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn tell(path: &Path, reason: &io::Error) {
    let hint = match reason.kind() {
        io::ErrorKind::PermissionDenied => {
            "; let the user that banhook runs as read it (on Debian: usermod -aG adm USER)"
        }
        _ => "",
    };
    tracing::error!("cannot read {}: {reason}{hint}; trying again each second", path.display());
}

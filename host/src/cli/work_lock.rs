//! The work lock of a state directory, as commands use it: waiting for it, taking it over, releasing it.

use std::fs::File;
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::anyhow;

use super::command_error::CommandError;
use crate::store::{StateDir, Store, WorkLock};

/// How long a daemon waits for a short run to yield.
const YIELD_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a lock that another process holds is tried again.
const LOCK_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Waits for the work lock until the deadline, or until `still_wanted`, which is asked at each try, returns false.
pub(super) fn wait_for_lock(
    folder: &StateDir,
    deadline: Instant,
    mut still_wanted: impl FnMut() -> Result<bool, CommandError>,
) -> Result<Option<WorkLock>, CommandError> {
    loop {
        if let Some(lock) = folder.try_work_lock()? {
            return Ok(Some(lock));
        }
        if Instant::now() >= deadline || !still_wanted()? {
            return Ok(None);
        }
        thread::sleep(LOCK_POLL_INTERVAL);
    }
}

/// Takes the work lock for a daemon; a short run that holds it yields.
pub(super) fn take_over(folder: &StateDir) -> Result<WorkLock, CommandError> {
    let ask_to_yield = || {
        folder.request_yield();
        Ok(true)
    };
    wait_for_lock(folder, Instant::now() + YIELD_TIMEOUT, ask_to_yield)?.ok_or_else(|| {
        CommandError::Other(anyhow!(
            "another banhook is running on {} (run, tail or drain); stop it first",
            folder.path().display()
        ))
    })
}

/// Empties the write-ahead logs, and releases the lock.
pub(super) fn release(store: &mut Store, lock: WorkLock) {
    // A failure costs the next process that opens the store some time, and nothing else.
    if let Err(error) = store.wal_checkpoint_and_truncate() {
        tracing::warn!("cannot checkpoint the store: {error}");
    }
    lock.release();
}

/// Takes the lock from standard input and leaves the session of the process that started this one, so that neither holds
/// the other up.
pub(super) fn detach() -> Result<WorkLock, CommandError> {
    let lock = std::io::stdin().as_fd().try_clone_to_owned()?;
    let null = File::open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null).map_err(std::io::Error::from)?;
    // Fails only if this process leads a group already, and then it is detached as well.
    let _ = rustix::process::setsid();
    Ok(WorkLock::from_file(lock.into()))
}

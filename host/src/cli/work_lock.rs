//! The work lock of a state directory, as commands use it: waiting for it, taking it over, releasing it.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::anyhow;

use super::command_error::CommandError;
use super::handover::{Holder, leave_to_run, take_over};
use crate::daemon::ExitReason;
use crate::event::Timestamp;
use crate::store::{Remaining, StateDir, Store, WorkLock};
use banhook_notify::{Handover, Runner};

/// How long whoever needs the lock waits for a short run to yield.
pub(super) const YIELD_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a lock that another process holds is tried again.
pub(super) const LOCK_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// What a process does with the work lock, and how long it waits for it.
pub(super) struct LockUser<'a, J> {
    pub runner: Runner<'a>,
    /// What is done with the lock.
    pub job: J,
    /// How long it waits at a time, and until when.
    pub pause: Duration,
    pub deadline: Instant,
    /// Opened when it is first needed; says what is left.
    store: Option<Store>,
}

impl<'a> LockUser<'a, fn(&Store) -> Result<ExitReason, CommandError>> {
    /// One that only takes the lock.
    fn without_job(folder: &'a StateDir, config: &'a Path, time: Duration) -> Self {
        Self::new(folder, config, LOCK_POLL_INTERVAL, time, |_| Ok(ExitReason::Idle))
    }
}

impl<'a, J> LockUser<'a, J> {
    /// One that gives up waiting after `time`.
    pub(super) fn new(folder: &'a StateDir, config: &'a Path, pause: Duration, time: Duration, job: J) -> Self {
        let deadline = Instant::now() + time;
        Self { runner: Runner { folder, config }, job, pause, deadline, store: None }
    }
}

impl<J> Handover for LockUser<'_, J> {
    type Lock = WorkLock;
    type Error = CommandError;

    fn wake(&mut self) -> Result<bool, CommandError> {
        Ok(self.runner.wake()?)
    }

    fn try_lock(&mut self) -> Result<Option<WorkLock>, CommandError> {
        Ok(self.runner.try_lock()?)
    }

    fn start_run(&mut self, lock: WorkLock) -> Result<(), CommandError> {
        Ok(self.runner.start_run(lock)?)
    }
}

impl<J: FnMut(&Store) -> Result<ExitReason, CommandError>> Holder for LockUser<'_, J> {
    fn work(&mut self, lock: &WorkLock) -> Result<ExitReason, CommandError> {
        let store = self.store.insert(Store::open_for_work(self.runner.folder, lock)?);
        (self.job)(store)
    }

    fn release(&mut self, lock: WorkLock) -> Result<(), CommandError> {
        if let Some(store) = &mut self.store {
            release(store, lock);
        }
        Ok(())
    }

    fn has_work(&mut self) -> Result<bool, CommandError> {
        // `uninstall --purge` may have removed it since the lock was released.
        if !self.runner.folder.is_used()? {
            return Ok(false);
        }
        let store = match &self.store {
            Some(store) => store,
            None => self.store.insert(Store::open(self.runner.folder)?),
        };
        Ok(store.remaining(Timestamp::now())? == Remaining::Work)
    }

    fn request_yield(&mut self) -> Result<(), CommandError> {
        self.runner.folder.request_yield();
        Ok(())
    }

    fn wait(&mut self) -> Result<bool, CommandError> {
        thread::sleep(self.pause);
        Ok(Instant::now() < self.deadline)
    }
}

/// Takes the work lock for a while, if it is free or a short run yields it within this time.
pub(super) fn borrow(folder: &StateDir, config: &Path, time: Duration) -> Result<Option<WorkLock>, CommandError> {
    take_over(&mut LockUser::without_job(folder, config, time))
}

/// Has a run do what is left, after the lock was borrowed and released: of a run that yielded it, and what came meanwhile.
pub(super) fn hand_over(folder: &StateDir, config: &Path) -> Result<(), CommandError> {
    leave_to_run(&mut LockUser::without_job(folder, config, Duration::ZERO)).map(drop)
}

/// Returns the error of a daemon, or of what works like one, that did not get the lock.
pub(super) fn is_taken(folder: &StateDir) -> CommandError {
    CommandError::Other(anyhow!(
        "another banhook is running on {} (run, tail or drain); stop it first",
        folder.path().display()
    ))
}

/// Empties the write-ahead log, and releases the lock.
pub(super) fn release(store: &mut Store, lock: WorkLock) {
    // A failure costs the next process that opens the store some time, and nothing else.
    if let Err(error) = store.wal_checkpoint_and_truncate() {
        tracing::warn!("cannot checkpoint the store: {error}");
    }
    lock.release();
}

/// Takes the lock from standard input, and closes that. Whoever started this process gave it a group of its own.
pub(super) fn detach() -> Result<WorkLock, CommandError> {
    let lock = std::io::stdin().as_fd().try_clone_to_owned()?;
    let null = File::open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null).map_err(std::io::Error::from)?;
    Ok(WorkLock::from_file(lock.into()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use banhook_notify::SpooledEvent;

    use super::super::handover::hold_until_idle;
    use super::*;
    use crate::event::{Event, EventDetails};

    /// It yielded, and the state directory was purged before it looked again.
    #[test]
    fn run_that_yielded_creates_no_directory_that_was_purged() {
        let temp = tempfile::tempdir().unwrap();
        let folder = StateDir::new(temp.path().join("state"));
        let event = Event {
            id: "1".to_owned(),
            at: Timestamp(1),
            host: String::new(),
            jail: "sshd".to_owned(),
            details: EventDetails::Flush,
            labels: BTreeMap::new(),
        };
        let spooled = SpooledEvent { event, received_at: Timestamp(1), restored_is_unknown: false };
        banhook_notify::append(&folder, &spooled).unwrap();
        let job = |store: &Store| {
            assert_eq!(store.remaining(Timestamp::now()).unwrap(), Remaining::Work);
            fs::remove_dir_all(folder.path()).unwrap();
            Ok(ExitReason::Yielded)
        };
        let mut user = LockUser::new(&folder, Path::new("none.toml"), Duration::ZERO, Duration::ZERO, job);
        let lock = user.try_lock().unwrap();
        hold_until_idle(&mut user, lock).unwrap();
        assert!(!folder.path().exists());
        assert!(user.try_lock().is_err() && !folder.path().exists());
    }
}

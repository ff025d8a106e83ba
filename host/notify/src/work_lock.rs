//! The work lock of a state directory, and the pipe by which its holder is woken.
//!
//! The lock is an `flock`: the kernel releases it when its holder dies.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;

use rustix::fs::{CWD, FileType, Mode, OFlags};

use crate::state_dir::StateDir;
use crate::state_dir_error::StateDirError;

/// The byte on the wake pipe after which the daemon looks for new events and messages.
const WAKE: u8 = b'w';
/// The byte on the wake pipe that asks a run that ends by itself to end now.
pub const YIELD: u8 = b'y';

/// The right to receive, route, deliver, checkpoint and migrate in a state directory. One process has it at a time.
#[derive(Debug)]
pub struct WorkLock {
    file: File,
}

impl WorkLock {
    /// Returns the locked file, to be handed to a process that we start, which then holds the lock.
    #[must_use]
    pub fn into_file(self) -> File {
        self.file
    }

    /// Returns the lock that the parent process passed in `file`.
    #[must_use]
    pub const fn from_file(file: File) -> Self {
        Self { file }
    }

    /// Releases the lock, even where a copy of the file is still open.
    pub fn release(self) {
        // Dropping the file releases it as well, unless a copy of it is open.
        let _ = self.file.unlock();
    }
}

impl StateDir {
    /// Takes the work lock; `None` if another process has it. Creates no directory: one that was removed stays removed.
    ///
    /// # Errors
    /// When there is no directory, or the lock file cannot be opened.
    pub fn try_work_lock(&self) -> Result<Option<WorkLock>, StateDirError> {
        let path = self.path().join("work.lock");
        loop {
            let file = self.open_private(&path)?;
            let links = || file.metadata().map(|meta| meta.nlink()).map_err(|error| self.error("read", &path, error));
            match file.try_lock() {
                // Between the two calls, its holder removed it.
                Ok(()) if links()? == 0 => {}
                Ok(()) => return Ok(Some(WorkLock { file })),
                Err(fs::TryLockError::WouldBlock) => return Ok(None),
                Err(fs::TryLockError::Error(error)) => return Err(self.error("lock", &path, error)),
            }
        }
    }

    /// Creates the pipe by which `notify` wakes the daemon, if there is none, and returns its path.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn make_wake_pipe(&self) -> Result<PathBuf, StateDirError> {
        let path = self.wake_pipe();
        match rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(path),
            Err(error) => Err(self.error("create the pipe", &path, error.into())),
        }
    }

    /// Wakes the process that holds the work lock. False if none listens: the lock is free, or about to be.
    pub fn wake(&self) -> bool {
        self.signal(WAKE)
    }

    /// Asks a run that ends by itself to end now, for a daemon that waits for the work lock.
    pub fn request_yield(&self) {
        self.signal(YIELD);
    }

    fn signal(&self, byte: u8) -> bool {
        let Ok(mut pipe) = self.open_wake_pipe() else { return false };
        // A full pipe means that its reader is about to wake anyway.
        let _ = pipe.write(&[byte]);
        true
    }

    /// Returns whether a process holds the work lock, by whether the pipe has a reader: to try the lock would be to take it.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.open_wake_pipe().is_ok()
    }

    /// Opens the pipe to write; an error if it has no reader.
    fn open_wake_pipe(&self) -> io::Result<File> {
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        OpenOptions::new().write(true).custom_flags(flags).open(self.wake_pipe())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn folder() -> (StateDir, tempfile::TempDir) {
        let temp = tempfile::tempdir().unwrap();
        (StateDir::new(temp.path().join("state")), temp)
    }

    #[test]
    fn work_lock_is_exclusive_and_can_be_inherited() {
        let (folder, _temp) = folder();
        assert!(folder.try_work_lock().is_err() && !folder.path().exists(), "there is no directory");
        folder.create().unwrap();
        let lock = folder.try_work_lock().unwrap().unwrap();
        assert!(folder.try_work_lock().unwrap().is_none());
        let inherited = lock.into_file();
        let copy = inherited.try_clone().unwrap();
        assert!(folder.try_work_lock().unwrap().is_none());
        WorkLock::from_file(inherited).release();
        assert!(folder.try_work_lock().unwrap().is_some(), "released although a copy of the file is open");
        drop(copy);
    }

    #[test]
    fn wake_pipe_with_a_reader_carries_wakes_and_yields() {
        let (folder, _temp) = folder();
        assert!(!folder.wake() && !folder.is_running(), "no pipe");
        folder.create().unwrap();
        let pipe = folder.make_wake_pipe().unwrap();
        assert!(!folder.is_running(), "no reader");
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let mut reader = OpenOptions::new().read(true).custom_flags(flags).open(pipe).unwrap();
        assert!(folder.is_running() && folder.wake());
        folder.request_yield();
        let mut bytes = [0; 3];
        assert_eq!(reader.read(&mut bytes).unwrap(), 2);
        assert_eq!(bytes[..2], [WAKE, YIELD]);
    }
}

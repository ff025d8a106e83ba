//! The run that delivers what is stored while no daemon is running.
//!
//! It inherits the work lock as its standard input from the process that starts it, so a hundred `notify` at once start one
//! run.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::state_dir::StateDir;
use crate::state_dir_error::StateDirError;
use crate::work_lock::WorkLock;

/// The program that routes and delivers.
const PROGRAM: &str = "banhook";

/// Where a package installs it.
const PACKAGED: &str = "/usr/bin/banhook";

/// The option by which a run inherits the work lock.
pub const LOCK_ON_STDIN: &str = "--lock-on-stdin";

/// No run could be started.
#[derive(Debug, thiserror::Error)]
pub enum StartRunError {
    /// The work lock cannot be tried.
    #[error(transparent)]
    StateDir(#[from] StateDirError),
    /// The program cannot be started.
    #[error("cannot start {program}: {reason}", program = program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
}

/// What [`ensure_holder`] needs of the system.
pub trait Handover {
    /// The work lock.
    type Lock;
    /// Why the system refused.
    type Error;

    /// Wakes the process that holds the lock. False if none listens: the lock is free, or about to be.
    ///
    /// # Errors
    /// When the system refuses.
    fn wake(&mut self) -> Result<bool, Self::Error>;

    /// Takes the lock; `None` if another process has it.
    ///
    /// # Errors
    /// When the system refuses.
    fn try_lock(&mut self) -> Result<Option<Self::Lock>, Self::Error>;

    /// Starts a run that inherits the lock.
    ///
    /// # Errors
    /// When the system refuses.
    fn start_run(&mut self, lock: Self::Lock) -> Result<(), Self::Error>;
}

/// Sees to it that a process does what is stored: wakes the one that holds the work lock, or starts a run.
///
/// # Errors
/// When no process holds the lock, and none can be started.
pub fn ensure_holder<S: Handover>(system: &mut S) -> Result<(), S::Error> {
    if system.wake()? {
        return Ok(());
    }
    match system.try_lock()? {
        // It looks again once it has released the lock.
        None => Ok(()),
        Some(lock) => system.start_run(lock),
    }
}

/// Sees to it that a process does what is stored in a state directory. `config`: the configuration of a run that is started.
///
/// # Errors
/// When no process holds the lock, and none can be started.
pub fn ensure_run(folder: &StateDir, config: &Path) -> Result<(), StartRunError> {
    ensure_holder(&mut Runner { folder, config })
}

/// A state directory, and the configuration of runs on it.
#[derive(Debug)]
pub struct Runner<'a> {
    /// The state directory.
    pub folder: &'a StateDir,
    /// The configuration.
    pub config: &'a Path,
}

impl Handover for Runner<'_> {
    type Lock = WorkLock;
    type Error = StartRunError;

    fn wake(&mut self) -> Result<bool, StartRunError> {
        Ok(self.folder.wake())
    }

    fn try_lock(&mut self) -> Result<Option<WorkLock>, StartRunError> {
        Ok(self.folder.try_work_lock()?)
    }

    fn start_run(&mut self, lock: WorkLock) -> Result<(), StartRunError> {
        start(self.folder, self.config, lock)
    }
}

fn start(folder: &StateDir, config: &Path, lock: WorkLock) -> Result<(), StartRunError> {
    let program = program();
    let started = std::path::absolute(config).and_then(|config| {
        Command::new(&program)
            .args(["run", "--until-idle", LOCK_ON_STDIN, "--state-dir"])
            .arg(folder.path())
            .arg("--config")
            .arg(config)
            .current_dir("/")
            .stdin(Stdio::from(lock.into_file()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // fail2ban ends the whole group of an action that took too long.
            .process_group(0)
            .spawn()
    });
    started.map(drop).map_err(|reason| StartRunError::Start { program, reason })
}

/// Returns this program, if it is the one that routes and delivers, or the one next to it, or the packaged one.
fn program() -> PathBuf {
    let Ok(this) = std::env::current_exe() else { return PACKAGED.into() };
    if this.file_name().is_none_or(|name| name != crate::NOTIFY_PROGRAM) {
        return this;
    }
    let beside = this.with_file_name(PROGRAM);
    if fs::metadata(&beside).is_ok() { beside } else { PACKAGED.into() }
}

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

/// Wakes the process that holds the work lock of a state directory, or starts a run if there is none.
///
/// # Errors
/// When no process holds the lock, and none can be started.
pub fn ensure_run(folder: &StateDir, config: &Path) -> Result<(), StartRunError> {
    if folder.wake() {
        return Ok(());
    }
    match folder.try_work_lock()? {
        // It looks again once it has released the lock.
        None => Ok(()),
        Some(lock) => start(folder, config, lock),
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

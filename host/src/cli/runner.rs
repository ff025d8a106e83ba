//! The detached run that delivers what is stored while no daemon is running: how it is started, and how it begins.
//!
//! It inherits the work lock as its standard input from the process that starts it, so a hundred `notify` at once start one
//! run.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::store::{StateDir, WorkLock};
use anyhow::Context;

use super::command_error::CommandError;

/// Wakes the process that holds the work lock of a folder, or starts a run if there is none.
pub(super) fn ensure_runner(folder: &StateDir, config: &Path) -> anyhow::Result<()> {
    match folder.try_work_lock()? {
        None => folder.wake(),
        Some(lock) => start(folder, config, lock)?,
    }
    Ok(())
}

fn start(folder: &StateDir, config: &Path, lock: WorkLock) -> anyhow::Result<()> {
    let program = std::env::current_exe().context("cannot find this program")?;
    Command::new(&program)
        .args(["run", "--until-idle", "--lock-on-stdin", "--state-dir"])
        .arg(folder.path())
        .arg("--config")
        .arg(std::path::absolute(config)?)
        .current_dir("/")
        .stdin(Stdio::from(lock.into_file()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // fail2ban ends the whole group of an action that took too long.
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))?;
    Ok(())
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

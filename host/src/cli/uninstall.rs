//! `banhook uninstall`: removes what `setup` wrote. Every jail goes on to block, and nothing is removed that a person changed.

use std::fs;
use std::io;
use std::path::Path;

use clap::Args;

use super::command_error::{CommandError, Outcome};
use super::global_options::GlobalOptions;
use super::setup::jails::{JailConfiguration, naming_ours};
use super::setup::owned_file::{Found, find, remove};
use super::setup::paths::{ACTION, JAILS, PathArgs, SetupPaths};
use super::setup::{reason, restart_jails, say};
use super::work_lock::{YIELD_TIMEOUT, borrow, is_taken};
use crate::receive::fail2ban_client::NoAnswer;
use crate::store::{StateDir, WorkLock};

/// Remove what `banhook setup` wrote: its configuration, fail2ban's action and the jails that run it
///
/// A file that a person has written or changed stays, and so does the action file while a jail names it: fail2ban drops a
/// jail without its action file. The state directory stays, unless --purge is given. The exit code is 1 if something stays
/// that you have to remove.
#[derive(Debug, Args)]
pub(super) struct UninstallArgs {
    /// Remove the state directory, too: events that are not sent, the history, the log
    #[arg(long)]
    purge: bool,
    /// Do not restart the jails of fail2ban, which then run the action until they are restarted
    #[arg(long)]
    no_restart: bool,
    #[command(flatten)]
    paths: PathArgs,
}

/// Removes the files; `Ok(false)` if something stays that is to be removed.
pub(super) fn uninstall(global: &GlobalOptions, arguments: &UninstallArgs) -> Outcome {
    let paths = arguments.paths.find(global)?;
    if ![&paths.jails, &paths.action, &paths.config, &paths.state_dir].iter().any(|path| path.exists()) {
        say("nothing of banhook is here")?;
        return Ok(true);
    }
    // First, so that nothing is removed while a daemon works; and until the end, so that no run begins meanwhile.
    let state = StateDir::new(&paths.state_dir);
    let lock = match arguments.purge && state.is_used()? {
        true => Some(borrow(&state, &global.config, YIELD_TIMEOUT)?.ok_or_else(|| is_taken(&state))?),
        false => None,
    };
    let had_jails = find(&paths.jails)?;
    let mut is_done = remove_jails(&paths, &had_jails)?;
    if is_done && matches!(had_jails, Found::Ours(_)) && !arguments.no_restart && !paths.is_elsewhere {
        restart_jails()?;
    }
    is_done &= remove_action(&paths)?;
    is_done &= remove_configuration(&paths)?;
    if let Some(lock) = lock {
        purge(&paths.state_dir, lock)?;
    } else if paths.state_dir.exists() && !arguments.purge {
        say(&format!("kept {}: remove it with --purge", paths.state_dir.display()))?;
    }
    Ok(is_done)
}

fn removed(path: &Path) -> io::Result<()> {
    if remove(path)? { say(&format!("removed {}", path.display())) } else { Ok(()) }
}

/// Removes the file that adds the action to jails, if no other action changes by that.
fn remove_jails(paths: &SetupPaths, found: &Found) -> Result<bool, CommandError> {
    let kept = |why: &str| {
        say(&format!("kept {}: {why}", paths.jails.display()))?;
        Ok(false)
    };
    match found {
        Found::Absent => return Ok(true),
        Found::Foreign(_) => return kept("a person changed it; remove banhook from it, then run uninstall again"),
        Found::Ours(_) => {}
    }
    let read = |replaced: &[(&str, Option<&str>)]| JailConfiguration::read(&paths.fail2ban, replaced);
    match read(&[]).and_then(|before| Ok((before, read(&[(JAILS, None)])?))) {
        Ok((before, after)) if !after.is_same_but_for_ours(&before) => {
            return kept("without it, another action of a jail would change; see `fail2ban-client -d`");
        }
        // Without fail2ban there is no jail.
        Ok(_) | Err(NoAnswer::NotInstalled) => removed(&paths.jails)?,
        Err(error) => return kept(&reason(&error)),
    }
    Ok(true)
}

/// Removes the action file, if no jail names it.
fn remove_action(paths: &SetupPaths) -> Result<bool, CommandError> {
    let Found::Ours(_) = find(&paths.action)? else {
        if paths.action.exists() {
            say(&format!("kept {}: it was not written by setup", paths.action.display()))?;
        }
        return Ok(true);
    };
    let shown = paths.action.display();
    if let Some(line) = naming_ours(&paths.fail2ban) {
        say(&format!(
            "kept {shown}: {line} names it, and fail2ban drops a jail without its action file; remove that line, restart \
             fail2ban, then run uninstall again"
        ))?;
        return Ok(false);
    }
    // A jail may name it by a file that is none of fail2ban's usual ones.
    let without = JailConfiguration::read(&paths.fail2ban, &[(ACTION, None)]);
    let is_used = without.is_ok_and(|without| !without.with_ours().is_empty());
    if is_used {
        say(&format!("kept {shown}: a jail has it; see `fail2ban-client -d`"))?;
        return Ok(false);
    }
    removed(&paths.action)?;
    Ok(true)
}

/// Removes the configuration with the URL file, and its directory if that is empty then.
fn remove_configuration(paths: &SetupPaths) -> Result<bool, CommandError> {
    let shown = paths.config.display();
    match find(&paths.config)? {
        Found::Absent => return Ok(true),
        Found::Foreign(_) => {
            say(&format!("kept {shown} and the files that it names: it is yours"))?;
            return Ok(true);
        }
        Found::Ours(_) => {}
    }
    let modified = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified()).ok();
    // `setup` writes the URL first.
    let is_edited = modified(&paths.url) > modified(&paths.config);
    removed(&paths.config)?;
    if is_edited {
        say(&format!("kept {}: it was changed after setup; it has a secret", paths.url.display()))?;
    } else {
        removed(&paths.url)?;
    }
    if let Some(folder) = paths.config.parent() {
        // Not empty: a person's.
        let _ = fs::remove_dir(folder);
    }
    Ok(!is_edited)
}

/// What the state directory holds: directories, and files.
const FOLDERS: [&str; 2] = ["spool", "cache"];
const FILES: [&str; 9] = [
    "banhook.sqlite3",
    "banhook.sqlite3-wal",
    "banhook.sqlite3-shm",
    "banhook.log",
    "heartbeat",
    "heartbeat.new",
    "writer.lock",
    "wake",
    "work.lock",
];

/// Removes what banhook has in its state directory, while nothing else works on it.
fn purge(path: &Path, lock: WorkLock) -> Result<(), CommandError> {
    for name in FOLDERS {
        match fs::remove_dir_all(path.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    for name in FILES {
        remove(&path.join(name))?;
    }
    let removed = fs::remove_dir(path);
    // Last: whoever waits for the lock then finds no directory, and creates none.
    lock.release();
    match removed {
        Ok(()) => say(&format!("removed {}", path.display()))?,
        Err(_) => say(&format!("removed what banhook had in {}; other files are left there", path.display()))?,
    }
    Ok(())
}

//! `banhook notify`: one event onto disk, and back to fail2ban, which waits with all its jails meanwhile.
//!
//! It reads no configuration, loads no plugin, TLS or async runtime, and waits for no network.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::event::Timestamp;
use crate::receive::ActionArguments;
use crate::store::{Inbox, StateDir, WorkLock};
use anyhow::Context;

use super::Outcome;
use super::command_error::{CommandError, say};
use super::global_options::{self, CONFIG, STATE};

/// The command line of a `notify`.
#[derive(Debug, Default)]
pub struct Notify<'a> {
    config: Option<PathBuf>,
    state_dir: Option<PathBuf>,
    arguments: &'a [OsString],
}

impl<'a> Notify<'a> {
    /// Whether this command line (without the program's name) is a `notify`, and not for its help.
    pub fn recognize(arguments: &'a [OsString]) -> Option<Self> {
        let mut notify = Self::default();
        let mut rest = arguments;
        loop {
            let (first, after) = rest.split_first()?;
            if first == "notify" {
                notify.arguments = after;
                // Only there: further on it may be a value that an attacker chose.
                let asks_for_help = after.first().is_some_and(|word| word == "--help" || word == "-h");
                return (!asks_for_help).then_some(notify);
            }
            rest = notify.take_place(first, after)?;
        }
    }

    /// Takes `--config FILE` or `--state-dir=DIR` off the front; `None` if something else stands there.
    fn take_place(&mut self, first: &OsStr, after: &'a [OsString]) -> Option<&'a [OsString]> {
        for (name, value) in [("--config", &mut self.config), ("--state-dir", &mut self.state_dir)] {
            match first.as_bytes().strip_prefix(name.as_bytes()) {
                Some(b"") => {
                    let (next, after) = after.split_first()?;
                    *value = Some(next.into());
                    return Some(after);
                }
                Some([b'=', given @ ..]) => {
                    *value = Some(OsStr::from_bytes(given).into());
                    return Some(after);
                }
                _ => {}
            }
        }
        None
    }

    /// Stores the event and sees to it that somebody delivers it.
    pub fn run(self) -> Outcome {
        let mut arguments = ActionArguments::parse(self.arguments.iter().cloned()).map_err(CommandError::input)?;
        let warnings = std::mem::take(&mut arguments.warnings);
        let chosen = |option: Option<PathBuf>, earlier: Option<PathBuf>, variable: &str, default: &str| {
            option
                .or(earlier)
                .or_else(|| std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from))
                .unwrap_or_else(|| default.into())
        };
        let config = chosen(arguments.config.take(), self.config, "BANHOOK_CONFIG", CONFIG);
        let state_dir = chosen(arguments.state_dir.take(), self.state_dir, "BANHOOK_STATE_DIR", STATE);
        let no_spawn = arguments.no_spawn;

        let folder = global_options::folder(&state_dir)?;
        let now = Timestamp::now();
        let event = arguments.into_event(uuid::Uuid::now_v7().to_string(), now);
        let mut inbox = Inbox::open(&folder)?;
        inbox.append(&event, now)?;
        // The process ends at once, and the kernel closes files faster than SQLite does.
        std::mem::forget(inbox);

        // The event is safe: whatever fails from here on is no reason for fail2ban to run the action again.
        if no_spawn {
            folder.wake();
        } else if let Err(error) = ensure_runner(&folder, &config) {
            say(&format!("the event is stored, but nothing could be started to deliver it: {error:#}"));
        }
        for warning in warnings {
            say(&warning);
        }
        Ok(true)
    }
}

/// Wakes whoever works on the folder, or starts a run if nobody does.
pub fn ensure_runner(folder: &StateDir, config: &Path) -> anyhow::Result<()> {
    match folder.try_work_lock()? {
        None => folder.wake(),
        Some(lock) => start_run(folder, config, lock)?,
    }
    Ok(())
}

/// Starts a detached run and hands it the lock as its standard input, so that a hundred `notify` at once start one.
fn start_run(folder: &StateDir, config: &Path, lock: WorkLock) -> anyhow::Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn recognize(line: &str) -> Option<(Option<PathBuf>, Option<PathBuf>, usize)> {
        let arguments: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        Notify::recognize(&arguments).map(|notify| (notify.config, notify.state_dir, notify.arguments.len()))
    }

    #[test]
    fn only_a_notify_is_one() {
        assert_eq!(recognize("notify ban --jail=j"), Some((None, None, 2)));
        assert_eq!(recognize("--state-dir s --config=c notify"), Some((Some("c".into()), Some("s".into()), 0)));
        for other in
            ["", "run", "run notify", "--version notify", "--state-dir", "notify --help", "--state-dirs notify"]
        {
            assert_eq!(recognize(other), None, "{other}");
        }
    }
}

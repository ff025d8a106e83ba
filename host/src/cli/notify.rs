//! `banhook notify`: puts one event on disk and returns; fail2ban waits for it, with all its jails.
//!
//! It builds no clap parser, reads no configuration, loads no plugin engine, TLS or async runtime, and waits for no network.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::event::{Kind, Timestamp};
use crate::receive::{ActionArguments, ActionOption, OPTIONS};
use crate::store::Inbox;
use clap::{Arg, ArgAction};

use super::command_error::{CommandError, Outcome, print_stderr};
use super::global_options::{
    CONFIG_DEFAULT, CONFIG_OPTION, CONFIG_VARIABLE, GlobalOptions, STATE_DIR_DEFAULT, STATE_DIR_OPTION,
    STATE_DIR_VARIABLE,
};
use super::work_lock::ensure_runner;

/// The command line of a `notify`.
#[derive(Debug, Default)]
pub(super) struct Notify<'a> {
    paths: Paths,
    arguments: &'a [OsString],
}

/// The values of `--config` and `--state-dir`, which may be given before `notify` or after it.
#[derive(Debug, Default)]
struct Paths {
    config: Option<PathBuf>,
    state_dir: Option<PathBuf>,
}

impl<'a> Notify<'a> {
    /// Recognizes a command line (without the program's name) that is a `notify`, and does not ask for its help.
    pub(super) fn recognize(arguments: &'a [OsString]) -> Option<Self> {
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
            let option = first.as_bytes().strip_prefix(b"--")?;
            let (name, value, after) = match option.iter().position(|byte| *byte == b'=') {
                Some(at) => (option.get(..at)?, OsStr::from_bytes(option.get(at + 1..)?), after),
                None => {
                    let (value, after) = after.split_first()?;
                    (option, value.as_os_str(), after)
                }
            };
            rest = notify.paths.set(std::str::from_utf8(name).ok()?, value).then_some(after)?;
        }
    }

    /// Stores the event and makes sure that a process delivers it.
    pub(super) fn run(self) -> Outcome {
        let Self { mut paths, arguments } = self;
        let mut arguments = ActionArguments::parse(arguments.iter().cloned(), |name, value| paths.set(name, value))
            .map_err(CommandError::input)?;
        let warnings = std::mem::take(&mut arguments.warnings);
        let no_spawn = arguments.no_spawn;

        let global = paths.resolve();
        let folder = global.folder()?;
        let now = Timestamp::now();
        let event = arguments.into_event(uuid::Uuid::now_v7().to_string(), now);
        let mut inbox = Inbox::open(&folder)?;
        inbox.append(&event, now)?;
        // The process ends at once, and the kernel closes files faster than SQLite does.
        std::mem::forget(inbox);

        // The event is safe: whatever fails from here on is no reason for fail2ban to run the action again.
        if no_spawn {
            folder.wake();
        } else if let Err(error) = ensure_runner(&folder, &global.config) {
            print_stderr(&format!("the event is stored, but the run that delivers it could not be started: {error:#}"));
        }
        let unsafe_folder = folder.check_permissions().err().map(|error| format!("the event is stored, but {error}"));
        for warning in warnings.into_iter().chain(unsafe_folder) {
            print_stderr(&warning);
        }
        Ok(true)
    }
}

impl Paths {
    /// Sets a path; returns whether there is an option of that name.
    fn set(&mut self, name: &str, value: &OsStr) -> bool {
        let path = match name {
            CONFIG_OPTION => &mut self.config,
            STATE_DIR_OPTION => &mut self.state_dir,
            _ => return false,
        };
        *path = Some(value.into());
        true
    }

    /// Falls back to the environment, and then to the defaults, as clap does for the other commands.
    fn resolve(self) -> GlobalOptions {
        let or_else = |option: Option<PathBuf>, variable: &str, default: &str| {
            option
                .or_else(|| std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from))
                .unwrap_or_else(|| default.into())
        };
        GlobalOptions {
            config: or_else(self.config, CONFIG_VARIABLE, CONFIG_DEFAULT),
            state_dir: or_else(self.state_dir, STATE_DIR_VARIABLE, STATE_DIR_DEFAULT),
        }
    }
}

/// `notify` as clap sees it, for its help only: made of the options that the parser itself knows.
#[derive(Debug)]
pub(super) struct NotifyHelp;

impl clap::FromArgMatches for NotifyHelp {
    fn from_arg_matches(_matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self)
    }

    fn update_from_arg_matches(&mut self, _matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        Ok(())
    }
}

impl clap::Args for NotifyHelp {
    fn augment_args(command: clap::Command) -> clap::Command {
        let kinds = Kind::ALL.map(Kind::as_str).join(", ");
        let command = command
            .about("Store one event and return; fail2ban's action runs this command")
            .long_about(
                "Store one event and return; fail2ban's action runs this command\n\n\
                 When it returns, the event is on disk. Only an event without a kind or a jail is an error: a tag that \
                 fail2ban left literal (<bancount>) counts as absent, and so does a bad optional value, with a warning.",
            )
            .arg(Arg::new("kind").value_name("KIND").required(true).help(format!("What happened: {kinds}")));
        OPTIONS.iter().fold(command, |command, option| {
            let arg =
                Arg::new(option.name).long(option.name).help(option.help).required(option.name == ActionOption::JAIL);
            command.arg(match option.value_name {
                Some(value) => arg.value_name(value),
                None => arg.action(ArgAction::SetTrue),
            })
        })
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recognize(line: &str) -> Option<(Option<PathBuf>, Option<PathBuf>, usize)> {
        let arguments: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        Notify::recognize(&arguments)
            .map(|notify| (notify.paths.config, notify.paths.state_dir, notify.arguments.len()))
    }

    #[test]
    fn recognize_takes_only_notify_after_the_global_options() {
        assert_eq!(recognize("notify ban --jail=j"), Some((None, None, 2)));
        assert_eq!(recognize("--state-dir s --config=c notify"), Some((Some("c".into()), Some("s".into()), 0)));
        for other in [
            "",
            "run",
            "run notify",
            "--version notify",
            "--state-dir",
            "notify --help",
            "--state-dirs notify",
            "--state-dirs=s notify",
        ] {
            assert_eq!(recognize(other), None, "{other}");
        }
    }
}

//! `banhook notify`: puts one event on disk and returns; fail2ban waits for it, with all its jails.
//!
//! It builds no clap parser, reads no configuration, loads no plugin engine, TLS or async runtime, and waits for no network.

use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal as _};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use crate::event::readable::{cut, readable};
use crate::event::{Kind, Timestamp};
use crate::message::one_line;
use crate::receive::{ActionArguments, ActionOption, OPTIONS};
use crate::store::Inbox;
use clap::{Arg, ArgAction};

use super::command_error::{CommandError, Outcome, print_stderr};
use super::global_options::{
    CONFIG_DEFAULT, CONFIG_OPTION, CONFIG_VARIABLE, GlobalOptions, STATE_DIR_DEFAULT, STATE_DIR_OPTION,
    STATE_DIR_VARIABLE,
};
use super::work_lock::ensure_runner;

/// The name of the command.
const NOTIFY: &str = "notify";

/// What clap answers before any command.
const HELP: [&str; 4] = ["--help", "-h", "--version", "-V"];

/// The socket of the system's log: the journal's under systemd, otherwise the syslog daemon's.
const SYSTEM_LOG: &str = "/dev/log";

/// `<28>`: the facility `daemon`, at the level `warning`.
const SYSTEM_LOG_PRIORITY: u8 = 28;

/// Bytes of a warning that are sent to the system's log.
const SYSTEM_LOG_BYTES: usize = 1_000;

/// The command line of a `notify`: the arguments before and after this word.
#[derive(Debug)]
pub(super) struct Notify<'a> {
    before: &'a [OsString],
    after: &'a [OsString],
}

impl<'a> Notify<'a> {
    /// Recognizes a command line (without the program's name) that is a `notify`, and does not ask for help. `is_command`
    /// says whether a word is the name of a command.
    ///
    /// fail2ban runs what an administrator wrote into `options=`, so mistakes before the word are no reason to take the
    /// line for another command: its event would be lost.
    pub(super) fn recognize(arguments: &'a [OsString], is_command: impl Fn(&OsStr) -> bool) -> Option<Self> {
        // Whether a line without this `notify` would be rejected in any case.
        let mut is_wrong = false;
        let mut at = 0;
        loop {
            let argument = arguments.get(at)?;
            if argument == NOTIFY {
                break;
            }
            at += 1;
            let bytes = argument.as_bytes();
            let option = bytes.strip_prefix(b"--").map(|option| option.split(|byte| *byte == b'=').next());
            match option.flatten().map(readable) {
                Some(name) if takes_value(&name) => {
                    let is_path = [CONFIG_OPTION, STATE_DIR_OPTION].contains(&&*name);
                    let is_separate = !bytes.contains(&b'=');
                    let has_value = is_separate && is_value(arguments.get(at..).unwrap_or_default());
                    at += usize::from(has_value);
                    is_wrong |= !is_path || (is_separate && !has_value);
                }
                _ if !is_wrong && HELP.iter().any(|help| argument == help) => return None,
                _ if !is_wrong && !bytes.starts_with(b"-") && is_command(argument) => return None,
                _ => is_wrong = true,
            }
        }
        let (before, rest) = arguments.split_at_checked(at)?;
        let (_, after) = rest.split_first()?;
        // Only there: further on it may be a value that an attacker chose.
        let asks_for_help = after.first().is_some_and(|word| word == "--help" || word == "-h");
        (!asks_for_help).then_some(Self { before, after })
    }

    /// Stores the event and makes sure that a process delivers it.
    pub(super) fn run(self) -> Outcome {
        let mut paths = [(CONFIG_OPTION, None), (STATE_DIR_OPTION, None)];
        let mut arguments = ActionArguments::parse(self.before, self.after, &mut paths).map_err(CommandError::input)?;
        let mut warnings = std::mem::take(&mut arguments.warnings);
        let stored = store(arguments, global_options(paths), &mut warnings);
        // The event is safe, or its error is worth more: only now is there time for this.
        report(&warnings);
        stored
    }
}

/// Stores the event; adds what is wrong with the state directory to the warnings.
fn store(arguments: ActionArguments, global: GlobalOptions, warnings: &mut Vec<String>) -> Outcome {
    let (no_spawn, restored_is_unknown) = (arguments.no_spawn, arguments.restored_is_unknown);
    let folder = global.folder()?;
    let now = Timestamp::now();
    let event = arguments.into_event(uuid::Uuid::now_v7().to_string(), now);
    let mut inbox = Inbox::open(&folder)?;
    if restored_is_unknown {
        inbox.append_unmarked(event, now)?;
    } else {
        inbox.append(&event, now)?;
    }
    // The process ends at once, and the kernel closes files faster than SQLite does.
    std::mem::forget(inbox);

    // The event is safe: whatever fails from here on is no reason for fail2ban to run the action again.
    if no_spawn {
        folder.wake();
    } else if let Err(error) = ensure_runner(&folder, &global.config) {
        print_stderr(&format!("the event is stored, but the run that delivers it could not be started: {error:#}"));
    }
    warnings.extend(folder.check_permissions().err().map(|error| format!("the event is stored, but {error}")));
    Ok(true)
}

/// Returns whether an option of this name has a value.
fn takes_value(name: &str) -> bool {
    [CONFIG_OPTION, STATE_DIR_OPTION].contains(&name)
        || OPTIONS.iter().any(|option| option.name == name && option.value_name.is_some())
}

/// Returns whether the next argument is the value of the option before it, and not an option or the command.
fn is_value(next: &[OsString]) -> bool {
    match next {
        [value, after, ..] if value == NOTIFY => after == NOTIFY,
        [value, ..] => !value.as_bytes().starts_with(b"--") && value != NOTIFY,
        [] => false,
    }
}

/// Falls back to the environment, and then to the defaults, as clap does for the other commands.
fn global_options([(_, config), (_, state_dir)]: [(&str, Option<OsString>); 2]) -> GlobalOptions {
    let or_else = |option: Option<OsString>, variable: &str, default: &str| {
        let value = option.or_else(|| std::env::var_os(variable).filter(|value| !value.is_empty()));
        value.map_or_else(|| default.into(), PathBuf::from)
    };
    GlobalOptions {
        config: or_else(config, CONFIG_VARIABLE, CONFIG_DEFAULT),
        state_dir: or_else(state_dir, STATE_DIR_VARIABLE, STATE_DIR_DEFAULT),
    }
}

/// Reports warnings on stderr and, since fail2ban shows what a command prints only if it fails, in the system's log.
fn report(warnings: &[String]) {
    for warning in warnings {
        print_stderr(warning);
        if !io::stderr().is_terminal() {
            // A system without a log is no reason to fail.
            let _ = send_to_system_log(Path::new(SYSTEM_LOG), warning);
        }
    }
}

/// Sends a line to the system's log; does not wait for one that is busy.
fn send_to_system_log(socket: &Path, line: &str) -> io::Result<()> {
    let sender = UnixDatagram::unbound()?;
    sender.set_nonblocking(true)?;
    let line = one_line(cut(line, SYSTEM_LOG_BYTES));
    let record = format!("<{SYSTEM_LOG_PRIORITY}>banhook[{}]: {line}", std::process::id());
    sender.send_to(record.as_bytes(), socket).map(drop)
}

/// Returns an option of `notify` as clap sees it.
pub(super) fn event_option(option: &ActionOption) -> Arg {
    let arg = Arg::new(option.name).long(option.name).help(option.help).required(option.name == ActionOption::JAIL);
    match option.value_name {
        Some(value) => arg.value_name(value),
        None => arg.action(ArgAction::SetTrue),
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
                 fail2ban left literal (<bancount>) counts as absent, and so do a bad optional value and an unknown option, \
                 with a warning on stderr and in the system's log.",
            )
            .arg(Arg::new("kind").value_name("KIND").required(true).help(format!("What happened: {kinds}")));
        OPTIONS.iter().fold(command, |command, option| command.arg(event_option(option)))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns how many arguments are before and after `notify`, if a line is one.
    fn recognize(line: &str) -> Option<(usize, usize)> {
        let arguments: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        let is_command = |word: &OsStr| word == "run" || word == "lint";
        Notify::recognize(&arguments, is_command).map(|notify| (notify.before.len(), notify.after.len()))
    }

    #[test]
    fn recognize_finds_notify_after_any_mistake() {
        for (line, before, after) in [
            ("notify ban --jail=j", 0, 2),
            ("--state-dir s --config=c notify", 3, 0),
            ("--host mail-1 notify ban", 2, 1),
            ("--host=mail-1 notify ban", 1, 1),
            ("--host notify notify ban", 2, 1),
            ("--host notify ban", 1, 1),
            ("--state-dir notify ban", 1, 1),
            ("--state-dir --config c notify ban", 3, 1),
            ("--dry-run notify ban", 1, 1),
            ("--hots run notify ban", 2, 1),
            ("--host run notify ban", 2, 1),
            ("mail-1 notify ban", 1, 1),
            ("-- notify ban", 1, 1),
            ("-q notify ban", 1, 1),
            ("--no-spawn notify ban", 1, 1),
            ("--state-dirs s notify", 2, 0),
            ("notify ban --help", 0, 2),
        ] {
            assert_eq!(recognize(line), Some((before, after)), "{line}");
        }
    }

    #[test]
    fn recognize_leaves_other_commands_to_clap() {
        for other in [
            "",
            "run",
            "run notify",
            "--state-dir s lint notify",
            "--version notify",
            "-h notify",
            "--state-dir",
            "--hots mail-1",
            "notify --help",
        ] {
            assert_eq!(recognize(other), None, "{other}");
        }
    }

    #[test]
    fn send_to_system_log_sends_one_line_and_never_waits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        assert!(send_to_system_log(&path, "nobody listens").is_err());
        let socket = UnixDatagram::bind(&path).unwrap();
        send_to_system_log(&path, &format!("ignored \n{}", "x".repeat(2_000))).unwrap();
        let mut record = [0; 4_096];
        let length = socket.recv(&mut record).unwrap();
        let record = String::from_utf8_lossy(&record[..length]).into_owned();
        assert!(record.starts_with("<28>banhook[") && record.contains("]: ignored  xxx"), "{record}");
        assert!(record.len() < 1_100 && !record.contains('\n'), "{}", record.len());
        // A log that is not read is full at some time.
        while send_to_system_log(&path, "full").is_ok() {}
    }
}

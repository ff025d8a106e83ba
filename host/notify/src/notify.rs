//! The command `notify`: puts one event on disk and returns; fail2ban waits for it, with all its jails.
//!
//! It reads no configuration, loads no database, plugin engine, TLS or async runtime, and waits for no network and no lock.

use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use spool::{Directory, SegmentId, record};

use crate::arguments::{ActionArguments, ArgumentError, OPTIONS};
use crate::event::Timestamp;
use crate::event::readable::{cut, readable};
use crate::new_id::new_id;
use crate::phrase::printable;
use crate::runner::ensure_run;
use crate::spooled_event::{SpooledEvent, VERSION};
use crate::state_dir::StateDir;
use crate::state_dir_error::StateDirError;

/// The option that names the configuration file.
pub const CONFIG_OPTION: &str = "config";
/// The environment variable that names the configuration file, where no option does.
pub const CONFIG_VARIABLE: &str = "BANHOOK_CONFIG";
/// The configuration file, where neither option nor variable names one.
pub const CONFIG_DEFAULT: &str = "/etc/banhook/config.toml";

/// The option that names the state directory.
pub const STATE_DIR_OPTION: &str = "state-dir";
/// The environment variable that names the state directory, where no option does.
pub const STATE_DIR_VARIABLE: &str = "BANHOOK_STATE_DIR";
/// The state directory, where neither option nor variable names one.
pub const STATE_DIR_DEFAULT: &str = "/var/lib/banhook";

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
pub struct Notify<'a> {
    before: &'a [OsString],
    after: &'a [OsString],
}

impl<'a> Notify<'a> {
    /// Recognizes a command line (without the program's name) that is a `notify`, and does not ask for help. `is_command`
    /// says whether a word is the name of a command.
    ///
    /// fail2ban runs what an administrator wrote into `options=`, so mistakes before the word are no reason to take the
    /// line for another command: its event would be lost.
    pub fn recognize(arguments: &'a [OsString], is_command: impl Fn(&OsStr) -> bool) -> Option<Self> {
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

    /// The command line of a program that is `notify` alone.
    #[must_use]
    pub const fn of(arguments: &'a [OsString]) -> Self {
        Self { before: &[], after: arguments }
    }

    /// Stores the event and makes sure that a process delivers it. Reports warnings and errors on stderr.
    pub fn run(self) -> ExitCode {
        match self.store() {
            Ok(warnings) => {
                // The event is safe: only now is there time for this.
                report(&warnings);
                ExitCode::SUCCESS
            }
            Err((error, warnings)) => {
                report(&warnings);
                print_stderr(&error.to_string());
                error.code()
            }
        }
    }

    /// Stores the event. Returns the warnings, also with an error.
    fn store(self) -> Result<Vec<String>, (NotifyError, Vec<String>)> {
        let mut paths = [(CONFIG_OPTION, None), (STATE_DIR_OPTION, None)];
        let mut arguments = ActionArguments::parse(self.before, self.after, &mut paths)
            .map_err(|error| (NotifyError::Arguments(error), Vec::new()))?;
        let mut warnings = std::mem::take(&mut arguments.warnings);
        match store(arguments, paths.map(|(_, path)| path), &mut warnings) {
            Ok(()) => Ok(warnings),
            Err(error) => Err((error, warnings)),
        }
    }
}

/// Why no event was stored.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The arguments name no event.
    #[error(transparent)]
    Arguments(#[from] ArgumentError),
    /// The event cannot be stored.
    #[error(transparent)]
    StateDir(#[from] StateDirError),
    /// The path of the state directory cannot be made absolute.
    #[error("cannot find the state directory: {0}")]
    CurrentDir(io::Error),
}

impl NotifyError {
    fn code(&self) -> ExitCode {
        ExitCode::from(if matches!(self, Self::Arguments(_)) { 2 } else { 1 })
    }
}

/// Stores the event; adds what is wrong with the state directory to the warnings.
fn store(
    arguments: ActionArguments,
    [config, state_dir]: [Option<OsString>; 2],
    warnings: &mut Vec<String>,
) -> Result<(), NotifyError> {
    let (no_spawn, restored_is_unknown) = (arguments.no_spawn, arguments.restored_is_unknown);
    let state_dir = or_else(state_dir, STATE_DIR_VARIABLE, STATE_DIR_DEFAULT);
    // Absolute, since fail2ban runs actions in `/`.
    let folder = StateDir::new(std::path::absolute(state_dir).map_err(NotifyError::CurrentDir)?);
    folder.become_owner()?;
    let received_at = Timestamp::now();
    let event = arguments.into_event(new_id().to_string(), received_at);
    append(&folder, &SpooledEvent { event, received_at, restored_is_unknown })?;

    // The event is safe: whatever fails from here on is no reason for fail2ban to run the action again.
    if no_spawn {
        folder.wake();
    } else if let Err(error) = ensure_run(&folder, &or_else(config, CONFIG_VARIABLE, CONFIG_DEFAULT)) {
        warnings.push(format!("the event is stored, but the run that delivers it could not be started: {error}"));
    }
    warnings.extend(folder.check_permissions().err().map(|error| format!("the event is stored, but {error}")));
    Ok(())
}

/// Appends an event to the spool, creating it where there is none. When this returns, the event is on disk.
///
/// # Errors
/// When the system refuses; the event may then arrive or not.
pub fn append(folder: &StateDir, event: &SpooledEvent) -> Result<(), StateDirError> {
    let path = folder.spool();
    let failed = |reason| folder.error("store the event in", &path, reason);
    let record = record::encode(VERSION, event.to_payload().as_bytes())
        .map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
    let directory = match Directory::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            folder.create_spool()?;
            Directory::open(&path)
        }
        opened => opened,
    };
    // In the order of time, and with its time in it.
    spool::append(&directory.map_err(failed)?, &record, || SegmentId(new_id().as_u128())).map_err(failed)
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

/// Returns the path that an option has, or else an environment variable, or else the default one.
fn or_else(option: Option<OsString>, variable: &str, default: &str) -> PathBuf {
    let value = option.or_else(|| std::env::var_os(variable).filter(|value| !value.is_empty()));
    value.map_or_else(|| default.into(), PathBuf::from)
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

/// Prints a line on stderr. A closed one is no reason to fail.
fn print_stderr(line: &str) {
    let _ = writeln!(io::stderr(), "banhook: {}", printable(line));
}

/// Sends a line to the system's log; does not wait for one that is busy.
fn send_to_system_log(socket: &Path, line: &str) -> io::Result<()> {
    let sender = UnixDatagram::unbound()?;
    sender.set_nonblocking(true)?;
    let line = printable(cut(line, SYSTEM_LOG_BYTES));
    let record = format!("<{SYSTEM_LOG_PRIORITY}>banhook[{}]: {line}", std::process::id());
    sender.send_to(record.as_bytes(), socket).map(drop)
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

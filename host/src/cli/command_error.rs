//! What a command results in: success, or an error that becomes a line on stderr and an exit code.

use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::config::ConfigErrors;
use crate::message::clean;
use crate::phrase::without_error_numbers;

/// What a command returns: `Ok(true)` is exit code 0; `Ok(false)` is 1, with everything reported already.
pub(super) type Outcome = Result<bool, CommandError>;

/// Why a command failed.
#[derive(Debug)]
pub(super) enum CommandError {
    /// Exit code 2: usage, configuration or input is wrong. The text says what to do.
    Input(anyhow::Error),
    /// Exit code 1: the command was understood and did not succeed.
    Other(anyhow::Error),
}

impl CommandError {
    /// Makes an error of bad usage, configuration or input.
    pub(super) fn input(error: impl Into<anyhow::Error>) -> Self {
        Self::Input(error.into())
    }

    /// Prints the error on stderr.
    pub(super) fn report(&self) {
        print_stderr(&self.text());
    }

    /// Returns the error and its causes in a line.
    pub(super) fn text(&self) -> String {
        let (Self::Input(error) | Self::Other(error)) = self;
        format!("{error:#}")
    }

    /// Returns whether the reader of standard output has gone away (`| head`), which is no reason to fail.
    pub(super) fn is_broken_pipe(&self) -> bool {
        let (Self::Input(error) | Self::Other(error)) = self;
        error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// Returns the exit code of the process.
    pub(super) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Input(_) => 2,
            Self::Other(_) => 1,
        })
    }
}

impl From<ConfigErrors> for CommandError {
    fn from(errors: ConfigErrors) -> Self {
        Self::Input(errors.into())
    }
}

impl<E: Into<anyhow::Error>> From<E> for CommandError
where
    E: NotInput,
{
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

/// Prints a line on stderr, with control characters escaped: an attacker or a plugin may have written part of it. A closed
/// stderr is no reason to fail.
pub(super) fn print_stderr(text: &str) {
    let _ = writeln!(io::stderr(), "banhook: {}", clean(&without_error_numbers(text)));
}

/// Errors that no input of the user causes.
pub(super) trait NotInput {}
impl NotInput for banhook_notify::StateDirError {}
impl NotInput for banhook_notify::StartRunError {}
impl NotInput for crate::store::StoreError {}
impl NotInput for crate::daemon::DaemonError {}
impl NotInput for crate::plugin::PluginError {}
impl NotInput for nkeys::error::Error {}
impl NotInput for serde_json::Error {}
impl NotInput for io::Error {}
impl NotInput for anyhow::Error {}

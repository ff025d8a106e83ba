//! An error on its way to stderr and the exit code.

use std::io::Write as _;
use std::process::ExitCode;

use crate::config::ConfigErrors;
use crate::message::clean;

/// Why a command failed.
#[derive(Debug)]
pub enum CommandError {
    /// Exit code 2: usage, configuration or input is wrong. The text says what to do.
    Input(anyhow::Error),
    /// Exit code 1: what was asked for did not succeed.
    Other(anyhow::Error),
}

impl CommandError {
    /// Bad usage, configuration or input.
    pub fn input(error: impl Into<anyhow::Error>) -> Self {
        Self::Input(error.into())
    }

    /// Tells the user.
    pub fn report(&self) {
        say(&self.text());
    }

    /// What is wrong.
    pub fn text(&self) -> String {
        let (Self::Input(error) | Self::Other(error)) = self;
        format!("{error:#}")
    }

    /// The process's exit code.
    pub fn code(&self) -> ExitCode {
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

/// A line on stderr, in which nothing that an attacker or a plugin wrote is more than text. A closed stderr is no reason
/// to fail.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "banhook: {}", clean(text));
}

/// Errors that are nobody's input.
pub trait NotInput {}
impl NotInput for crate::store::StoreError {}
impl NotInput for crate::daemon::DaemonError {}
impl NotInput for crate::plugin::PluginError {}
impl NotInput for std::io::Error {}
impl NotInput for anyhow::Error {}

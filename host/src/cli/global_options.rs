//! What commands have in common: the configuration file, the state directory, the name of this host, and `--format`.

use std::path::PathBuf;

use banhook_notify::{
    CONFIG_DEFAULT, CONFIG_OPTION, CONFIG_VARIABLE, STATE_DIR_DEFAULT, STATE_DIR_OPTION, STATE_DIR_VARIABLE,
};
use clap::{Args, ValueEnum};

use super::command_error::CommandError;
use crate::config::Config;
use crate::store::{StateDir, Store};

/// Where the help lists the options of every command.
const HEADING: &str = "Global options";

/// `--config` and `--state-dir`.
#[derive(Debug, Clone, Args)]
pub(super) struct GlobalOptions {
    /// Configuration file; conf.d/*.toml in the same directory is read too
    #[arg(
        long = CONFIG_OPTION, global = true, env = CONFIG_VARIABLE, value_name = "FILE", default_value = CONFIG_DEFAULT,
        help_heading = HEADING
    )]
    pub config: PathBuf,
    /// State directory, which holds the store
    #[arg(
        long = STATE_DIR_OPTION, global = true, env = STATE_DIR_VARIABLE, value_name = "DIR",
        default_value = STATE_DIR_DEFAULT, help_heading = HEADING
    )]
    pub state_dir: PathBuf,
}

impl GlobalOptions {
    /// Returns the state directory. A process started as root has become its owner when this returns.
    pub(super) fn folder(&self) -> Result<StateDir, CommandError> {
        // Absolute, since fail2ban runs actions in `/` and a daemon may change its folder.
        let folder = StateDir::new(std::path::absolute(&self.state_dir)?);
        folder.become_owner()?;
        Ok(folder)
    }

    /// Opens the store; `None` where nothing was ever stored, so that looking makes no files.
    pub(super) fn existing_store(&self) -> Result<Option<(StateDir, Store)>, CommandError> {
        let folder = self.folder()?;
        if !folder.is_used()? {
            return Ok(None);
        }
        let store = Store::open(&folder)?;
        Ok(Some((folder, store)))
    }

    /// Reads and checks the configuration.
    pub(super) fn config(&self) -> Result<Config, CommandError> {
        Ok(Config::load(&self.config, &|name| std::env::var(name).ok())?)
    }
}

/// Has the host in place of the system's name for it, which in a container is the container's.
const HOST_VARIABLE: &str = "BANHOOK_HOST";

/// Returns the host name: what the environment says, or as the system has it.
pub(super) fn host_name() -> String {
    if let Some(name) = std::env::var(HOST_VARIABLE).ok().filter(|name| !name.is_empty()) {
        return name;
    }
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// What a command prints: text for people, or JSON for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OutputFormat {
    #[value(alias = "human")]
    Text,
    Json,
}

//! Where a command works: the configuration file and the state folder.

use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::store::StateDir;
use clap::Args;

use super::command_error::CommandError;

/// The configuration, where nothing else is said.
pub const CONFIG: &str = "/etc/banhook/config.toml";
/// The state folder, where nothing else is said.
pub const STATE: &str = "/var/lib/banhook";

/// `--config` and `--state-dir`.
#[derive(Debug, Clone, Args)]
pub struct GlobalOptions {
    /// Configuration file; conf.d/*.toml beside it is read too
    #[arg(long, global = true, env = "BANHOOK_CONFIG", value_name = "FILE", default_value = CONFIG)]
    pub config: PathBuf,
    /// Folder that holds the store
    #[arg(long, global = true, env = "BANHOOK_STATE_DIR", value_name = "DIR", default_value = STATE)]
    pub state_dir: PathBuf,
}

impl GlobalOptions {
    /// The state folder. A process started as root has become its owner when this returns.
    pub fn folder(&self) -> Result<StateDir, CommandError> {
        folder(&self.state_dir)
    }

    /// The configuration, read and checked.
    pub fn config(&self) -> Result<Config, CommandError> {
        Ok(Config::load(&self.config, &|name| std::env::var(name).ok())?)
    }
}

/// As [`GlobalOptions::folder`]. Absolute, since fail2ban runs actions in `/` and a daemon may change its folder.
pub fn folder(path: &Path) -> Result<StateDir, CommandError> {
    let folder = StateDir::new(std::path::absolute(path)?);
    folder.become_owner()?;
    Ok(folder)
}

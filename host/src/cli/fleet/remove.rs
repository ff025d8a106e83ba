//! `banhook fleet remove`: the broker no longer knows a host.

use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;

use super::known_hosts::{KnownHosts, checked_name};
use crate::cli::command_error::{CommandError, Outcome};
use crate::phrase::listed;

/// Remove a host from a fleet: its line in the broker's list of hosts
///
/// Its events that the broker has are still delivered.
#[derive(Debug, Args)]
pub(super) struct RemoveArgs {
    /// The host's name
    #[arg(value_parser = checked_name)]
    host: String,
    /// Directory of the broker's configuration
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

/// Removes the host.
pub(super) fn remove(RemoveArgs { host, dir }: &RemoveArgs) -> Outcome {
    let mut hosts = KnownHosts::read(dir)?;
    let before = hosts.hosts.len();
    hosts.hosts.retain(|known| known.name != *host);
    if hosts.hosts.len() == before {
        let known = match hosts.hosts.as_slice() {
            [] => "it has none".to_owned(),
            some => format!("its hosts are {}", listed(some.iter().map(|known| known.name.as_str()), "and")),
        };
        return Err(CommandError::Input(anyhow!("{host} is not a host of this fleet; {known}")));
    }
    let list = hosts.write()?;
    let mut out = io::stdout();
    writeln!(out, "wrote {}", list.display())?;
    writeln!(out, "Next:\n  on the broker: systemctl reload nats-server")?;
    Ok(true)
}

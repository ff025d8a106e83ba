//! `banhook fleet add`: a host gets a key, and the broker knows it.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::Args;
use nkeys::KeyPair;

use super::known_hosts::{KnownHost, KnownHosts, checked_name};
use crate::cli::command_error::{CommandError, Outcome};
use crate::cli::whole_file;

/// Add a host to a fleet: writes its key, and its line in the broker's list of hosts
#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// The host's name, as its events have it: its own, or the setting `host` of its configuration
    #[arg(value_parser = checked_name)]
    host: String,
    /// Directory of the broker's configuration
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

/// Adds the host.
pub(super) fn add(AddArgs { host, dir }: &AddArgs) -> Outcome {
    let (key_file, list) = add_host(dir, host)?;
    let mut out = io::stdout();
    writeln!(out, "wrote {} and {}", key_file.display(), list.display())?;
    writeln!(out, "Next:")?;
    writeln!(out, "  on the broker: systemctl reload nats-server")?;
    writeln!(
        out,
        "  on the host:   move {} to /etc/banhook/fleet.nkey, and write this as its configuration\n",
        key_file.display()
    )?;
    write!(
        out,
        "    host = \"{host}\"\n\n    [fleet]\n    role = \"host\"\n    servers = [\"tls://BROKER:4222\"]\n    nkey_file = \"fleet.nkey\"\n"
    )?;
    Ok(true)
}

/// Writes a key for a host, and its line in the list. Returns the paths of both.
pub(in crate::cli) fn add_host(dir: &Path, host: &str) -> Result<(PathBuf, PathBuf), CommandError> {
    let mut hosts = KnownHosts::read(dir)?;
    if let Some(known) = hosts.find(host) {
        let why = if known.name == host {
            "is a host of this fleet already"
        } else {
            "would have the subject of another host"
        };
        let hint = "`banhook fleet remove` removes it, for example to give it another key";
        return Err(CommandError::Input(anyhow!("{host} {why} ({}); {hint}", known.name)));
    }
    let key = KeyPair::new_user();
    let key_file = dir.join(format!("{host}.nkey"));
    // First: a host that is listed has a key.
    whole_file::write(&key_file, format!("{}\n", key.seed()?).as_bytes(), 0o600, None)?;
    hosts.hosts.push(KnownHost { name: host.to_owned(), public_key: key.public_key() });
    let list = hosts.write()?.to_owned();
    Ok((key_file, list))
}

//! `banhook fleet init`: the configuration of the broker, and the key of the worker.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::Args;
use nkeys::KeyPair;

use super::known_hosts::{HOSTS_FILE, KnownHosts};
use crate::cli::command_error::{CommandError, Outcome};
use crate::cli::whole_file;
use crate::fleet::shared_services;

/// The broker's configuration.
const SERVER_FILE: &str = "banhook-nats.conf";

/// The key of the worker.
const WORKER_KEY: &str = "worker.nkey";

/// Write the configuration of a broker, an empty list of hosts, and the key of the worker
///
/// The broker is nats-server 2.10 or later with JetStream. Without a certificate it listens on this machine only.
#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// Directory of the files, which must not exist there yet
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Address on which the broker listens [default: 0.0.0.0:4222 with a certificate, otherwise 127.0.0.1:4222]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Certificate of the broker (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Key of that certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Directory in which the broker keeps the events
    #[arg(long, value_name = "DIR", default_value = "/var/lib/nats")]
    store_dir: PathBuf,
}

/// Writes the files.
pub(super) fn init(arguments: &InitArgs) -> Outcome {
    let InitArgs { dir, tls_cert, tls_key, .. } = arguments;
    let tls = tls_cert.as_deref().zip(tls_key.as_deref());
    let listen = listen(arguments.listen, tls.is_some())?;
    write_files(dir, listen, tls, &arguments.store_dir)?;

    let mut out = io::stdout();
    let shown = |name: &str| dir.join(name).display().to_string();
    writeln!(out, "wrote {}, {} and {}", shown(SERVER_FILE), shown(HOSTS_FILE), shown(WORKER_KEY))?;
    writeln!(out, "Next:")?;
    writeln!(out, "  start the broker: nats-server --config {}", shown(SERVER_FILE))?;
    writeln!(out, "  add each host:    banhook fleet add HOST --dir {}", dir.display())?;
    writeln!(out, "  on the worker:    add this to its configuration, with its webhooks and routes\n")?;
    let scheme = if tls.is_some() { "tls" } else { "nats" };
    write!(
        out,
        "    [fleet]\n    role = \"worker\"\n    servers = [\"{scheme}://{}\"]\n    nkey_file = \"{WORKER_KEY}\"\n",
        if tls.is_some() { format!("BROKER:{}", listen.port()) } else { listen.to_string() }
    )?;
    Ok(true)
}

/// Writes the configuration of a broker, an empty list of hosts, and the key of the worker into a directory that has none of
/// them. Returns the paths of the configuration and of the key.
pub(in crate::cli) fn write_files(
    dir: &Path,
    listen: SocketAddr,
    tls: Option<(&Path, &Path)>,
    store_dir: &Path,
) -> Result<(PathBuf, PathBuf), CommandError> {
    for name in [SERVER_FILE, HOSTS_FILE, WORKER_KEY] {
        let path = dir.join(name);
        if path.symlink_metadata().is_ok() {
            return Err(CommandError::Input(anyhow!(
                "{} exists; a fleet is set up once, and `banhook fleet add` adds hosts to it",
                path.display()
            )));
        }
    }
    let key = KeyPair::new_user();
    let seed = format!("{}\n", key.seed()?);
    let (server_file, worker_key) = (dir.join(SERVER_FILE), dir.join(WORKER_KEY));
    whole_file::write(&worker_key, seed.as_bytes(), 0o600, None)?;
    KnownHosts::new(dir).write()?;
    let text = configuration(listen, tls, store_dir, &key.public_key())?;
    whole_file::write(&server_file, text.as_bytes(), 0o644, None)?;
    Ok((server_file, worker_key))
}

fn listen(given: Option<SocketAddr>, is_encrypted: bool) -> Result<SocketAddr, CommandError> {
    match given {
        Some(address) if !is_encrypted && !address.ip().is_loopback() => Err(CommandError::Input(anyhow!(
            "{address} can be reached by others: give --tls-cert and --tls-key, or an address of this machine alone"
        ))),
        Some(address) => Ok(address),
        None if is_encrypted => Ok(SocketAddr::from(([0, 0, 0, 0], 4222))),
        None => Ok(SocketAddr::from(([127, 0, 0, 1], 4222))),
    }
}

/// Returns the broker's configuration. Two accounts: with one, a host could have the broker write under another host's subject, by
/// the subject at which it wants the answer to a message of its own.
fn configuration(
    listen: SocketAddr,
    tls: Option<(&Path, &Path)>,
    store_dir: &Path,
    worker: &str,
) -> Result<String, CommandError> {
    let path = |path: &Path| -> Result<String, CommandError> {
        let path = std::path::absolute(path)?;
        Ok(format!("{:?}", path.display().to_string()))
    };
    let tls = match tls {
        Some((cert, key)) => format!("tls {{\n  cert_file: {}\n  key_file: {}\n}}\n\n", path(cert)?, path(key)?),
        None => String::new(),
    };
    let services = shared_services();
    let exports = services.iter().map(|subject| format!("      {{ service: {subject:?} }}\n")).collect::<String>();
    let imports = services
        .iter()
        .map(|subject| format!("      {{ service: {{ account: FLEET, subject: {subject:?} }} }}\n"))
        .collect::<String>();
    Ok(format!(
        r#"# Written by `banhook fleet init`: the broker of a fleet, for nats-server 2.10 or later.
# After a change: systemctl reload nats-server

listen: "{listen}"

{tls}jetstream {{
  store_dir: {store_dir}
  # An event is acknowledged once it is on disk.
  sync_interval: always
}}

accounts {{
  # The worker, and the streams.
  FLEET {{
    jetstream: enabled
    users: [ {{ nkey: {worker} }} ]
    exports: [
{exports}    ]
  }}
  # The hosts. Each may publish its own events, and see its own last one.
  HOSTS {{
    imports: [
{imports}    ]
    include "{HOSTS_FILE}"
  }}
}}
"#,
        store_dir = path(store_dir)?,
    ))
}

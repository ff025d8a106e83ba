//! `[fleet]`: the part of this host in a fleet, whose events go through one broker to its workers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use nkeys::{KeyPair, KeyPairType};
use serde_json::json;
use url::{Host, Url};

use super::http_settings::CaFile;
use super::quantity;
use super::reader::{Located, Table};
use super::secret_source::{self, Env, NKEY};

/// What a member of a fleet does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FleetRole {
    /// It forwards its events; it has no routes, webhooks or secrets of the chat.
    Host,
    /// It reads the events of all hosts, routes and delivers them.
    Worker,
}

/// The membership in a fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fleet {
    /// What this host does.
    pub role: FleetRole,
    /// The broker's addresses; at least one.
    pub servers: Vec<String>,
    /// The key by which the broker knows this host.
    pub nkey: Nkey,
    /// The file that has it.
    pub nkey_file: Option<PathBuf>,
    /// Certificates that are trusted in addition to the system's.
    pub ca_file: Option<CaFile>,
    /// Of a host: how far back it publishes again what a broker lost; 1 min to 30 days. Default: 1 d.
    pub resend: Duration,
    /// Of a worker: after what time without a sign of life another one may take its place; 1 s to 5 min. Default: 10 s.
    pub lease: Duration,
    /// Of a worker: the bytes that the broker keeps at most; 100 KiB to 1 TiB. Default: 1 GiB.
    pub stream_size: u64,
    /// Of a worker: on how many servers of the broker each stream is; 1 to 5. Default: as they are, and new ones on one.
    pub replicas: Option<u32>,
    /// Of a worker: after what time of silence a host is reported; 5 s to 7 days. Default: 15 min; `None` (`false`): none is.
    pub silent: Option<Duration>,
    /// Of a worker: hosts that may report events of others, such as those whose log has the lines of many.
    pub reporters: BTreeMap<String, BTreeSet<String>>,
}

/// The secret half of a key. It has no `Display`, and its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Nkey(String);

impl Nkey {
    /// Returns the seed, for the caller that connects.
    #[must_use]
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Nkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nkey(***)")
    }
}

impl Fleet {
    const RESEND: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(30 * 86_400);
    const SILENT: RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(7 * 86_400);
    const LEASE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(300);

    /// Reads the table of one file.
    pub(super) fn read(top: &Table<'_>, env: Env<'_>) -> Option<Self> {
        let table = top.table("fleet", "[fleet]")?;
        let role = role(&table);
        let servers = servers(&table);
        let nkey = secret_source::read(&table, &NKEY, env).and_then(|secret| {
            if is_user_seed(&secret.text) {
                return Some((Nkey(secret.text), secret.file));
            }
            let place = secret.file.as_ref().map_or_else(String::new, |file| format!("{}: ", file.display()));
            let hint = "`banhook fleet add` writes one";
            table.problems.report_with(secret.location, format!("{place}not the seed of a user's nkey"), hint);
            None
        });
        let ca_file = CaFile::read(&table);
        let (mut resend, mut lease, mut stream_size) = (Duration::from_secs(86_400), Duration::from_secs(10), 1 << 30);
        let mut replicas = None;
        let mut silent = Some(Duration::from_secs(15 * 60));
        match role {
            Some(FleetRole::Host) => {
                quantity::duration(&table, "resend", Self::RESEND, "1m and 30d", &mut resend);
            }
            // All keys are known, where the role is not.
            _ => {
                quantity::duration(&table, "lease", Self::LEASE, "1s and 5m", &mut lease);
                quantity::duration_or_false(&table, "silent", Self::SILENT, "5s and 7d", &mut silent);
                quantity::size(&table, "stream_size", 100 << 10..=1 << 40, "100KiB and 1024GiB", &mut stream_size);
                let mut count = 0;
                quantity::count(&table, "replicas", 1..=5, &mut count);
                replicas = (count > 0).then_some(count);
                if let (Some(2 | 4), Some(location)) = (replicas, table.key_location("replicas")) {
                    let hint = "1, 3 or 5: an even number survives no more losses than the odd one below it";
                    table.problems.warn(location, format!("replicas = {count} gains nothing"), hint);
                }
            }
        }
        if role.is_none() {
            quantity::duration(&table, "resend", Self::RESEND, "1m and 30d", &mut resend);
        }
        let reporters = match role {
            Some(FleetRole::Host) => BTreeMap::new(),
            _ => table.free_lists("reporters", "[fleet.reporters]"),
        };
        table.finish(&[]);
        let (nkey, nkey_file) = nkey?;
        Some(Self {
            role: role?,
            servers: servers?,
            nkey,
            nkey_file,
            ca_file,
            resend,
            lease,
            stream_size,
            replicas,
            silent,
            reporters,
        })
    }

    /// Returns the files that it names.
    pub(super) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.nkey_file.iter().chain(self.ca_file.iter().map(|file| &file.path))
    }
}

fn role(table: &Table<'_>) -> Option<FleetRole> {
    let role = table.parsed("role", "\"host\" or \"worker\"", |text| match text {
        "host" => Some(FleetRole::Host),
        "worker" => Some(FleetRole::Worker),
        _ => None,
    });
    table.restrict("role", || json!({ "enum": ["host", "worker"] }));
    if role.is_none() && table.key_location("role").is_none() {
        let hint = "add role = \"host\", or role = \"worker\" on the one that has routes and webhooks";
        table.problems.report_with(table.location.clone(), "[fleet] has no role", hint);
    }
    role.map(|role| role.value)
}

fn servers(table: &Table<'_>) -> Option<Vec<String>> {
    let Some(servers) = table.strings("servers") else {
        if table.key_location("servers").is_none() {
            let hint = "add servers = [\"tls://broker.example.org:4222\"]";
            table.problems.report_with(table.location.clone(), "[fleet] has no servers", hint);
        }
        return None;
    };
    let mut checked = Vec::new();
    for Located { value, location } in servers.value {
        match problem_of_server(&value) {
            None => checked.push(value),
            // A password may be in it.
            Some(problem) => table.problems.report(location, format!("servers: {problem}")),
        }
    }
    (!checked.is_empty()).then_some(checked)
}

/// Returns what is wrong with a server's address.
fn problem_of_server(address: &str) -> Option<String> {
    let expected = "expected an address like \"tls://broker.example.org:4222\"";
    let Ok(url) = Url::parse(address) else { return Some(expected.to_owned()) };
    let is_loopback = match url.host() {
        // With a scheme that the library does not know, an address is a name, too.
        Some(Host::Domain(name)) => {
            name == "localhost" || name.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return Some(expected.to_owned()),
    };
    let has_path = !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some();
    match url.scheme() {
        _ if has_path => Some(expected.to_owned()),
        _ if !url.username().is_empty() || url.password().is_some() => {
            Some("the address has a user or a password; the broker knows this host by its nkey".to_owned())
        }
        "tls" => None,
        "nats" if is_loopback => None,
        "nats" => Some("nats:// is not encrypted, and is for a broker on this machine only: write tls://".to_owned()),
        _ => Some(expected.to_owned()),
    }
}

/// Returns whether a text is the seed of a user's key.
fn is_user_seed(text: &str) -> bool {
    KeyPair::from_seed(text).is_ok_and(|key| key.key_pair_type() == KeyPairType::User)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_encrypted_unless_they_are_on_this_machine() {
        for good in ["tls://broker.example.org", "tls://[2001:db8::1]:4222", "nats://127.0.0.1:4222", "nats://[::1]"] {
            assert_eq!(problem_of_server(good), None, "{good}");
        }
        for (bad, problem) in [
            ("broker:4222", "expected an address"),
            ("nats://broker.example.org:4222", "is not encrypted"),
            ("tls://me:secret@broker.example.org", "a user or a password"),
            ("tls://broker.example.org/path", "expected an address"),
            ("ws://127.0.0.1", "expected an address"),
        ] {
            let found = problem_of_server(bad).unwrap();
            assert!(found.contains(problem) && !found.contains("secret"), "{found}");
        }
    }

    #[test]
    fn nkey_shows_nothing() {
        let seed = KeyPair::new_user().seed().unwrap();
        assert!(is_user_seed(&seed) && !is_user_seed("SUxx") && !is_user_seed(&KeyPair::new_account().seed().unwrap()));
        assert_eq!(format!("{:?}", Nkey(seed)), "Nkey(***)");
    }
}

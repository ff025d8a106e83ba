//! The file with the hosts that the broker knows: a list in the language of its configuration, which includes it. A line has
//! one host.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};

use crate::cli::command_error::CommandError;
use crate::cli::whole_file;
use crate::fleet::{host_token, server_permissions};

/// Its name, next to the broker's configuration.
pub(super) const HOSTS_FILE: &str = "banhook-hosts.conf";

const BEGIN: &str = "# Written by `banhook fleet add` and `banhook fleet remove`: a line for each host.\nusers: [\n";
const END: &str = "]\n";

/// A host, as its line has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KnownHost {
    pub name: String,
    /// The public half of its key.
    pub public_key: String,
}

/// The hosts that the broker knows.
pub(super) struct KnownHosts {
    path: PathBuf,
    pub hosts: Vec<KnownHost>,
}

impl KnownHosts {
    /// Makes the list of a new fleet, in a directory.
    pub(super) fn new(directory: &Path) -> Self {
        Self { path: directory.join(HOSTS_FILE), hosts: Vec::new() }
    }

    /// Reads the list in a directory.
    pub(super) fn read(directory: &Path) -> Result<Self, CommandError> {
        let path = directory.join(HOSTS_FILE);
        let text = fs::read_to_string(&path)
            .with_context(|| {
                format!("cannot read {}; `banhook fleet init` makes it, and --dir names its directory", path.display())
            })
            .map_err(CommandError::Input)?;
        let mut hosts = Vec::new();
        for line in text.lines().filter(|line| line.trim_start().starts_with('{')) {
            let host = parse(line).ok_or_else(|| {
                CommandError::Input(anyhow!("{}: this line is not as banhook writes it: {line}", path.display()))
            })?;
            hosts.push(host);
        }
        Ok(Self { path, hosts })
    }

    /// Returns the host whose messages a host's name would stand for.
    pub(super) fn find(&self, name: &str) -> Option<&KnownHost> {
        self.hosts.iter().find(|known| host_token(&known.name) == host_token(name))
    }

    /// Writes the list.
    pub(super) fn write(&self) -> Result<&Path, CommandError> {
        let mut text = BEGIN.to_owned();
        for host in &self.hosts {
            let _ = writeln!(text, "{}", line(host));
        }
        text.push_str(END);
        whole_file::write(&self.path, text.as_bytes(), 0o644, None)?;
        Ok(&self.path)
    }
}

fn line(KnownHost { name, public_key }: &KnownHost) -> String {
    let (publish, subscribe) = server_permissions(&host_token(name));
    format!("  {{ nkey: {public_key}, permissions: {{ publish: {publish:?}, subscribe: [{subscribe:?}] }} }} # {name}")
}

fn parse(text: &str) -> Option<KnownHost> {
    let (rest, name) = text.rsplit_once(" # ")?;
    let (public_key, _) = rest.trim_start().strip_prefix("{ nkey: ")?.split_once(',')?;
    let host = KnownHost { name: name.to_owned(), public_key: public_key.to_owned() };
    // Its rights follow from its name: another line would give a host the rights of another one.
    (line(&host) == text).then_some(host)
}

/// Returns what is wrong with a host's name.
pub(super) fn checked_name(name: &str) -> Result<String, String> {
    let is_name = !name.is_empty()
        && name.len() <= 253
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if is_name {
        Ok(name.to_owned())
    } else {
        Err("expected the name of a host: letters, digits, \"-\", \"_\" and \".\"".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_were_written_are_read_and_a_changed_line_is_not() {
        let directory = tempfile::tempdir().unwrap();
        assert!(KnownHosts::read(directory.path()).is_err());
        let mut hosts = KnownHosts::new(directory.path());
        hosts.write().unwrap();
        assert_eq!(KnownHosts::read(directory.path()).unwrap().hosts, []);
        for (name, key) in [("web-1.example.org", "UABC"), ("web_2", "UDEF")] {
            hosts.hosts.push(KnownHost { name: name.to_owned(), public_key: key.to_owned() });
        }
        hosts.write().unwrap();
        let read = KnownHosts::read(directory.path()).unwrap();
        assert_eq!(read.hosts, hosts.hosts);
        assert_eq!(read.find("web-1_example.org").unwrap().public_key, "UABC", "they would have the same subject");
        assert!(read.find("web-2").is_none());
        let path = directory.path().join(HOSTS_FILE);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(r#"{ nkey: UDEF, permissions: { publish: ["banhook.ev.web_2", "banhook.host.web_2", "$JS.API.DIRECT.GET.BANHOOK.banhook.ev.web_2", "$JS.API.DIRECT.GET.BANHOOK_META.banhook.meta"], subscribe: ["_INBOX_web_2.>"] } } # web_2"#), "{text}");
        fs::write(&path, text.replace("banhook.ev.web_2", "banhook.ev.*")).unwrap();
        assert!(KnownHosts::read(directory.path()).is_err());
    }

    #[test]
    fn checked_name_is_that_of_a_host() {
        for good in ["web-1", "web-1.example.org", "A_b"] {
            assert_eq!(checked_name(good).unwrap(), good);
        }
        for bad in ["", "a b", "a/b", "../x", "a\nb", &"x".repeat(254)] {
            // ".." is made of dots alone, and names no file outside with a suffix.
            assert!(checked_name(bad).is_err(), "{bad:?}");
        }
    }
}

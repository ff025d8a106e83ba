//! `[[sources]]`: logs that `run` reads.

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use super::problem::quoted;
use super::reader::Table;
use super::timezone::timezone;

/// Logs of fail2ban that are read in the same way.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LogSource {
    /// Their absolute paths, or patterns of paths ([`is_pattern`]).
    pub logs: Vec<PathBuf>,
    /// The time zone of their times. Default: the system's.
    pub timezone: TimeZone,
    /// Whether a log that was never read is read from its beginning. Default: no, from its end.
    pub from_start: bool,
    /// The host of all events. Default: the one that a line names, otherwise this host.
    pub host: Option<String>,
    /// The tag of fail2ban's lines, in a file of several services: a syslog tag, a compose service or a container.
    pub tag: Option<String>,
    /// The names of this host: a line that names one of them is of this host, as an event of the action is.
    pub own_hosts: Vec<String>,
}

impl LogSource {
    /// Reads one; `None` after reporting what is wrong with it.
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        let log = table.reference("log", "the path of a log");
        if log.is_none() && table.key_location("log").is_none() {
            let hint = "add log = \"/var/log/fail2ban.log\"";
            table.problems.report_with(table.location.clone(), "the source names no log", hint);
        }
        let timezone = timezone(table);
        let from_start = table.bool("from_start").unwrap_or(false);
        let host = table.reference("host", "the name of a host").map(|host| host.value);
        let tag = table.reference("tag", "the tag of fail2ban's lines").map(|tag| tag.value);
        table.finish(&[]);
        let log = log?;
        let path = table.file.resolve(&log.value);
        if let Some(error) = is_pattern(&path).then(|| path.to_str().map(glob::Pattern::new)).flatten()
            && let Err(error) = error
        {
            table.problems.report(log.location, format!("log: {} is not a pattern: {}", quoted(&log.value), error.msg));
            return None;
        }
        Some(Self { logs: vec![path], timezone, from_start, host, tag, own_hosts: Vec::new() })
    }

    /// Returns the settings in which another source differs, apart from the logs.
    pub(crate) fn differing_settings(&self, other: &Self) -> Vec<&'static str> {
        let settings = [
            ("timezone", self.timezone == other.timezone),
            ("from_start", self.from_start == other.from_start),
            ("host", self.host == other.host),
            ("tag", self.tag == other.tag),
        ];
        settings.into_iter().filter(|(_, is_same)| !is_same).map(|(name, _)| name).collect()
    }
}

/// Returns whether a path is a pattern (`*`, `?`, `[a-z]`, `**`) and not the name of a file.
pub(crate) fn is_pattern(path: &Path) -> bool {
    let special = |byte: &u8| matches!(byte, b'*' | b'?' | b'[');
    path.as_os_str().as_encoded_bytes().iter().any(special) && !path.exists()
}

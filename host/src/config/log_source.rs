//! `[[sources]]`: logs that `run` reads.

use std::path::PathBuf;

use jiff::tz::TimeZone;

use super::reader::Table;
use super::timezone::timezone;

/// A log of fail2ban.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LogSource {
    /// Its absolute path.
    pub path: PathBuf,
    /// The time zone of its times. Default: the system's.
    pub timezone: TimeZone,
    /// Whether a log that was never read is read from its beginning. Default: no, from its end.
    pub from_start: bool,
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
        table.finish(&[]);
        Some(Self { path: table.file.resolve(&log?.value), timezone, from_start })
    }
}

//! Logs that `run` reads: `[[sources]]`.

use std::path::PathBuf;

use jiff::tz::TimeZone;

use super::reader::Table;
use super::route::timezone;

/// A log of fail2ban.
#[derive(Debug, Clone, PartialEq)]
pub struct LogSource {
    /// Where it is; absolute.
    pub log: PathBuf,
    /// What its times are in. Default: the system's.
    pub timezone: TimeZone,
    /// Whether what stands in it when it is first read is told of, too. Default: no.
    pub from_start: bool,
}

impl LogSource {
    /// Reads one; `None` after reporting what is wrong with it.
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        let log = table.reference("log", "the path of a log");
        if log.is_none() && table.key_place("log").is_none() {
            let hint = "add log = \"/var/log/fail2ban.log\"";
            table.problems.report_with(table.place.clone(), "the source names no log", hint);
        }
        let timezone = timezone(table);
        let from_start = table.bool("from_start").unwrap_or(false);
        table.finish(&[]);
        Some(Self { log: table.source.beside(&log?.value), timezone, from_start })
    }
}

//! A log that is read.

use std::path::PathBuf;

use jiff::tz::TimeZone;

/// A log to read.
#[derive(Debug, Clone)]
pub struct Log {
    /// Its absolute path, which is also the name of its checkpoint.
    pub path: PathBuf,
    /// The time zone of its lines.
    pub timezone: TimeZone,
    /// Whether a log that was never read is read from its beginning, and not from its end.
    pub from_start: bool,
}

//! What a log consisted of, in lines.

use std::fmt;

use crate::phrase::counted;

/// What a log consisted of, in lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct LogCounts {
    /// All whole lines.
    pub lines: u64,
    /// Failures.
    pub found: u64,
    /// Events.
    pub events: u64,
    /// Lines that are not fail2ban's own: the rest of a message of several lines, or another program's.
    pub foreign: u64,
    /// Lines that began and never ended: the log was truncated after them.
    pub unfinished: u64,
    /// Lines of JSON that cannot be parsed, in a log of others that can, and events at a time that does not exist.
    pub damaged: u64,
    /// Lines of more than 64 KiB, or of JSON of more than 1 MiB, whose rest was not read.
    pub long: u64,
    /// `Increase Ban` lines whose ban had been handed out before.
    pub late: u64,
}

impl LogCounts {
    /// Returns the number of lines of which something was lost.
    #[must_use]
    pub(crate) const fn lost(&self) -> u64 {
        self.unfinished + self.damaged + self.long
    }
}

/// What was lost, for example `2 lines are damaged or not whole, and were not read`; empty if nothing was.
impl fmt::Display for LogCounts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unread, long) = (self.unfinished + self.damaged, self.long);
        if unread > 0 {
            write!(formatter, "{} damaged or not whole, and not read", counted(unread, "line"))?;
        }
        if unread > 0 && long > 0 {
            formatter.write_str("; ")?;
        }
        if long > 0 {
            write!(formatter, "{} too long, and cut", counted(long, "line"))?;
        }
        Ok(())
    }
}

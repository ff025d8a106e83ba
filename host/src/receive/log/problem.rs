//! What is wrong with a log, as far as its lines show: somebody has to do something about it.

use std::fmt;

use super::log_counts::LogCounts;
use super::unread::{UNREAD_LINES, Unread, UnreadReason};

/// What is wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LogProblem {
    /// None of its lines, or none of the last ones, is understood.
    NotUnderstood(Unread),
    /// The time of its last event is so many ms ahead of this host's clock.
    Ahead(i64),
    /// Something of some lines was lost.
    Lost(LogCounts),
}

impl LogProblem {
    /// Returns the problem of a log that is followed, if it has one at present; what was lost is in its counts.
    pub(super) fn find(unread: Option<&Unread>, ahead_ms: Option<i64>) -> Option<Self> {
        let unread = unread.filter(|unread| is_worth_a_warning(unread)).cloned();
        unread.map(Self::NotUnderstood).or_else(|| ahead_ms.map(Self::Ahead))
    }

    /// Returns whether a report of one is enough for both.
    #[must_use]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::NotUnderstood(one), Self::NotUnderstood(other)) => one.reason == other.reason,
            (Self::Ahead(_), Self::Ahead(_)) => true,
            (Self::Lost(one), Self::Lost(other)) => one.lost() == other.lost(),
            _ => false,
        }
    }
}

/// Returns whether somebody has to know. A single line that imitates one of fail2ban's is no change of the log.
fn is_worth_a_warning(unread: &Unread) -> bool {
    let is_stray = !unread.none_understood && unread.reason == UnreadReason::LowerRank;
    unread.is_persistent() && (!is_stray || unread.lines >= UNREAD_LINES)
}

/// What is wrong, and what to do.
impl fmt::Display for LogProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUnderstood(unread) if unread.none_understood => {
                write!(formatter, "nothing in this log is understood: {unread}")
            }
            Self::NotUnderstood(unread) => write!(formatter, "no line is understood any more: {unread}"),
            Self::Ahead(ms) => {
                let minutes = ms / 60_000;
                let ahead = match (minutes / 60, minutes % 60) {
                    (0, minutes) => format!("{minutes} min"),
                    (hours, 0) => format!("{hours} h"),
                    (hours, minutes) => format!("{hours} h {minutes} min"),
                };
                write!(
                    formatter,
                    "its times are {ahead} ahead of this host's clock; if fail2ban logs in another time zone, name it \
                     with timezone in [[sources]], --timezone or TZ, otherwise set the clocks"
                )
            }
            Self::Lost(counts) => counts.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_says_how_far_ahead_the_times_are() {
        for (minutes, shown) in [(11, "11 min"), (120, "2 h"), (345, "5 h 45 min")] {
            let shown = format!("its times are {shown} ahead of this host's clock; if ");
            assert!(LogProblem::Ahead(minutes * 60_000).to_string().starts_with(&shown), "{minutes}");
        }
    }

    #[test]
    fn display_says_what_was_lost() {
        let counts = LogCounts { damaged: 1, long: 2, ..LogCounts::default() };
        assert_eq!(
            LogProblem::Lost(counts).to_string(),
            "1 line damaged or not whole, and not read; 2 lines too long, and cut"
        );
    }
}

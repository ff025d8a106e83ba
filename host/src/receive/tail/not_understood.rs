//! Reports a log of which nothing is understood, once, and that it is understood again.

use std::time::{Duration, Instant};

use super::error::TailError;
use super::event_sink::EventSink;
use crate::receive::log::{UNREAD_LINES, Unread, UnreadReason};

/// How often a log is reported at most: whoever can write into it could otherwise fill ours.
const REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// What was reported of a log.
pub(super) struct NotUnderstood {
    /// Why it is not understood; `None` while it is.
    reason: Option<UnreadReason>,
    reported_at: Option<Instant>,
}

impl NotUnderstood {
    /// Of a log that was not read yet.
    pub(super) const NEW: Self = Self { reason: None, reported_at: None };

    /// Reports what has changed: `unread` is what the parser did not understand since the last line that it did.
    pub(super) fn update(
        &mut self,
        unread: Option<&Unread>,
        log: &str,
        sink: &mut dyn EventSink,
    ) -> Result<(), TailError> {
        let unread = unread.filter(|unread| is_worth_a_warning(unread));
        if unread.map(|unread| &unread.reason) == self.reason.as_ref()
            || unread.is_some() && self.reported_at.is_some_and(|at| at.elapsed() < REPORT_INTERVAL)
        {
            return Ok(());
        }
        self.reason = unread.map(|unread| unread.reason.clone());
        let Some(unread) = unread else {
            tracing::info!(log, "log is understood again");
            return sink.report(log, None);
        };
        self.reported_at = Some(Instant::now());
        let what = if unread.none_understood { "nothing in this log is" } else { "no line is" };
        let since = if unread.none_understood { "" } else { " any more" };
        let problem = format!("{what} understood{since}: {unread}");
        tracing::warn!(log, "{problem}");
        sink.report(log, Some(&problem))
    }
}

/// Returns whether somebody has to know. A single line that imitates one of fail2ban's is no change of the log.
fn is_worth_a_warning(unread: &Unread) -> bool {
    let is_stray = !unread.none_understood && unread.reason == UnreadReason::LowerRank;
    unread.is_persistent() && (!is_stray || unread.lines >= UNREAD_LINES)
}

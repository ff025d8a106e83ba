//! Reports what is wrong with a log, once, and that it no longer is.

use std::time::{Duration, Instant};

use super::error::TailError;
use super::event_sink::EventSink;
use crate::receive::log::{LogParser, LogProblem};

/// How often a log is reported at most: whoever can write into it could otherwise fill ours.
const REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// For how long `status` shows that something of a log was lost.
const LOST_TIME: Duration = Duration::from_secs(3600);

/// What was reported of a log.
#[derive(Default)]
pub(super) struct ProblemReport {
    reported: Option<LogProblem>,
    reported_at: Option<Instant>,
    /// Of how many lines something was lost, and when that was noticed.
    lost: u64,
    lost_at: Option<Instant>,
}

impl ProblemReport {
    /// Reports what has changed.
    pub(super) fn update(&mut self, parser: &LogParser, log: &str, sink: &mut dyn EventSink) -> Result<(), TailError> {
        let counts = parser.counts();
        if counts.lost() > self.lost {
            (self.lost, self.lost_at) = (counts.lost(), Some(Instant::now()));
        }
        let has_lost = self.lost_at.is_some_and(|at| at.elapsed() < LOST_TIME);
        let problem = parser.problem().or_else(|| has_lost.then_some(LogProblem::Lost(counts)));
        let is_known = match (&problem, &self.reported) {
            (Some(problem), Some(reported)) => problem.is_same(reported),
            (None, None) => true,
            _ => false,
        };
        if is_known || problem.is_some() && self.reported_at.is_some_and(|at| at.elapsed() < REPORT_INTERVAL) {
            return Ok(());
        }
        self.reported = problem;
        let Some(problem) = &self.reported else {
            tracing::info!(log, "log can be read and is understood again");
            return sink.report(log, None);
        };
        self.reported_at = Some(Instant::now());
        tracing::warn!(log, "{problem}");
        sink.report(log, Some(&problem.to_string()))
    }
}

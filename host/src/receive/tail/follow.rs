//! Follows the logs of a source until it is stopped.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::TailError;
use super::event_sink::EventSink;
use super::follower::{Follower, Step};
use super::log_set::{NamedLog, named_logs, sort_by_time};
use super::log_watch::{LOG_POLL_INTERVAL, LogWatch};
use super::named_files::{MAX_FILES, matching};
use super::open_files::OpenFiles;
use super::problem_report::ProblemReport;
use super::stop_switch::StopSignal;
use crate::config::{LogSource, is_pattern};
use crate::event::Timestamp;
use crate::store::Checkpoint;

/// How often the files that a pattern matches are listed.
const LIST_INTERVAL: Duration = Duration::from_secs(1);

/// How often a log is tried again that cannot be read.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// For how long a log that a pattern matched is followed after its file was removed: it may have been renamed, and its
/// writer may still write to it.
const REMOVED_TIMEOUT: Duration = Duration::from_secs(60);

/// Sources whose logs are followed at the same time.
#[derive(Debug)]
pub(crate) struct FollowedSources {
    sources: Vec<Arc<LogSource>>,
    open_files: OpenFiles,
}

impl FollowedSources {
    /// Follows nothing yet.
    pub(crate) fn new(sources: impl IntoIterator<Item = LogSource>) -> Arc<Self> {
        let sources = sources.into_iter().map(Arc::new).collect();
        Arc::new(Self { sources, open_files: OpenFiles::default() })
    }

    /// Returns the sources.
    pub(crate) fn all(&self) -> &[Arc<LogSource>] {
        &self.sources
    }

    /// Returns whether a single log is named by its path: then nothing appears or goes.
    fn is_one_log(&self) -> bool {
        let mut logs = self.sources.iter().flat_map(|source| &source.logs);
        logs.next().is_some_and(|log| !is_pattern(log)) && logs.next().is_none()
    }
}

/// Follows the logs of one of these sources until it is stopped. An error of reading is logged once, and retried.
///
/// # Errors
/// When `sink` fails.
pub(crate) fn follow(
    all: &FollowedSources,
    source: &Arc<LogSource>,
    now: fn() -> Timestamp,
    sink: &mut dyn EventSink,
    stopped: &StopSignal,
) -> Result<(), TailError> {
    let mut logs = FollowedLogs { all, source, now, logs: Vec::new(), patterns_known: false, listed_at: None };
    let mut watch = LogWatch::new(stopped.handle());
    while !stopped.is_stopped() {
        logs.list(sink)?;
        let Some(timeout) = logs.step(sink, stopped)? else { continue };
        if watch.update(logs.logs.iter().map(|log| log.log.path.as_path())) {
            // Something may have happened before it was watched.
            continue;
        }
        if !stopped.wait(timeout.min(watch.poll_interval())) {
            break;
        }
    }
    logs.save_checkpoints(sink)
}

/// The logs of a source.
struct FollowedLogs<'a> {
    all: &'a FollowedSources,
    source: &'a Arc<LogSource>,
    now: fn() -> Timestamp,
    /// In the order of time, as far as they were there at first.
    logs: Vec<FollowedLog>,
    /// Whether the patterns were followed before: then a file that is new to them is read from its beginning.
    patterns_known: bool,
    listed_at: Option<Instant>,
}

/// A log that is followed.
struct FollowedLog {
    log: NamedLog,
    /// `None` while it cannot be opened.
    follower: Option<Follower>,
    from_start: bool,
    /// Whether it was read to its end once.
    is_caught_up: bool,
    last_error: Option<String>,
    problem: ProblemReport,
    /// Since when an event waits for more lines.
    idle_since: Option<Instant>,
    removed_since: Option<Instant>,
}

impl FollowedLogs<'_> {
    /// Adds the logs that have appeared, and removes those that are gone.
    fn list(&mut self, sink: &mut dyn EventSink) -> Result<(), TailError> {
        let is_first = self.listed_at.is_none();
        if self.listed_at.is_some_and(|at| self.all.is_one_log() || at.elapsed() < LIST_INTERVAL) {
            return Ok(());
        }
        self.listed_at = Some(Instant::now());
        if is_first && self.source.logs.iter().any(|log| is_pattern(log)) {
            self.begin_patterns(sink)?;
        }
        let (mut named, _) = named_logs(&self.all.sources);
        named.retain(|log| Arc::ptr_eq(&log.source, self.source));
        for followed in &mut self.logs {
            let is_there = named.iter().any(|log| log.path == followed.log.path);
            followed.removed_since = (!is_there).then(|| followed.removed_since.unwrap_or_else(Instant::now));
        }
        named.retain(|log| !self.logs.iter().any(|followed| followed.reads(log)));
        sort_by_time(&mut named, self.now);
        for log in named {
            let is_new = !is_first || self.patterns_known && !self.source.logs.contains(&log.path);
            let from_start = self.source.from_start || is_new;
            self.logs.push(FollowedLog::new(log, from_start));
        }
        let is_over = |log: &mut FollowedLog| log.removed_since.is_some_and(|since| since.elapsed() >= REMOVED_TIMEOUT);
        for mut log in self.logs.extract_if(.., is_over) {
            log.save_checkpoint(sink)?;
        }
        Ok(())
    }

    /// Notes that the patterns are followed.
    fn begin_patterns(&mut self, sink: &mut dyn EventSink) -> Result<(), TailError> {
        self.patterns_known = true;
        for pattern in self.source.logs.iter().filter(|log| is_pattern(log)) {
            let name = pattern.to_string_lossy();
            if sink.checkpoint(&name)?.is_none() {
                self.patterns_known = false;
                sink.append(&name, Vec::new(), Some(&Checkpoint::default()))?;
            }
            let is_too_many = matching(pattern).len() > MAX_FILES;
            let problem = is_too_many.then(|| format!("matches more than {MAX_FILES} files, the rest is not read"));
            if let Some(problem) = &problem {
                tracing::warn!(log = %name, "pattern {problem}");
            }
            sink.report(&name, problem.as_deref())?;
        }
        Ok(())
    }

    /// Reads a piece of each log. Returns how long to wait before the next step if there is nothing more at present.
    fn step(&mut self, sink: &mut dyn EventSink, stopped: &StopSignal) -> Result<Option<Duration>, TailError> {
        let (mut has_read, mut timeout) = (false, LOG_POLL_INTERVAL);
        for log in &mut self.logs {
            loop {
                match log.step(&self.all.open_files, self.now, sink)? {
                    Step::Read => has_read = true,
                    Step::Idle { resolve_timeout } => {
                        log.is_caught_up = true;
                        timeout = timeout.min(resolve_timeout.unwrap_or(LOG_POLL_INTERVAL));
                    }
                }
                // What is there at first is read in the order of time, so one log after the other.
                if log.is_caught_up || stopped.is_stopped() {
                    break;
                }
            }
        }
        Ok((!has_read).then_some(timeout))
    }

    fn save_checkpoints(&mut self, sink: &mut dyn EventSink) -> Result<(), TailError> {
        self.logs.iter_mut().try_for_each(|log| log.save_checkpoint(sink))
    }
}

impl FollowedLog {
    fn new(log: NamedLog, from_start: bool) -> Self {
        Self {
            log,
            follower: None,
            from_start,
            is_caught_up: false,
            last_error: None,
            problem: ProblemReport::default(),
            idle_since: None,
            removed_since: None,
        }
    }

    /// Returns whether it is this log, or reads its file under another name.
    fn reads(&self, log: &NamedLog) -> bool {
        self.log.path == log.path
            || self.follower.as_ref().is_some_and(|follower| {
                fs::metadata(&log.path).is_ok_and(|meta| follower.reads(meta.dev(), meta.ino()))
            })
    }

    /// Opens the log, reads a piece of it, or appends what waited for more lines for long enough.
    fn step(
        &mut self,
        open_files: &OpenFiles,
        now: fn() -> Timestamp,
        sink: &mut dyn EventSink,
    ) -> Result<Step, TailError> {
        match self.try_step(open_files, now, sink) {
            Ok(step) => {
                if self.last_error.take().is_some() {
                    tracing::info!(log = %self.log.path.display(), "log can be read again");
                    self.problem = ProblemReport::default();
                    sink.report(&self.log.path.to_string_lossy(), None)?;
                }
                Ok(step)
            }
            Err(TailError::Read { path, reason }) => {
                let error = TailError::Read { path, reason }.to_string();
                if self.last_error.as_ref() != Some(&error) {
                    tracing::error!("{error}; retried each second");
                    sink.report(&self.log.path.to_string_lossy(), Some(&error))?;
                    self.last_error = Some(error);
                }
                Ok(Step::Idle { resolve_timeout: Some(RETRY_INTERVAL) })
            }
            Err(error) => Err(error),
        }
    }

    fn try_step(
        &mut self,
        open_files: &OpenFiles,
        now: fn() -> Timestamp,
        sink: &mut dyn EventSink,
    ) -> Result<Step, TailError> {
        let Some(follower) = &mut self.follower else {
            self.follower = Some(Follower::new(self.log.clone(), open_files, self.from_start, now, sink)?);
            sink.report(&self.log.path.to_string_lossy(), None)?;
            if !self.log.path.exists() {
                tracing::warn!(log = %self.log.path.display(), "the log does not exist; it is read once it does");
            }
            return Ok(Step::Read);
        };
        let step = follower.step(sink)?;
        self.problem.update(follower.parser(), &self.log.path.to_string_lossy(), sink)?;
        let Step::Idle { resolve_timeout: Some(timeout) } = step else {
            self.idle_since = None;
            return Ok(step);
        };
        let left = timeout.saturating_sub(self.idle_since.get_or_insert_with(Instant::now).elapsed());
        if left.is_zero() {
            follower.resolve(sink)?;
            return Ok(Step::Read);
        }
        Ok(Step::Idle { resolve_timeout: Some(left) })
    }

    fn save_checkpoint(&mut self, sink: &mut dyn EventSink) -> Result<(), TailError> {
        self.follower.as_mut().map_or(Ok(()), |follower| follower.save_checkpoint(sink))
    }
}

//! The state that host functions work on during one call of a plugin: its clock, its random numbers, its log and its output.
//!
//! Nothing here knows a host interface. Interfaces keep themselves what is the same for all calls.

use std::fmt::Display;
use std::time::{Duration, Instant};

use super::answer::{Level, LogLine};
use super::error::NAME_BYTES;
use super::limiter::Limiter;
use super::limits::Limits;
use crate::event::Timestamp;
use crate::event::readable::cut;

/// Longer than any event takes, and short enough to be added to the present.
const LONGEST: Duration = Duration::from_secs(86_400);

/// The state of one call.
pub(super) struct State {
    pub(super) limiter: Limiter,
    pub(super) log: Vec<LogLine>,
    pub(super) log_dropped: u32,
    pub(super) log_cut: u32,
    /// The time of the event, or of the digest.
    pub(super) now: Timestamp,
    /// When the plugin's time is up, for host functions that may take long: nothing interrupts them.
    pub(super) deadline: Instant,
    /// Follows from the event, so that the same event gets the same answer.
    pub(super) random: fastrand::Rng,
    /// How often the monotonic clock was read.
    pub(super) ticks: u64,
    limits: Limits,
    printed: Vec<u8>,
}

impl State {
    /// `seed` decides the random numbers.
    pub(super) fn new(limits: Limits, now: Timestamp, seed: u64) -> Self {
        Self {
            limiter: Limiter::new(limits),
            log: Vec::new(),
            log_dropped: 0,
            log_cut: 0,
            now,
            deadline: Instant::now() + limits.time.min(LONGEST),
            random: fastrand::Rng::with_seed(seed),
            ticks: 0,
            limits,
            printed: Vec::new(),
        }
    }

    /// Adds a line to the log, within its bounds.
    pub(super) fn log_line(&mut self, mut line: LogLine) {
        if self.log.len() >= self.limits.log_lines {
            self.log_dropped = self.log_dropped.saturating_add(1);
            return;
        }
        if line.message.len() > self.limits.log_bytes {
            self.log_cut = self.log_cut.saturating_add(1);
            line.message.truncate(line.message.floor_char_boundary(self.limits.log_bytes));
        }
        self.log.push(line);
    }

    /// Logs that a question of the plugin has no answer; what it makes of that is up to it.
    pub(super) fn no_answer(&mut self, function: &str, error: &dyn Display) {
        self.log_line(LogLine { level: Level::Warn, message: format!("{function} has no answer: {error}") });
    }

    /// Logs that the first of these hints is not known.
    pub(super) fn unknown_hints(&mut self, function: &str, hints: &[(String, String)]) {
        if let Some((name, _)) = hints.first() {
            let message = format!("{function} does not know the hint \"{}\"", cut(name, NAME_BYTES));
            self.log_line(LogLine { level: Level::Warn, message });
        }
    }

    /// Adds to the output, of which the end is kept: a traceback closes with its reason.
    pub(super) fn print(&mut self, bytes: &[u8]) {
        let keep = self.limits.printed;
        let bytes = bytes.get(bytes.len().saturating_sub(keep)..).unwrap_or_default();
        let over = (self.printed.len() + bytes.len()).saturating_sub(keep);
        self.printed.drain(..over);
        self.printed.extend_from_slice(bytes);
    }

    /// The end of what the plugin printed to its standard output and error.
    pub(super) fn printed(&self) -> String {
        String::from_utf8_lossy(&self.printed).trim().to_owned()
    }
}

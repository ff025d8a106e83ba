//! The answer of one call of a plugin: what it decided or how it failed, and what it logged.

use std::time::Duration;

use super::PluginError;
use crate::message::Decision;

/// The answer to one event or, with a message in place of the decision, to one batch.
#[derive(Debug)]
pub struct Answer<T = Decision> {
    /// The decision, or how the plugin failed.
    pub decision: Result<T, PluginError>,
    /// The lines that it logged, in order.
    pub log: Vec<LogLine>,
    /// Lines that exceeded the limit.
    pub log_dropped: u32,
    /// Lines that were cut.
    pub log_cut: u32,
    /// The end of what it printed to its standard output and error; written by the plugin: hostile, bounded.
    pub printed: String,
    /// What it used.
    pub usage: Usage,
}

/// What one call used of what the limits allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Units of fuel, where fuel is counted.
    pub fuel: Option<u64>,
    /// Bytes of all linear memories together.
    pub memory: usize,
    /// Wall time, with that of making the instance.
    pub time: Duration,
}

impl<T> Answer<T> {
    /// Maps the decision.
    pub(crate) fn map<U>(self, map: impl FnOnce(T) -> U) -> Answer<U> {
        let Self { decision, log, log_dropped, log_cut, printed, usage } = self;
        Answer { decision: decision.map(map), log, log_dropped, log_cut, printed, usage }
    }
}

/// A line that a plugin logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Its severity.
    pub level: Level,
    /// Written by the plugin: hostile, bounded.
    pub message: String,
}

/// The severity of a logged line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// For the plugin's author.
    Debug,
    /// Worth knowing.
    Info,
    /// Not as it should be.
    Warn,
    /// Did not work.
    Error,
}

//! What a plugin answers to an event or a batch, and what it logged on the way.

use super::PluginError;
use crate::message::Decision;

/// The answer to one event, or, with a message in place of the decision, to one batch.
#[derive(Debug)]
pub struct Answer<T = Decision> {
    /// What it decided, or how it failed.
    pub decision: Result<T, PluginError>,
    /// What it logged, in order.
    pub log: Vec<LogLine>,
    /// Lines that were over the limit.
    pub log_dropped: u32,
    /// Units of fuel that it burnt, where fuel is counted.
    pub fuel: Option<u64>,
}

impl<T> Answer<T> {
    /// The same answer with another form of what was decided.
    pub fn map<U>(self, form: impl FnOnce(T) -> U) -> Answer<U> {
        let Self { decision, log, log_dropped, fuel } = self;
        Answer { decision: decision.map(form), log, log_dropped, fuel }
    }
}

/// A line that a plugin logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How much it matters.
    pub level: Level,
    /// Written by the plugin: hostile, bounded.
    pub message: String,
}

/// How much a line matters.
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

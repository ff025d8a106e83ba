//! What a plugin answers to an event, and what it logged on the way.

use super::PluginError;
use crate::message::Decision;

/// The answer to one event.
#[derive(Debug)]
pub struct Answer {
    /// What it decided, or how it failed.
    pub decision: Result<Decision, PluginError>,
    /// What it logged, in order.
    pub log: Vec<LogLine>,
    /// Lines that were over the limit.
    pub log_dropped: u32,
    /// Units of fuel that it burnt, where fuel is counted.
    pub fuel: Option<u64>,
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

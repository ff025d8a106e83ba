//! How a plugin can fail: to load, or on an event.
//!
//! The texts end in fallback messages and in logs, after the plugin's name: `plugin sec.wasm <text>`.

use std::time::Duration;

/// A failure of a plugin.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// The file is larger than what banhook compiles.
    #[error("has {found} bytes, more than the {allowed} allowed")]
    TooLarge {
        /// Bytes of the file.
        found: u64,
        /// Bytes allowed.
        allowed: u64,
    },
    /// Not WebAssembly at all.
    #[error(
        "is no WebAssembly component (it does not begin with \\0asm); give the .wasm file that your toolchain built"
    )]
    NotWasm,
    /// WebAssembly that is broken, or of a kind that banhook does not run.
    #[error("is no valid component: {0}")]
    Invalid(String),
    /// It does not export what a plugin must.
    #[error(
        "does not export banhook:plugin/formatter@0.1.0, so it is a component of another world; build it against banhook's wit/, world \"plugin\""
    )]
    WrongWorld,
    /// It wants something that it cannot have.
    #[error(
        "imports {0}, which banhook does not offer; a plugin may import log, settings and clock of banhook:plugin@0.1"
    )]
    Import(String),
    /// The engine itself cannot be set up.
    #[error("cannot run here: {0}")]
    Engine(String),
    /// It took too long.
    #[error("took longer than the {} ms allowed (limits.time)", .0.as_millis())]
    Time(Duration),
    /// It asked for too much memory.
    #[error("asked for {asked} bytes of memory, {allowed} are allowed (limits.memory)")]
    Memory {
        /// Bytes it would have had.
        asked: usize,
        /// Bytes allowed.
        allowed: usize,
    },
    /// It asked for a table that is too large.
    #[error("asked for a table of {asked} elements, {allowed} are allowed")]
    Table {
        /// Elements it would have had.
        asked: usize,
        /// Elements allowed.
        allowed: usize,
    },
    /// It handed over too much at once.
    #[error("handed over more than the {0} bytes allowed at once")]
    TooMuchData(usize),
    /// It trapped.
    #[error("trapped: {reason}")]
    Trap {
        /// What happened, in a line.
        reason: String,
        /// Where, innermost first; may be empty.
        backtrace: String,
    },
    /// It said so itself.
    #[error("returned an error: {0}")]
    Returned(String),
    /// It found a setting to be wrong.
    #[error("does not accept {}: {message}", if setting.is_empty() { "its settings".to_owned() } else { format!("the setting \"{setting}\"") })]
    Setting {
        /// The setting, or empty.
        setting: String,
        /// The plugin's own words.
        message: String,
    },
}

impl PluginError {
    /// Where it happened in the plugin's code, where that is known: lines for a log, never for a channel.
    #[must_use]
    pub fn backtrace(&self) -> Option<&str> {
        match self {
            Self::Trap { backtrace, .. } if !backtrace.is_empty() => Some(backtrace),
            _ => None,
        }
    }
}

//! How a plugin can fail: to load, or on an event.
//!
//! The texts end in fallback messages and in logs, after the plugin's name: `plugin sec.wasm <text>`.

use std::time::Duration;

use super::{GeoError, HistoryError};

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
    /// It needs more of something than any plugin may have.
    #[error("is larger than the sandbox: {0}")]
    Unfit(String),
    /// It does not export what a plugin must.
    #[error(
        "does not export banhook:plugin/formatter@0.1.0, so it is a component of another world; build it against banhook's wit/, world \"plugin\""
    )]
    WrongWorld,
    /// It wants something that it cannot have.
    #[error(
        "imports {0}, which banhook does not offer; a plugin may import log, settings, clock and, where its route grants them, history and geo of banhook:plugin@0.1, and an empty WASI 0.2"
    )]
    Import(String),
    /// Compiling it took too long.
    #[error("took longer to compile than the {} ms allowed (limits.compile)", .0.as_millis())]
    CompileTime(Duration),
    /// The process that compiles it came to an end by itself.
    #[error("cannot be compiled: {0}")]
    Compile(String),
    /// It wants something that its route does not grant.
    #[error("imports {import}, which its route does not grant; add {line} (or {import} = false) under [routes.grants]")]
    NotGranted {
        /// What it imports.
        import: &'static str,
        /// What grants it.
        line: &'static str,
    },
    /// It was to know where addresses are registered, and a file does not say.
    #[error("does not learn where all addresses are registered: {0}")]
    Geo(#[from] GeoError),
    /// It asked about past bans, and got no answer.
    #[error("{0}")]
    History(HistoryError),
    /// The engine itself cannot be set up.
    #[error("cannot run here: {0}")]
    Engine(String),
    /// It took too long.
    #[error("was stopped after {} ms, {} ms are allowed (limits.time)", taken.as_millis(), allowed.as_millis())]
    Time {
        /// Wall time that it had taken when it was stopped.
        taken: Duration,
        /// Wall time allowed.
        allowed: Duration,
    },
    /// It computed too much, where fuel is counted instead of time.
    #[error("burnt all of its {0} units of fuel, which stand for the time allowed (limits.time)")]
    Fuel(u64),
    /// It called itself too deeply.
    #[error("used up the {0} bytes of stack allowed ([sandbox] stack)")]
    Stack(usize),
    /// It asked for too much memory.
    #[error("asked for {asked} bytes of memory, {allowed} are allowed (limits.memory)")]
    Memory {
        /// Bytes it would have had.
        asked: usize,
        /// Bytes allowed.
        allowed: usize,
    },
    /// It asked for tables that are too large.
    #[error("asked for tables of {asked} elements, {allowed} are allowed (limits.table)")]
    Table {
        /// Elements it would have had.
        asked: usize,
        /// Elements allowed.
        allowed: usize,
    },
    /// It has more core instances (limits.instances), memories, tables or resource handles than are allowed.
    #[error("has too many {what}s: {found}, {allowed} are allowed")]
    TooMany {
        /// `instance`, `memory`, `table` or `handle`.
        what: String,
        /// How many it was about to have.
        found: String,
        /// How many it may have.
        allowed: usize,
    },
    /// It handed over too much in one call.
    #[error("handed over more than the {0} bytes allowed in one call (limits.transfer)")]
    Transfer(usize),
    /// One of the texts or lists that it handed over is too long.
    #[error("handed over {what} of {found}, {allowed} are allowed (limits.{limit})")]
    TooLong {
        /// Which, in a few words.
        what: &'static str,
        /// Its bytes or entries.
        found: usize,
        /// Bytes or entries allowed.
        allowed: usize,
        /// The setting that says so: `text` or `items`.
        limit: &'static str,
    },
    /// It asked WASI for something that plugins do not have.
    #[error("{0}")]
    Denied(String),
    /// It trapped.
    #[error("trapped: {reason}{}", if printed.is_empty() { String::new() } else { format!("; it printed last: {}", last_line(printed)) })]
    Trap {
        /// What happened, in a line.
        reason: String,
        /// Where, innermost first; may be empty.
        backtrace: String,
        /// The end of what it printed; written by the plugin: hostile, bounded.
        printed: String,
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
    /// Where it happened in the plugin's code and what it had printed, where that is known: lines for a log, never for a
    /// channel.
    pub fn details(&self) -> impl Iterator<Item = &str> {
        let (backtrace, printed) = match self {
            Self::Trap { backtrace, printed, .. } => (backtrace.as_str(), printed.as_str()),
            _ => ("", ""),
        };
        backtrace.lines().chain(printed.lines())
    }
}

fn last_line(text: &str) -> &str {
    text.lines().next_back().unwrap_or_default()
}

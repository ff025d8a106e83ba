//! How a plugin can fail: when it is loaded, or on an event.
//!
//! The texts appear in fallback messages and in logs, after the plugin's name: `plugin sec.wasm <text>`.

use std::time::Duration;

/// Bytes that are kept of a name that a component made up.
pub(super) const NAME_BYTES: usize = 200;

/// A host function's reason for ending the call; becomes [`PluginError::Host`].
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct HostError(pub(super) String);

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
        "is not a WebAssembly component (it does not begin with \\0asm); use the .wasm file that your toolchain built"
    )]
    NotWasm,
    /// WebAssembly that is broken, or of a kind that banhook does not run.
    #[error("is not a valid component: {0}")]
    Invalid(String),
    /// It needs more of something than any plugin may have.
    #[error("is larger than the sandbox: {0}")]
    Unfit(String),
    /// It does not export the interface `formatter`.
    #[error(
        "does not export banhook:plugin/formatter@0.1.0, so it is a component of another world; build it against banhook's wit/, world \"plugin\""
    )]
    WrongWorld,
    /// It imports an interface that does not exist here.
    #[error("imports {import}, which banhook does not offer; it may import {offered}")]
    Import {
        /// The interface's full name.
        import: String,
        /// The names of all interfaces.
        offered: String,
    },
    /// Compiling it took too long.
    #[error("took longer to compile than the {} ms allowed (limits.compile)", .0.as_millis())]
    CompileTime(Duration),
    /// The process that compiles it ended without an answer.
    #[error("cannot be compiled: {0}")]
    Compile(String),
    /// It imports an interface that its route does not grant.
    #[error(
        "imports {import}, which route \"{route}\" does not grant; add {line} (or {import} = false) under [routes.grants]"
    )]
    NotGranted {
        /// The interface.
        import: &'static str,
        /// The route's name.
        route: String,
        /// The line that grants it.
        line: String,
    },
    /// Its route grants an interface that cannot answer everything.
    #[error("gets incomplete answers from {import}: {reason}")]
    Grant {
        /// The interface.
        import: &'static str,
        /// The reason.
        reason: String,
    },
    /// A host function ended the call: it has no answer, or the plugin asked for something that no plugin gets.
    #[error("{0}")]
    Host(String),
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
    #[error("consumed all of its {0} units of fuel, which stand for the time allowed (limits.time)")]
    Fuel(u64),
    /// It recursed too deeply.
    #[error("used up the {0} bytes of stack allowed ([sandbox] stack)")]
    Stack(usize),
    /// It asked for too much memory.
    #[error("asked for {asked} bytes of memory, {allowed} are allowed (limits.memory)")]
    Memory {
        /// Bytes it would have come to.
        asked: usize,
        /// Bytes allowed.
        allowed: usize,
    },
    /// It asked for tables that are too large.
    #[error("asked for tables of {asked} elements, {allowed} are allowed (limits.table)")]
    Table {
        /// Elements it would have come to.
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
    /// It passed too much to the host in one call.
    #[error("passed more than the {0} bytes allowed in one call (limits.transfer)")]
    Transfer(usize),
    /// A text or list that it returned is too long.
    #[error("returned {what} of {found} {}, {allowed} are allowed (limits.{limit})", if *limit == "text" { "bytes" } else { "entries" })]
    TooLong {
        /// Which one, with its article.
        what: &'static str,
        /// Its bytes or entries.
        found: usize,
        /// Bytes or entries allowed.
        allowed: usize,
        /// The limit's name: `text` or `items`.
        limit: &'static str,
    },
    /// It trapped.
    #[error("trapped: {reason}{}", if printed.is_empty() { String::new() } else { format!("; it printed last: {}", last_line(printed)) })]
    Trap {
        /// The kind of trap, in a line.
        reason: String,
        /// Where, innermost first; may be empty.
        backtrace: String,
        /// The end of what it printed; written by the plugin: hostile, bounded.
        printed: String,
    },
    /// It returned an error of its own.
    #[error("returned an error: {0}")]
    Returned(String),
    /// It rejects a setting.
    #[error("does not accept {}: {message}", if setting.is_empty() { "its settings".to_owned() } else { format!("the setting \"{setting}\"") })]
    Setting {
        /// The setting's name; empty if it is about all of them.
        setting: String,
        /// The plugin's own text.
        message: String,
    },
    /// It takes a setting for a mistake, and accepts it.
    #[error("warns of {}: {message}", if setting.is_empty() { "its settings".to_owned() } else { format!("the setting \"{setting}\"") })]
    Warning {
        /// The setting's name; empty if it is about all of them.
        setting: String,
        /// The plugin's own text.
        message: String,
    },
}

/// What the text of a problem begins with that rejects nothing, as `wit/exports.wit` says.
const WARNING: &str = "warning: ";

impl PluginError {
    /// Returns what a plugin's own check says of a setting.
    pub(super) fn of_setting(setting: String, message: String) -> Self {
        match message.strip_prefix(WARNING) {
            Some(message) => Self::Warning { setting, message: message.to_owned() },
            None => Self::Setting { setting, message },
        }
    }

    /// Whether it is only a likely mistake.
    #[must_use]
    pub(crate) const fn is_warning(&self) -> bool {
        matches!(self, Self::Warning { .. })
    }

    /// Returns the setting that it is about, and the line of the setting's text, counted from 1: plugins name the line at the
    /// beginning of their text, as `wit/exports.wit` says.
    pub(crate) fn setting_line(&self) -> Option<(&str, usize)> {
        match self {
            Self::Setting { setting, message } | Self::Warning { setting, message } if !setting.is_empty() => {
                let line = message.strip_prefix("line ").and_then(|rest| rest.split_once(':')?.0.parse().ok());
                Some((setting, line.unwrap_or(1)))
            }
            _ => None,
        }
    }

    /// Where it happened in the plugin's code, and what the plugin had printed, as far as known: lines for a log, never for
    /// a channel.
    pub(crate) fn details(&self) -> impl Iterator<Item = &str> {
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

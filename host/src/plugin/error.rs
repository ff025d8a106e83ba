//! How a plugin can fail: when it is loaded, or on an event.
//!
//! The texts appear in fallback messages and in logs, after the plugin's name: `plugin sec.wasm <text>`.

use std::time::Duration;

use super::printed;
use crate::event::readable::cut;

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
    /// It is not the file that its route pins.
    #[error(
        "has the SHA-256 {found}, and its route pins {pinned} (sha256); if the new file is right, run `banhook plugin pin ROUTE`"
    )]
    Pin {
        /// Of the file.
        found: String,
        /// Of the route.
        pinned: String,
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
    #[error("imports {import}, which banhook does not offer; it may import {offered}{}", import_remedy(import))]
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
    #[error(
        "consumed all of its {0} units of fuel, which stand for the time allowed (limits.time); a loop does not end, or does too much for one event"
    )]
    Fuel(u64),
    /// It recursed too deeply.
    #[error(
        "used up the {0} bytes of stack allowed ([sandbox] stack); a function calls itself too often, or without end"
    )]
    Stack(usize),
    /// It asked for too much memory.
    #[error(
        "asked for {asked} bytes of memory, {allowed} are allowed (limits.memory); it keeps too much for one event, or a loop does not end"
    )]
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
    #[error("trapped: {reason}{}", if printed.is_empty() { String::new() } else { format!("; it printed last: {}", printed::summary(printed)) })]
    Trap {
        /// The kind of trap, in a line.
        reason: String,
        /// Where, innermost first; may be empty.
        backtrace: String,
        /// The end of what it printed; written by the plugin: hostile, bounded.
        printed: String,
    },
    /// A message of its smoke test cannot be sent.
    #[error("makes a message that cannot be sent: {0}")]
    Unsendable(String),
    /// It returned an error of its own.
    #[error("returned an error: {0}")]
    Returned(String),
    /// It returned NaN where a number is needed.
    #[error("returned {0} that is not a number (NaN)")]
    NotANumber(&'static str),
    /// It finds something wrong with a setting.
    #[error(transparent)]
    Setting(SettingProblem),
}

/// What a plugin finds wrong with its settings. The texts are its own: hostile, bounded.
#[derive(Debug, thiserror::Error)]
#[error("{} {}: {}{message}", self.verb(), self.what(), self.place())]
pub struct SettingProblem {
    /// The setting's name. `None`: it is about several.
    pub(super) setting: Option<String>,
    /// The line of the setting's text, from 1.
    pub(super) line: Option<u32>,
    /// Whether the plugin works all the same.
    pub(super) is_warning: bool,
    /// What is wrong, and what would be right.
    pub(super) message: String,
}

impl SettingProblem {
    /// Warns of a hint that a plugin gave with a problem: none is known.
    pub(super) fn unknown_hint(name: &str) -> Self {
        let message = format!("it gave the unknown hint \"{}\"", cut(name, NAME_BYTES));
        Self { setting: None, line: None, is_warning: true, message }
    }

    const fn verb(&self) -> &'static str {
        if self.is_warning { "warns of" } else { "does not accept" }
    }

    fn what(&self) -> String {
        match &self.setting {
            Some(setting) => format!("the setting \"{setting}\""),
            None => "its settings".to_owned(),
        }
    }

    fn place(&self) -> String {
        self.line.map(|line| format!("line {line}: ")).unwrap_or_default()
    }
}

impl PluginError {
    /// Returns the setting that it is about, and the line of the setting's text, counted from 1.
    pub(crate) fn setting_line(&self) -> Option<(&str, usize)> {
        match self {
            Self::Setting(SettingProblem { setting: Some(setting), line, .. }) => {
                Some((setting, line.and_then(|line| line.try_into().ok()).unwrap_or(1)))
            }
            _ => None,
        }
    }

    /// Returns whether the plugin works all the same.
    #[must_use]
    pub const fn is_warning(&self) -> bool {
        matches!(self, Self::Setting(SettingProblem { is_warning: true, .. }))
    }

    /// Where it happened in the plugin's code, innermost first; empty if that is not known.
    pub(crate) fn backtrace(&self) -> impl Iterator<Item = &str> {
        let backtrace = if let Self::Trap { backtrace, .. } = self { backtrace.as_str() } else { "" };
        backtrace.lines()
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

/// Returns what the author of a plugin does about an import that a toolchain adds by itself.
fn import_remedy(import: &str) -> &'static str {
    match import {
        import if import.starts_with("wasi:http/") => "; with componentize-js, add --disable http fetch-event",
        import if import.contains("@0.3") => "; build it for WASI 0.2, which has no asynchronous functions",
        _ => "",
    }
}

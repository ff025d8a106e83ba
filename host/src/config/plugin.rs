//! Which plugin words a route's messages, and what it may use up.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::reader::{Located, Table};
use super::units::{parse_duration, parse_size};

/// Where a route's plugin is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginSource {
    /// The template plugin inside banhook; the default.
    BuiltIn,
    /// A component; an absolute path to a regular file that was there when the configuration was read.
    File(PathBuf),
}

impl fmt::Display for PluginSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built-in"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// What one call of a plugin may use up. Past it the plugin is stopped, and a plain message goes out instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PluginLimits {
    /// Of wall clock; 1 ms to 60 s.
    pub time: Duration,
    /// Of linear memory, in bytes; 1 MiB to 1 GiB.
    pub memory: u64,
}

impl PluginLimits {
    /// What a route gets that says nothing: 250 ms and 64 MiB.
    pub const STANDARD: Self = Self { time: Duration::from_millis(250), memory: 64 << 20 };

    /// Longer than that, one plugin holds up everything behind it.
    const TIME: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(60);

    /// A guest's stack alone takes 1 MiB; 1 GiB is what the pool of the plugin host reserves for one.
    const MEMORY: RangeInclusive<u64> = 1 << 20..=1 << 30;

    /// Reads `limits` of a route; what is missing or wrong is the standard's.
    pub(super) fn read(route: &Table<'_>) -> Self {
        let mut limits = Self::STANDARD;
        let Some(table) = route.table("limits", "[routes.limits]") else { return limits };
        if let Some(Located { value, place }) = table.parsed("time", "a duration like \"250ms\"", parse_duration) {
            if !Self::TIME.contains(&value) {
                table.problems.report(place, "time: has to be between 1ms and 60s");
            }
            limits.time = value;
        }
        if let Some(Located { value, place }) = table.parsed("memory", "a size like \"64MiB\"", parse_size) {
            if !Self::MEMORY.contains(&value) {
                table.problems.report(place, "memory: has to be between 1MiB and 1GiB");
            }
            limits.memory = value;
        }
        table.finish(&[]);
        limits
    }
}

impl PluginSource {
    /// Reads `plugin` of a route; `None` after reporting a file that is not there.
    pub(super) fn read(route: &Table<'_>) -> Option<Self> {
        let Some(name) = route.reference("plugin", "the name of a file") else { return Some(Self::BuiltIn) };
        let path = route.source.beside(&name.value);
        let shown = path.display();
        let message = match path.metadata() {
            Ok(found) if found.is_file() => return Some(Self::File(path)),
            Ok(_) => format!("plugin {shown} is not a file"),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => format!("plugin file {shown} does not exist"),
            Err(error) => format!("cannot read plugin {shown}: {error}"),
        };
        route.problems.report(name.place, message);
        None
    }
}

//! Which plugin words a route's messages, and what it may use up.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::bounded::{count, duration, size};
use super::reader::Table;

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

/// What a plugin may use up. Past it the plugin is stopped, and a plain message goes out instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PluginLimits {
    /// Wall clock for one event; 1 ms to 60 s.
    pub time: Duration,
    /// Linear memory, in bytes; 1 MiB to 1 GiB.
    pub memory: u64,
    /// Table elements; up to 100,000.
    pub table: u64,
    /// Core instances; up to 100.
    pub instances: u64,
    /// Bytes that cross between plugin and host in one call; 64 KiB to 64 MiB.
    pub transfer: u64,
    /// Bytes of one text that it hands over; 1 KiB to 1 MiB.
    pub text: u64,
    /// Entries of one list that it hands over; up to 10,000.
    pub items: u64,
    /// Lines that it may log for one event; up to 1,000.
    pub log_lines: u64,
    /// Bytes of one logged line, and of what it prints; 100 bytes to 64 KiB.
    pub log_bytes: u64,
    /// Bytes of its file; 64 KiB to 256 MiB.
    pub component: u64,
    /// Wall clock for compiling it; 1 s to 10 min.
    pub compile: Duration,
}

impl PluginLimits {
    /// What a route gets that says nothing.
    pub const STANDARD: Self = Self {
        time: Duration::from_millis(250),
        memory: 64 << 20,
        // CPython, the largest guest known, needs fewer than half.
        table: 20_000,
        // JavaScript components need about ten.
        instances: 50,
        // Slack takes messages of some 16 KiB, so these are generous.
        transfer: 4 << 20,
        text: 128 << 10,
        items: 1_000,
        log_lines: 50,
        log_bytes: 1_000,
        // CPython, again: 18 MB, and six seconds of compiling on one fast core.
        component: 64 << 20,
        compile: Duration::from_secs(60),
    };

    /// Longer than that, one plugin is not worth its wait.
    const TIME: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(60);

    /// A guest's stack alone takes 1 MiB; 1 GiB is what the pool of the plugin host reserves for one.
    const MEMORY: RangeInclusive<u64> = 1 << 20..=1 << 30;

    /// Reads `limits` of a route; what is missing or wrong is the standard's.
    pub(super) fn read(route: &Table<'_>) -> Self {
        let mut limits = Self::STANDARD;
        let Some(table) = route.table("limits", "[routes.limits]") else { return limits };
        duration(&table, "time", Self::TIME, "1ms and 60s", &mut limits.time);
        size(&table, "memory", Self::MEMORY, "1MiB and 1GiB", &mut limits.memory);
        count(&table, "table", 0..=100_000, &mut limits.table);
        count(&table, "instances", 1..=100, &mut limits.instances);
        size(&table, "transfer", 64 << 10..=64 << 20, "64KiB and 64MiB", &mut limits.transfer);
        size(&table, "text", 1 << 10..=1 << 20, "1KiB and 1MiB", &mut limits.text);
        count(&table, "items", 1..=10_000, &mut limits.items);
        count(&table, "log_lines", 0..=1_000, &mut limits.log_lines);
        count(&table, "log_bytes", 100..=65_536, &mut limits.log_bytes);
        size(&table, "component", 64 << 10..=256 << 20, "64KiB and 256MiB", &mut limits.component);
        let compile = Duration::from_secs(1)..=Duration::from_secs(600);
        duration(&table, "compile", compile, "1s and 10m", &mut limits.compile);
        table.finish(&[]);
        limits
    }
}

/// `[sandbox]`: what is the same for all plugins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sandbox {
    /// Bytes of stack that a plugin has; 64 KiB to 4 MiB.
    pub stack: u64,
}

impl Sandbox {
    /// Enough for CPython.
    pub const STANDARD: Self = Self { stack: 512 << 10 };

    /// Reads the table of one file.
    pub(super) fn read(top: &Table<'_>) -> Option<Self> {
        let table = top.table("sandbox", "[sandbox]")?;
        let mut sandbox = Self::STANDARD;
        size(&table, "stack", 64 << 10..=4 << 20, "64KiB and 4MiB", &mut sandbox.stack);
        table.finish(&[]);
        Some(sandbox)
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
        if name.value == "template" {
            route.problems.report_with(name.place, message, "leave plugin out for the built-in one");
        } else {
            route.problems.report(name.place, message);
        }
        None
    }
}

//! Reads which plugin formats a route's messages, and the limits of plugins.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::quantity::{count, duration, size};
use super::reader::Table;
use crate::plugin::{INSTANCES_MOST, Limits, Sandbox, TABLE_MOST};

/// Where a route's plugin comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PluginSource {
    /// The template plugin inside banhook; the default.
    BuiltIn,
    /// A component: the absolute path of a regular file that existed when the configuration was read.
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

impl PluginSource {
    /// Reads `plugin` of a route; `None` after reporting a file that cannot be used.
    pub(super) fn read(route: &Table<'_>) -> Option<Self> {
        let Some(name) = route.reference("plugin", "the name of a file") else { return Some(Self::BuiltIn) };
        let path = route.file.resolve(&name.value);
        let shown = path.display();
        let message = match path.metadata() {
            Ok(found) if found.is_file() => return Some(Self::File(path)),
            Ok(_) => format!("plugin {shown} is not a file"),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => format!("plugin file {shown} does not exist"),
            Err(error) => {
                route.problems.report_unreadable(name.location, format!("plugin {shown}"), &path, &error);
                return None;
            }
        };
        if name.value == "template" {
            route.problems.report_with(name.location, message, "leave plugin out for the built-in one");
        } else {
            route.problems.report(name.location, message);
        }
        None
    }
}

/// Reads `sha256` of a route: what the file of its plugin must have, in lower-case digits.
pub(super) fn pin(route: &Table<'_>, source: Option<&PluginSource>) -> Option<String> {
    let pin = route.parsed("sha256", "64 hexadecimal digits (sha256sum prints them)", |text| {
        let is_hash = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hash.then(|| text.to_ascii_lowercase())
    })?;
    if source == Some(&PluginSource::BuiltIn) {
        let message = "sha256: the route has the built-in plugin, which has no file of its own";
        route.problems.report_with(pin.location, message, "name a file with plugin, or remove sha256");
        return None;
    }
    Some(pin.value)
}

/// Longer than that, one plugin is not worth its wait.
const TIME: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(60);

/// A guest's stack alone takes 1 MiB.
const MEMORY: RangeInclusive<usize> = 1 << 20..=1 << 30;

/// Reads `limits` of a route; a limit that is missing or wrong keeps its standard value.
pub(super) fn limits(route: &Table<'_>) -> Limits {
    let mut limits = Limits::STANDARD;
    let Some(table) = route.table("limits", "[routes.limits]") else { return limits };
    duration(&table, "time", TIME, "1ms and 60s", &mut limits.time);
    size(&table, "memory", MEMORY, "1MiB and 1GiB", &mut limits.memory);
    count(&table, "table", 0..=TABLE_MOST, &mut limits.table);
    count(&table, "instances", 1..=INSTANCES_MOST, &mut limits.instances);
    size(&table, "transfer", 64 << 10..=64 << 20, "64KiB and 64MiB", &mut limits.transfer);
    size(&table, "text", 1 << 10..=1 << 20, "1KiB and 1MiB", &mut limits.text);
    count(&table, "items", 1..=10_000, &mut limits.items);
    count(&table, "log_lines", 0..=1_000, &mut limits.log_lines);
    count(&table, "log_bytes", 100..=65_536, &mut limits.log_bytes);
    limits.printed = limits.log_bytes;
    size(&table, "component", 64 << 10..=256 << 20, "64KiB and 256MiB", &mut limits.component);
    let compile = Duration::from_secs(1)..=Duration::from_secs(600);
    duration(&table, "compile", compile, "1s and 10m", &mut limits.compile);
    table.finish(&[]);
    limits
}

/// Reads `[sandbox]` of one file.
pub(super) fn sandbox(top: &Table<'_>) -> Option<Sandbox> {
    let table = top.table("sandbox", "[sandbox]")?;
    let mut sandbox = Sandbox::STANDARD;
    size(&table, "stack", 64 << 10..=4 << 20, "64KiB and 4MiB", &mut sandbox.stack);
    table.finish(&[]);
    Some(sandbox)
}

//! `timezone` of a route or a log.

use jiff::tz::TimeZone;

use super::problem::quoted;
use super::reader::Table;
use crate::phrase::did_you_mean;

/// Reads a time zone; the system's where none is given.
pub(super) fn timezone(table: &Table<'_>) -> TimeZone {
    let Some(name) = table.string("timezone") else { return TimeZone::system() };
    if let Ok(zone) = TimeZone::get(&name.value) {
        return zone;
    }
    let known: Vec<_> = jiff::tz::db().available().map(|zone| zone.to_string()).collect();
    let hint = if known.is_empty() {
        "this host has no time zone database; install the package tzdata".to_owned()
    } else {
        did_you_mean(&name.value, known.iter().map(String::as_str))
            .unwrap_or_else(|| "write it like \"Europe/Berlin\"".to_owned())
    };
    table.problems.report_with(name.location, format!("unknown time zone {}", quoted(&name.value)), hint);
    TimeZone::UTC
}

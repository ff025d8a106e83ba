//! Time zones: `timezone` of a route or a log, and the system's.
//!
//! A time zone is a place ("Europe/Berlin"), since only that knows when clocks are set. A suggestion for anything else must
//! be the same time: "GMT+2" is no slip of "Etc/GMT+2", which is two hours behind UTC, and "IST" is none of "EST".

use std::fs;

use jiff::tz::TimeZone;

use super::problem::quoted;
use super::reader::Table;
use crate::phrase::did_you_mean;

/// The system's time zone where `TZ` does not name one.
const LOCALTIME: &str = "/etc/localtime";

/// How many slips of the pen there may be in the name of a place.
const MAX_SLIPS: usize = 2;

/// Reads a time zone; the system's where none is given.
pub(super) fn timezone(table: &Table<'_>) -> TimeZone {
    let Some(name) = table.string("timezone") else { return system_timezone().0 };
    parse_timezone(&name.value).unwrap_or_else(|hint| {
        table.problems.report_with(name.location, format!("unknown time zone {}", quoted(&name.value)), hint);
        TimeZone::UTC
    })
}

/// Returns a time zone by its name.
///
/// # Errors
/// If there is none of this name; the error says what to write instead.
pub(crate) fn parse_timezone(name: &str) -> Result<TimeZone, String> {
    match TimeZone::get(name) {
        // A name that means "unknown", and counts as UTC.
        Ok(zone) if !zone.is_unknown() => Ok(zone),
        _ => Err(hint(name, &jiff::tz::db().available().map(|zone| zone.to_string()).collect::<Vec<_>>())),
    }
}

/// Returns the system's time zone. Where it is set and cannot be loaded, it counts as UTC, and there is a warning.
pub(crate) fn system_timezone() -> (TimeZone, Option<String>) {
    match TimeZone::try_system() {
        Ok(zone) if !zone.is_unknown() => (zone, None),
        _ => {
            let variable = std::env::var("TZ").ok().filter(|name| !name.is_empty());
            let target = fs::read_link(LOCALTIME).ok().map(|target| target.display().to_string());
            let is_set = variable.is_some() || fs::symlink_metadata(LOCALTIME).is_ok();
            let warning = is_set.then(|| system_warning(variable.as_deref(), target.as_deref()));
            (TimeZone::UTC, warning)
        }
    }
}

/// Describes a time zone of the system that cannot be loaded: the value of `TZ`, or the target of `/etc/localtime`.
fn system_warning(variable: Option<&str>, target: Option<&str>) -> String {
    let (set, name) = match (variable, target) {
        (Some(name), _) => (format!("TZ is {}", quoted(name)), name.trim_start_matches(':')),
        (None, Some(target)) => (format!("{LOCALTIME} is a link to {}", quoted(target)), target),
        (None, None) => (LOCALTIME.to_owned(), ""),
    };
    let name = name.split_once("/zoneinfo/").map_or(name, |(_, name)| name);
    let known: Vec<_> = jiff::tz::db().available().map(|zone| zone.to_string()).collect();
    format!("{set}, which cannot be loaded, so local times count as UTC; {}", hint(name, &known))
}

/// Says what to write instead of a name that is none of these.
fn hint(name: &str, known: &[String]) -> String {
    if known.is_empty() {
        return "this host has no time zone database; install the package tzdata".to_owned();
    }
    if let Some(minutes) = offset_minutes(name) {
        let place = "write a place that knows daylight saving time, such as \"Europe/Berlin\"";
        // In these names the sign is the other way round.
        let sign = if minutes > 0 { '-' } else { '+' };
        let fixed = format!("Etc/GMT{sign}{}", minutes.unsigned_abs() / 60);
        return match minutes {
            0 => "did you mean \"UTC\"?".to_owned(),
            _ if minutes % 60 == 0 && known.contains(&fixed) => {
                let ahead = if minutes > 0 { "ahead of" } else { "behind" };
                let hours = minutes.unsigned_abs() / 60;
                format!("{place}; \"{fixed}\" is {hours} h {ahead} UTC all year (its sign is the other way round)")
            }
            _ => place.to_owned(),
        };
    }
    let city = name.rsplit_once('/').map_or(name, |(_, city)| city).replace(' ', "_");
    let is_city = |zone: &&String| zone.rsplit_once('/').is_some_and(|(_, last)| last.eq_ignore_ascii_case(&city));
    if let Some(place) = known.iter().find(is_city) {
        return format!("did you mean \"{place}\"?");
    }
    // An abbreviation is near to others that are hours away.
    let near = known.iter().map(String::as_str).filter(|zone| {
        name.contains('/') && strsim::damerau_levenshtein(&zone.to_lowercase(), &name.to_lowercase()) <= MAX_SLIPS
    });
    did_you_mean(name, near).unwrap_or_else(|| "write a place, such as \"Europe/Berlin\", or \"UTC\"".to_owned())
}

/// Parses `GMT+2`, `UTC-03:30`, `+02:00`, `+0200` or `2`, to minutes ahead of UTC.
fn offset_minutes(name: &str) -> Option<i32> {
    let name = name.trim();
    let upper = name.to_ascii_uppercase();
    let offset = ["UTC", "GMT", "Z"].iter().find_map(|prefix| upper.strip_prefix(prefix)).unwrap_or(&upper).trim();
    if offset.is_empty() && !name.is_empty() {
        return Some(0);
    }
    let (sign, digits) = match offset.strip_prefix(['-', '\u{2212}']) {
        Some(digits) => (-1, digits),
        None => (1, offset.strip_prefix('+').unwrap_or(offset)),
    };
    let digits = digits.trim();
    let (hours, minutes) = match (digits.split_once([':', '.']), digits.len()) {
        (Some((hours, minutes)), _) => (hours, minutes),
        (None, 3 | 4) => digits.split_at_checked(digits.len() - 2)?,
        (None, _) => (digits, "0"),
    };
    let number = |text: &str, most: i32| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i32>().ok().filter(|number| is_number && *number <= most)
    };
    Some(sign * (number(hours, 14)? * 60 + number(minutes, 59)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<String> {
        ["America/New_York", "Asia/Kolkata", "EST", "Etc/GMT+2", "Etc/GMT-2", "Etc/GMT+5", "Europe/Berlin", "UTC"]
            .map(str::to_owned)
            .to_vec()
    }

    #[test]
    fn hint_of_an_offset_is_the_same_time() {
        for name in ["GMT+2", "UTC+2", "+02:00", "+0200", "+2", "gmt+02", "UTC +2", "2"] {
            let hint = hint(name, &known());
            assert!(hint.contains("\"Etc/GMT-2\" is 2 h ahead of UTC"), "{name}: {hint}");
        }
        assert!(hint("GMT-5", &known()).contains("\"Etc/GMT+5\" is 5 h behind UTC"));
        for name in ["+05:30", "UTC-3.30", "+13"] {
            assert!(!hint(name, &known()).contains("Etc/"), "{name}");
        }
        assert_eq!(hint("GMT+0", &known()), "did you mean \"UTC\"?");
    }

    #[test]
    fn hint_of_a_misspelt_place_is_that_place_and_never_another_abbreviation() {
        for (name, place) in [
            ("Europe/Berln", "Europe/Berlin"),
            ("berlin", "Europe/Berlin"),
            ("US/New York", "America/New_York"),
            ("Europe/Kolkata", "Asia/Kolkata"),
        ] {
            assert_eq!(hint(name, &known()), format!("did you mean \"{place}\"?"));
        }
        for name in ["IST", "CEST", "MEZ", "PST", "America/Berne", "", "Local", "Mars/Base"] {
            assert!(hint(name, &known()).starts_with("write a place"), "{name}: {}", hint(name, &known()));
        }
    }

    #[test]
    fn hint_without_a_database_is_to_install_one() {
        for name in ["Europe/Berlin", "+02:00"] {
            assert!(hint(name, &[]).contains("install the package tzdata"), "{name}");
        }
    }

    #[test]
    fn system_warning_names_what_is_set() {
        let warning = system_warning(Some(":Europe/Berln"), None);
        assert!(warning.starts_with("TZ is \":Europe/Berln\", which cannot be loaded, so local times count as UTC; "));
        let warning = system_warning(None, Some("/usr/share/zoneinfo/Europe/Berlin"));
        assert!(warning.starts_with("/etc/localtime is a link to \"/usr/share/zoneinfo/Europe/Berlin\", which"));
    }
}

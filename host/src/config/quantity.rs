//! Durations, sizes and counts: how they are written, and that they are within bounds.
//!
//! The formats are our own few lines, since the crates for them accept much more than is documented (`1month 2s`, `64 MB`
//! of two meanings), and what is accepted once cannot be rejected later. A whole number and a unit, nothing between; of a
//! duration several, from the largest unit to the smallest.
//!
//! The readers write over a default: an absent key leaves it, a value out of bounds is reported.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::json;

use super::problem::Location;
use super::reader::{Located, Table};

/// Units of durations, in milliseconds.
const DURATIONS: [(&str, u64); 6] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000)];

/// How a duration is written, for errors.
pub(crate) const DURATION_RULE: &str = "a duration such as \"30s\" or \"1h30m\" (units: ms, s, m, h, d, w)";

/// The form of a duration and of a size, for the schema.
const DURATION_PATTERN: &str = "^([0-9]+(ms|[smhdw]))+$";
const SIZE_PATTERN: &str = "^[0-9]+(KiB|MiB|GiB)$";

/// Units of sizes, in bytes.
const SIZES: [(&str, u64); 3] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// Parses `250ms`, `30s`, `5m`, `1h30m`, `1d` or `1w`.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let (mut rest, mut total, mut last) = (text, 0_u64, u64::MAX);
    while !rest.is_empty() {
        let unit = rest.find(|c: char| !c.is_ascii_digit())?;
        let next = rest.get(unit..)?.find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |length| unit + length);
        let (part, after) = rest.split_at_checked(next)?;
        let (ms, factor) = parse_part(part, &DURATIONS)?;
        if factor >= last {
            return None;
        }
        (rest, total, last) = (after, total.checked_add(ms)?, factor);
    }
    (last != u64::MAX).then_some(Duration::from_millis(total))
}

/// Writes a duration as [`parse_duration`] reads it; what is less than a millisecond is left out.
pub(crate) fn duration_text(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    // Weeks are left out: people count retention in days.
    for (unit, ms) in DURATIONS.iter().rev().skip(1) {
        if rest >= *ms {
            text.push_str(&format!("{}{unit}", rest / ms));
            rest %= ms;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Writes a size as `parse_size` reads it, to whole KiB.
pub(crate) fn size_text(bytes: u64) -> String {
    let unit = SIZES.iter().rev().find(|(_, size)| bytes >= *size && bytes.is_multiple_of(*size));
    unit.map_or_else(|| format!("{}KiB", bytes >> 10), |(unit, size)| format!("{}{unit}", bytes / size))
}

/// Parses `512KiB`, `64MiB` or `1GiB`, to bytes.
fn parse_size(text: &str) -> Option<u64> {
    parse(text, &SIZES)
}

fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    parse_part(text, units).map(|(value, _)| value)
}

/// Parses one number with its unit, to the value and the factor of the unit.
fn parse_part(text: &str, units: &[(&str, u64)]) -> Option<(u64, u64)> {
    let (number, unit) = text.split_at_checked(text.find(|c: char| !c.is_ascii_digit())?)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    Some((number.parse::<u64>().ok()?.checked_mul(*factor)?, *factor))
}

/// Reads a duration; `shown` is the range as a user would write it.
pub(super) fn duration(
    table: &Table<'_>,
    key: &'static str,
    range: RangeInclusive<Duration>,
    shown: &str,
    to: &mut Duration,
) {
    let found = table.parsed(key, DURATION_RULE, parse_duration);
    table.restrict(
        key,
        || json!({ "pattern": DURATION_PATTERN, "description": format!("{DURATION_RULE}, between {shown}") }),
    );
    within(table, key, found, &range, shown, to);
}

/// Reads a duration, or `None` for `false`.
pub(super) fn duration_or_false(
    table: &Table<'_>,
    key: &'static str,
    range: RangeInclusive<Duration>,
    shown: &str,
    to: &mut Option<Duration>,
) {
    if table.is_false(key) {
        *to = None;
        return;
    }
    let mut duration = to.unwrap_or(*range.start());
    let found = table.parsed(key, &format!("{DURATION_RULE}, or false"), parse_duration);
    table.restrict(
        key,
        || json!({ "pattern": DURATION_PATTERN, "description": format!("{DURATION_RULE}, between {shown}") }),
    );
    let is_there = found.is_some();
    within(table, key, found, &range, &format!("{shown}, or false to turn it off"), &mut duration);
    if is_there {
        *to = Some(duration);
    }
}

/// Reads a size, in bytes; `shown` is the range as a user would write it.
pub(super) fn size<N: TryFrom<u64> + PartialOrd>(
    table: &Table<'_>,
    key: &'static str,
    range: RangeInclusive<N>,
    shown: &str,
    to: &mut N,
) {
    let found = table.parsed(key, "a size like \"64MiB\"", parse_size);
    table.restrict(key, || json!({ "pattern": SIZE_PATTERN, "description": format!("a size between {shown}") }));
    whole(table, key, found, &range, shown, to);
}

/// Reads a whole number.
pub(super) fn count<N: TryFrom<u64> + PartialOrd + fmt::Display>(
    table: &Table<'_>,
    key: &'static str,
    range: RangeInclusive<N>,
    to: &mut N,
) {
    let shown = format!("{} and {}", range.start(), range.end());
    let found = table.number(key);
    let bound = |bound: &N| bound.to_string().parse::<u64>().unwrap_or_default();
    table.restrict(key, || json!({ "minimum": bound(range.start()), "maximum": bound(range.end()) }));
    whole(table, key, found, &range, &shown, to);
}

/// Checks a number; one that does not fit its type is out of bounds as well.
fn whole<N: TryFrom<u64> + PartialOrd>(
    table: &Table<'_>,
    key: &str,
    found: Option<Located<u64>>,
    range: &RangeInclusive<N>,
    shown: &str,
    to: &mut N,
) {
    let Some(Located { value, location }) = found else { return };
    match N::try_from(value) {
        Ok(value) => within(table, key, Some(Located { value, location }), range, shown, to),
        Err(_) => report(table, key, location, shown),
    }
}

fn within<T: PartialOrd>(
    table: &Table<'_>,
    key: &str,
    found: Option<Located<T>>,
    range: &RangeInclusive<T>,
    shown: &str,
    to: &mut T,
) {
    let Some(Located { value, location }) = found else { return };
    if !range.contains(&value) {
        report(table, key, location, shown);
    }
    *to = value;
}

fn report(table: &Table<'_>, key: &str, location: Location, shown: &str) {
    table.problems.report(location, format!("{key}: must be between {shown}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_duration_needs_numbers_with_units_from_the_largest_on() {
        for (text, ms) in [
            ("250ms", 250),
            ("30s", 30_000),
            ("5m", 300_000),
            ("1h", 3_600_000),
            ("1d", 86_400_000),
            ("1w", 604_800_000),
            ("1h30m", 5_400_000),
            ("2w3d4h5m6s7ms", 1_483_506_007),
            ("1m500ms", 60_500),
        ] {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(ms)), "{text}");
            assert_eq!(parse_duration(&duration_text(Duration::from_millis(ms))), Some(Duration::from_millis(ms)));
        }
        for bad in [
            "",
            "5",
            "s",
            "-1s",
            "1.5s",
            "1 s",
            "1S",
            "1month",
            "1h30",
            "30m1h",
            "1h1h",
            "1h 30m",
            "1h,30m",
            "1y",
            "1M",
            "213503982335d",
        ] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn parse_size_needs_one_number_and_one_unit() {
        for (text, bytes) in [("512KiB", 524_288), ("64MiB", 67_108_864), ("1GiB", 1_073_741_824)] {
            assert_eq!((parse_size(text), size_text(bytes).as_str()), (Some(bytes), text));
        }
        for bad in ["64", "64MB", "64 MiB", "mib", "99999999999GiB", "٣MiB"] {
            assert_eq!(parse_size(bad), None, "{bad}");
        }
    }
}

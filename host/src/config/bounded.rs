//! Durations, sizes and numbers that have bounds.
//!
//! Each is read over its default: what is absent leaves it, what is out of bounds is reported.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::problem::Location;
use super::reader::{Located, Table};
use super::units::{parse_duration, parse_size};

/// A duration; `shown` is the range as a user would write it.
pub(super) fn duration(
    table: &Table<'_>,
    key: &'static str,
    range: RangeInclusive<Duration>,
    shown: &str,
    to: &mut Duration,
) {
    let found = table.parsed(key, "a duration like \"30s\"", parse_duration);
    within(table, key, found, &range, shown, to);
}

/// As `duration`; `None` for `false`.
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
    let found = table.parsed(key, "a duration like \"5s\", or false", parse_duration);
    let is_there = found.is_some();
    within(table, key, found, &range, shown, &mut duration);
    if is_there {
        *to = Some(duration);
    }
}

/// A size, in bytes; `shown` is the range as a user would write it.
pub(super) fn size<N: TryFrom<u64> + PartialOrd>(
    table: &Table<'_>,
    key: &'static str,
    range: RangeInclusive<N>,
    shown: &str,
    to: &mut N,
) {
    whole(table, key, table.parsed(key, "a size like \"64MiB\"", parse_size), &range, shown, to);
}

/// A whole number.
pub(super) fn count<N: TryFrom<u64> + PartialOrd + fmt::Display>(
    table: &Table<'_>,
    key: &'static str,
    range: RangeInclusive<N>,
    to: &mut N,
) {
    let shown = format!("{} and {}", range.start(), range.end());
    whole(table, key, table.number(key), &range, &shown, to);
}

/// A number that does not fit its type is out of bounds as well.
fn whole<N: TryFrom<u64> + PartialOrd>(
    table: &Table<'_>,
    key: &str,
    found: Option<Located<u64>>,
    range: &RangeInclusive<N>,
    shown: &str,
    to: &mut N,
) {
    let Some(Located { value, place }) = found else { return };
    match N::try_from(value) {
        Ok(value) => within(table, key, Some(Located { value, place }), range, shown, to),
        Err(_) => report(table, key, place, shown),
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
    let Some(Located { value, place }) = found else { return };
    if !range.contains(&value) {
        report(table, key, place, shown);
    }
    *to = value;
}

fn report(table: &Table<'_>, key: &str, place: Location, shown: &str) {
    table.problems.report(place, format!("{key}: has to be between {shown}"));
}

//! Durations, sizes and numbers that have bounds.
//!
//! Each is read over its default: what is absent leaves it, what is out of bounds is reported.

use std::ops::RangeInclusive;
use std::time::Duration;

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
pub(super) fn size(table: &Table<'_>, key: &'static str, range: RangeInclusive<u64>, shown: &str, to: &mut u64) {
    within(table, key, table.parsed(key, "a size like \"64MiB\"", parse_size), &range, shown, to);
}

/// A whole number.
pub(super) fn count(table: &Table<'_>, key: &'static str, range: RangeInclusive<u64>, to: &mut u64) {
    let shown = format!("{} and {}", range.start(), range.end());
    within(table, key, table.number(key), &range, &shown, to);
}

/// A whole number that needs no more than 32 bits; nor do its bounds.
pub(super) fn small_count(table: &Table<'_>, key: &'static str, range: RangeInclusive<u32>, to: &mut u32) {
    let mut count = u64::from(*to);
    self::count(table, key, u64::from(*range.start())..=u64::from(*range.end()), &mut count);
    *to = u32::try_from(count).unwrap_or(*range.end());
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
        table.problems.report(place, format!("{key}: has to be between {shown}"));
    }
    *to = value;
}

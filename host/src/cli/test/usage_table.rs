//! What the most expensive cases used of the limits, as a table.

use std::time::Duration;

use super::tested_case::TestedCase;
use crate::cli::plugin_case::LIMITS;
use crate::message::clean;
use crate::plugin::{Usage, fuel_for};

/// Cases that the table has.
const ROWS: usize = 5;

/// Returns the lines of the table: a heading, and the cases that used most, the first of which used most fuel. None if no
/// case was run.
pub(super) fn lines(cases: &[TestedCase]) -> Vec<String> {
    let mut used: Vec<(&str, Usage)> = cases.iter().map(|case| (case.file.as_str(), case.decided.usage)).collect();
    used.retain(|(_, usage)| usage.fuel.is_some_and(|fuel| fuel > 0));
    used.sort_by_key(|(_, usage)| std::cmp::Reverse((usage.fuel, usage.memory)));
    used.truncate(ROWS);
    if used.is_empty() {
        return Vec::new();
    }
    let heading = [
        "slowest cases".to_owned(),
        format!("fuel of {}", millions(fuel_for(&LIMITS))),
        format!("memory of {}", mebibytes(LIMITS.memory)),
        format!("time of {}", milliseconds(LIMITS.time)),
    ];
    let rows = used.into_iter().map(|(file, usage)| {
        let fuel = usage.fuel.unwrap_or_default();
        [
            clean(file).into_owned(),
            share(&millions(fuel), fuel as f64, fuel_for(&LIMITS) as f64),
            share(&mebibytes(usage.memory), usage.memory as f64, LIMITS.memory as f64),
            share(&milliseconds(usage.time), usage.time.as_secs_f64(), LIMITS.time.as_secs_f64()),
        ]
    });
    aligned(&std::iter::once(heading).chain(rows).collect::<Vec<_>>())
}

/// Aligns columns: the first at the left, numbers at the right.
fn aligned(rows: &[[String; 4]]) -> Vec<String> {
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths = [width(0), width(1), width(2), width(3)];
    let line = |[name, fuel, memory, time]: &[String; 4]| {
        let [first, second, third, fourth] = widths;
        format!("{name:first$}  {fuel:>second$}  {memory:>third$}  {time:>fourth$}")
    };
    rows.iter().map(line).collect()
}

/// `1.21 M (0.5 %)`
fn share(shown: &str, used: f64, allowed: f64) -> String {
    format!("{shown} ({:.1} %)", 100.0 * used / allowed)
}

#[allow(clippy::cast_precision_loss, reason = "shown with two decimals")]
fn millions(units: u64) -> String {
    format!("{:.2} M", units as f64 / 1e6)
}

#[allow(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn mebibytes(bytes: usize) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

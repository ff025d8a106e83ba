//! What the most expensive cases used of the limits, as a table.

use crate::cli::case_run::{TestedCase, shares};
use crate::message::clean;
use crate::plugin::Usage;

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
    let heading = shares(&Usage::default()).map(|share| format!("{} of {}", share.name, share.allowed));
    let rows = used.into_iter().map(|(file, usage)| {
        let shares = shares(&usage).map(|share| format!("{} ({:.1} %)", share.used, 100.0 * share.fraction));
        row(clean(file).into_owned(), shares)
    });
    let heading = row("slowest cases".to_owned(), heading);
    aligned(&std::iter::once(heading).chain(rows).collect::<Vec<_>>())
}

fn row(name: String, [fuel, memory, time]: [String; 3]) -> [String; 4] {
    [name, fuel, memory, time]
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

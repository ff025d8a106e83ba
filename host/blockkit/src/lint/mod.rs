//! The linter: finds offline everything about a body that Slack would reject.
//!
//! [`definitions`] lists every block, element and object with its fields, their limits and the source of each; [`walk`]
//! goes through a body with them, and [`body`] adds the rules of the whole. A lower file knows none above it:
//!
//! ```text
//! body ─► walk ─► scalars, rows, series ─► checker ─► format, phrase, pointer, finding
//!           └───► definitions ─► entry ─► schema, source
//! ```
//!
//! An error breaks a documented rule. A warning is about something on which sources disagree, that somebody has seen, or
//! that has no effect. Lengths are Unicode code points, escaped text counted as it is written: Slack documents neither,
//! others have seen the first, and the second is the safe reading.

mod body;
mod checker;
mod definitions;
mod entry;
mod finding;
mod format;
mod phrase;
mod pointer;
mod rows;
mod rule;
mod scalars;
mod schema;
mod series;
mod source;
mod walk;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

use serde_json::Value;

pub use finding::{Finding, Severity};
pub use rule::Rule;

use checker::Checker;

/// Returns everything that is wrong with the body of an incoming webhook's request, in the order of the body; findings
/// about the whole body come last.
#[must_use]
pub fn check(body: &Value) -> Vec<Finding> {
    check_and_count(body).0
}

/// Returns the findings of [`check`], and the number of characters of text in the blocks.
#[must_use]
pub fn check_and_count(body: &Value) -> (Vec<Finding>, usize) {
    let mut checker = Checker::default();
    body::check(&mut checker, body);
    (checker.findings, checker.totals.text)
}

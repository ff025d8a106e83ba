//! What Slack would refuse about a body, found offline.
//!
//! [`table`] says what there is (every block, element and object, its fields and their limits, each with its source),
//! [`walk`] goes through a body with it, [`values`] checks what it holds, [`rows`] and [`whole`] hold the few rules that no table of fields can say.
//! Works on plain JSON: on what `slack` lowers to as on a file that somebody wrote by hand.
//!
//! An error is what a documented rule forbids. A warning is what sources disagree on, what somebody has seen, or
//! what does nothing. Lengths are Unicode code points, escaped text counted as it is written: Slack documents
//! neither, others have seen the first, and the second is the safe reading.

mod entry;
mod finding;
mod form;
mod path;
mod rows;
mod rule;
mod schema;
mod table;
mod values;
mod walk;
mod whole;
mod words;

#[cfg(test)]
mod corpus_tests;
#[cfg(test)]
mod limits_tests;
#[cfg(test)]
mod rule_tests;
#[cfg(test)]
mod table_tests;

use serde_json::Value;

pub use finding::{Finding, Severity};
pub use rule::Rule;

use walk::Walk;

/// All that is wrong with an incoming webhook's body, in the order of the body; what is about the whole comes last.
#[must_use]
pub fn check(body: &Value) -> Vec<Finding> {
    check_and_count(body).0
}

/// The same, and how many characters of text its blocks hold.
#[must_use]
pub fn check_and_count(body: &Value) -> (Vec<Finding>, usize) {
    let mut walk = Walk::default();
    whole::body(&mut walk, body);
    (walk.findings, walk.totals.text)
}

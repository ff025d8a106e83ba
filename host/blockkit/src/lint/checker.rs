//! The state of one check: the findings so far, and the sums over the whole body.
//!
//! Other files add the rules: `scalars`, `rows` and `series` the rules of single values, `walk` the way through
//! objects and arrays, `body` the rules of the whole.

use std::collections::HashSet;

use serde_json::Value;

use super::finding::{Finding, Severity};
use super::format::Mismatch;
use super::phrase::{counted, quoted, type_of};
use super::pointer::Pointer;
use super::rule::Rule;
use super::schema::{Field, Max};
use super::source::Sources;

/// Sums over the body, for rules about the whole.
#[derive(Debug, Default)]
pub struct Totals {
    /// `table` and `data_table` blocks.
    pub tables: usize,
    /// `data_visualization` blocks.
    pub charts: usize,
    /// Characters in `markdown` blocks.
    pub markdown: usize,
    /// Characters of `text` in blocks.
    pub text: usize,
}

/// The state of one check.
#[derive(Default)]
pub struct Checker<'v> {
    /// The findings so far.
    pub findings: Vec<Finding>,
    /// The sums so far.
    pub totals: Totals,
    /// The ids of all blocks so far.
    pub block_ids: HashSet<&'v str>,
    /// The ids of the elements so far of the current block.
    pub action_ids: HashSet<&'v str>,
    /// The number of blocks around the current value: a container's children are in two.
    pub depth: usize,
}

/// A number of items or characters, and the rules about it.
#[derive(Clone, Copy)]
pub struct Count<'s> {
    /// The number.
    pub value: usize,
    noun: &'s str,
    above: Rule,
    below: Rule,
}

impl<'s> Count<'s> {
    /// The number of an array's items.
    pub const fn items(value: usize, noun: &'s str) -> Self {
        Self { noun, value, above: Rule::TooMany, below: Rule::TooFew }
    }

    /// The number of a text's characters.
    pub fn characters(text: &str) -> Self {
        Self { noun: "characters", value: text.chars().count(), above: Rule::TooLong, below: Rule::TooShort }
    }
}

impl Checker<'_> {
    /// Adds a finding.
    pub fn add(&mut self, severity: Severity, at: &Pointer<'_>, rule: Rule, sources: Sources, message: String) {
        let path = at.to_string();
        self.findings.push(Finding { severity, path, rule, message, value: None, limit: None, sources });
    }

    /// Adds a finding about a value and its limit.
    pub fn add_numbers(
        &mut self,
        severity: Severity,
        at: &Pointer<'_>,
        rule: Rule,
        sources: Sources,
        message: String,
        (value, limit): (i64, i64),
    ) {
        let (path, value, limit) = (at.to_string(), Some(value), Some(limit));
        self.findings.push(Finding { severity, path, rule, message, value, limit, sources });
    }

    /// Adds a finding about a value of another JSON type.
    pub fn wrong_type(&mut self, at: &Pointer<'_>, value: &Value, expected: &str, field: &'static Field) {
        let text = format!("expected {expected}, found {}", type_of(value));
        self.add(field.severity(), at, Rule::WrongType, field.sources, text);
    }

    /// Adds a finding about a string of another format.
    pub fn malformed(&mut self, at: &Pointer<'_>, text: &str, mismatch: Mismatch, field: &'static Field) {
        let Mismatch { rule, expected, certain } = mismatch;
        let severity = if certain { field.severity() } else { Severity::Warning };
        self.add(severity, at, rule, field.sources, format!("expected {expected}, found {}", quoted(text)));
    }

    /// Checks that a number of items or characters is within its bounds.
    pub fn bounds(&mut self, at: &Pointer<'_>, count: Count<'_>, min: usize, max: Max, field: &'static Field) {
        let Count { noun, value, above, below } = count;
        let numbers = |limit: usize| (to_i64(value), to_i64(limit));
        if value < min {
            let text = format!("{}, at least {min}", counted(value, noun));
            self.add_numbers(field.severity(), at, below, field.sources, text, numbers(min));
        } else if value > max.largest {
            let text = format!("{value} {noun}, at most {}", max.largest);
            self.add_numbers(field.severity(), at, above, field.sources, text, numbers(max.largest));
        } else if value > max.agreed {
            let others = match max.largest {
                usize::MAX => "others name no limit".to_owned(),
                largest => format!("others {largest}"),
            };
            let text = format!("{value} {noun}; some sources allow {}, {others}", max.agreed);
            self.add_numbers(Severity::Warning, at, above, field.sources, text, numbers(max.agreed));
        }
    }

    /// Checks that a sum over many texts or objects is not above its limit.
    pub fn total(&mut self, at: &Pointer<'_>, value: usize, nouns: &str, max: Max, rule: Rule, sources: Sources) {
        let (severity, limit) = if value > max.largest {
            (Severity::Error, max.largest)
        } else if value > max.agreed {
            (Severity::Warning, max.agreed)
        } else {
            return;
        };
        let text = format!("{value} {nouns}, at most {limit}");
        self.add_numbers(severity, at, rule, sources, text, (to_i64(value), to_i64(limit)));
    }
}

/// A number as findings hold it.
pub fn to_i64(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

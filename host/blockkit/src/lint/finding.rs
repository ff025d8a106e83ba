//! The linter's result: one rule that a body breaks, where, and by how much.

use std::fmt;

use super::rule::Rule;

/// Whether Slack would reject the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// It would, by a documented rule.
    Error,
    /// It would not, or sources disagree, or the rule is not documented.
    Warning,
}

impl Severity {
    /// Returns `error` or `warning`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// A rule that a body breaks. Displays as `/blocks/1/text/text: 151 characters, at most 150 (too-long)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether Slack would reject the body.
    pub severity: Severity,
    /// The place in the body, as a JSON pointer. Its keys are those of the body: clean it before you print it.
    pub path: String,
    /// The rule.
    pub rule: Rule,
    /// A description with the value and the limit, on one line and without hidden characters.
    pub message: String,
    /// The number that is out of bounds, if the rule is about a number.
    pub value: Option<i64>,
    /// The limit of that number: the greatest allowed, or the least for `too-short`, `too-few` and `too-small`.
    pub limit: Option<i64>,
    /// The documents and packages that state the rule.
    pub sources: &'static [&'static str],
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "/" } else { &self.path };
        write!(f, "{path}: {} ({})", self.message, self.rule)
    }
}

//! What the linter says: one thing that is wrong, where, by which rule.

use std::fmt;

use super::rule::Rule;

/// Whether Slack would refuse it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// It would.
    Error,
    /// It would not, or nobody knows, or sources disagree.
    Warning,
}

impl Severity {
    /// In one word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// Something wrong with a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where: a JSON pointer. Keys in it stand as in the body; make it safe before a terminal sees it.
    pub path: String,
    /// The rule that it breaks.
    pub rule: Rule,
    /// What is wrong, with the limit and the value. One line, without hidden characters.
    pub message: String,
    /// What was counted or given, where the rule is about a number.
    pub value: Option<i64>,
    /// What it may be at most (or at least, for `too-short`, `too-few` and `too-small`).
    pub limit: Option<i64>,
    /// Where the rule was read.
    pub sources: &'static [&'static str],
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "/" } else { &self.path };
        write!(f, "{path}: {} ({})", self.message, self.rule)
    }
}

//! A word to replace, and the count of all of them.

use std::collections::BTreeMap;
use std::fmt;

use super::rule::Rule;

/// One place in a file where a rule matches. Displays as `line:col: "word": use "term"`.
#[derive(Debug)]
pub struct Hit<'a> {
    rule: &'a Rule,
    word: String,
    line: usize,
    column: usize,
}

impl<'a> Hit<'a> {
    /// Records a match of `rule` at a byte offset of a file.
    pub fn new(rule: &'a Rule, word: String, content: &str, offset: usize) -> Self {
        let before = content.get(..offset).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self { rule, word, line, column }
    }
}

impl fmt::Display for Hit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, word, line, column } = self;
        write!(f, "{line}:{column}: {word:?}: use {:?}", rule.term)
    }
}

/// Hits by rule and by file. Displays as two tables, the largest numbers first.
pub struct Tally<'a> {
    rules: &'a [Rule],
    by_rule: BTreeMap<usize, usize>,
    by_file: BTreeMap<String, usize>,
}

impl<'a> Tally<'a> {
    /// Starts with no hits.
    pub const fn new(rules: &'a [Rule]) -> Self {
        Self { rules, by_rule: BTreeMap::new(), by_file: BTreeMap::new() }
    }

    /// Counts one hit.
    pub fn add(&mut self, path: &str, hit: &Hit<'_>) {
        *self.by_rule.entry(hit.rule.line).or_default() += 1;
        *self.by_file.entry(path.to_owned()).or_default() += 1;
    }

    /// Returns the number of all hits.
    pub fn total(&self) -> usize {
        self.by_rule.values().sum()
    }
}

impl fmt::Display for Tally<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hits_of = |rule: &Rule| self.by_rule.get(&rule.line).copied();
        let mut rules: Vec<_> = self.rules.iter().filter_map(|rule| Some((hits_of(rule)?, rule))).collect();
        rules.sort_by_key(|(hits, rule)| (std::cmp::Reverse(*hits), rule.line));
        writeln!(f, "by rule")?;
        for (hits, rule) in rules {
            writeln!(f, "{hits:>6}  line {:<4} {}  →  {}", rule.line, rule.pattern, rule.term)?;
        }
        let mut files: Vec<_> = self.by_file.iter().collect();
        files.sort_by_key(|(path, hits)| (std::cmp::Reverse(**hits), *path));
        writeln!(f, "by file")?;
        files.into_iter().try_for_each(|(path, hits)| writeln!(f, "{hits:>6}  {path}"))
    }
}

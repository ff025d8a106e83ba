//! A line of `.ci/words.txt`: a pattern, where it applies, and the term to use instead.

use std::ops::Range;

use anyhow::{Context, bail, ensure};
use regex::Regex;

use super::text::{Scope, Text};

/// One rule. Its pattern always matches whole words.
#[derive(Debug)]
pub struct Rule {
    /// Its line in the list, from 1.
    pub line: usize,
    /// The pattern as the list has it.
    pub pattern: String,
    /// The term to use instead.
    pub term: String,
    /// Whether the pattern is case-sensitive and, for identifiers, matches the whole of one.
    is_exact: bool,
    areas: Vec<Area>,
    in_identifiers: Words,
    in_texts: Words,
}

/// A scope, and the part of the tree in which a rule applies to it.
#[derive(Debug)]
struct Area {
    scope: Scope,
    under: String,
}

impl Rule {
    /// Reads the list: one rule a line, fields separated by tabs; blank lines and lines that start with `#` are comments.
    ///
    /// # Errors
    /// A line without the three or four fields, an unknown scope, and a pattern that is no regular expression.
    pub fn parse_all(list: &str) -> anyhow::Result<Vec<Self>> {
        let lines = (1..).zip(list.lines()).filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
        lines.map(|(number, line)| Self::parse(number, line).with_context(|| format!("line {number}"))).collect()
    }

    fn parse(number: usize, line: &str) -> anyhow::Result<Self> {
        let fields: Vec<_> = line.split('\t').filter(|field| !field.is_empty()).collect();
        let (pattern, scopes, term, unless) = match fields.as_slice() {
            [pattern, scopes, term] => (*pattern, *scopes, *term, None),
            [pattern, scopes, term, unless] => (*pattern, *scopes, *term, Some(*unless)),
            other => {
                bail!("needs pattern, scope, term and perhaps an exception, separated by tabs; has {}", other.len())
            }
        };
        Ok(Self {
            line: number,
            pattern: pattern.to_owned(),
            term: term.to_owned(),
            is_exact: has_capital(pattern),
            areas: areas(scopes)?,
            in_identifiers: Words::new(pattern, unless, |pattern| match has_capital(pattern) {
                true => format!("^(?:{pattern})$"),
                false => format!("(?:^|_)(?<word>{pattern})(?:_|$)"),
            })?,
            in_texts: Words::new(pattern, unless, |pattern| {
                let case = if has_capital(pattern) { "" } else { "(?i)" };
                // ASCII: else each `…` in a text would slow the search down.
                format!(r"{case}(?-u:\b{{start-half}})(?:{pattern})(?-u:\b{{end-half}})")
            })?,
        })
    }

    /// Returns the ranges of its matches in a text of the file `path`.
    pub fn find(&self, path: &str, text: &Text) -> Vec<Range<usize>> {
        if !self.areas.iter().any(|area| area.scope == text.scope && path.starts_with(&area.under)) {
            return Vec::new();
        }
        match text.scope {
            Scope::Identifier if self.is_exact => self.in_identifiers.find(text.as_str()),
            // A word's position within the identifier is lost in the normalized form: the hit is the identifier.
            Scope::Identifier => match self.in_identifiers.find(text.words()).is_empty() {
                true => Vec::new(),
                false => std::iter::once(0..text.as_str().len()).collect(),
            },
            Scope::Sql | Scope::Prose => self.in_texts.find(text.as_str()),
        }
    }
}

/// The compiled pattern and its exception.
#[derive(Debug)]
struct Words {
    pattern: Regex,
    unless: Option<Regex>,
}

impl Words {
    fn new(pattern: &str, unless: Option<&str>, whole: impl Fn(&str) -> String) -> anyhow::Result<Self> {
        let compile = |pattern: &str| {
            // Compiled alone first: `a)|(b` would be well-formed within the parentheses.
            Regex::new(pattern)?;
            let pattern = Regex::new(&whole(pattern))?;
            ensure!(!pattern.is_match(""), "the pattern matches an empty text");
            Ok(pattern)
        };
        Ok(Self { pattern: compile(pattern)?, unless: unless.map(compile).transpose()? })
    }

    fn find(&self, text: &str) -> Vec<Range<usize>> {
        let mut found: Vec<_> = self.pattern.find_iter(text).map(|hit| hit.range()).collect();
        if let Some(unless) = self.unless.as_ref().filter(|_| !found.is_empty()) {
            let right: Vec<_> = unless.find_iter(text).map(|right| right.range()).collect();
            found.retain(|hit| !right.iter().any(|right| right.start < hit.end && hit.start < right.end));
        }
        found
    }
}

/// Reads `scope` or `scope@path`, several of them separated by commas.
fn areas(field: &str) -> anyhow::Result<Vec<Area>> {
    let mut areas = Vec::new();
    for area in field.split(',') {
        let (scope, under) = area.split_once('@').unwrap_or((area, ""));
        let scopes: &[Scope] = match scope {
            "identifier" => &[Scope::Identifier],
            "sql" => &[Scope::Sql],
            "prose" => &[Scope::Prose],
            "any" => &[Scope::Identifier, Scope::Sql, Scope::Prose],
            other => bail!("unknown scope {other:?}; it is identifier, sql, prose or any"),
        };
        areas.extend(scopes.iter().map(|scope| Area { scope: *scope, under: under.to_owned() }));
    }
    Ok(areas)
}

/// Returns whether a pattern has a capital letter, which makes it case-sensitive. Classes like `\W` do not count.
fn has_capital(pattern: &str) -> bool {
    let mut escaped = false;
    pattern.chars().any(|c| {
        let counts = !escaped && c.is_uppercase();
        escaped = !escaped && c == '\\';
        counts
    })
}

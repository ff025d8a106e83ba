//! What is wrong with a configuration, and where.
//!
//! Problems are collected, not thrown: a user fixes a whole file at once. No text in here may show a webhook's URL,
//! so values from a file pass through [`quoted`] on their way into a message.

use std::cell::RefCell;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// A spot in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) file: PathBuf,
    /// From 1, the column in characters. `None`: the file as a whole.
    pub(super) position: Option<(usize, usize)>,
}

impl Location {
    /// A file as a whole.
    pub(super) fn whole(file: &Path) -> Self {
        Self { file: file.to_owned(), position: None }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        match self.position {
            Some((line, column)) => write!(f, ":{line}:{column}"),
            None => Ok(()),
        }
    }
}

/// One mistake, or one warning. Shown as `config.toml:12:1: unknown key "jial" in [[routes]]; did you mean "jails"?`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file, as it was named or found.
    pub file: PathBuf,
    /// From 1. `None`: it is about the file as a whole.
    pub line: Option<usize>,
    /// From 1, in characters.
    pub column: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    pub(super) fn new(place: Location, message: impl Into<String>, hint: Option<String>) -> Self {
        Self {
            file: place.file,
            line: place.position.map(|(line, _)| line),
            column: place.position.map(|(_, column)| column),
            message: message.into(),
            hint,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let position = self.line.zip(self.column);
        let place = Location { file: self.file.clone(), position };
        write!(f, "{place}: {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong with a configuration: never empty, in the order of the files and their lines.
/// Shown as one line for each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigErrors(pub Vec<Problem>);

impl std::error::Error for ConfigErrors {}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

/// Where readers put what they find. Shared by all of them, hence the cells.
#[derive(Debug, Default)]
pub(super) struct Problems {
    wrong: RefCell<Vec<Problem>>,
    /// What works and yet is to be told.
    warnings: RefCell<Vec<Problem>>,
}

impl Problems {
    /// Adds one without a hint.
    pub(super) fn report(&self, place: Location, message: impl Into<String>) {
        self.wrong.borrow_mut().push(Problem::new(place, message, None));
    }

    /// Adds one that says what to do.
    pub(super) fn report_with(&self, place: Location, message: impl Into<String>, hint: impl Into<String>) {
        self.wrong.borrow_mut().push(Problem::new(place, message, Some(hint.into())));
    }

    /// Adds one that works, and says what to do.
    pub(super) fn warn(&self, place: Location, message: impl Into<String>, hint: impl Into<String>) {
        self.warnings.borrow_mut().push(Problem::new(place, message, Some(hint.into())));
    }

    /// What works and yet is to be told, as far as it was not taken before.
    pub(super) fn take_warnings(&self) -> Vec<Problem> {
        self.warnings.take()
    }

    /// Whether nothing is wrong.
    pub(super) fn is_empty(&self) -> bool {
        self.wrong.borrow().is_empty()
    }

    /// All of them, by file in the given order, then by line and column.
    pub(super) fn into_sorted(self, files: &[&Path]) -> Vec<Problem> {
        let mut problems = self.wrong.into_inner();
        problems.sort_by_key(|problem| {
            let file = files.iter().position(|file| *file == problem.file);
            (file, problem.line, problem.column)
        });
        problems
    }
}

/// True for what may be a webhook's URL, or part of one, that was put in the wrong place.
pub(super) fn may_be_url(text: &str) -> bool {
    ["://", "hooks.slack.com/", "hooks.slack-gov.com/"].iter().any(|mark| text.contains(mark))
}

/// A value from a file, in quotes, fit for a message: no secret, no control character, not too long.
pub(super) fn quoted(text: &str) -> String {
    /// Characters; past them a message is hard to read.
    const LONGEST: usize = 60;
    if may_be_url(text) {
        return "a URL (not shown)".to_owned();
    }
    let mut shown: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    format!("\"{shown}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_hides_and_tames() {
        assert_eq!(quoted("https://hooks.slack.com/services/T/B/secret"), "a URL (not shown)");
        assert_eq!(quoted("hooks.slack.com/services/T/B/secret"), "a URL (not shown)");
        assert_eq!(quoted("a\u{1b}[2Jb"), r#""a\u{1b}[2Jb""#);
        assert_eq!(quoted(&"x".repeat(61)), format!("\"{}…\"", "x".repeat(60)));
    }

    #[test]
    fn the_main_file_comes_first() {
        let (main, more) = (Path::new("config.toml"), Path::new("conf.d/a.toml"));
        let problems = Problems::default();
        problems.report(Location { file: more.to_owned(), position: Some((1, 1)) }, "third");
        problems.report(Location { file: main.to_owned(), position: Some((9, 1)) }, "second");
        problems.report(Location::whole(main), "first");
        let messages: Vec<_> = problems.into_sorted(&[main, more]).into_iter().map(|p| p.message).collect();
        assert_eq!(messages, ["first", "second", "third"]);
    }
}

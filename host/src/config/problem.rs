//! What is wrong with a configuration, and where.
//!
//! Problems are collected, so that a user sees all of a file at once. No message may show a webhook's URL, so values from
//! a file pass through [`quoted`] on their way into one.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde::Serialize;

use super::key_recorder::KeyRecorder;
use crate::accounts::{own_hint, user_name};
pub(super) use crate::phrase::{may_be_url, quoted};
use crate::phrase::{printable, without_error_numbers};

/// A position in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) file: PathBuf,
    /// Line and column, from 1, the column in characters. `None`: the file as a whole.
    pub(super) position: Option<(usize, usize)>,
}

impl Location {
    /// Returns the location of a file as a whole.
    pub(super) fn whole(file: &Path) -> Self {
        Self { file: file.to_owned(), position: None }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", printable(&self.file.display().to_string()))?;
        match self.position {
            Some((line, column)) => write!(f, ":{line}:{column}"),
            None => Ok(()),
        }
    }
}

/// An error or a warning, shown as `config.toml:12:1: unknown key "jial" in [[routes]]; did you mean "jails"?`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    /// The file, as it was named or found.
    pub file: PathBuf,
    /// The line, from 1. `None`: it is about the file as a whole.
    pub line: Option<usize>,
    /// The column, from 1, in characters.
    pub column: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    pub(super) fn new(location: Location, message: impl Into<String>, hint: Option<String>) -> Self {
        Self {
            file: location.file,
            line: location.position.map(|(line, _)| line),
            column: location.position.map(|(_, column)| column),
            // A path in it may be any text.
            message: printable(&message.into()),
            hint: hint.map(|hint| printable(&hint)),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let position = self.line.zip(self.column);
        let location = Location { file: self.file.clone(), position };
        write!(f, "{location}: {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong with a configuration: never empty, in the order of the files and their lines.
/// Shown as one line for each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ConfigErrors(pub Vec<Problem>);

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

/// Collects what the readers of all files find, hence the cells.
#[derive(Debug, Default)]
pub(super) struct Problems {
    errors: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<Problem>>,
    /// Records the keys that are read, for the schema.
    pub(super) keys: Option<Rc<KeyRecorder>>,
}

impl Problems {
    /// Collects problems, and has the keys recorded that are read.
    pub(super) fn recording(keys: Rc<KeyRecorder>) -> Self {
        Self { keys: Some(keys), ..Self::default() }
    }

    /// Adds an error without a hint.
    pub(super) fn report(&self, location: Location, message: impl Into<String>) {
        self.errors.borrow_mut().push(Problem::new(location, message, None));
    }

    /// Adds an error with a hint.
    pub(super) fn report_with(&self, location: Location, message: impl Into<String>, hint: impl Into<String>) {
        self.errors.borrow_mut().push(Problem::new(location, message, Some(hint.into())));
    }

    /// Adds the error of a file that this process cannot read, with the command that helps. `shown` names the file.
    pub(super) fn report_unreadable(
        &self,
        location: Location,
        shown: impl fmt::Display,
        path: &Path,
        error: &io::Error,
    ) {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let hint = own_hint(error, &path, &user_name(rustix::process::geteuid()));
        let message = format!("cannot read {shown}: {}", without_error_numbers(&error.to_string()));
        match hint.strip_prefix("; ") {
            Some(hint) => self.report_with(location, message, hint),
            None => self.report(location, message),
        }
    }

    /// Adds a warning with a hint.
    pub(super) fn warn(&self, location: Location, message: impl Into<String>, hint: impl Into<String>) {
        self.warnings.borrow_mut().push(Problem::new(location, message, Some(hint.into())));
    }

    /// Removes and returns the warnings.
    pub(super) fn take_warnings(&self) -> Vec<Problem> {
        self.warnings.take()
    }

    /// Returns whether there is no error.
    pub(super) fn is_empty(&self) -> bool {
        self.errors.borrow().is_empty()
    }

    /// Returns the errors by file in the given order, then by line and column.
    pub(super) fn into_sorted(self, files: &[&Path]) -> Vec<Problem> {
        let mut problems = self.errors.into_inner();
        problems.sort_by_key(|problem| {
            let file = files.iter().position(|file| *file == problem.file);
            (file, problem.line, problem.column)
        });
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn into_sorted_puts_the_main_file_first() {
        let (main, more) = (Path::new("config.toml"), Path::new("conf.d/a.toml"));
        let problems = Problems::default();
        problems.report(Location { file: more.to_owned(), position: Some((1, 1)) }, "third");
        problems.report(Location { file: main.to_owned(), position: Some((9, 1)) }, "second");
        problems.report(Location::whole(main), "first");
        let messages: Vec<_> = problems.into_sorted(&[main, more]).into_iter().map(|p| p.message).collect();
        assert_eq!(messages, ["first", "second", "third"]);
    }
}

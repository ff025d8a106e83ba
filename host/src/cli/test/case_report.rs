//! The results of a plugin's cases: printed one by one, and counted.

use std::io::{self, Stdout, Write as _};
use std::path::Path;

use crate::message::{clean, one_line};
use similar::{ChangeTag, TextDiff};

use crate::cli::command_error::{CommandError, Outcome, print_stderr};

/// The result of one case.
pub(super) enum CaseResult {
    Passed,
    /// The case file now has the plugin's decision; the failure, if that is the decision.
    Updated(Option<String>),
    /// The expected decision (`None` if the case has none yet), and the plugin's.
    Differs(Option<String>, String),
    /// The message cannot go out, or there is none, and why; an expected decision does not help.
    Rejected(String),
}

/// Prints the result of each case, and counts them.
pub(super) struct CaseReport {
    /// Not `println!`: a reader that has gone away (`| head`) is an error and no panic.
    out: Stdout,
    passed: usize,
    updated: usize,
    failed: usize,
    /// Why files are not cases.
    invalid: Vec<anyhow::Error>,
}

impl CaseReport {
    /// Makes a report without results.
    pub(super) fn new() -> Self {
        Self { out: io::stdout(), passed: 0, updated: 0, failed: 0, invalid: Vec::new() }
    }

    /// Adds the result of a case.
    pub(super) fn case(&mut self, result: CaseResult, about: &str, file: &Path) -> io::Result<()> {
        let file = file.display();
        match result {
            CaseResult::Passed => {
                self.passed += 1;
                writeln!(self.out, "ok       {file}")
            }
            CaseResult::Updated(failure) => {
                self.updated += 1;
                writeln!(self.out, "updated  {file}")?;
                match failure {
                    Some(failure) => {
                        self.note(&format!("warning: the plugin fails, and the case now expects it: {failure}"))
                    }
                    None => Ok(()),
                }
            }
            CaseResult::Differs(expected, found) => {
                self.failed += 1;
                writeln!(self.out, "FAILED   {file}: {}", one_line(about))?;
                self.difference(expected.as_deref(), &found)
            }
            CaseResult::Rejected(why) => {
                self.failed += 1;
                writeln!(self.out, "FAILED   {file}: {}", one_line(about))?;
                self.note(&why)
            }
        }
    }

    /// Adds a file that is not a case.
    pub(super) fn invalid(&mut self, file: &Path, error: anyhow::Error) -> io::Result<()> {
        self.invalid.push(error);
        writeln!(self.out, "INVALID  {}", file.display())
    }

    /// Prints an indented line about a case.
    pub(super) fn note(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "  {}", one_line(text))
    }

    /// Prints the sum of all results.
    pub(super) fn finish(mut self) -> Outcome {
        if self.updated > 0 {
            writeln!(self.out, "{} updated: review the decisions, then commit the files", self.updated)?;
        }
        let invalid = match self.invalid.len() {
            0 => String::new(),
            count => format!(", {count} invalid"),
        };
        writeln!(self.out, "{} passed, {} failed{invalid}", self.passed, self.failed)?;
        let Some(last) = self.invalid.pop() else { return Ok(self.failed == 0) };
        self.invalid.iter().for_each(|error| print_stderr(&format!("{error:#}")));
        Err(CommandError::Input(last))
    }

    fn difference(&mut self, expected: Option<&str>, found: &str) -> io::Result<()> {
        let Some(expected) = expected else {
            self.note("has no \"decision\" yet; this is the plugin's (--update writes it into the file):")?;
            return found.lines().try_for_each(|line| writeln!(self.out, "  + {}", clean(line)));
        };
        self.note("- expected, + the plugin's decision:")?;
        let difference = TextDiff::from_lines(expected, found);
        for group in difference.grouped_ops(3) {
            for change in group.iter().flat_map(|op| difference.iter_changes(op)) {
                let sign = match change.tag() {
                    ChangeTag::Delete => '-',
                    ChangeTag::Insert => '+',
                    ChangeTag::Equal => ' ',
                };
                writeln!(self.out, "  {sign} {}", clean(change.value().trim_end_matches('\n')))?;
            }
        }
        Ok(())
    }
}

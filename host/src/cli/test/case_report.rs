//! The results of a plugin's cases for people: printed one by one, then summed up.

use std::io::{self, Stdout, Write as _};

use similar::{ChangeTag, TextDiff};

use super::usage_table;
use crate::cli::case_run::{CaseResult, CaseRun, TestedCase, Uncovered};
use crate::message::{clean, one_line};

/// Prints the result of each case.
pub(super) struct CaseReport {
    /// Not `println!`: a reader that has gone away (`| head`) is an error and no panic.
    out: Stdout,
}

impl CaseReport {
    /// Makes a report without results.
    pub(super) fn new() -> Self {
        Self { out: io::stdout() }
    }

    /// Prints what is known of a case: first what the plugin said and what else is to be known, then the result.
    pub(super) fn case(&mut self, case: &TestedCase) -> io::Result<()> {
        let decided = &case.decided;
        for line in &decided.log {
            self.note(&format!("log {:?}: {}", line.level, line.message))?;
        }
        for line in decided.printed.lines() {
            self.note(&format!("printed {line}"))?;
        }
        for problem in &decided.problems {
            self.note(&format!("the plugin {problem}"))?;
        }
        for warning in &decided.warnings {
            self.note(&format!("warning: {warning}"))?;
        }
        let file = clean(&case.file);
        match &case.result {
            CaseResult::Passed { fails: false } => writeln!(self.out, "ok       {file}"),
            CaseResult::Passed { fails: true } => writeln!(self.out, "ok       {file} (fails, as the case says)"),
            CaseResult::Updated(failure) => {
                writeln!(self.out, "updated  {file}")?;
                match failure {
                    Some(failure) => {
                        self.note(&format!("warning: the plugin fails, and the case now expects it: {failure}"))
                    }
                    None => Ok(()),
                }
            }
            CaseResult::Differs(_) => {
                self.failed(case)?;
                let Some((expected, found)) = case.difference() else { return Ok(()) };
                self.difference(expected.as_deref(), &found)
            }
            CaseResult::Rejected(why) => {
                self.failed(case)?;
                self.note(why)
            }
        }
    }

    /// Prints that a file is not a case.
    pub(super) fn invalid(&mut self, file: &str) -> io::Result<()> {
        writeln!(self.out, "INVALID  {}", clean(file))
    }

    /// Prints the sum of all results. `all`: every case was run, so that what none reaches is known.
    pub(super) fn finish(&mut self, run: &CaseRun, all: bool) -> io::Result<()> {
        for line in usage_table::lines(&run.tested) {
            writeln!(self.out, "{line}")?;
        }
        if let Some(line) = Some(&run.uncovered).filter(|_| all).and_then(Uncovered::line) {
            writeln!(self.out, "{line}")?;
        }
        let updated = run.count(|result| matches!(result, CaseResult::Updated(_)));
        if updated > 0 {
            writeln!(self.out, "{updated} updated: review the decisions, then commit the files")?;
        }
        writeln!(self.out, "{}", run.sum())
    }

    fn failed(&mut self, case: &TestedCase) -> io::Result<()> {
        writeln!(self.out, "FAILED   {}: {}", clean(&case.file), one_line(&case.about))?;
        for line in &case.decided.backtrace {
            self.note(line)?;
        }
        Ok(())
    }

    /// Prints an indented line about a case.
    fn note(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "  {}", one_line(text))
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

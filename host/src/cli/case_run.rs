//! A plugin's cases, run and judged.

mod case_route;
mod coverage;
mod decided;
mod share;
mod standard_cases;
mod tested_case;

use std::io;
use std::path::{Path, PathBuf};

pub(crate) use case_route::CaseRoute;
pub(crate) use coverage::Uncovered;
pub(crate) use share::shares;
pub(crate) use tested_case::{CaseResult, Terms, TestedCase};

use super::command_error::CommandError;
use super::plugin_case::PluginCase;
use super::plugin_file::PluginFile;
use crate::plugin::Runtime;
use coverage::Coverage;
use standard_cases::standard_cases;

/// A file that is not a case, and why.
pub(crate) type InvalidCase = (String, anyhow::Error);

/// The cases of a plugin after they were run.
pub(crate) struct CaseRun {
    /// Those that are cases, in the order of their files.
    pub tested: Vec<TestedCase>,
    /// Those that are not.
    pub invalid: Vec<InvalidCase>,
    /// What none of them reaches.
    pub uncovered: Uncovered,
}

/// What was found of a file, as soon as it is known.
pub(crate) enum Found<'f> {
    Case(&'f TestedCase),
    /// It is not a case.
    Invalid(&'f str),
}

impl CaseRun {
    /// Runs the cases in these files of which `is_wanted` says so, by their file and what they are about. A file that is not
    /// a case does not keep the others from being run.
    ///
    /// # Errors
    /// When the plugin does not load, a case cannot be written, or `each` fails.
    pub(crate) fn run(
        (runtime, plugin): (&Runtime, &PluginFile),
        files: &[PathBuf],
        terms: &Terms,
        is_wanted: impl Fn(&Path, &str) -> bool,
        mut each: impl FnMut(Found<'_>) -> io::Result<()>,
    ) -> Result<Self, CommandError> {
        let (mut tested, mut invalid, mut coverage) = (Vec::new(), Vec::new(), Coverage::default());
        let mut last = None;
        for file in files {
            match PluginCase::read(file) {
                Ok(case) if !is_wanted(file, case.about()) => {}
                Ok(mut case) => {
                    let route = CaseRoute::of(&case, runtime, plugin, last.take()).map_err(CommandError::Input)?;
                    let case = TestedCase::run(&route, &mut case, file, terms)?;
                    coverage.set_digester(route.plugin.has_digester());
                    coverage.add(case.decided.reached);
                    each(Found::Case(&case))?;
                    tested.push(case);
                    last = Some(route);
                }
                Err(_) if !is_wanted(file, "") => {}
                Err(error) => {
                    let file = file.display().to_string();
                    each(Found::Invalid(&file))?;
                    invalid.push((file, error));
                }
            }
        }
        Ok(Self { tested, invalid, uncovered: coverage.uncovered() })
    }

    /// Runs the plugin on events that every plugin has to survive, for one that has no cases.
    ///
    /// # Errors
    /// When the plugin does not load, or `each` fails.
    pub(crate) fn standard(
        (runtime, plugin): (&Runtime, &PluginFile),
        terms: &Terms,
        mut each: impl FnMut(Found<'_>) -> io::Result<()>,
    ) -> Result<Self, CommandError> {
        let (mut tested, mut coverage, mut last) = (Vec::new(), Coverage::default(), None);
        for (name, case) in standard_cases()? {
            let route = CaseRoute::of(&case, runtime, plugin, last.take()).map_err(CommandError::Input)?;
            let case = TestedCase::survives(&route, &case, &name, terms)?;
            last = Some(route);
            coverage.add(case.decided.reached);
            each(Found::Case(&case))?;
            tested.push(case);
        }
        Ok(Self { tested, invalid: Vec::new(), uncovered: coverage.uncovered() })
    }

    /// Returns how many cases have a result.
    pub(crate) fn count(&self, is: impl Fn(&CaseResult) -> bool) -> usize {
        self.tested.iter().filter(|case| is(&case.result)).count()
    }

    /// Returns `3 passed, 1 failed`, with the files that are no cases if there are any.
    pub(crate) fn sum(&self) -> String {
        let passed = self.count(|result| matches!(result, CaseResult::Passed { .. }));
        let failed = self.count(|result| matches!(result, CaseResult::Differs(_) | CaseResult::Rejected(_)));
        let invalid = if self.invalid.is_empty() { String::new() } else { format!(", {} invalid", self.invalid.len()) };
        format!("{passed} passed, {failed} failed{invalid}")
    }

    /// Returns whether no case differs from what it expects.
    pub(crate) fn is_passed(&self) -> bool {
        self.invalid.is_empty()
            && self.tested.iter().all(|case| matches!(case.result, CaseResult::Passed { .. } | CaseResult::Updated(_)))
    }
}

//! `banhook test`: runs a plugin's cases offline, in the sandbox, and compares its decisions with the expected ones.

use std::path::Path;

use crate::message::{clean, one_line};
use crate::plugin::Runtime;
use clap::Args;
use similar::{ChangeTag, TextDiff};

use super::command_error::{CommandError, Outcome, print_stderr};
use super::plugin_case::{PluginCase, pretty};
use super::plugin_file::{PluginCaseArgs, PluginFile, case_runtime};

/// Run a plugin's cases offline, in the sandbox, and compare its decisions with the expected ones
#[derive(Debug, Args)]
pub(super) struct TestArgs {
    #[command(flatten)]
    plugin: PluginCaseArgs,
    /// Write the plugin's decisions into the case files, to be reviewed and committed
    #[arg(long)]
    update: bool,
}

/// The result of one case.
enum CaseResult {
    Passed,
    /// The case file now has the plugin's decision; the failure, if that is the decision.
    Updated(Option<String>),
    /// The expected decision (`None` if the case has none yet), and the plugin's.
    Differs(Option<String>, String),
    /// The message cannot go out, or there is none, and why; an expected decision does not help.
    Rejected(String),
}

/// How many cases had each result.
#[derive(Default)]
struct CaseCounts {
    passed: usize,
    updated: usize,
    failed: usize,
    /// Why files are no cases.
    invalid: Vec<anyhow::Error>,
}

/// Runs the cases; `Ok(false)` if any decision is not the expected one.
///
/// A file that is not a case does not keep the others from being run.
pub(super) fn test(arguments: &TestArgs) -> Outcome {
    let plugin = arguments.plugin.read_plugin().map_err(CommandError::Input)?;
    let files = arguments.plugin.case_files().map_err(CommandError::Input)?;
    let runtime = case_runtime()?;
    let mut counts = CaseCounts::default();
    for file in files {
        match PluginCase::read(&file) {
            Ok(mut case) => {
                let result = run(&runtime, &plugin, &mut case, &file, arguments.update)?;
                counts.add(result, &case, &file);
            }
            Err(error) => {
                println!("INVALID  {}", file.display());
                counts.invalid.push(error);
            }
        }
    }
    counts.finish()
}

fn run(
    runtime: &Runtime,
    plugin: &PluginFile,
    case: &mut PluginCase,
    file: &Path,
    update: bool,
) -> Result<CaseResult, CommandError> {
    let decided = case.decide(runtime, plugin).map_err(CommandError::Input)?;
    for warning in &decided.warnings {
        println!("  warning: {}", one_line(warning));
    }
    if let Some(why) = decided.rejected {
        return Ok(CaseResult::Rejected(why));
    }
    let found = decided.decision;
    if case.expected() == Some(&found) {
        return Ok(CaseResult::Passed);
    }
    if update {
        let failure = found.get("failure").map(|failure| failure.as_str().unwrap_or_default().to_owned());
        case.write(file, found)?;
        return Ok(CaseResult::Updated(failure));
    }
    Ok(CaseResult::Differs(case.expected().map(pretty), pretty(&found)))
}

impl CaseCounts {
    /// Counts and prints the result of a case.
    fn add(&mut self, result: CaseResult, case: &PluginCase, file: &Path) {
        let file = file.display();
        match result {
            CaseResult::Passed => {
                self.passed += 1;
                println!("ok       {file}");
            }
            CaseResult::Updated(failure) => {
                self.updated += 1;
                println!("updated  {file}");
                if let Some(failure) = failure {
                    println!("  warning: the plugin fails, and the case now expects it to: {}", one_line(&failure));
                }
            }
            CaseResult::Differs(expected, found) => {
                self.failed += 1;
                println!("FAILED   {file}: {}", case.about());
                print_difference(expected.as_deref(), &found);
            }
            CaseResult::Rejected(why) => {
                self.failed += 1;
                println!("FAILED   {file}: {}\n  {}", case.about(), one_line(&why));
            }
        }
    }

    /// Prints the sum of all results.
    fn finish(mut self) -> Outcome {
        if self.updated > 0 {
            println!("{} updated: review the decisions, then commit the files", self.updated);
        }
        let invalid = match self.invalid.len() {
            0 => String::new(),
            count => format!(", {count} invalid"),
        };
        println!("{} passed, {} failed{invalid}", self.passed, self.failed);
        let Some(last) = self.invalid.pop() else { return Ok(self.failed == 0) };
        self.invalid.iter().for_each(|error| print_stderr(&format!("{error:#}")));
        Err(CommandError::Input(last))
    }
}

fn print_difference(expected: Option<&str>, found: &str) {
    let Some(expected) = expected else {
        println!("  has no \"decision\" yet; this is the plugin's (--update writes it into the file):");
        for line in found.lines() {
            println!("  + {}", clean(line));
        }
        return;
    };
    println!("  - expected, + the plugin's decision:");
    let difference = TextDiff::from_lines(expected, found);
    for group in difference.grouped_ops(3) {
        for change in group.iter().flat_map(|op| difference.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            println!("  {sign} {}", clean(change.value().trim_end_matches('\n')));
        }
    }
}

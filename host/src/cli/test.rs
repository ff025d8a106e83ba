//! `banhook test`: runs a plugin's cases offline, in the sandbox, and compares its decisions with the expected ones.

mod case_report;

use std::path::Path;

use crate::plugin::Runtime;
use clap::Args;

use super::command_error::{CommandError, Outcome};
use super::plugin_case::{PluginCase, pretty};
use super::plugin_file::{PluginCaseArgs, PluginFile, case_runtime};
use case_report::{CaseReport, CaseResult};

/// Run a plugin's cases offline, in the sandbox, and compare its decisions with the expected ones
#[derive(Debug, Args)]
pub(super) struct TestArgs {
    #[command(flatten)]
    plugin: PluginCaseArgs,
    /// Write the plugin's decisions into the case files, to be reviewed and committed
    #[arg(long)]
    update: bool,
}

/// Runs the cases; `Ok(false)` if any decision is not the expected one.
///
/// A file that is not a case does not keep the others from being run.
pub(super) fn test(arguments: &TestArgs) -> Outcome {
    let plugin = arguments.plugin.read_plugin().map_err(CommandError::Input)?;
    let files = arguments.plugin.case_files().map_err(CommandError::Input)?;
    let runtime = case_runtime()?;
    let mut report = CaseReport::new();
    for file in files {
        match PluginCase::read(&file) {
            Ok(mut case) => {
                let result = run(&runtime, &plugin, &mut case, &file, arguments.update, &mut report)?;
                report.case(result, case.about(), &file)?;
            }
            Err(error) => report.invalid(&file, error)?,
        }
    }
    report.finish()
}

fn run(
    runtime: &Runtime,
    plugin: &PluginFile,
    case: &mut PluginCase,
    file: &Path,
    update: bool,
    report: &mut CaseReport,
) -> Result<CaseResult, CommandError> {
    let decided = case.decide(runtime, plugin).map_err(CommandError::Input)?;
    for line in &decided.log {
        report.note(&format!("log {line}"))?;
    }
    for warning in &decided.warnings {
        report.note(&format!("warning: {warning}"))?;
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

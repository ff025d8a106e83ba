//! `banhook test`: runs a plugin's cases offline, in the sandbox, and compares its decisions with the expected ones.

mod case_report;
mod coverage;
mod decided;
mod json_report;
mod tested_case;
mod usage_table;

use std::io::{self, Write as _};
use std::path::Path;

use anyhow::anyhow;
use clap::{Args, ValueEnum};

use super::command_error::{CommandError, Outcome, print_stderr};
use super::plugin_case::PluginCase;
use super::plugin_file::{PluginCaseArgs, case_runtime};
use case_report::CaseReport;
use coverage::Coverage;
use json_report::InvalidCase;
use tested_case::{CaseResult, Terms, TestedCase};

/// Run a plugin's cases offline, in the sandbox, and compare its decisions with the expected ones
#[derive(Debug, Args)]
pub(super) struct TestArgs {
    #[command(flatten)]
    plugin: PluginCaseArgs,
    /// Run only the cases that have TEXT in their file name or in "about"
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Write the plugin's decisions into the case files, to be reviewed and committed
    #[arg(long)]
    update: bool,
    /// Let a case fail that uses more units of fuel (executed instructions)
    #[arg(long, value_name = "UNITS")]
    max_fuel: Option<u64>,
    /// Output format; json is one object with all that is known of each case
    #[arg(long, value_enum, default_value_t = TestFormat::Human)]
    format: TestFormat,
}

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TestFormat {
    Human,
    Json,
}

/// Runs the cases; `Ok(false)` if any decision is not the expected one.
///
/// A file that is not a case does not keep the others from being run.
pub(super) fn test(arguments: &TestArgs) -> Outcome {
    let plugin = arguments.plugin.read_plugin().map_err(CommandError::Input)?;
    let files = arguments.plugin.case_files().map_err(CommandError::Input)?;
    let runtime = case_runtime()?;
    let terms = Terms { update: arguments.update, max_fuel: arguments.max_fuel };
    let mut report = (arguments.format == TestFormat::Human).then(CaseReport::new);
    let (mut tested, mut invalid, mut coverage) = (Vec::new(), Vec::<InvalidCase>::new(), Coverage::default());
    for file in files {
        match PluginCase::read(&file) {
            Ok(case) if !is_wanted(arguments.filter.as_deref(), &file, case.about()) => {}
            Ok(mut case) => {
                let (case, loaded) = TestedCase::run(&runtime, &plugin, &mut case, &file, &terms)?;
                coverage.set_digester(loaded.has_digester());
                coverage.add(case.decided.reached);
                if let Some(report) = &mut report {
                    report.case(&case)?;
                }
                tested.push(case);
            }
            Err(_) if !is_wanted(arguments.filter.as_deref(), &file, "") => {}
            Err(error) => {
                let file = file.display().to_string();
                if let Some(report) = &mut report {
                    report.invalid(&file)?;
                }
                invalid.push((file, error));
            }
        }
    }
    if let (Some(text), true, true) = (&arguments.filter, tested.is_empty(), invalid.is_empty()) {
        return Err(CommandError::Input(anyhow!("no case has \"{text}\" in its file name or in \"about\"")));
    }
    let uncovered = coverage.uncovered();
    match &mut report {
        Some(report) => {
            report.finish(&tested, invalid.len(), arguments.filter.is_none().then_some(&uncovered))?;
        }
        None => {
            let report = json_report::report(&plugin.path.display().to_string(), &tested, &invalid, &uncovered);
            writeln!(io::stdout(), "{report:#}")?;
        }
    }
    let Some((_, last)) = invalid.pop() else {
        return Ok(tested.iter().all(|case| matches!(case.result, CaseResult::Passed { .. } | CaseResult::Updated(_))));
    };
    invalid.iter().for_each(|(_, error)| print_stderr(&format!("{error:#}")));
    Err(CommandError::Input(last))
}

/// Returns whether a case is one of those that `--filter` selects.
fn is_wanted(filter: Option<&str>, file: &Path, about: &str) -> bool {
    let Some(text) = filter.map(str::to_lowercase) else { return true };
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    [name.as_ref(), about].iter().any(|place| place.to_lowercase().contains(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_wanted_looks_at_name_and_about_of_a_case() {
        let file = Path::new("cases/ban-v4.json");
        for (filter, expected) in
            [(None, true), (Some("V4"), true), (Some("usual"), true), (Some("cases"), false), (Some("unban"), false)]
        {
            assert_eq!(is_wanted(filter, file, "The usual ban"), expected, "{filter:?}");
        }
    }
}

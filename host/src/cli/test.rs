//! `banhook test`: runs a plugin's cases offline, in the sandbox, and compares its decisions with the expected ones.

mod case_report;
mod json_report;
mod usage_table;

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use notify::{RecursiveMode, Watcher as _};

use super::case_run::{CaseRun, Found, Terms};
use super::command_error::{CommandError, Outcome, print_stderr};
use super::global_options::OutputFormat;
use super::plugin_file::{PluginCaseArgs, case_runtime};
use crate::inotify;
use crate::plugin::Runtime;
use case_report::CaseReport;

/// How long after a change further changes are awaited.
const SETTLE_TIME: Duration = Duration::from_millis(100);

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
    /// Run the cases again whenever the plugin or a case changes
    #[arg(long, conflicts_with_all = ["update", "format"])]
    watch: bool,
    /// Output format; json is one object with all that is known of each case
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    format: OutputFormat,
}

/// Runs the cases; `Ok(false)` if any decision is not the expected one.
///
/// A file that is not a case does not keep the others from being run.
pub(super) fn test(arguments: &TestArgs) -> Outcome {
    if !arguments.watch {
        return run(arguments, &case_runtime()?);
    }
    let runtime = case_runtime()?;
    let (changed, changes) = mpsc::channel();
    let mut watcher = inotify::watcher(move |event: notify::Result<notify::Event>| {
        // To read a file is no change of it. The receiver ends with the process.
        if event.is_ok_and(|event| !event.kind.is_access()) {
            let _ = changed.send(());
        }
    })
    .context("cannot watch the files")?;
    for folder in folders(arguments.plugin.paths()) {
        let watched = watcher.watch(&folder, RecursiveMode::NonRecursive);
        watched.with_context(|| format!("cannot watch {}", folder.display())).map_err(CommandError::Input)?;
    }
    loop {
        // What is wrong may be right after the next change.
        if let Err(error) = run(arguments, &runtime) {
            error.report();
        }
        writeln!(io::stdout(), "waiting for a change …")?;
        if changes.recv().is_err() {
            return Ok(true);
        }
        // A build writes its product in steps.
        while changes.recv_timeout(SETTLE_TIME).is_ok() {}
    }
}

/// Returns the directories that hold these files, or that these are.
fn folders(paths: impl Iterator<Item = PathBuf>) -> BTreeSet<PathBuf> {
    let folder =
        |path: PathBuf| if path.is_dir() { path } else { path.parent().map(Path::to_owned).unwrap_or_default() };
    paths.map(folder).map(|folder| if folder == Path::new("") { PathBuf::from(".") } else { folder }).collect()
}

fn run(arguments: &TestArgs, runtime: &Runtime) -> Outcome {
    let plugin = arguments.plugin.read_plugin().map_err(CommandError::Input)?;
    let files = arguments.plugin.own_case_files().map_err(CommandError::Input)?;
    let terms = Terms { update: arguments.update, max_fuel: arguments.max_fuel, ..Terms::default() };
    let filter = arguments.filter.as_deref();
    let mut report = (arguments.format == OutputFormat::Text).then(CaseReport::new);
    let each = |found: Found<'_>| match (&mut report, found) {
        (None, _) => Ok(()),
        (Some(report), Found::Case(case)) => report.case(case),
        (Some(report), Found::Invalid(file)) => report.invalid(file),
    };
    let run = match &files {
        Some(files) => {
            CaseRun::run((runtime, &plugin), files, &terms, |file, about| is_wanted(filter, file, about), each)?
        }
        None => CaseRun::standard((runtime, &plugin), &terms, each)?,
    };
    if let (Some(text), true, true) = (filter, run.tested.is_empty(), run.invalid.is_empty()) {
        return Err(CommandError::Input(anyhow!("no case has \"{text}\" in its file name or in \"about\"")));
    }
    match &mut report {
        Some(report) => report.finish(&run, filter.is_none() && files.is_some())?,
        None => {
            let report = json_report::report(&plugin.path.display().to_string(), &run);
            writeln!(io::stdout(), "{report:#}")?;
        }
    }
    if files.is_none() {
        print_stderr(
            "the plugin has no cases, so it was only tried on standard events: see the directory \"cases\" of a new plugin",
        );
    }
    let is_passed = run.is_passed();
    let mut invalid = run.invalid;
    let Some((_, last)) = invalid.pop() else { return Ok(is_passed) };
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

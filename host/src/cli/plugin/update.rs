//! `banhook plugin update` and `rollback`: another version of a route's plugin, after it has shown what it changes.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::anyhow;
use clap::Args;

use super::inspect::{Inspected, differences, stored_event_changes};
use super::installed_file::InstalledFile;
use super::pin::{route_with_file, write_pin};
use crate::cli::case_run::{CaseRun, Terms};
use crate::cli::command_error::{CommandError, Outcome};
use crate::cli::global_options::GlobalOptions;
use crate::cli::plugin_file::{PluginFile, case_files_in, case_runtime};
use crate::config::{Config, Route};
use crate::hex::hex;
use crate::message::one_line;
use crate::plugin::Runtime;

/// Replace a route's plugin by another version, after showing what that changes
///
/// Shows what the new version may do that the old one may not, runs its cases (the directory "cases" next to the file, if
/// there is one), and compares the decisions of both on the last 100 stored events of the route. A failing case stops it.
/// The old version is kept for `rollback`. A daemon uses the new one at once.
#[derive(Debug, Args)]
pub(super) struct UpdateArgs {
    /// The route's name
    route: String,
    /// The new version, a .wasm file
    file: PathBuf,
    /// Ask nothing, and replace the plugin
    #[arg(long)]
    yes: bool,
    /// Only show what would change
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
}

/// Swap a route's plugin and the version that it had before the last update
#[derive(Debug, Args)]
pub(super) struct RollbackArgs {
    /// The route's name
    route: String,
}

/// Updates the plugin of a route; `Ok(false)` if the new version fails, or the user declines.
pub(super) fn update(global: &GlobalOptions, UpdateArgs { route: name, file, yes, dry_run }: &UpdateArgs) -> Outcome {
    let config = global.config()?;
    let (route, path) = route_with_file(&config, name).map_err(CommandError::Input)?;
    let (old, new) = (Inspected::new(path)?, Inspected::new(file)?);
    let mut out = io::stdout();
    for line in differences(&old, &new) {
        writeln!(out, "{}", one_line(&line))?;
    }
    if new.loaded.is_err() {
        return Ok(false);
    }
    let runtime = Arc::new(case_runtime()?);
    let plugin = PluginFile::read(file).map_err(CommandError::Input)?;
    if !cases_pass(&runtime, &plugin, file)? {
        return Ok(false);
    }
    for line in stored_event_changes(global, &config, route, [path, file], &runtime)? {
        writeln!(out, "{}", one_line(&line))?;
    }
    if *dry_run || !(*yes || is_confirmed(name)?) {
        writeln!(out, "nothing was changed")?;
        return Ok(*dry_run);
    }
    InstalledFile::at(path).and_then(|installed| installed.install(&plugin.bytes)).map_err(CommandError::Input)?;
    writeln!(out, "{}: replaced; `banhook plugin rollback {name}` brings the old version back", path.display())?;
    pin_again(global, &config, route, path)?;
    Ok(true)
}

/// Brings the version before the last update back.
pub(super) fn rollback(global: &GlobalOptions, RollbackArgs { route: name }: &RollbackArgs) -> Outcome {
    let config = global.config()?;
    let (route, path) = route_with_file(&config, name).map_err(CommandError::Input)?;
    InstalledFile::at(path).and_then(|installed| installed.exchange()).map_err(CommandError::Input)?;
    writeln!(io::stdout(), "{}: the version before is back; once more swaps the two again", path.display())?;
    pin_again(global, &config, route, path)?;
    Ok(true)
}

/// Pins the version that is installed now, if the route has a pin. Until then a daemon keeps the version that it has.
fn pin_again(global: &GlobalOptions, config: &Config, route: &Route, path: &Path) -> Result<(), CommandError> {
    if route.sha256.is_none() {
        return Ok(());
    }
    let installed = PluginFile::read(path).map_err(CommandError::Input)?;
    write_pin(global, config, &route.name, &hex(&installed.sha256))
}

/// Runs the cases next to the new version.
fn cases_pass(runtime: &Runtime, plugin: &PluginFile, file: &Path) -> Result<bool, CommandError> {
    let directory = file.parent().unwrap_or(Path::new("")).join("cases");
    if !directory.is_dir() {
        writeln!(io::stdout(), "cases: none ({} does not exist)", directory.display())?;
        return Ok(true);
    }
    let files = case_files_in(&directory).map_err(CommandError::Input)?;
    let run = CaseRun::run((runtime, plugin), &files, &Terms::default(), |_, _| true, |_| Ok(()))?;
    writeln!(io::stdout(), "cases: {}", run.sum())?;
    if !run.is_passed() {
        let [file, directory] = [file, &directory].map(|path| path.display().to_string());
        writeln!(io::stdout(), "nothing was changed; see `banhook test {file} {directory}`")?;
    }
    Ok(run.is_passed())
}

/// Asks whether to replace the plugin.
fn is_confirmed(route: &str) -> Result<bool, CommandError> {
    if !io::stdin().is_terminal() {
        let error = anyhow!("there is no terminal to ask on; add --yes to replace the plugin of {route}, or --dry-run");
        return Err(CommandError::Input(error));
    }
    write!(io::stdout(), "Replace the plugin of {route}? [y/N] ")?;
    io::stdout().flush()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

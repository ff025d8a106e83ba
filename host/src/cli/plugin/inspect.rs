//! `banhook plugin inspect`: what a plugin may do, what it is made of, and what it costs; of two, what changed.

mod cases;
mod comparison;
mod costs;
mod inspected;
mod json_report;
mod powers;
mod stored_events;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::pin::route_named;
use crate::cli::command_error::{CommandError, Outcome};
use crate::cli::global_options::{GlobalOptions, OutputFormat};
use crate::cli::plugin_file::case_runtime;
use crate::message::one_line;
use cases::case_changes;
pub(crate) use comparison::differences;
pub(crate) use inspected::Inspected;
pub(crate) use stored_events::stored_event_changes;

/// Show what a plugin may do, what it is made of and what it costs; of two files, what changed
///
/// Of two files, also says on which cases, those in the directory "cases" next to the newer one, the two decide differently.
#[derive(Debug, Args)]
pub(super) struct InspectArgs {
    /// The plugin's .wasm file, or "template" for the built-in plugin
    file: PathBuf,
    /// A newer version of it
    #[arg(value_name = "NEWER", conflicts_with = "against")]
    newer: Option<PathBuf>,
    /// An older version of it: also says on which of the last 100 stored events of a route the two decide differently
    #[arg(long, value_name = "OLDER", requires = "route")]
    against: Option<PathBuf>,
    /// The route whose events, settings and grants `--against` takes
    #[arg(long, value_name = "NAME", requires = "against")]
    route: Option<String>,
    /// Output format
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    format: OutputFormat,
}

/// Inspects one file, or compares two; `Ok(false)` if one of them does not load.
pub(super) fn inspect(global: &GlobalOptions, arguments: &InspectArgs) -> Outcome {
    let InspectArgs { file, newer, against, route, format } = arguments;
    match (newer, against, route) {
        (Some(newer), ..) => compare([file, newer], *format, || Ok(Vec::new())),
        (None, Some(older), Some(route)) => {
            let config = global.config()?;
            let route = route_named(&config, route).map_err(CommandError::Input)?;
            compare([older, file], *format, || {
                stored_event_changes(global, &config, route, [older, file], &Arc::new(case_runtime()?))
            })
        }
        _ => inspect_one(file, *format),
    }
}

fn inspect_one(file: &Path, format: OutputFormat) -> Outcome {
    let inspected = Inspected::new(file)?;
    let mut out = io::stdout();
    if format == OutputFormat::Json {
        writeln!(out, "{:#}", json_report::report(&inspected))?;
        return Ok(inspected.loaded.is_ok());
    }
    for (name, text) in inspected.lines() {
        writeln!(out, "{name:<12} {}", one_line(&text))?;
    }
    let Ok(costs) = &inspected.loaded else { return Ok(false) };
    for line in costs.table() {
        writeln!(out, "{}", one_line(&line))?;
    }
    Ok(true)
}

/// Says what changed from one file to the other. `more` says what else did, if both load.
fn compare(
    [old, new]: [&Path; 2],
    format: OutputFormat,
    more: impl FnOnce() -> Result<Vec<String>, CommandError>,
) -> Outcome {
    let [before, after] = [Inspected::new(old)?, Inspected::new(new)?];
    let mut changes = differences(&before, &after);
    let both_load = before.loaded.is_ok() && after.loaded.is_ok();
    if both_load && before.sha256 != after.sha256 {
        // What is known is shown in any case.
        let found = [("cases", case_changes(old, new)), ("events", more())];
        changes.extend(found.into_iter().flat_map(|(what, found)| {
            found.unwrap_or_else(|error| vec![format!("{what}: no decisions were compared: {}", error.text())])
        }));
    }
    let mut out = io::stdout();
    if format == OutputFormat::Json {
        let [old, new] = [&before, &after].map(json_report::report);
        writeln!(out, "{:#}", json!({ "old": old, "new": new, "changes": changes }))?;
    } else {
        for line in changes {
            writeln!(out, "{}", one_line(&line))?;
        }
    }
    Ok(both_load)
}

//! `banhook plugin inspect`: what a plugin may do, what it is made of, and what it costs; of two, what changed.

mod comparison;
mod costs;
mod inspected;
mod powers;

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Args;

use crate::cli::command_error::Outcome;
use crate::message::one_line;
use comparison::differences;
use inspected::Inspected;

/// Show what a plugin may do, what it is made of and what it costs; of two files, what changed
#[derive(Debug, Args)]
pub(super) struct InspectArgs {
    /// The plugin's .wasm file, or "template" for the built-in plugin
    file: PathBuf,
    /// A newer version of it
    #[arg(value_name = "NEWER")]
    newer: Option<PathBuf>,
}

/// Inspects one file, or compares two; `Ok(false)` if one of them does not load.
pub(super) fn inspect(arguments: &InspectArgs) -> Outcome {
    let inspected = Inspected::new(&arguments.file)?;
    let mut out = io::stdout();
    let Some(newer) = &arguments.newer else {
        for (name, text) in inspected.lines() {
            writeln!(out, "{name:<12} {}", one_line(&text))?;
        }
        let Ok(costs) = &inspected.loaded else { return Ok(false) };
        for line in costs.table() {
            writeln!(out, "{}", one_line(&line))?;
        }
        return Ok(true);
    };
    let newer = Inspected::new(newer)?;
    for line in differences(&inspected, &newer) {
        writeln!(out, "{}", one_line(&line))?;
    }
    Ok(inspected.loaded.is_ok() && newer.loaded.is_ok())
}

//! `banhook queue export`: stored events as lines of JSON, of which fixtures are made.

use std::io::{self, BufWriter, Write};

use crate::event::EventDefaults;
use crate::store::Store;

use super::{open, unknown};
use crate::cli::Outcome;
use crate::cli::arguments::ExportOptions;
use crate::cli::command_error::{CommandError, say};
use crate::cli::global_options::GlobalOptions;
use crate::cli::run::host_name;

/// Events are written one by one, so that memory does not grow with the history; so much of them at a time, in bytes.
const WRITE_BYTES: usize = 64 << 10;

/// Prints them; `Ok(false)` if a message is unknown, or a stored event cannot be read.
pub fn export(global: &GlobalOptions, options: &ExportOptions) -> Outcome {
    let Some((_, store)) = open(global)? else {
        options.messages.iter().for_each(|message| say(&unknown(*message)));
        return Ok(options.messages.is_empty());
    };
    let defaults = defaults(global);
    let mut out = BufWriter::with_capacity(WRITE_BYTES, io::stdout().lock());
    let mut is_whole = true;
    if options.messages.is_empty() {
        is_whole = write(&store, None, options.last.unwrap_or(usize::MAX), &defaults, &mut out)?;
    }
    for message in &options.messages {
        if store.message(*message)?.is_none() {
            say(&unknown(*message));
            is_whole = false;
            continue;
        }
        is_whole &= write(&store, Some(*message), usize::MAX, &defaults, &mut out)?;
    }
    out.flush()?;
    Ok(is_whole)
}

/// Events as plugins were handed them: what `notify` stored has no host and no labels of its own yet.
fn defaults(global: &GlobalOptions) -> EventDefaults {
    match global.config() {
        Ok(config) => config.event_defaults(&host_name()),
        Err(CommandError::Input(error) | CommandError::Other(error)) => {
            say(&format!("events are exported without the configuration's host and labels: {error:#}"));
            EventDefaults { host: host_name(), labels: std::collections::BTreeMap::new() }
        }
    }
}

/// False: an event could not be read.
fn write(
    store: &Store,
    message: Option<i64>,
    last: usize,
    defaults: &EventDefaults,
    out: &mut impl Write,
) -> Result<bool, CommandError> {
    let mut is_whole = true;
    store.export_events(message, last, |event| -> Result<(), CommandError> {
        match event {
            Ok(event) => writeln!(out, "{}", defaults.apply(event).to_json())?,
            Err(error) => {
                is_whole = false;
                say(&format!("a stored event cannot be read: {error}"));
            }
        }
        Ok(())
    })?;
    Ok(is_whole)
}

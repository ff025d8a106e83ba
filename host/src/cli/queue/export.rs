//! `banhook queue export`: stored events as JSON lines, for fixtures and cases.

use std::io::{self, BufWriter, Write};

use crate::event::EventDefaults;
use crate::store::Store;
use clap::Args;

use super::case_export::export_case;
use super::selection::{message_id, no_such_message};
use crate::cli::command_error::{CommandError, Outcome, print_stderr};
use crate::cli::global_options::GlobalOptions;
use crate::cli::global_options::host_name;

/// How much is written at a time, in bytes. Events are written one by one, so that memory does not grow with the history.
const WRITE_BYTES: usize = 64 << 10;

/// Print stored events as JSON lines, oldest first: those of the given messages, or all
///
/// They have the form of the events in the cases of `banhook test`. To make a case of the last one:
///
///   printf '{"event": %s}' "$(banhook queue export --last 1)" > cases/new.json
///
/// and `banhook test --update PLUGIN cases/new.json` writes the plugin's decision into it. With
/// --case the events of a message are a case as they are: with settings, time zone, decision, and
/// what `history` and `geo` answer.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct ExportArgs {
    /// Message ids, as `queue list` shows them [default: all stored events]
    #[arg(value_name = "ID", value_parser = message_id())]
    messages: Vec<i64>,
    /// Only the last N events
    #[arg(long, value_name = "N", conflicts_with = "messages")]
    last: Option<usize>,
    /// Print a case of a route's plugin: the events of the message with this id, or the event with this one
    #[arg(long, value_name = "ID", conflicts_with_all = ["messages", "last"])]
    case: Option<String>,
    /// With --case and an event that several routes match: the route
    #[arg(long, value_name = "NAME", requires = "case")]
    route: Option<String>,
    /// With --case: replace addresses, hosts and names by those of documentation. Read the result before you publish it
    #[arg(long, requires = "case")]
    redact: bool,
}

/// Prints events; `Ok(false)` if a message is unknown, or a stored event cannot be read.
pub(super) fn export(global: &GlobalOptions, arguments: &ExportArgs) -> Outcome {
    if let Some(id) = &arguments.case {
        return export_case(global, id, arguments.route.as_deref(), arguments.redact);
    }
    let Some((_, store)) = global.existing_store()? else {
        arguments.messages.iter().for_each(|id| print_stderr(&no_such_message(*id)));
        return Ok(arguments.messages.is_empty());
    };
    let defaults = defaults(global);
    let mut out = BufWriter::with_capacity(WRITE_BYTES, io::stdout().lock());
    let mut complete = true;
    if arguments.messages.is_empty() {
        complete = write(&store, None, arguments.last.unwrap_or(usize::MAX), &defaults, &mut out)?;
    }
    for id in &arguments.messages {
        if store.message(*id)?.is_none() {
            print_stderr(&no_such_message(*id));
            complete = false;
            continue;
        }
        complete &= write(&store, Some(*id), usize::MAX, &defaults, &mut out)?;
    }
    out.flush()?;
    Ok(complete)
}

/// The host and labels that plugins saw: an event that `notify` stored has neither of its own.
fn defaults(global: &GlobalOptions) -> EventDefaults {
    match global.config() {
        Ok(config) => config.event_defaults(&host_name()),
        Err(failure) => {
            print_stderr(&format!("exporting without the configuration's host and labels: {}", failure.text()));
            EventDefaults { host: host_name(), labels: std::collections::BTreeMap::new() }
        }
    }
}

/// Writes events; returns false if one could not be read.
fn write(
    store: &Store,
    message: Option<i64>,
    last: usize,
    defaults: &EventDefaults,
    out: &mut impl Write,
) -> Result<bool, CommandError> {
    let mut complete = true;
    store.export_events(message, last, |event| -> Result<(), CommandError> {
        match event {
            Ok(event) => writeln!(out, "{}", defaults.apply(event).to_json())?,
            Err(error) => {
                complete = false;
                print_stderr(&format!("cannot read a stored event: {error}"));
            }
        }
        Ok(())
    })?;
    Ok(complete)
}

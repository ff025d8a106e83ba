//! `banhook status`: the ledger, the queues of the webhooks and the plugins of the routes.

mod report;
mod text;

use std::io::Write as _;

use crate::event::Timestamp;
use clap::Args;

use super::command_error::Outcome;
use super::global_options::GlobalOptions;
use super::global_options::OutputFormat;
use report::StatusReport;

/// Show the ledger (where every event is) and the queues
///
/// Counts of events:
///   received   stored by notify or tail
///   unrouted   received, not given to the routes yet
///   unmatched  no route matches
///   routed     at least one route matches
/// Of these, on each route:
///   matched    the route matches
///   posted     accepted by the webhook in a message of its own
///   digested   accepted by the webhook in a digest
///   skipped    the plugin decided to post no message
///   dead       rejected, expired or dropped
///   pending    everything else: not formatted yet, in an open digest, or not sent yet
/// The counts of a webhook are messages.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct StatusArgs {
    /// Also count every stored event and compare with the ledger, and check every record; exit code 1 if a count differs or
    /// a record is damaged. Slow with a long history
    #[arg(long)]
    check: bool,
    /// Output format
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    format: OutputFormat,
}

/// Shows where every event is; `Ok(false)` if a sum or a count is wrong.
pub(super) fn status(global: &GlobalOptions, arguments: &StatusArgs) -> Outcome {
    let status = StatusReport::read(global, arguments.check)?;
    // Not `println!`: a reader that has gone away (`| head`) is an error and no panic.
    let mut out = std::io::stdout();
    match arguments.format {
        OutputFormat::Json => writeln!(out, "{}", serde_json::to_string(&status).map_err(anyhow::Error::from)?)?,
        OutputFormat::Text => write!(out, "{}", text::text(&global.state_dir, &status, Timestamp::now()))?,
    }
    let is_clean = status.discrepancies.is_none_or(|found| found.is_empty());
    Ok(status.balances && is_clean && status.damaged.is_none_or(|found| found.is_empty()))
}

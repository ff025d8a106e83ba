//! `banhook status`: the ledger, the queues of the webhooks, the plugins of the routes, and the logs.

mod text;

use std::io::Write as _;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::command_error::{CommandError, Outcome};
use super::global_options::GlobalOptions;
use crate::event::Timestamp;
use crate::message::one_line;
use crate::status::{StatusReport, metrics};

/// Show where every event is, the queues, plugins and logs; exit code 1 if something needs a person
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
/// The counts of a webhook are messages. The lag of a log is what has not been read of it, in bytes.
///
/// The exit code is 0 if all is well, also while events are pending. It is 1 if something needs a
/// person: a webhook is suspended, messages are dead, the configuration cannot be loaded, a log
/// cannot be read or understood, events in the spool cannot be received, a record is damaged, or a
/// count is wrong.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct StatusArgs {
    /// Also count every stored event and compare with the ledger, and check every record; exit code 1 if a count differs or
    /// a record is damaged. Slow with a long history
    #[arg(long)]
    check: bool,
    /// For monitors: print nothing, or one line if something needs a person
    #[arg(long, conflicts_with = "format")]
    quiet: bool,
    /// Output format: text for people, JSON, or metrics for Prometheus, without those that only a daemon counts
    #[arg(long, value_enum, default_value_t = StatusFormat::Text)]
    format: StatusFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StatusFormat {
    Text,
    Json,
    Prometheus,
}

/// Reads the state of the store, if there is one, and of the configuration; `check`: counts every event, too.
pub(super) fn read_status(global: &GlobalOptions, check: bool) -> Result<StatusReport, CommandError> {
    let (folder, store) = (global.folder()?, global.existing_store()?);
    let config = |is_new: bool| {
        let config = (global.config.exists() || !is_new).then(|| global.config())?;
        Some(config.map(Arc::new).map_err(|failure| failure.text()))
    };
    Ok(StatusReport::read(&folder, store.as_ref().map(|(_, store)| store), config, check)?)
}

/// Shows where every event is; `Ok(false)` if something needs a person.
pub(super) fn status(global: &GlobalOptions, arguments: &StatusArgs) -> Outcome {
    let status = read_status(global, arguments.check)?;
    // Not `println!`: a reader that has gone away (`| head`) is an error and no panic.
    let mut out = std::io::stdout();
    match arguments.format {
        _ if arguments.quiet => {
            if !status.needs_attention.is_empty() {
                writeln!(out, "{}", one_line(&status.needs_attention.join("; ")))?;
            }
        }
        StatusFormat::Prometheus => {
            write!(out, "{}", metrics(&status, None, Timestamp::now()).map_err(anyhow::Error::from)?)?;
        }
        StatusFormat::Json => writeln!(out, "{}", serde_json::to_string(&status).map_err(anyhow::Error::from)?)?,
        StatusFormat::Text => write!(out, "{}", text::text(&global.state_dir, &status, Timestamp::now()))?,
    }
    Ok(status.needs_attention.is_empty())
}

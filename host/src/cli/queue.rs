//! `banhook queue`: the messages that are pending or dead, one by one, and the stored events.
//!
//! All of it works while a daemon is running: each command reads, or makes one small change.

mod case_export;
mod drop;
mod export;
mod list;
mod redaction;
mod retry;
mod selection;
mod show;

use clap::{Args, Subcommand};

use super::command_error::Outcome;
use super::global_options::GlobalOptions;

/// List, show, retry and drop messages; export events
#[derive(Debug, Args)]
pub(super) struct QueueArgs {
    #[command(subcommand)]
    command: QueueCommand,
}

#[derive(Debug, Subcommand)]
enum QueueCommand {
    List(list::ListArgs),
    Show(show::ShowArgs),
    Retry(retry::RetryArgs),
    Drop(drop::DropArgs),
    Export(export::ExportArgs),
}

/// Runs one of the subcommands.
pub(super) fn queue(global: &GlobalOptions, arguments: &QueueArgs) -> Outcome {
    match &arguments.command {
        QueueCommand::List(arguments) => list::list(global, arguments),
        QueueCommand::Show(arguments) => show::show(global, arguments),
        QueueCommand::Retry(arguments) => retry::retry(global, arguments),
        QueueCommand::Drop(arguments) => drop::drop_messages(global, arguments),
        QueueCommand::Export(arguments) => export::export(global, arguments),
    }
}

//! `banhook queue`: the messages that are pending or dead, one by one, and the stored events.
//!
//! All of it works while a daemon is running: each command reads, or makes one small change.

mod drop;
mod export;
mod list;
mod message_id;
mod message_state;
mod retry;
mod selection;
mod show;

use std::io;

use clap::{Args, Subcommand};

use super::command_error::{CommandError, Outcome};
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
    let outcome = match &arguments.command {
        QueueCommand::List(arguments) => list::list(global, arguments),
        QueueCommand::Show(arguments) => show::show(global, arguments),
        QueueCommand::Retry(arguments) => retry::retry(global, arguments),
        QueueCommand::Drop(arguments) => drop::drop_messages(global, arguments),
        QueueCommand::Export(arguments) => export::export(global, arguments),
    };
    match outcome {
        // `banhook queue export | head`
        Err(CommandError::Other(error)) if is_broken_pipe(&error) => Ok(true),
        outcome => outcome,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

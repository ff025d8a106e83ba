//! `banhook queue`: the messages that are pending or dead, one by one, and the stored events.
//!
//! All of it works beside whoever is at work: it looks, or makes one small change.

mod change;
mod export;
mod list;
mod show;

use std::io;

use crate::store::{StateDir, Store};

use super::Outcome;
use super::arguments::QueueCommand;
use super::command_error::CommandError;
use super::global_options::GlobalOptions;

/// Does what is asked.
pub fn queue(global: &GlobalOptions, command: &QueueCommand) -> Outcome {
    let outcome = match command {
        QueueCommand::List(options) => list::list(global, options),
        QueueCommand::Show { message, format } => show::show(global, *message, *format),
        QueueCommand::Retry(options) => change::retry(global, options),
        QueueCommand::Drop(options) => change::drop_messages(global, options),
        QueueCommand::Export(options) => export::export(global, options),
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

/// The store; none where nothing was ever stored, and then none is made.
fn open(global: &GlobalOptions) -> Result<Option<(StateDir, Store)>, CommandError> {
    let folder = global.folder()?;
    if !folder.has_store()? {
        return Ok(None);
    }
    let store = Store::open(&folder)?;
    Ok(Some((folder, store)))
}

/// There is no such message. Those that are folded into a digest, formatted anew, or past their time, have no number more.
fn unknown(message: i64) -> String {
    format!(
        "there is no message {message} (any more); `banhook queue list` shows those that are pending or dead, \
         what waited long may have become part of a digest, and what was refused is formatted anew when it is retried"
    )
}

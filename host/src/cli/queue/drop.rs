//! `banhook queue drop`: drops messages.

use std::io::{self, IsTerminal as _, Write as _};

use crate::event::Timestamp;
use crate::phrase::counted;
use crate::store::{MessageInfo, MessageSelector, MessageState, Store, StoreError};
use anyhow::anyhow;
use clap::Args;

use super::selection::{SelectionArgs, explain_unchanged, is_known, without_store};
use crate::cli::command_error::{CommandError, Outcome};
use crate::cli::global_options::GlobalOptions;

/// Drop messages that are ready or dead; their events count as dead
#[derive(Debug, Args)]
pub(super) struct DropArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    /// Drop messages that were never sent, too, without a question
    #[arg(long)]
    yes: bool,
}

/// The messages of a selection that are still to be sent, or became dead without an attempt.
fn unsent(store: &Store, selector: &MessageSelector) -> Result<Vec<MessageInfo>, StoreError> {
    let selected = match selector {
        MessageSelector::Ids(ids) => {
            let found: Result<Vec<_>, _> = ids.iter().map(|id| store.message(*id)).collect();
            found?.into_iter().flatten().map(|(message, _)| message).collect()
        }
        MessageSelector::Dead(webhook) => {
            let mut dead = store.list_messages(false, true, usize::MAX)?;
            dead.retain(|message| webhook.as_ref().is_none_or(|webhook| *webhook == message.webhook));
            dead
        }
    };
    let is_unsent = |message: &MessageInfo| match message.state {
        MessageState::Ready => true,
        MessageState::Dead => message.attempts == 0,
        MessageState::Open | MessageState::Dropped | MessageState::Sent => false,
    };
    Ok(selected.into_iter().filter(is_unsent).collect())
}

/// Asks whether these messages are to be dropped.
///
/// # Errors
/// Where nobody can be asked.
fn confirm(unsent: &[MessageInfo]) -> Result<bool, CommandError> {
    let what = match unsent {
        [message] => format!("message {} was never sent", message.id),
        _ => format!("{} were never sent", counted(unsent.len() as u64, "message")),
    };
    let events = counted(unsent.iter().map(|message| u64::from(message.events)).sum::<u64>(), "event");
    let warning = format!("{what}; nobody will read of {events} then");
    if !io::stdin().is_terminal() {
        return Err(CommandError::Input(anyhow!("{warning}; add --yes to drop")));
    }
    let mut out = io::stdout();
    write!(out, "{warning}. Drop? [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}

/// Drops messages; `Ok(false)` if any of those named cannot be dropped.
pub(super) fn drop_messages(global: &GlobalOptions, arguments: &DropArgs) -> Outcome {
    let selector = arguments.selection.selector();
    let Some((_, mut store)) = global.existing_store()? else { return without_store(&selector) };
    let unsent = unsent(&store, &selector)?;
    if !unsent.is_empty() && !arguments.yes && !confirm(&unsent)? {
        return Ok(false);
    }
    let dropped = store.drop_messages(&selector, Timestamp::now())?;
    let all_dropped = explain_unchanged(&store, &selector, &dropped, |state| match state {
        MessageState::Open => "is open: events still join it; it can be dropped once it has closed",
        MessageState::Sent => "was sent already",
        MessageState::Dropped => "was dropped before",
        MessageState::Dead | MessageState::Ready => "was in another state a moment ago; try again",
    })?;
    let count = counted(dropped.len() as u64, "message");
    writeln!(io::stdout(), "{count} dropped; the events count as dead")?;
    Ok(all_dropped && is_known(global, &selector, dropped.is_empty()))
}

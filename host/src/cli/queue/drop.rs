//! `banhook queue drop`: drops messages.

use std::io::Write as _;

use crate::event::Timestamp;
use crate::phrase::counted;
use crate::store::MessageState;
use clap::Args;

use super::selection::{SelectionArgs, explain_unchanged, is_known, without_store};
use crate::cli::command_error::Outcome;
use crate::cli::global_options::GlobalOptions;

/// Drop messages that are ready or dead; their events count as dead
#[derive(Debug, Args)]
pub(super) struct DropArgs {
    #[command(flatten)]
    selection: SelectionArgs,
}

/// Drops messages; `Ok(false)` if any of those named cannot be dropped.
pub(super) fn drop_messages(global: &GlobalOptions, arguments: &DropArgs) -> Outcome {
    let selector = arguments.selection.selector();
    let Some((_, mut store)) = global.existing_store()? else { return without_store(&selector) };
    let dropped = store.drop_messages(&selector, Timestamp::now())?;
    let all_dropped = explain_unchanged(&store, &selector, &dropped, |state| match state {
        MessageState::Open => "is open: events still join it; it can be dropped once it has closed",
        MessageState::Sent => "was sent already",
        MessageState::Dropped => "was dropped before",
        MessageState::Dead | MessageState::Ready => "was in another state a moment ago; try again",
    })?;
    let count = counted(dropped.len() as u64, "message");
    writeln!(std::io::stdout(), "{count} dropped; their events count as dead")?;
    Ok(all_dropped && is_known(global, &selector, dropped.is_empty()))
}

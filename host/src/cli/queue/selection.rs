//! The messages that `retry` and `drop` change: those that are named, or all dead ones.

use std::collections::BTreeSet;
use std::io::Write as _;

use crate::store::{MessageSelector, MessageState, Store, StoreError};
use clap::Args;

use super::message_id::{message_id, no_such_message};
use crate::cli::command_error::{Outcome, print_stderr};
use crate::cli::global_options::GlobalOptions;

/// Which messages.
#[derive(Debug, Args)]
pub(super) struct SelectionArgs {
    /// Message ids, as `queue list` shows them
    #[arg(value_name = "ID", value_parser = message_id(), required_unless_present = "all", conflicts_with = "all")]
    messages: Vec<i64>,
    /// All dead messages
    #[arg(long)]
    all: bool,
    /// With --all: only messages for this webhook
    #[arg(long, value_name = "NAME", requires = "all", conflicts_with = "messages")]
    webhook: Option<String>,
}

impl SelectionArgs {
    /// Returns the selection for the store.
    pub(super) fn selector(&self) -> MessageSelector {
        if self.messages.is_empty() {
            return MessageSelector::Dead(self.webhook.clone());
        }
        let unique: BTreeSet<i64> = self.messages.iter().copied().collect();
        MessageSelector::Ids(unique.into_iter().collect())
    }
}

/// Explains why each message that was named was not changed; returns whether all were.
pub(super) fn explain_unchanged(
    store: &Store,
    selector: &MessageSelector,
    changed: &[i64],
    why: impl Fn(MessageState) -> &'static str,
) -> Result<bool, StoreError> {
    let MessageSelector::Ids(named) = selector else { return Ok(true) };
    let mut all_changed = true;
    for id in named.iter().filter(|id| !changed.contains(id)) {
        all_changed = false;
        match store.message(*id)? {
            Some((message, _)) => print_stderr(&format!("message {id} {}", why(message.state))),
            None => print_stderr(&no_such_message(*id)),
        }
    }
    Ok(all_changed)
}

/// Returns whether the selected webhook exists, in the configuration or as that of a message; reports it if not.
pub(super) fn is_known(global: &GlobalOptions, selector: &MessageSelector, found_none: bool) -> bool {
    let MessageSelector::Dead(Some(webhook)) = selector else { return true };
    let known = !found_none || global.config().map_or(true, |config| config.webhooks.contains_key(webhook));
    if !known {
        print_stderr(&format!("no webhook has the name \"{webhook}\", and no dead message is for one"));
    }
    known
}

/// The outcome where nothing was ever stored.
pub(super) fn without_store(selector: &MessageSelector) -> Outcome {
    match selector {
        MessageSelector::Ids(named) => named.iter().for_each(|id| print_stderr(&no_such_message(*id))),
        MessageSelector::Dead(_) => writeln!(std::io::stdout(), "No message is dead.")?,
    }
    Ok(matches!(selector, MessageSelector::Dead(_)))
}

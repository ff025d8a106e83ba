//! The messages that `retry` and `drop` change: those that are named, or all dead ones.

use std::collections::BTreeSet;
use std::io::Write as _;

use clap::builder::RangedI64ValueParser;
use clap::{Args, value_parser};

use crate::cli::command_error::{Outcome, print_stderr};
use crate::cli::global_options::GlobalOptions;
use crate::cli::time_format::to_the_second;
use crate::store::{MessageInfo, MessageSelector, MessageState, Store, StoreError};

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

/// Returns `ready`, `open until 2026-11-22 10:57:25 UTC` or `dead (rejected)`.
pub(super) fn message_state(message: &MessageInfo) -> String {
    match (message.state, message.closes_at) {
        (MessageState::Open, Some(at)) => format!("open until {}", to_the_second(at)),
        (MessageState::Open, None) => "open".to_owned(),
        (MessageState::Ready, _) => "ready".to_owned(),
        (MessageState::Dead, _) => {
            message.dead_reason.map_or_else(|| "dead".to_owned(), |reason| format!("dead ({})", reason.as_str()))
        }
        (MessageState::Dropped, _) => "dropped".to_owned(),
        (MessageState::Sent, _) => "sent".to_owned(),
    }
}

/// Parses an id.
pub(super) fn message_id() -> RangedI64ValueParser<i64> {
    value_parser!(i64).range(1..)
}

/// Says that there is no message of this id.
pub(super) fn no_such_message(id: i64) -> String {
    format!(
        "there is no message {id} in the queue; it may have been merged into a digest, or formatted again under a new id \
         when it was retried; see `banhook queue list`"
    )
}

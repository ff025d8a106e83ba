//! `banhook queue retry` and `drop`: what becomes of messages is decided by hand.

use std::collections::BTreeSet;
use std::io::Write as _;

use crate::event::Timestamp;
use crate::message::one_line;
use crate::store::{ConfiguredNames, MessageSelector, MessageState, Retried, RetryBlocked, Store, StoreError};

use super::{open, unknown};
use crate::cli::Outcome;
use crate::cli::arguments::{DropOptions, RetryOptions};
use crate::cli::command_error::{CommandError, say};
use crate::cli::global_options::GlobalOptions;
use crate::cli::notify::ensure_runner;
use crate::cli::status::counted;
use crate::cli::time_format::with_age;

/// Has dead messages sent again; `Ok(false)` if any of those named is not dead, or has to stay so.
pub fn retry(global: &GlobalOptions, options: &RetryOptions) -> Outcome {
    let choice = choice(&options.messages, options.webhook.as_ref());
    let Some((folder, mut store)) = open(global)? else { return nothing_there(&choice) };
    let now = Timestamp::now();
    // One that cannot be read here (its URLs may be in the daemon's environment) says nothing of routes; what is left of
    // one that is no more is told plainly by whoever is at work.
    let config = global.config().ok();
    let configured = config.map(|config| ConfiguredNames {
        routes: config.routes.into_iter().map(|route| route.name).collect(),
        webhooks: config.webhooks.into_keys().collect(),
    });
    let Retried { resent, reformatted, blocked } = store.retry(&choice, configured.as_ref(), now)?;
    let seen: Vec<i64> =
        resent.iter().chain(&reformatted).copied().chain(blocked.iter().map(|(message, _)| *message)).collect();
    let is_whole = explain_others(&store, &choice, &seen, |state| match state {
        MessageState::Open | MessageState::Ready => "is pending: it goes out by itself",
        MessageState::Sent => "was sent already",
        MessageState::Dropped => "was dropped, and its text with it",
        MessageState::Dead => "died again meanwhile",
    })?;
    for (message, why) in &blocked {
        say(&match why {
            RetryBlocked::NoRoute(route) => format!(
                "message {message} was refused, and its route \"{route}\" is not configured any more: nothing can word it anew"
            ),
            RetryBlocked::NoWebhook(webhook) => {
                format!(
                    "message {message}: its webhook \"{webhook}\" is not configured any more, and neither is its route"
                )
            }
        });
    }
    let mut out = std::io::stdout();
    if !reformatted.is_empty() {
        let (are, their) = if reformatted.len() == 1 { ("is", "its events") } else { ("are", "their events") };
        writeln!(out, "{} {are} formatted anew from {their}", counted(reformatted.len() as u64, "message"))?;
    }
    if !resent.is_empty() || reformatted.is_empty() {
        let are = if resent.len() == 1 { "is" } else { "are" };
        writeln!(out, "{} {are} to be sent again", counted(resent.len() as u64, "message"))?;
    }
    if !resent.is_empty() || !reformatted.is_empty() {
        say_what_delays(&store, now)?;
        ensure_runner(&folder, &global.config).map_err(CommandError::Other)?;
    }
    Ok(is_whole && blocked.is_empty() && is_known(global, &choice, resent.is_empty() && reformatted.is_empty()))
}

/// Gives messages up; `Ok(false)` if any of those named cannot be.
pub fn drop_messages(global: &GlobalOptions, options: &DropOptions) -> Outcome {
    let choice = choice(&options.messages, options.webhook.as_ref());
    let Some((_, mut store)) = open(global)? else { return nothing_there(&choice) };
    let dropped = store.drop_messages(&choice, Timestamp::now())?;
    let is_whole = explain_others(&store, &choice, &dropped, |state| match state {
        MessageState::Open => "is open: events still join it; it can be dropped once it has closed",
        MessageState::Sent => "was sent already",
        MessageState::Dropped => "was dropped before",
        MessageState::Dead | MessageState::Ready => "was not to be dropped a moment ago; try again",
    })?;
    let told = counted(dropped.len() as u64, "message");
    writeln!(std::io::stdout(), "{told} dropped; their events count as dead, and nothing lists them any more")?;
    Ok(is_whole && is_known(global, &choice, dropped.is_empty()))
}

/// False: nothing was found, and the configuration does not know the webhook either: it is misspelt.
fn is_known(global: &GlobalOptions, choice: &MessageSelector, nothing_found: bool) -> bool {
    let MessageSelector::Dead(Some(webhook)) = choice else { return true };
    let known = !nothing_found || global.config().map_or(true, |config| config.webhooks.contains_key(webhook));
    if !known {
        say(&format!("no webhook has the name \"{webhook}\", and no dead message is for one"));
    }
    known
}

/// None named: all that are dead.
fn choice(messages: &[i64], webhook: Option<&String>) -> MessageSelector {
    if messages.is_empty() {
        return MessageSelector::Dead(webhook.cloned());
    }
    let once: BTreeSet<i64> = messages.iter().copied().collect();
    MessageSelector::Ids(once.into_iter().collect())
}

/// A line for each message that was named and not changed. False: there is one.
fn explain_others(
    store: &Store,
    choice: &MessageSelector,
    changed: &[i64],
    why: impl Fn(MessageState) -> &'static str,
) -> Result<bool, StoreError> {
    let MessageSelector::Ids(named) = choice else { return Ok(true) };
    let mut is_whole = true;
    for message in named.iter().filter(|message| !changed.contains(message)) {
        is_whole = false;
        match store.message(*message)? {
            Some((info, _)) => say(&format!("message {message} {}", why(info.state))),
            None => say(&unknown(*message)),
        }
    }
    Ok(is_whole)
}

/// Where nothing was ever stored.
fn nothing_there(choice: &MessageSelector) -> Outcome {
    match choice {
        MessageSelector::Ids(named) => named.iter().for_each(|message| say(&unknown(*message))),
        MessageSelector::Dead(_) => writeln!(std::io::stdout(), "No message is dead.")?,
    }
    Ok(matches!(choice, MessageSelector::Dead(_)))
}

/// What keeps a webhook from getting its messages at once.
fn say_what_delays(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    for (webhook, queue) in store.queues(now)?.into_iter().filter(|(_, queue)| queue.pending > 0) {
        match (queue.suspended_error, queue.backoff_until) {
            (Some(error), _) => {
                say(&format!("the webhook \"{webhook}\" is suspended ({}): mend its URL", one_line(&error)));
            }
            (None, Some(at)) => say(&format!("the webhook \"{webhook}\" is tried next at {}", with_age(at, now))),
            (None, None) => {}
        }
    }
    Ok(())
}

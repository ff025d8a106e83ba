//! `banhook queue retry`: sends dead messages again.

use std::io::Write as _;

use crate::event::Timestamp;
use crate::message::one_line;
use crate::phrase::counted;
use crate::store::{ConfiguredNames, MessageState, Retried, RetryBlocked, Store, StoreError};
use banhook_notify::ensure_run;
use clap::Args;

use super::selection::{SelectionArgs, explain_unchanged, is_known, without_store};
use crate::cli::command_error::{Outcome, print_stderr};
use crate::cli::global_options::GlobalOptions;
use crate::cli::time_format::with_age;

/// Send dead messages again; exit code 1 if any of those named is not dead
///
/// A message that the webhook rejected is formatted again from its events; any other is sent as it is.
#[derive(Debug, Args)]
pub(super) struct RetryArgs {
    #[command(flatten)]
    selection: SelectionArgs,
}

/// Retries messages; `Ok(false)` if any of those named is not dead, or cannot be retried.
pub(super) fn retry(global: &GlobalOptions, arguments: &RetryArgs) -> Outcome {
    let selector = arguments.selection.selector();
    let Some((folder, mut store)) = global.existing_store()? else { return without_store(&selector) };
    let now = Timestamp::now();
    // A configuration that cannot be read here (its URLs may be in the daemon's environment) says nothing of routes: the
    // daemon formats what is left of a removed one.
    let config = global.config().ok();
    let configured = config.map(|config| ConfiguredNames {
        routes: config.routes.into_iter().map(|route| route.name).collect(),
        webhooks: config.webhooks.into_keys().collect(),
    });
    let retried = store.retry(&selector, configured.as_ref(), now)?;
    let Retried { resent, reformatted, blocked } = &retried;
    let seen: Vec<i64> =
        resent.iter().chain(reformatted).chain(blocked.iter().map(|(message, _)| message)).copied().collect();
    let all_dead = explain_unchanged(&store, &selector, &seen, |state| match state {
        MessageState::Open | MessageState::Ready => "is pending, so it is sent without a retry",
        MessageState::Sent => "was sent already",
        MessageState::Dropped => "was dropped, so its text is gone",
        MessageState::Dead => "became dead a moment ago; try again",
    })?;
    report(&retried)?;
    let found_none = resent.is_empty() && reformatted.is_empty();
    if !found_none {
        report_delays(&store, now)?;
        ensure_run(&folder, &global.config)?;
    }
    Ok(all_dead && blocked.is_empty() && is_known(global, &selector, found_none))
}

/// Says what happens to the messages.
fn report(Retried { resent, reformatted, blocked }: &Retried) -> std::io::Result<()> {
    for (message, why) in blocked {
        print_stderr(&match why {
            RetryBlocked::NoRoute(route) => format!(
                "message {message} was rejected and cannot be formatted again: its route \"{route}\" is not configured \
                 any more"
            ),
            RetryBlocked::NoWebhook(webhook) => format!(
                "message {message} cannot be sent: neither its webhook \"{webhook}\" nor its route is configured any more"
            ),
        });
    }
    let mut out = std::io::stdout();
    if !reformatted.is_empty() {
        let (are, their) = if reformatted.len() == 1 { ("is", "its events") } else { ("are", "their events") };
        writeln!(out, "{} {are} formatted again from {their}", counted(reformatted.len() as u64, "message"))?;
    }
    if !resent.is_empty() || reformatted.is_empty() {
        let are = if resent.len() == 1 { "is" } else { "are" };
        writeln!(out, "{} {are} sent again", counted(resent.len() as u64, "message"))?;
    }
    Ok(())
}

/// Says which webhooks do not get their messages at once.
fn report_delays(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    for (webhook, queue) in store.queues(now)?.into_iter().filter(|(_, queue)| queue.pending > 0) {
        match (queue.suspended_error, queue.backoff_until) {
            (Some(error), _) => {
                let error = one_line(&error);
                print_stderr(&format!("the webhook \"{webhook}\" is suspended ({error}); correct its URL"));
            }
            (None, Some(at)) => {
                print_stderr(&format!("the next attempt at the webhook \"{webhook}\" is at {}", with_age(at, now)));
            }
            (None, None) => {}
        }
    }
    Ok(())
}

//! Messages as an administrator sees them: listed, shown, sent once more, dropped.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde::Serialize;

use super::reformat::unformat;
use super::routed_events::{limit, parsed};
use super::{DeadReason, Store, StoreError};
use crate::event::{Event, Timestamp};

/// A message and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MessageInfo {
    /// Its number.
    pub id: i64,
    /// The route that it is from.
    pub route: String,
    /// The webhook that gets it.
    pub webhook: String,
    /// Where it is.
    pub state: MessageState,
    /// How many events it tells.
    pub events: u32,
    /// When the first of them was taken in.
    pub age_starts_at: Timestamp,
    /// Of a digest: why its events are told together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Of an open one: when it closes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closes_at: Option<Timestamp>,
    /// How often its sending was begun.
    pub attempts: u32,
    /// When it was begun last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_attempt_at: Option<Timestamp>,
    /// Why it is dead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_reason: Option<DeadReason>,
    /// The last error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Where a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageState {
    /// Events still join it.
    Open,
    /// To be sent.
    Ready,
    /// Refused for good, or given up.
    Dead,
    /// Dropped by hand.
    Dropped,
    /// The webhook has it.
    Sent,
}

/// Which messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageSelector {
    /// These.
    Ids(Vec<i64>),
    /// All dead ones, or those of one webhook.
    Dead(Option<String>),
}

/// What became of dead messages that were to be sent again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Retried {
    /// These are sent as they are: the webhook has said nothing against them.
    pub resent: Vec<i64>,
    /// These were refused and are no more: their events are formatted anew.
    pub reformatted: Vec<i64>,
    /// These stay dead.
    pub blocked: Vec<(i64, RetryBlocked)>,
}

/// Why a message stays dead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RetryBlocked {
    /// It was refused, and its route, which would word it anew, is no more.
    NoRoute(String),
    /// Its webhook is no more, and neither is its route, which might have another.
    NoWebhook(String),
}

/// The names that the configuration knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConfiguredNames {
    /// Of routes.
    pub routes: BTreeSet<String>,
    /// Of webhooks.
    pub webhooks: BTreeSet<String>,
}

impl ConfiguredNames {
    /// Why a message of this route, for this webhook, cannot be sent again.
    fn retry_blocked(&self, route: &str, webhook: &str, rejected: bool) -> Option<RetryBlocked> {
        if self.routes.contains(route) {
            return None;
        }
        // What is left of routes that are no more goes to the only webhook there is.
        let has_webhook = self.webhooks.contains(webhook) || self.webhooks.len() == 1;
        match (rejected, has_webhook) {
            (true, _) => Some(RetryBlocked::NoRoute(route.to_owned())),
            (false, false) => Some(RetryBlocked::NoWebhook(webhook.to_owned())),
            (false, true) => None,
        }
    }
}

const MESSAGE_INFO: &str = "SELECT id, route, webhook, state, events, age_starts_at, cause, closes_at, attempts, last_attempt_at, dead_reason, error FROM messages";

impl Store {
    /// The messages that are pending (ready or open) or dead, oldest first.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn list_messages(&self, pending: bool, dead: bool, at_most: usize) -> Result<Vec<MessageInfo>, StoreError> {
        self.database.read("read the outbox", |connection| {
            connection
                .prepare(&format!(
                    // Each state by its own index: most messages are history.
                    "{MESSAGE_INFO} WHERE id IN (
                         SELECT id FROM messages WHERE ?1 AND state = 'open'
                         UNION ALL SELECT id FROM messages WHERE ?1 AND state = 'ready'
                         UNION ALL SELECT id FROM messages WHERE ?2 AND state = 'dead'
                     ) ORDER BY id LIMIT ?3"
                ))?
                .query_map(params![pending, dead, limit(at_most)], message)?
                .collect()
        })
    }

    /// One message, and its body if it still has one; `None`: there is none of this number (any more).
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn message(&self, id: i64) -> Result<Option<(MessageInfo, Option<String>)>, StoreError> {
        self.database.read("read the outbox", |connection| {
            let found =
                connection.prepare(&format!("{MESSAGE_INFO} WHERE id = ?"))?.query_row([id], message).optional()?;
            let Some(found) = found else { return Ok(None) };
            let body = connection.query_row("SELECT body FROM messages WHERE id = ?", [id], |row| row.get(0))?;
            Ok(Some((found, body)))
        })
    }

    /// Dead messages are to be sent again. What a webhook has refused it would refuse once more: so the events of such
    /// a message are to be formatted once more, by what their route is now. `configured`: `None` if nobody can tell.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn retry(
        &mut self,
        choice: &MessageSelector,
        configured: Option<&ConfiguredNames>,
        now: Timestamp,
    ) -> Result<Retried, StoreError> {
        self.database.write("send messages again", |transaction| {
            let mut retried = Retried::default();
            for id in dead(transaction, choice)? {
                let (route, webhook, rejected): (String, String, bool) = transaction
                    .prepare_cached("SELECT route, webhook, dead_reason IS ? FROM messages WHERE id = ?")?
                    .query_row(params![DeadReason::Rejected.as_str(), id], |row| {
                        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                    })?;
                let blocked = configured.and_then(|configured| configured.retry_blocked(&route, &webhook, rejected));
                if let Some(blocked) = blocked {
                    retried.blocked.push((id, blocked));
                    continue;
                }
                // Moves its events in the ledger. Its age counts anew, or it would be too old at once.
                transaction
                    .prepare_cached(
                        "UPDATE messages SET state = 'ready', age_starts_at = ?1, next_attempt_at = ?1, failures = 0, parked = 0,
                             finished_at = NULL, dead_reason = NULL WHERE id = ?2",
                    )?
                    .execute(params![now.0, id])?;
                let reformatted = rejected && unformat(transaction, id)?;
                (if reformatted { &mut retried.reformatted } else { &mut retried.resent }).push(id);
            }
            Ok(retried)
        })
    }

    /// Messages are not to be sent, and will not be listed any more: their events are dead. Says which.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn drop_messages(&mut self, choice: &MessageSelector, now: Timestamp) -> Result<Vec<i64>, StoreError> {
        let set = "UPDATE messages SET state = 'dropped', body = NULL, finished_at = ?1,
             dead_reason = 'dropped', error = 'dropped by hand'";
        self.database.write("drop messages", |transaction| match choice {
            MessageSelector::Ids(ids) => {
                let mut one =
                    transaction.prepare(&format!("{set} WHERE id = ?2 AND state IN ('dead', 'ready') RETURNING id"))?;
                let mut changed = Vec::new();
                for id in ids {
                    changed.extend(one.query_row(params![now.0, id], |row| row.get::<_, i64>(0)).optional()?);
                }
                Ok(changed)
            }
            MessageSelector::Dead(webhook) => transaction
                .prepare(&format!("{set} WHERE state = 'dead' AND webhook = ifnull(?2, webhook) RETURNING id"))?
                .query_map(params![now.0, webhook], |row| row.get(0))?
                .collect(),
        })
    }

    /// Events in the order of intake, each handed to `each`: those of one message, or the last ones of all.
    ///
    /// # Errors
    /// When the disk refuses, or `each` has enough.
    pub fn export_events<E: From<StoreError>>(
        &self,
        message: Option<i64>,
        last: usize,
        mut each: impl FnMut(Result<Event, String>) -> Result<(), E>,
    ) -> Result<(), E> {
        /// Read at a time, so that memory does not grow with the history.
        const PAGE: usize = 500;
        let first = match message {
            Some(_) => 0,
            None => self.database.read("read the inbox", |connection| {
                connection.query_row("SELECT ifnull(max(seq), 0) FROM inbox.events", [], |row| row.get::<_, i64>(0))
            })?,
        };
        let mut after = if message.is_some() { 0 } else { first.saturating_sub(limit(last)).max(0) };
        loop {
            let page: Vec<(i64, Result<Event, String>)> = self.database.read("read events", |connection| {
                let row = |row: &Row<'_>| Ok((row.get(0)?, parsed(row.get_ref(1)?.as_str()?)));
                match message {
                    Some(message) => connection
                        .prepare_cached(
                            "SELECT event, body FROM routed_events CROSS JOIN inbox.events ON seq = event
                             WHERE message = ? AND event > ? ORDER BY event LIMIT ?",
                        )?
                        .query_map(params![message, after, limit(PAGE)], row)?
                        .collect(),
                    None => connection
                        .prepare_cached("SELECT seq, body FROM inbox.events WHERE seq > ? ORDER BY seq LIMIT ?")?
                        .query_map(params![after, limit(PAGE)], row)?
                        .collect(),
                }
            })?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = *last;
            page.into_iter().try_for_each(|(_, event)| each(event))?;
        }
    }
}

/// Those of a choice that are dead, in the order of the choice.
fn dead(transaction: &Transaction<'_>, choice: &MessageSelector) -> rusqlite::Result<Vec<i64>> {
    match choice {
        MessageSelector::Ids(ids) => {
            let mut one = transaction.prepare("SELECT id FROM messages WHERE id = ? AND state = 'dead'")?;
            let found = ids.iter().map(|id| one.query_row([id], |row| row.get(0)).optional());
            found.filter_map(Result::transpose).collect()
        }
        MessageSelector::Dead(webhook) => transaction
            .prepare("SELECT id FROM messages WHERE state = 'dead' AND webhook = ifnull(?, webhook) ORDER BY id")?
            .query_map([webhook], |row| row.get(0))?
            .collect(),
    }
}

fn message(row: &Row<'_>) -> rusqlite::Result<MessageInfo> {
    let state: String = row.get(3)?;
    Ok(MessageInfo {
        id: row.get(0)?,
        route: row.get(1)?,
        webhook: row.get(2)?,
        state: match state.as_str() {
            "open" => MessageState::Open,
            "ready" => MessageState::Ready,
            "dead" => MessageState::Dead,
            "dropped" => MessageState::Dropped,
            _ => MessageState::Sent,
        },
        events: row.get(4)?,
        age_starts_at: Timestamp(row.get(5)?),
        cause: row.get(6)?,
        closes_at: row.get::<_, Option<i64>>(7)?.map(Timestamp),
        attempts: row.get(8)?,
        last_attempt_at: row.get::<_, Option<i64>>(9)?.map(Timestamp),
        dead_reason: row.get_ref(10)?.as_str_or_null()?.and_then(DeadReason::parse),
        error: row.get(11)?,
    })
}

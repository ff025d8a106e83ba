//! Changes to messages by hand: dead ones are retried, dead and ready ones are dropped.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension, Transaction, params};

use super::error::StoreError;
use super::formatting::unformat;
use super::messages::{self, DeadReason};
use super::store::Store;
use crate::event::Timestamp;

/// The messages that a change is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MessageSelector {
    /// Those with these ids.
    Ids(Vec<i64>),
    /// All dead ones, or those of one webhook.
    Dead(Option<String>),
}

/// The results of a retry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Retried {
    /// Messages that are sent as they are: the webhook did not reject their bodies.
    pub resent: Vec<i64>,
    /// Messages that were rejected or damaged, and are deleted: their events are formatted again.
    pub reformatted: Vec<i64>,
    /// Messages that stay dead.
    pub blocked: Vec<(i64, RetryBlocked)>,
}

/// The reason why a message cannot be retried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RetryBlocked {
    /// It was rejected, and the route that would format its events again is not configured.
    NoRoute(String),
    /// Neither its webhook nor its route, which might have another, is configured.
    NoWebhook(String),
}

/// The names in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ConfiguredNames {
    /// Of routes.
    pub routes: BTreeSet<String>,
    /// Of webhooks.
    pub webhooks: BTreeSet<String>,
}

impl ConfiguredNames {
    /// Returns why a message of this route, for this webhook, cannot be retried; `None` if it can.
    fn retry_blocked(&self, route: &str, webhook: &str, rejected: bool) -> Option<RetryBlocked> {
        if self.routes.contains(route) {
            return None;
        }
        // The messages of removed routes go to the only webhook, if there is only one.
        let has_webhook = self.webhooks.contains(webhook) || self.webhooks.len() == 1;
        match (rejected, has_webhook) {
            (true, _) => Some(RetryBlocked::NoRoute(route.to_owned())),
            (false, false) => Some(RetryBlocked::NoWebhook(webhook.to_owned())),
            (false, true) => None,
        }
    }
}

impl Store {
    /// Retries dead messages. A webhook would reject again what it has rejected, and what is damaged cannot be sent: so the events of such a message are formatted
    /// again, by their route as it is configured now. `configured`: `None` if the configuration cannot be read.
    ///
    /// # Errors
    /// When the store fails; then nothing has changed.
    pub(crate) fn retry(
        &mut self,
        selector: &MessageSelector,
        configured: Option<&ConfiguredNames>,
        now: Timestamp,
    ) -> Result<Retried, StoreError> {
        self.database.write("retry messages", |transaction| {
            let mut retried = Retried::default();
            for id in select_dead(transaction, selector)? {
                let (route, webhook, rejected): (String, String, bool) = transaction
                    .prepare_cached("SELECT route, webhook, dead_reason IN (?, ?) FROM messages WHERE id = ?")?
                    .query_row(params![DeadReason::Rejected.as_str(), DeadReason::Damaged.as_str(), id], |row| {
                        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                    })?;
                let blocked = configured.and_then(|configured| configured.retry_blocked(&route, &webhook, rejected));
                if let Some(blocked) = blocked {
                    retried.blocked.push((id, blocked));
                    continue;
                }
                // First, so that its events are pending again before they leave it.
                messages::retry(transaction, id, now)?;
                let reformatted = rejected && unformat(transaction, id)?;
                (if reformatted { &mut retried.reformatted } else { &mut retried.resent }).push(id);
            }
            Ok(retried)
        })
    }

    /// Drops messages: their events are dead, and they are no longer listed. Of those with the ids, the dead and ready ones.
    /// Returns them.
    ///
    /// # Errors
    /// When the store fails; then nothing has changed.
    pub(crate) fn drop_messages(&mut self, selector: &MessageSelector, now: Timestamp) -> Result<Vec<i64>, StoreError> {
        self.database.write("drop messages", |transaction| match selector {
            MessageSelector::Ids(ids) => {
                let mut dropped = Vec::new();
                for id in ids {
                    if messages::drop_one(transaction, *id, now)? {
                        dropped.push(*id);
                    }
                }
                Ok(dropped)
            }
            MessageSelector::Dead(webhook) => messages::drop_dead(transaction, webhook.as_deref(), now),
        })
    }
}

/// Returns the selected messages that are dead, in the order of the selector.
fn select_dead(transaction: &Transaction<'_>, selector: &MessageSelector) -> rusqlite::Result<Vec<i64>> {
    match selector {
        MessageSelector::Ids(ids) => {
            let mut statement = transaction.prepare("SELECT id FROM messages WHERE id = ? AND state = 'dead'")?;
            let found = ids.iter().map(|id| statement.query_row([id], |row| row.get(0)).optional());
            found.filter_map(Result::transpose).collect()
        }
        MessageSelector::Dead(webhook) => transaction
            .prepare("SELECT id FROM messages WHERE state = 'dead' AND webhook = ifnull(?, webhook) ORDER BY id")?
            .query_map([webhook], |row| row.get(0))?
            .collect(),
    }
}

#[cfg(test)]
#[path = "retry_tests.rs"]
mod tests;

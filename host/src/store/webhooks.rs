//! The table `webhooks`: what is used of each webhook's rate, until when it backs off, and whether it is suspended. Stored,
//! so that short runs and the daemon share one limit.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Transaction, params};
use serde::Serialize;

use super::database::{lossy, stored};
use super::error::StoreError;
use super::store::Store;
use super::traces::blank_texts;
use crate::event::Timestamp;

/// The longest time for which anything is put off, in ms. A longer one is from before the clock was set back.
pub(crate) const MAX_WAIT_MS: i64 = 3_600_000;

/// The state of one webhook.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WebhookState {
    /// When one more message is within the rate, ignoring the burst: the theoretical arrival time of the generic cell rate
    /// algorithm.
    pub next_slot_at: Timestamp,
    /// Nothing is sent before this.
    pub backoff_until: Timestamp,
    /// Consecutive failed attempts, whichever the message.
    pub failures: u32,
    /// Whether it is suspended.
    pub suspended: Option<Suspended>,
    /// The messages whose plain form it rejected since it last accepted one.
    pub rejected: Vec<i64>,
}

/// The answer by which a webhook showed that it takes no more messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suspended {
    /// Its status and text.
    pub error: String,
    /// Since when.
    pub since: Timestamp,
    /// A hash of the URL that gave it: another one may work.
    #[serde(skip)]
    pub url_hash: String,
}

impl WebhookState {
    /// Returns the state without failures or suspension; what is used of the rate stays used.
    #[must_use]
    pub(crate) fn recovered(&self) -> Self {
        Self { next_slot_at: self.next_slot_at, ..Self::default() }
    }

    /// Returns the state without failures; a suspension stays, but no longer delays the next attempt.
    #[must_use]
    pub(crate) fn without_failures(&self) -> Self {
        Self { suspended: self.suspended.clone(), rejected: self.rejected.clone(), ..self.recovered() }
    }
}

impl Store {
    /// Lets a webhook be attempted at once, also while a daemon is running. What is used of its rate stays used, and a
    /// suspension stays.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn clear_failures(&self, webhook: &str) -> Result<(), StoreError> {
        self.new_connection()?.record_webhook(webhook, &self.webhook(webhook)?.without_failures())
    }

    /// Returns a webhook's state.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn webhook(&self, name: &str) -> Result<WebhookState, StoreError> {
        self.database.read("read a webhook's state", |connection| {
            let state = connection
                .prepare_cached(
                    "SELECT next_slot_at, backoff_until, failures, suspended_error, suspended_at, url_hash, rejected FROM webhooks WHERE name = ?",
                )?
                .query_row([name], |row| {
                    let suspended = lossy(row, 3)?;
                    let state = || -> rusqlite::Result<WebhookState> { Ok(WebhookState {
                        next_slot_at: Timestamp(row.get(0)?),
                        backoff_until: Timestamp(row.get(1)?),
                        failures: row.get(2)?,
                        suspended: match suspended {
                            Some(error) => {
                                let (since, url_hash) = (row.get::<_, Option<i64>>(4)?, row.get::<_, Option<String>>(5)?);
                                Some(Suspended {
                                    error,
                                    since: Timestamp(since.unwrap_or_default()),
                                    url_hash: url_hash.unwrap_or_default(),
                                })
                            }
                            None => None,
                        },
                        rejected: row.get_ref(6)?.as_str()?.split(',').filter_map(|id| id.parse().ok()).collect(),
                    }) };
                    // A damaged one is lost: its webhook is attempted at once.
                    Ok(state().unwrap_or_default())
                })
                .optional()?;
            Ok(state.unwrap_or_default())
        })
    }

    /// Records a webhook's state.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn record_webhook(&mut self, name: &str, state: &WebhookState) -> Result<(), StoreError> {
        self.database.write("record a webhook's state", |transaction| record(transaction, name, state))
    }

    /// Returns the webhooks that are suspended.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn suspended_webhooks(&self) -> Result<BTreeMap<String, Suspended>, StoreError> {
        self.database.read("read the state of webhooks", |connection| {
            connection
                .prepare("SELECT name, suspended_error, suspended_at, url_hash FROM webhooks WHERE suspended_error IS NOT NULL")?
                .query_map([], |row| {
                    let suspended = Suspended {
                        error: lossy(row, 1)?.unwrap_or_default(),
                        since: Timestamp(row.get(2).unwrap_or_default()),
                        url_hash: lossy(row, 3)?.unwrap_or_default(),
                    };
                    Ok((lossy(row, 0)?.unwrap_or_default(), suspended))
                })?
                .collect()
        })
    }
}

/// The query for the names of all webhooks with a state.
pub(super) const NAMES: &str = "SELECT name FROM webhooks";
/// The statement that removes a webhook's state.
pub(super) const REMOVE: &str = "DELETE FROM webhooks WHERE name = ?";

/// Blanks answers that `has` accepts.
pub(super) fn blank(transaction: &Transaction<'_>, has: impl Fn(&str) -> bool) -> rusqlite::Result<()> {
    let select = "SELECT name, suspended_error FROM webhooks WHERE suspended_error IS NOT NULL";
    blank_texts(transaction, (select, "UPDATE webhooks SET suspended_error = '[forgotten]' WHERE name = ?"), has)
        .map(drop)
}

/// Records a webhook's state.
pub(super) fn record(transaction: &Transaction<'_>, name: &str, state: &WebhookState) -> rusqlite::Result<()> {
    let suspended = state.suspended.as_ref();
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO webhooks (name, next_slot_at, backoff_until, failures, suspended_error, suspended_at, url_hash, rejected)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            name,
            state.next_slot_at.0,
            state.backoff_until.0,
            state.failures,
            suspended.map(|suspended| stored(&suspended.error)),
            suspended.map(|suspended| suspended.since.0),
            suspended.map(|suspended| &suspended.url_hash),
            state.rejected.iter().map(i64::to_string).collect::<Vec<_>>().join(","),
        ])
        .map(drop)
}

/// The queue of one webhook; this is its JSON.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct WebhookQueue {
    /// Messages that are ready to be sent.
    pub pending: u64,
    /// Digests that are open: events still join them.
    pub open: u64,
    /// Events in them.
    pub digest_events: u64,
    /// When the next of them closes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_digest_at: Option<Timestamp>,
    /// Dead messages.
    pub dead: u64,
    /// The error of the one that died last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_dead_error: Option<String>,
    /// When the first event of all pending messages was received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_pending_at: Option<Timestamp>,
    /// The last error of a pending or dead message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// When the attempt that ended in it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error_at: Option<Timestamp>,
    /// Nothing is sent before this: the webhook asked for it, or has failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff_until: Option<Timestamp>,
    /// Since when it is suspended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspended_at: Option<Timestamp>,
    /// The answer that suspended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspended_error: Option<String>,
}

impl Store {
    /// Returns the queues by webhook: those with messages that are pending or dead, and those of suspended webhooks.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn queues(&self, now: Timestamp) -> Result<BTreeMap<String, WebhookQueue>, StoreError> {
        let mut queues: BTreeMap<String, WebhookQueue> = self.database.read("read the outbox", |connection| {
            connection
                .prepare(
                    // Each state by its own index: most messages are history.
                    "WITH here AS MATERIALIZED (
                         SELECT id, webhook, state, events, age_starts_at, closes_at, last_attempt_at, finished_at, error FROM messages
                         WHERE id IN (SELECT id FROM messages WHERE state = 'open' AND events > 0
                             UNION ALL SELECT id FROM messages WHERE state = 'ready'
                             UNION ALL SELECT id FROM messages WHERE state = 'dead'))
                     SELECT webhook, sum(state = 'ready'), sum(state = 'open'), sum(iif(state = 'open', events, 0)),
                         sum(state = 'dead'), min(iif(state = 'dead', NULL, age_starts_at)), min(closes_at),
                         (SELECT error FROM here AS last WHERE last.webhook = here.webhook AND error IS NOT NULL
                              ORDER BY last_attempt_at DESC LIMIT 1),
                         (SELECT error FROM here AS last WHERE last.webhook = here.webhook AND state = 'dead'
                              ORDER BY finished_at DESC, id DESC LIMIT 1),
                         max(iif(error IS NULL, NULL, last_attempt_at))
                     FROM here GROUP BY webhook",
                )?
                .query_map([], |row| {
                    let state = WebhookQueue {
                        pending: row.get(1)?,
                        open: row.get(2)?,
                        digest_events: row.get(3).unwrap_or_default(),
                        dead: row.get(4)?,
                        oldest_pending_at: row.get(5).unwrap_or(None::<i64>).map(Timestamp),
                        next_digest_at: row.get(6).unwrap_or(None::<i64>).map(Timestamp),
                        last_error: lossy(row, 7)?,
                        last_dead_error: lossy(row, 8)?,
                        last_error_at: row.get(9).unwrap_or(None::<i64>).map(Timestamp),
                        ..WebhookQueue::default()
                    };
                    Ok((lossy(row, 0)?.unwrap_or_default(), state))
                })?
                .collect()
        })?;
        for (webhook, queue) in &mut queues {
            let is_backing_off = |at: &Timestamp| *at > now && *at <= now.plus_ms(MAX_WAIT_MS);
            queue.backoff_until =
                Some(self.webhook(webhook)?.backoff_until).filter(|at| is_backing_off(at) && queue.pending > 0);
        }
        for (webhook, suspended) in self.suspended_webhooks()? {
            let queue = queues.entry(webhook).or_default();
            (queue.suspended_error, queue.suspended_at) = (Some(suspended.error), Some(suspended.since));
        }
        Ok(queues)
    }
}

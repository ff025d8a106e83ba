//! The table `webhooks`: what is used of each webhook's rate, until when it backs off, and whether it is suspended. Stored,
//! so that short runs and the daemon share one limit.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Transaction, params};
use serde::Serialize;

use super::error::StoreError;
use super::store::Store;
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
}

/// The answer by which a webhook said that it takes no more messages.
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
        Self { suspended: self.suspended.clone(), ..self.recovered() }
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
                    "SELECT next_slot_at, backoff_until, failures, suspended_error, suspended_at, url_hash FROM webhooks WHERE name = ?",
                )?
                .query_row([name], |row| {
                    let suspended: Option<String> = row.get(3)?;
                    Ok(WebhookState {
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
                    })
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
                    let since: Option<i64> = row.get(2)?;
                    let since = Timestamp(since.unwrap_or_default());
                    let url_hash: Option<String> = row.get(3)?;
                    Ok((row.get(0)?, Suspended { error: row.get(1)?, since, url_hash: url_hash.unwrap_or_default() }))
                })?
                .collect()
        })
    }
}

/// The query for the names of all webhooks with a state.
pub(super) const NAMES: &str = "SELECT name FROM webhooks";
/// The statement that removes a webhook's state.
pub(super) const REMOVE: &str = "DELETE FROM webhooks WHERE name = ?";

/// Records a webhook's state.
pub(super) fn record(transaction: &Transaction<'_>, name: &str, state: &WebhookState) -> rusqlite::Result<()> {
    let suspended = state.suspended.as_ref();
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO webhooks (name, next_slot_at, backoff_until, failures, suspended_error, suspended_at, url_hash)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            name,
            state.next_slot_at.0,
            state.backoff_until.0,
            state.failures,
            suspended.map(|suspended| &suspended.error),
            suspended.map(|suspended| suspended.since.0),
            suspended.map(|suspended| &suspended.url_hash),
        ])
        .map(drop)
}

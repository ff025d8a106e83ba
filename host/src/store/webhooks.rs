//! How webhooks fare: what of their rate is used up, until when they are left standalone, and whether they are suspended. Stored,
//! so that short runs and the daemon together keep to it.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Transaction, params};
use serde::Serialize;

use super::{Store, StoreError};
use crate::event::Timestamp;

/// Nothing is ever put off for longer, in ms: what is was so by a clock that has been set back since.
pub const MAX_WAIT_MS: i64 = 3_600_000;

/// The state of one webhook.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WebhookState {
    /// When one message more is within the rate, were there no burst: the theoretical arrival time of the generic cell
    /// rate algorithm.
    pub next_slot_at: Timestamp,
    /// Nothing is sent before.
    pub backoff_until: Timestamp,
    /// Attempts in a row that failed, whichever the message.
    pub failures: u32,
    /// It takes no message any more.
    pub suspended: Option<Suspended>,
}

/// A webhook that takes no message any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suspended {
    /// What it said.
    pub error: String,
    /// Since when.
    pub since: Timestamp,
    /// Under which URL, as a hash: another one may work.
    #[serde(skip)]
    pub url_hash: String,
}

impl WebhookState {
    /// As if it had never failed; what of its rate is used up stays so.
    #[must_use]
    pub fn recovered(&self) -> Self {
        Self { next_slot_at: self.next_slot_at, ..Self::default() }
    }

    /// As if it had never failed, but that it is known to be suspended if it is.
    #[must_use]
    pub fn without_failures(&self) -> Self {
        Self { suspended: self.suspended.clone(), ..self.recovered() }
    }
}

impl Store {
    /// Has a webhook tried again at once, beside whoever is at work. Its rate is used up as before, and since when it is
    /// suspended stays known.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn clear_failures(&self, webhook: &str) -> Result<(), StoreError> {
        self.new_connection()?.record_webhook(webhook, &self.webhook(webhook)?.without_failures())
    }

    /// How a webhook fares.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn webhook(&self, name: &str) -> Result<WebhookState, StoreError> {
        self.database.read("read how a webhook fares", |connection| {
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

    /// Writes down how a webhook fares.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn record_webhook(&mut self, name: &str, state: &WebhookState) -> Result<(), StoreError> {
        self.database.write("record how a webhook fares", |transaction| record(transaction, name, state))
    }

    /// The webhooks that are suspended.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn suspended_webhooks(&self) -> Result<BTreeMap<String, Suspended>, StoreError> {
        self.database.read("read how webhooks fare", |connection| {
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

//! How webhooks fare: what of their rate is used up, until when they are left alone, and whether they are gone. Stored,
//! so that short runs and the daemon together keep to it.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Transaction, params};
use serde::Serialize;

use super::{Store, StoreError};
use crate::event::Timestamp;

/// Nothing is ever put off for longer, in ms: what is was so by a clock that has been set back since.
pub const LONGEST_WAIT_MS: i64 = 3_600_000;

/// The state of one webhook.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WebhookState {
    /// When one message more is within the rate, were there no burst: the theoretical arrival time of the generic cell
    /// rate algorithm.
    pub free_at: Timestamp,
    /// Nothing is sent before.
    pub not_before: Timestamp,
    /// Attempts in a row that failed, whichever the message.
    pub failures: u32,
    /// It takes no message any more.
    pub gone: Option<Gone>,
}

/// A webhook that takes no message any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gone {
    /// What it said.
    pub error: String,
    /// Since when.
    pub since: Timestamp,
    /// Under which URL, as a hash: another one may work.
    #[serde(skip)]
    pub url: String,
}

impl WebhookState {
    /// As if it had never failed; what of its rate is used up stays so.
    #[must_use]
    pub fn recovered(&self) -> Self {
        Self { free_at: self.free_at, ..Self::default() }
    }

    /// As if it had never failed, but that it is known to be gone if it is.
    #[must_use]
    pub fn to_be_tried(&self) -> Self {
        Self { gone: self.gone.clone(), ..self.recovered() }
    }
}

impl Store {
    /// Has a webhook tried again at once, beside whoever is at work. Its rate is used up as before, and since when it is
    /// gone stays known.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn try_again(&self, webhook: &str) -> Result<(), StoreError> {
        self.another()?.record_webhook(webhook, &self.webhook(webhook)?.to_be_tried())
    }

    /// How a webhook fares.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn webhook(&self, name: &str) -> Result<WebhookState, StoreError> {
        self.database.read("read how a webhook fares", |connection| {
            let state = connection
                .prepare_cached(
                    "SELECT free_at, not_before, failures, gone, gone_since, url FROM webhooks WHERE name = ?",
                )?
                .query_row([name], |row| {
                    let gone: Option<String> = row.get(3)?;
                    Ok(WebhookState {
                        free_at: Timestamp(row.get(0)?),
                        not_before: Timestamp(row.get(1)?),
                        failures: row.get(2)?,
                        gone: match gone {
                            Some(error) => {
                                let (since, url) = (row.get::<_, Option<i64>>(4)?, row.get::<_, Option<String>>(5)?);
                                Some(Gone {
                                    error,
                                    since: Timestamp(since.unwrap_or_default()),
                                    url: url.unwrap_or_default(),
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

    /// The webhooks that are gone.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn gone(&self) -> Result<BTreeMap<String, Gone>, StoreError> {
        self.database.read("read how webhooks fare", |connection| {
            connection
                .prepare("SELECT name, gone, gone_since, url FROM webhooks WHERE gone IS NOT NULL")?
                .query_map([], |row| {
                    let since: Option<i64> = row.get(2)?;
                    let since = Timestamp(since.unwrap_or_default());
                    let url: Option<String> = row.get(3)?;
                    Ok((row.get(0)?, Gone { error: row.get(1)?, since, url: url.unwrap_or_default() }))
                })?
                .collect()
        })
    }
}

pub(super) fn record(transaction: &Transaction<'_>, name: &str, state: &WebhookState) -> rusqlite::Result<()> {
    let gone = state.gone.as_ref();
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO webhooks (name, free_at, not_before, failures, gone, gone_since, url)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            name,
            state.free_at.0,
            state.not_before.0,
            state.failures,
            gone.map(|gone| &gone.error),
            gone.map(|gone| gone.since.0),
            gone.map(|gone| &gone.url),
        ])
        .map(drop)
}

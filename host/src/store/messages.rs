//! The outbox: messages that are ready to be sent, in order for each webhook, and how they end.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;

use super::webhooks::{self, MAX_WAIT_MS, WebhookState};
use super::{Store, StoreError};
use crate::event::Timestamp;
use crate::message::Target;

/// A message that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundMessage {
    /// Its number; lower ones are sent first.
    pub id: i64,
    /// The route that it is from.
    pub route: String,
    /// The webhook's JSON.
    pub body: String,
    /// Whose format that is in; `None`: a service that only another version knows.
    pub target: Option<Target>,
    /// When its first event was taken in.
    pub age_starts_at: Timestamp,
    /// How often its sending was begun.
    pub attempts: u32,
    /// How often it failed in a way that may pass.
    pub failures: u32,
    /// Whether others overtake it.
    pub parked: bool,
    /// Of one that is parked: not to be sent before.
    pub next_attempt_at: Timestamp,
}

/// What is left to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remaining {
    /// Nothing.
    Nothing,
    /// Only messages for webhooks that are suspended and not to be tried for now.
    Suspended,
    /// Something.
    Work,
}

/// Why a message is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadReason {
    /// The webhook rejected it for good; it would reject the same body again.
    Rejected,
    /// It was older than its route's `max_age`.
    Expired,
    /// The configuration no longer has its webhook, and no other webhook to send it to.
    WebhookRemoved,
    /// It was dropped by hand.
    Dropped,
}

impl DeadReason {
    /// The column's value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::WebhookRemoved => "webhook_removed",
            Self::Dropped => "dropped",
        }
    }

    /// The reason with this name; `None` for one that only another version knows.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Rejected, Self::Expired, Self::WebhookRemoved, Self::Dropped].into_iter().find(|it| it.as_str() == name)
    }
}

const OUTBOUND: &str =
    "SELECT id, route, body, age_starts_at, attempts, failures, parked, next_attempt_at, target FROM messages";

impl Store {
    /// The message that a webhook gets next among those that keep their order; `skip` of them are passed over.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn next_in_order(&self, webhook: &str, skip: u32) -> Result<Option<OutboundMessage>, StoreError> {
        self.pending(
            "WHERE webhook = ?1 AND state = 'ready' AND parked = 0 ORDER BY id LIMIT 1 OFFSET ?2",
            webhook,
            skip,
        )
    }

    /// Of the messages that wait standalone, the one that is due first.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn next_parked(&self, webhook: &str) -> Result<Option<OutboundMessage>, StoreError> {
        self.pending(
            "WHERE webhook = ?1 AND state = 'ready' AND parked = 1 ORDER BY next_attempt_at, id LIMIT 1 OFFSET ?2",
            webhook,
            0,
        )
    }

    fn pending(&self, which: &str, webhook: &str, skip: u32) -> Result<Option<OutboundMessage>, StoreError> {
        self.database.read("read the outbox", |connection| {
            connection
                .prepare_cached(&format!("{OUTBOUND} {which}"))?
                .query_row(params![webhook, skip], pending)
                .optional()
        })
    }

    /// Records that a message's sending begins, and what of the webhook's rate that uses up, before a byte of it leaves.
    /// False: it is not to be sent there any more (it became part of a digest, was dropped, or goes to another webhook).
    ///
    /// # Errors
    /// When the disk refuses; then it must not be sent.
    pub fn begin_attempt(
        &mut self,
        message: i64,
        webhook: &str,
        state: &WebhookState,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.database.write("record an attempt", |transaction| {
            let begun = transaction
                .prepare_cached(
                    "UPDATE messages SET attempts = attempts + 1, last_attempt_at = ?
                     WHERE id = ? AND webhook = ? AND state = 'ready'",
                )?
                .execute(params![now.0, message, webhook])?;
            if begun > 0 {
                webhooks::record(transaction, webhook, state)?;
            }
            Ok(begun > 0)
        })
    }

    /// The webhook has accepted a message: its events are posted, or digested. `parked_message`: another message, which this
    /// one has overtaken, and when that is due.
    ///
    /// # Errors
    /// When the disk refuses; then it will be sent again.
    pub fn record_accepted(
        &mut self,
        message: i64,
        parked_message: Option<(i64, Timestamp)>,
        webhook: &str,
        state: &WebhookState,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.database.write("record an accepted message", |transaction| {
            // Also where somebody dropped it meanwhile: it was told.
            transaction
                .prepare_cached(
                    "UPDATE messages SET state = CASE WHEN cause IS NULL THEN 'posted' ELSE 'digested' END,
                         body = NULL, error = NULL, dead_reason = NULL, finished_at = ? WHERE id = ?",
                )?
                .execute(params![now.0, message])?;
            if let Some((overtaken, next_attempt_at)) = parked_message {
                transaction
                    .prepare_cached(
                        "UPDATE messages SET parked = 1, next_attempt_at = ? WHERE id = ? AND state = 'ready'",
                    )?
                    .execute(params![next_attempt_at.0, overtaken])?;
            }
            webhooks::record(transaction, webhook, state)
        })
    }

    /// An attempt failed: the message stays ready. Those messages of the webhook that are too old are dead now; their
    /// numbers and routes are returned.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn record_failure(
        &mut self,
        message: i64,
        webhook: &str,
        failure: &FailedAttempt<'_>,
        now: Timestamp,
    ) -> Result<Vec<(i64, String)>, StoreError> {
        let FailedAttempt { state, error, failures, next_attempt_at, expire_before } = failure;
        self.database.write("record a failed attempt", |transaction| {
            transaction
                .prepare_cached(
                    "UPDATE messages SET error = ?, failures = failures + ?, next_attempt_at = ? WHERE id = ? AND state = 'ready'",
                )?
                .execute(params![error, failures, next_attempt_at.0, message])?;
            webhooks::record(transaction, webhook, state)?;
            let why = format!("older than max_age; the webhook's last answer: {error}");
            let mut dead = Vec::new();
            for (route, expire_before) in expire_before {
                let dead_ids = transaction
                    .prepare_cached(
                        "UPDATE messages SET state = 'dead', dead_reason = ?, error = ?, finished_at = ?
                         WHERE webhook = ? AND route = ? AND state = 'ready' AND age_starts_at < ? RETURNING id",
                    )?
                    .query_map(params![DeadReason::Expired.as_str(), why, now.0, webhook, route, expire_before.0], |row| row.get(0))?
                    .collect::<rusqlite::Result<Vec<i64>>>()?;
                dead.extend(dead_ids.into_iter().map(|id| (id, route.clone())));
            }
            Ok(dead)
        })
    }

    /// The webhook has refused a message for good: its events are dead, and the message is kept.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn mark_dead(
        &mut self,
        message: i64,
        reason: DeadReason,
        error: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.database.write("record a dead message", |transaction| {
            transaction
                .prepare_cached(
                    "UPDATE messages SET state = 'dead', dead_reason = ?, error = ?, finished_at = ?
                     WHERE id = ? AND state = 'ready'",
                )?
                .execute(params![reason.as_str(), error, now.0, message])
                .map(drop)
        })
    }

    /// All messages of a route that wait for a webhook are dead. Says which.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn mark_all_dead(
        &mut self,
        route: &str,
        webhook: &str,
        reason: DeadReason,
        error: &str,
        now: Timestamp,
    ) -> Result<Vec<i64>, StoreError> {
        self.database.write("record dead messages", |transaction| {
            transaction
                .prepare_cached(
                    "UPDATE messages SET state = 'dead', dead_reason = ?, error = ?, finished_at = ?
                     WHERE webhook = ? AND route = ? AND state = 'ready' RETURNING id",
                )?
                .query_map(params![reason.as_str(), error, now.0, webhook, route], |row| row.get(0))?
                .collect()
        })
    }

    /// Hands the messages of a route that wait for one webhook over to another. Says how many.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn reassign(&mut self, route: &str, from: &str, to: &str) -> Result<usize, StoreError> {
        self.database.write("reassign messages", |transaction| {
            transaction
                .prepare_cached(
                    "UPDATE messages SET webhook = ?3, parked = 0, failures = 0, next_attempt_at = 0
                     WHERE webhook = ?2 AND route = ?1 AND state = 'ready'",
                )?
                .execute(params![route, from, to])
        })
    }

    /// The webhooks that have messages to be sent.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn pending_webhooks(&self) -> Result<Vec<String>, StoreError> {
        self.database.read("read the outbox", |connection| {
            connection
                .prepare_cached("SELECT DISTINCT webhook FROM messages WHERE state = 'ready' ORDER BY webhook")?
                .query_map([], |row| row.get(0))?
                .collect()
        })
    }

    /// The routes that have messages to be sent by a webhook.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn pending_routes(&self, webhook: &str) -> Result<Vec<String>, StoreError> {
        self.database.read("read the outbox", |connection| {
            connection
                .prepare_cached("SELECT DISTINCT route FROM messages WHERE state = 'ready' AND webhook = ?")?
                .query_map([webhook], |row| row.get(0))?
                .collect()
        })
    }

    /// What is left to be done: events to be routed or formatted, digests to be closed, messages to be sent.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn remaining(&self, now: Timestamp) -> Result<Remaining, StoreError> {
        self.database.read("read the queues", |connection| {
            let (work, stuck): (bool, bool) = connection
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM inbox.events WHERE seq > (SELECT last_seq FROM routing_cursor))
                         OR EXISTS (SELECT 1 FROM routed_events WHERE state = 'pending' AND message IS NULL)
                         OR EXISTS (SELECT 1 FROM messages WHERE state = 'open')
                         OR EXISTS (SELECT 1 FROM messages WHERE state = 'ready' AND webhook NOT IN
                             (SELECT name FROM webhooks WHERE suspended_error IS NOT NULL AND backoff_until > ?1 AND backoff_until <= ?2)),
                         EXISTS (SELECT 1 FROM messages WHERE state = 'ready')",
                )?
                .query_row([now.0, now.plus_ms(MAX_WAIT_MS).0], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(match (work, stuck) {
                (true, _) => Remaining::Work,
                (false, true) => Remaining::Suspended,
                (false, false) => Remaining::Nothing,
            })
        })
    }

    /// Whether nothing waits, is held or is pending.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn is_drained(&self) -> Result<bool, StoreError> {
        // Before anything was left standalone for a while.
        Ok(self.remaining(Timestamp(i64::MIN))? == Remaining::Nothing)
    }
}

/// A failed attempt.
#[derive(Debug, Clone)]
pub struct FailedAttempt<'a> {
    /// How the webhook fares now.
    pub state: &'a WebhookState,
    /// What went wrong.
    pub error: &'a str,
    /// Failures to add to the message's own: 1 or 0.
    pub failures: u32,
    /// When a parked message is attempted again.
    pub next_attempt_at: Timestamp,
    /// By route, the time before which the age of an expired message of this webhook began.
    pub expire_before: BTreeMap<String, Timestamp>,
}

impl<'a> FailedAttempt<'a> {
    /// One that says nothing about the message.
    #[must_use]
    pub const fn new(state: &'a WebhookState, error: &'a str) -> Self {
        Self { state, error, failures: 0, next_attempt_at: Timestamp(0), expire_before: BTreeMap::new() }
    }
}

fn pending(row: &Row<'_>) -> rusqlite::Result<OutboundMessage> {
    Ok(OutboundMessage {
        id: row.get(0)?,
        route: row.get(1)?,
        body: row.get(2)?,
        age_starts_at: Timestamp(row.get(3)?),
        attempts: row.get(4)?,
        failures: row.get(5)?,
        parked: row.get(6)?,
        next_attempt_at: Timestamp(row.get(7)?),
        target: Target::parse(row.get_ref(8)?.as_str()?),
    })
}

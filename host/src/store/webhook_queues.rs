//! The queue of each webhook, as `status` shows it. It writes nothing.

use std::collections::BTreeMap;

use serde::Serialize;

use super::error::StoreError;
use super::store::Store;
use super::webhooks::MAX_WAIT_MS;
use crate::event::Timestamp;

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
                         WHERE id IN (SELECT id FROM messages WHERE state = 'open'
                             UNION ALL SELECT id FROM messages WHERE state = 'ready'
                             UNION ALL SELECT id FROM messages WHERE state = 'dead'))
                     SELECT webhook, sum(state = 'ready'), sum(state = 'open'), sum(iif(state = 'open', events, 0)),
                         sum(state = 'dead'), min(iif(state = 'dead', NULL, age_starts_at)), min(closes_at),
                         (SELECT error FROM here AS last WHERE last.webhook = here.webhook AND error IS NOT NULL
                              ORDER BY last_attempt_at DESC LIMIT 1),
                         (SELECT error FROM here AS last WHERE last.webhook = here.webhook AND state = 'dead'
                              ORDER BY finished_at DESC, id DESC LIMIT 1)
                     FROM here GROUP BY webhook",
                )?
                .query_map([], |row| {
                    let state = WebhookQueue {
                        pending: row.get(1)?,
                        open: row.get(2)?,
                        digest_events: row.get(3)?,
                        dead: row.get(4)?,
                        oldest_pending_at: row.get::<_, Option<i64>>(5)?.map(Timestamp),
                        next_digest_at: row.get::<_, Option<i64>>(6)?.map(Timestamp),
                        last_error: row.get(7)?,
                        last_dead_error: row.get(8)?,
                        ..WebhookQueue::default()
                    };
                    Ok((row.get(0)?, state))
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

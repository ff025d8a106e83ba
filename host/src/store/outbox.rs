//! The outbox: the ready messages of each webhook, in their order, and the results of attempts to send them.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::change_budgets::{self, ChangeBudget};
use super::checksum::{DAMAGED, is_message_intact, message_columns};
use super::error::StoreError;
use super::messages::{self, DeadReason};
use super::receipts;
use super::store::Store;
use super::webhooks::{self, MAX_WAIT_MS, WebhookState};
use crate::event::Timestamp;
use crate::message::{Guarded, Reference, Target, Way};

/// A message that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundMessage {
    /// Its id; lower ones are sent first.
    pub id: i64,
    /// The route that it is from.
    pub route: String,
    /// The body of the request: JSON.
    pub body: String,
    /// The target whose format the body is in; `None`: one that only another version knows.
    pub target: Option<Target>,
    /// When its first event was received, or when it was retried.
    pub age_starts_at: Timestamp,
    /// The number of attempts to send it.
    pub attempts: u32,
    /// The number of its failures that may pass.
    pub failures: u32,
    /// Which others it holds up.
    pub lane: Lane,
    /// When a parked message is attempted again.
    pub next_attempt_at: Timestamp,
    /// Whether the webhook rejected it as it was formatted, and the body is its plain form.
    pub plain: bool,
    /// The suspended webhook that it was for.
    pub stands_in_for: Option<String>,
    /// The checksum of its content.
    pub(crate) checksum: i64,
    /// The thread that it belongs to.
    pub(crate) thread: Option<i64>,
    /// The message that it changes.
    pub(crate) changes: Option<i64>,
    /// The message that it is beneath.
    pub(crate) beneath: Option<i64>,
    /// How it goes into the channel, once that is decided.
    pub(crate) way: Way,
}

/// Which messages one holds up that is not sent yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// All later ones.
    InOrder,
    /// None: it fails, and the others do not.
    Parked,
    /// None: it changes a message that was sent.
    Change,
}

impl Lane {
    const fn of(parked: i64) -> Self {
        match parked {
            0 => Self::InOrder,
            2 => Self::Change,
            _ => Self::Parked,
        }
    }
}

/// The route of notices, which no route can be called.
const NOTICES: &str = "[health]";

/// A message of no event: about a webhook or about messages, to another webhook. It is in no ledger, and no trace of it is
/// kept once it is sent or dead.
#[derive(Debug, Clone)]
pub(crate) struct Notice {
    /// The webhook that gets it.
    pub webhook: String,
    /// What it is about: one that is still to be sent stands for another one with the same key.
    pub key: String,
    /// Its body.
    pub body: Guarded,
}

impl Notice {
    pub(super) fn insert(&self, transaction: &Transaction<'_>, now: Timestamp) -> rusqlite::Result<()> {
        messages::insert_notice(transaction, NOTICES, (&self.webhook, &self.key), &self.body, now)
    }

    /// Inserts it in place of an earlier one with the same key.
    pub(super) fn replace(&self, transaction: &Transaction<'_>, now: Timestamp) -> rusqlite::Result<()> {
        messages::remove_notice(transaction, NOTICES, (&self.webhook, &self.key))?;
        self.insert(transaction, now)
    }
}

/// What remains to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remaining {
    /// Nothing.
    Nothing,
    /// Only messages for suspended webhooks that are not probed for now.
    Suspended,
    /// Events to receive, route or format, digests to close, or messages to send.
    Work,
}

/// A failed attempt.
#[derive(Debug, Clone)]
pub(crate) struct FailedAttempt<'a> {
    /// The webhook's state after it.
    pub state: &'a WebhookState,
    /// The error.
    pub error: &'a str,
    /// Failures to add to the message's own: 1 or 0.
    pub failures: u32,
    /// When a parked message is attempted again.
    pub next_attempt_at: Timestamp,
    /// By route, the time before which the age of an expired message of this webhook began.
    pub expire_before: BTreeMap<String, Timestamp>,
    /// Messages that it rejected before, and that are ready again.
    pub revive: &'a [i64],
    /// What is announced.
    pub notice: Option<Notice>,
    /// What is announced if messages expire.
    pub notice_of_expired: Option<Notice>,
}

impl<'a> FailedAttempt<'a> {
    /// An attempt that says nothing about the message.
    #[must_use]
    pub(crate) const fn new(state: &'a WebhookState, error: &'a str) -> Self {
        Self {
            state,
            error,
            failures: 0,
            next_attempt_at: Timestamp(0),
            expire_before: BTreeMap::new(),
            revive: &[],
            notice: None,
            notice_of_expired: None,
        }
    }
}

/// The query for messages, of which [`outbound`] makes them.
const OUTBOUND: &str = concat!(
    "SELECT id, age_starts_at, attempts, failures, parked, next_attempt_at, ",
    message_columns!(),
    ", plain, stands_in_for, thread, changes, beneath FROM messages"
);

impl Store {
    /// Returns a webhook's next message among those that are not parked, after `skip` others.
    ///
    /// # Errors
    /// When the store fails.
    pub fn next_in_order(&self, webhook: &str, skip: u32) -> Result<Option<OutboundMessage>, StoreError> {
        self.next_where(
            "WHERE webhook = ?1 AND state = 'ready' AND parked = 0 ORDER BY id LIMIT 1 OFFSET ?2",
            webhook,
            skip,
        )
    }

    /// Returns a webhook's next notice.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn next_notice(&self, webhook: &str) -> Result<Option<OutboundMessage>, StoreError> {
        let which = format!(
            "WHERE webhook = ?1 AND state = 'ready' AND route = '{NOTICES}' ORDER BY parked, id LIMIT 1 OFFSET ?2"
        );
        self.next_where(&which, webhook, 0)
    }

    /// Returns a webhook's parked message that is attempted next.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn next_parked(&self, webhook: &str) -> Result<Option<OutboundMessage>, StoreError> {
        self.next_where(
            "WHERE webhook = ?1 AND state = 'ready' AND parked = 1 ORDER BY next_attempt_at, id LIMIT 1 OFFSET ?2",
            webhook,
            0,
        )
    }

    /// Returns the message of a webhook that is to change another one next. It waits while that, or an earlier change
    /// of it, is on its way.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn next_change(&self, webhook: &str) -> Result<Option<OutboundMessage>, StoreError> {
        self.next_where(
            "AS change WHERE webhook = ?1 AND state = 'ready' AND parked = 2
                 AND NOT EXISTS (SELECT 1 FROM messages WHERE id = change.changes AND state = 'ready')
                 AND NOT EXISTS (SELECT 1 FROM messages WHERE changes = change.changes AND id < change.id AND state = 'ready')
             ORDER BY next_attempt_at, id LIMIT 1 OFFSET ?2",
            webhook,
            0,
        )
    }

    fn next_where(&self, which: &str, webhook: &str, skip: u32) -> Result<Option<OutboundMessage>, StoreError> {
        loop {
            let found = self.database.read("read the outbox", |connection| {
                connection
                    .prepare_cached(&format!("{OUTBOUND} {which}"))?
                    .query_row(params![webhook, skip], |row| Ok((row.get(0)?, outbound(row)?)))
                    .optional()
            })?;
            match found {
                Some((id, None)) => {
                    if !self.new_connection()?.quarantine(id, webhook)? {
                        return Ok(None);
                    }
                }
                found => return Ok(found.and_then(|(_, message)| message)),
            }
        }
    }

    /// Moves a ready message whose record is damaged to dead. False: it is not ready.
    fn quarantine(&mut self, message: i64, webhook: &str) -> Result<bool, StoreError> {
        tracing::error!(webhook, id = message, "message quarantined: {DAMAGED}");
        let now = Timestamp::now();
        self.database
            .write("quarantine a message", |transaction| messages::quarantine(transaction, message, DAMAGED, now))
    }

    /// Records that an attempt to send a message begins, and what it uses of the webhook's rate, before a byte of it leaves.
    /// False: it is not to be sent there any more (it has joined a digest, was dropped, or is another webhook's).
    ///
    /// # Errors
    /// When the store fails; then it must not be sent.
    pub(crate) fn begin_attempt(
        &mut self,
        message: &OutboundMessage,
        webhook: &str,
        state: &WebhookState,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.database.write("record an attempt", |transaction| {
            let begun = messages::begin_attempt(transaction, (message.id, message.checksum), webhook, now)?;
            if begun {
                webhooks::record(transaction, webhook, state)?;
            }
            Ok(begun)
        })
    }

    /// Records that an attempt to change a message begins, and what it uses of the rate of changes. `spend`: what is left of that
    /// afterwards; `None`: another webhook with the same token has used it up meanwhile. False: as for
    /// [`Self::begin_attempt`], or then.
    ///
    /// # Errors
    /// When the store fails; then it must not be sent.
    pub(crate) fn begin_change(
        &mut self,
        message: &OutboundMessage,
        webhook: &str,
        budget: &str,
        spend: impl Fn(ChangeBudget) -> Option<ChangeBudget>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.database.write("record an attempt", |transaction| {
            let Some(spent) = spend(change_budgets::read(transaction, budget)?) else { return Ok(false) };
            let begun = messages::begin_attempt(transaction, (message.id, message.checksum), webhook, now)?;
            if begun {
                change_budgets::record(transaction, budget, spent)?;
            }
            Ok(begun)
        })
    }

    /// Records that the webhook has accepted a message: its events are posted, or digested. `reference`: where it is. `parked_message`:
    /// a message that this one has overtaken, and when that is attempted again.
    ///
    /// # Errors
    /// When the store fails; then it will be sent again.
    pub fn record_accepted(
        &mut self,
        message: i64,
        reference: Option<&Reference>,
        parked_message: Option<(i64, Timestamp)>,
        webhook: &str,
        state: &WebhookState,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.database.write("record an accepted message", |transaction| {
            let reference = reference.and_then(|reference| serde_json::to_string(reference).ok());
            messages::accept(transaction, message, reference.as_deref(), now)?;
            if let Some((overtaken, next_attempt_at)) = parked_message {
                messages::park(transaction, overtaken, next_attempt_at)?;
            }
            webhooks::record(transaction, webhook, state)
        })
    }

    /// Records a failed attempt: the message stays ready. Messages of the webhook that have expired are dead now; returns
    /// them with their routes.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn record_failure(
        &mut self,
        message: i64,
        webhook: &str,
        failure: &FailedAttempt<'_>,
        now: Timestamp,
    ) -> Result<Vec<(i64, String)>, StoreError> {
        let FailedAttempt { state, error, failures, next_attempt_at, expire_before, .. } = failure;
        self.database.write("record a failed attempt", |transaction| {
            messages::fail(transaction, message, error, *failures, *next_attempt_at)?;
            webhooks::record(transaction, webhook, state)?;
            for rejected in failure.revive {
                messages::revive(transaction, *rejected, now)?;
            }
            if let Some(notice) = &failure.notice {
                notice.insert(transaction, now)?;
            }
            let why = format!("older than max_age; the webhook's last answer: {error}");
            let mut dead = Vec::new();
            for (route, before) in expire_before {
                let expired = messages::expire(transaction, (route, webhook), *before, &why, now)?;
                dead.extend(expired.into_iter().map(|id| (id, route.clone())));
            }
            if let Some(notice) = failure.notice_of_expired.as_ref().filter(|_| !dead.is_empty()) {
                notice.insert(transaction, now)?;
            }
            Ok(dead)
        })
    }

    /// Records that a webhook rejected a message as it was formatted: its plain form is sent instead.
    ///
    /// # Errors
    /// When the store fails; then the message will be sent again as it was.
    pub(crate) fn replace_by_plain(
        &mut self,
        message: i64,
        (webhook, state): (&str, &WebhookState),
        body: &Guarded,
        error: &str,
    ) -> Result<(), StoreError> {
        self.database.write("replace a rejected message", |transaction| {
            messages::replace_by_plain(transaction, message, body, error)?;
            webhooks::record(transaction, webhook, state)
        })
    }

    /// Moves a ready message to dead, and its events with it. The message is kept. Records the state of its webhook as well,
    /// and a notice about it.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn mark_dead(
        &mut self,
        message: i64,
        (webhook, state): (&str, &WebhookState),
        (reason, error): (DeadReason, &str),
        notice: Option<&Notice>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.database.write("record a dead message", |transaction| {
            messages::mark_dead(transaction, message, reason, error, now)?;
            webhooks::record(transaction, webhook, state)?;
            notice.map_or(Ok(()), |notice| notice.insert(transaction, now))
        })
    }

    /// Records notices, all or none.
    ///
    /// # Errors
    /// When the store fails; then there is none of them.
    pub(crate) fn announce(&mut self, notices: &[Notice], now: Timestamp) -> Result<(), StoreError> {
        self.database.write("record a notice", |transaction| {
            notices.iter().try_for_each(|notice| notice.insert(transaction, now))
        })
    }

    /// Moves all ready messages of a route for a webhook to dead, and records a notice about them. Returns them.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn mark_all_dead(
        &mut self,
        (route, webhook): (&str, &str),
        (reason, error): (DeadReason, &str),
        notice: Option<&Notice>,
        now: Timestamp,
    ) -> Result<Vec<i64>, StoreError> {
        self.database.write("record dead messages", |transaction| {
            let dead = messages::mark_all_dead(transaction, (route, webhook), reason, error, now)?;
            if let Some(notice) = notice.filter(|_| !dead.is_empty()) {
                notice.insert(transaction, now)?;
            }
            Ok(dead)
        })
    }

    /// Gives the ready messages of a route from one webhook to another; `stands_in_for`: the suspended webhook that they are
    /// for. Returns how many they are.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn reassign(
        &mut self,
        route: &str,
        (from, to): (&str, &str),
        stands_in_for: Option<&str>,
    ) -> Result<usize, StoreError> {
        self.database
            .write("reassign messages", |transaction| messages::reassign(transaction, route, (from, to), stands_in_for))
    }

    /// Returns the webhooks with ready messages.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn pending_webhooks(&self) -> Result<Vec<String>, StoreError> {
        self.database.read("read the outbox", |connection| {
            connection
                .prepare_cached("SELECT DISTINCT webhook FROM messages WHERE state = 'ready' ORDER BY webhook")?
                .query_map([], |row| row.get(0))?
                .collect()
        })
    }

    /// Returns the routes with ready messages for a webhook.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn pending_routes(&self, webhook: &str) -> Result<Vec<String>, StoreError> {
        self.database.read("read the outbox", |connection| {
            connection
                .prepare_cached("SELECT DISTINCT route FROM messages WHERE state = 'ready' AND webhook = ?")?
                .query_map([webhook], |row| row.get(0))?
                .collect()
        })
    }

    /// Returns what remains to be done.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn remaining(&self, now: Timestamp) -> Result<Remaining, StoreError> {
        // In this order: what is received meanwhile is in the inbox then.
        let receipts = self.database.read("read the receipts", |connection| receipts::last(connection, false))?;
        if self.unreceived(&receipts)?.can_be_received {
            return Ok(Remaining::Work);
        }
        self.database.read("read the queues", |connection| {
            let (work, ready): (bool, bool) = connection
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM events WHERE seq > (SELECT last_seq FROM routing_cursor))
                         OR EXISTS (SELECT 1 FROM routed_events WHERE state = 'pending' AND message IS NULL)
                         OR EXISTS (SELECT 1 FROM messages WHERE state = 'open' AND events > 0)
                         OR EXISTS (SELECT 1 FROM messages WHERE state = 'ready' AND webhook NOT IN
                             (SELECT name FROM webhooks WHERE suspended_error IS NOT NULL AND backoff_until > ?1 AND backoff_until <= ?2)),
                         EXISTS (SELECT 1 FROM messages WHERE state = 'ready')",
                )?
                .query_row([now.0, now.plus_ms(MAX_WAIT_MS).0], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(match (work, ready) {
                (true, _) => Remaining::Work,
                (false, true) => Remaining::Suspended,
                (false, false) => Remaining::Nothing,
            })
        })
    }

    /// Returns whether no event is unrouted or pending, also none for a suspended webhook.
    ///
    /// # Errors
    /// When the store fails.
    pub fn is_drained(&self) -> Result<bool, StoreError> {
        // At a time when no webhook is backing off yet.
        Ok(self.remaining(Timestamp(i64::MIN))? == Remaining::Nothing)
    }
}

/// Makes a message of a row of [`OUTBOUND`]; `None`: it is damaged.
fn outbound(row: &Row<'_>) -> rusqlite::Result<Option<OutboundMessage>> {
    let message = || {
        Ok::<_, rusqlite::Error>(OutboundMessage {
            id: row.get(0)?,
            route: row.get(8)?,
            body: row.get(6)?,
            age_starts_at: Timestamp(row.get(1)?),
            attempts: row.get(2)?,
            failures: row.get(3)?,
            lane: Lane::of(row.get(4)?),
            next_attempt_at: Timestamp(row.get(5)?),
            target: Target::parse(row.get_ref(7)?.as_str()?),
            plain: row.get(13)?,
            stands_in_for: row.get(14)?,
            checksum: row.get(12)?,
            thread: row.get(15)?,
            changes: row.get(16)?,
            beneath: row.get(17)?,
            way: Way::Post,
        })
    };
    // A value of another type is no error of the store's.
    Ok(message().ok().filter(|_| is_message_intact(row, 6).unwrap_or_default()))
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;

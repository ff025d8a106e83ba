//! The table `messages`: every statement that writes it, and no other file has one.
//!
//! The ledger follows by itself: the trigger `message_moved` moves a message's events between the counts of its route
//! whenever an `UPDATE` sets `state`; each such statement here is marked with the trigger's name. An `INSERT` or `DELETE`
//! counts nothing, since the events were counted with their rows in `routed_events`. It must not know who decides: which
//! message is sent, retried or pruned is up to its callers.

use std::collections::BTreeSet;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::Serialize;

use super::checksum::{self, message_columns};
use super::database::{lossy, stored};
use super::traces::blank_texts;
use crate::event::{DigestCause, Timestamp};
use crate::message::{ConversationKey, Guarded, Target};

/// The reason why a message is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeadReason {
    /// The webhook rejected it for good; it would reject the same body again.
    Rejected,
    /// It was older than its route's `max_age`.
    Expired,
    /// The configuration no longer has its webhook, and no other webhook to send it to.
    WebhookRemoved,
    /// Its record is damaged.
    Damaged,
    /// It was dropped by hand.
    Dropped,
}

impl DeadReason {
    /// Returns the column's value.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::WebhookRemoved => "webhook_removed",
            Self::Damaged => "damaged",
            Self::Dropped => "dropped",
        }
    }

    /// Returns the reason with this name; `None` for one that only another version knows.
    #[must_use]
    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Rejected, Self::Expired, Self::WebhookRemoved, Self::Damaged, Self::Dropped]
            .into_iter()
            .find(|it| it.as_str() == name)
    }
}

/// Inserts a message of one event that is ready to be sent, and returns its id; `None` if the event is not pending on the
/// route, or not in the message `from`. `webhook`: that of the event, if there is none.
pub(super) fn insert_ready(
    transaction: &Transaction<'_>,
    (event, route, from): (i64, &str, Option<i64>),
    (webhook, body): (Option<&String>, &Guarded),
    now: Timestamp,
) -> rusqlite::Result<Option<i64>> {
    let (text, target) = (body.to_json_string(), body.target().as_str());
    let checksum = checksum::of_message(&[
        ValueRef::Text(text.as_bytes()),
        ValueRef::Text(target.as_bytes()),
        ValueRef::Text(route.as_bytes()),
        ValueRef::Integer(1),
        ValueRef::Null,
        ValueRef::Null,
    ]);
    let inserted = transaction
        .prepare_cached(
            "INSERT INTO messages (route, webhook, state, events, body, target, checksum, age_starts_at, next_attempt_at)
             SELECT route, ifnull(?8, webhook), 'ready', 1, ?4, ?6, ?7, min(ifnull(age_starts_at, received_at), ?5), ?5 FROM routed_events JOIN events ON seq = event
             WHERE event = ?1 AND route = ?2 AND routed_events.state = 'pending' AND message IS ?3",
        )?
        .execute(params![event, route, from, text, now.0, target, checksum, webhook])?;
    Ok((inserted > 0).then(|| transaction.last_insert_rowid()))
}

/// Puts a message into a thread.
pub(super) fn set_thread(transaction: &Transaction<'_>, message: i64, thread: i64) -> rusqlite::Result<()> {
    transaction.prepare_cached("UPDATE messages SET thread = ? WHERE id = ?")?.execute([thread, message]).map(drop)
}

/// Puts a message beneath another one.
pub(super) fn set_beneath(transaction: &Transaction<'_>, message: i64, above: i64) -> rusqlite::Result<()> {
    transaction.prepare_cached("UPDATE messages SET beneath = ? WHERE id = ?")?.execute([above, message]).map(drop)
}

/// Has a message change another one, not before a time.
pub(super) fn set_changes(
    transaction: &Transaction<'_>,
    message: i64,
    changed: i64,
    next_attempt_at: i64,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("UPDATE messages SET changes = ?, parked = 2, next_attempt_at = ? WHERE id = ?")?
        .execute([changed, next_attempt_at, message])
        .map(drop)
}

/// The shortest time between two changes of one message, in ms.
pub(super) const CHANGE_INTERVAL_MS: i64 = 5_000;

/// Returns the change of a message that was not attempted yet, and before which time no other one is due.
pub(super) fn next_change(
    connection: &Connection,
    (changed, webhook): (i64, &str),
    now: Timestamp,
) -> rusqlite::Result<(Option<i64>, i64)> {
    // The newest says it: otherwise that would have been merged into an earlier one.
    let newest: Option<(Option<i64>, Option<i64>)> = connection
        .prepare_cached(
            "SELECT iif(state = 'ready' AND attempts = 0 AND webhook = ?2, id, NULL), last_attempt_at
             FROM messages WHERE changes = ?1 ORDER BY id DESC LIMIT 1",
        )?
        .query_row(params![changed, webhook], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (unattempted, last) = newest.unwrap_or_default();
    Ok((unattempted, last.map_or(now.0, |last| last.saturating_add(CHANGE_INTERVAL_MS).max(now.0))))
}

/// Has a message that would change another one be beneath it. `lost`: that is no longer there, and neither is its thread.
pub(super) fn detach(transaction: &Transaction<'_>, message: i64, lost: bool, now: Timestamp) -> rusqlite::Result<()> {
    if remove_ends_of_storms(transaction, "id = ?", params![message])? > 0 {
        return Ok(());
    }
    transaction
        .prepare_cached(
            // It is about more events than its own if it was to change the message of a storm: no later one goes on with it.
            "UPDATE messages SET beneath = CASE WHEN ?2 THEN NULL ELSE ifnull(changes, beneath) END, changes = NULL,
                 key = iif(cause = 'storm' AND changes IS NOT NULL, CAST(changes AS TEXT), key),
                 parked = 0, failures = 0, next_attempt_at = ?3 WHERE id = ?1 AND state = 'ready'",
        )?
        .execute(params![message, lost, now.0])?;
    set_checksum(transaction, message)
}

/// Removes changes that only say that a storm is over: they are of no event, and say nothing elsewhere. Returns how many.
fn remove_ends_of_storms(
    transaction: &Transaction<'_>,
    which: &str,
    values: &[&dyn rusqlite::ToSql],
) -> rusqlite::Result<usize> {
    transaction
        .prepare_cached(&format!(
            "DELETE FROM messages WHERE state = 'ready' AND events = 0 AND changes IS NOT NULL AND {which}"
        ))?
        .execute(values)
}

/// Records that a message is no longer where it was.
pub(super) fn lose_reference(transaction: &Transaction<'_>, message: i64) -> rusqlite::Result<()> {
    transaction.prepare_cached("UPDATE messages SET reference = NULL WHERE id = ?")?.execute([message]).map(drop)
}

/// Has no later message of a thread be beneath those that were sent. They can still be changed.
pub(super) fn end_thread(
    transaction: &Transaction<'_>,
    (route, webhook): (&str, &str),
    thread: i64,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE messages SET thread = NULL
             WHERE route = ? AND thread = ? AND webhook = ? AND state <> 'ready'",
        )?
        .execute(params![route, thread, webhook])
        .map(drop)
}

/// Makes a digest of a message about one event, since a later one is going to change it to what is about several.
pub(super) fn become_digest(
    transaction: &Transaction<'_>,
    message: i64,
    (cause, key): (DigestCause, &str),
) -> rusqlite::Result<()> {
    let changed = transaction
        .prepare_cached("UPDATE messages SET cause = ?2, key = ?3 WHERE id = ?1 AND cause IS NULL")?
        .execute(params![message, cause.as_str(), key])?;
    if changed > 0 { set_checksum(transaction, message) } else { Ok(()) }
}

/// Removes a notice that was not attempted.
pub(super) fn remove_notice(
    transaction: &Transaction<'_>,
    route: &str,
    (webhook, key): (&str, &str),
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "DELETE FROM messages
             WHERE webhook = ? AND route = ? AND key = ? AND state = 'ready' AND attempts = 0 AND events = 0",
        )?
        .execute(params![webhook, route, key])
        .map(drop)
}

/// Removes the threads of an event's messages.
pub(super) fn forget_threads(transaction: &Transaction<'_>, event: i64) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE messages SET thread = NULL
             WHERE thread IS NOT NULL AND id IN (SELECT message FROM routed_events WHERE event = ?)",
        )?
        .execute([event])
        .map(drop)
}

/// Replaces the body of a ready message that was not attempted, which is about so many more events now.
pub(super) fn merge(transaction: &Transaction<'_>, message: i64, body: &Guarded, events: u32) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("UPDATE messages SET body = ?, target = ?, events = events + ? WHERE id = ?")?
        .execute(params![body.to_json_string(), body.target().as_str(), events, message])?;
    set_checksum(transaction, message)
}

/// Inserts an open digest without events, and returns its id.
pub(super) fn insert_open(
    transaction: &Transaction<'_>,
    (route, webhook): (&str, &str),
    (cause, key): (DigestCause, &str),
    age_starts_at: i64,
    now: Timestamp,
) -> rusqlite::Result<i64> {
    transaction
        .prepare_cached(
            "INSERT INTO messages (route, webhook, state, events, age_starts_at, cause, key, opened_at, closes_at)
             VALUES (?1, ?2, 'open', 0, ?3, ?4, ?5, ?6, ?6)",
        )?
        .execute(params![route, webhook, age_starts_at, cause.as_str(), key, now.0])?;
    Ok(transaction.last_insert_rowid())
}

/// Records the events that have joined an open digest.
pub(super) fn update_open(
    transaction: &Transaction<'_>,
    message: i64,
    events: u32,
    closes_at: i64,
    age_starts_at: i64,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("UPDATE messages SET events = ?, closes_at = ?, age_starts_at = ? WHERE id = ?")?
        .execute(params![events, closes_at, age_starts_at, message])
        .map(drop)
}

/// Has an open digest close at another time. After the clock was set back it was not opened later than now, or it would be
/// closed at once.
pub(super) fn hold_open(
    transaction: &Transaction<'_>,
    message: i64,
    until: Timestamp,
    now: Timestamp,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE messages SET closes_at = ?1, opened_at = min(opened_at, ?2) WHERE id = ?3 AND state = 'open'",
        )?
        .execute(params![until.0, now.0, message])
        .map(drop)
}

/// Records that so many events have left an open digest; deletes an empty one.
pub(super) fn remove_events(transaction: &Transaction<'_>, message: i64, events: i64) -> rusqlite::Result<()> {
    transaction.prepare_cached("UPDATE messages SET events = events - ? WHERE id = ?")?.execute([events, message])?;
    transaction.prepare_cached("DELETE FROM messages WHERE id = ? AND events = 0")?.execute([message]).map(drop)
}

/// Deletes a message whose events have all gone to another, or are to be formatted again.
pub(super) fn delete(transaction: &Transaction<'_>, message: i64) -> rusqlite::Result<()> {
    transaction.prepare_cached("DELETE FROM messages WHERE id = ?")?.execute([message]).map(drop)
}

/// Deletes a message whose routed events have all been pruned. After them: the trigger routed_event_pruned reads its state.
pub(super) fn delete_pruned(transaction: &Transaction<'_>, message: i64) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "DELETE FROM messages WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM routed_events WHERE message = ?1)",
        )?
        .execute([message])
        .map(drop)
}

/// Closes an open digest: it is ready to be sent. `as_digest`: otherwise, as the message of its only event.
pub(super) fn close(
    transaction: &Transaction<'_>,
    message: i64,
    body: &Guarded,
    as_digest: bool,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let thread = body.conversation().and_then(|conversation| conversation.thread).map(ConversationKey::to_i64);
    // Ledger: message_moved; open and ready both count as pending.
    transaction
        .prepare_cached(
            "UPDATE messages SET state = 'ready', body = ?2, target = ?5, next_attempt_at = ?3, closes_at = NULL,
                 cause = CASE WHEN ?4 THEN cause END, key = CASE WHEN ?4 THEN key END, thread = ?6
             WHERE id = ?1 AND state = 'open'",
        )?
        .execute(params![message, body.to_json_string(), now.0, as_digest, body.target().as_str(), thread])?;
    set_checksum(transaction, message)
}

/// Records the checksum of a message's content as it is now.
pub(super) fn set_checksum(transaction: &Transaction<'_>, message: i64) -> rusqlite::Result<()> {
    let checksum = transaction
        .prepare_cached(concat!("SELECT ", message_columns!(), " FROM messages WHERE id = ?"))?
        .query_row([message], |row| {
            let mut columns = [ValueRef::Null; 6];
            for (at, column) in columns.iter_mut().enumerate() {
                *column = row.get_ref(at)?;
            }
            Ok(checksum::of_message(&columns))
        })
        .optional()?;
    transaction
        .prepare_cached("UPDATE messages SET checksum = ? WHERE id = ?")?
        .execute(params![checksum, message])
        .map(drop)
}

/// Moves a ready message to dead whose record is damaged. What its events and its route are, their own rows say. False: it
/// is not ready.
pub(super) fn quarantine(
    transaction: &Transaction<'_>,
    message: i64,
    error: &str,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    // First what the trigger counts by. A value that is no number becomes 0.
    let repaired = transaction
        .prepare_cached(
            "UPDATE messages SET events = (SELECT count(*) FROM routed_events WHERE message = id),
                 route = ifnull((SELECT route FROM routed_events WHERE message = id LIMIT 1), route),
                 attempts = ifnull(CAST(attempts AS INTEGER), 0), failures = 0, parked = 0, changes = NULL,
                 age_starts_at = ifnull(CAST(age_starts_at AS INTEGER), 0), next_attempt_at = 0, checksum = NULL
             WHERE id = ? AND state = 'ready'",
        )?
        .execute([message])?;
    mark_dead(transaction, message, DeadReason::Damaged, error, now)?;
    Ok(repaired > 0)
}

/// Gives a route's open digests to another webhook.
pub(super) fn reassign_open(transaction: &Transaction<'_>, route: &str, webhook: &str) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("UPDATE messages SET webhook = ?2 WHERE route = ?1 AND state = 'open'")?
        .execute(params![route, webhook])
        .map(drop)
}

/// Gives a route's ready messages from one webhook to another, as if they had never failed. `stands_in_for`: the suspended
/// webhook that the messages are for. Returns how many they are.
pub(super) fn reassign(
    transaction: &Transaction<'_>,
    route: &str,
    (from, to): (&str, &str),
    stands_in_for: Option<&str>,
) -> rusqlite::Result<usize> {
    remove_ends_of_storms(transaction, "webhook = ? AND route = ?", params![from, route])?;
    transaction
        .prepare_cached(
            "UPDATE messages SET webhook = ?3, stands_in_for = ?4, parked = 0, failures = 0, next_attempt_at = 0,
                 changes = NULL, beneath = NULL, thread = NULL
             WHERE webhook = ?2 AND route = ?1 AND state = 'ready'",
        )?
        .execute(params![route, from, to, stands_in_for])
}

/// Replaces the body of a ready message, which its webhook rejected, by its plain form.
pub(super) fn replace_by_plain(
    transaction: &Transaction<'_>,
    message: i64,
    body: &Guarded,
    error: &str,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE messages SET body = ?, target = ?, plain = 1, error = ?, failures = 0, parked = iif(changes IS NULL, 0, 2), next_attempt_at = 0
             WHERE id = ? AND state = 'ready'",
        )?
        .execute(params![body.to_json_string(), body.target().as_str(), stored(error), message])?;
    set_checksum(transaction, message)
}

/// Moves a message that its webhook rejected back to ready: the webhook is at fault. Its age starts now, or it would expire
/// at once.
pub(super) fn revive(transaction: &Transaction<'_>, message: i64, now: Timestamp) -> rusqlite::Result<()> {
    // Ledger: message_moved, from dead to pending.
    transaction
        .prepare_cached(
            "UPDATE messages SET state = 'ready', age_starts_at = ?1, next_attempt_at = ?1, failures = 0,
                 parked = iif(changes IS NULL, 0, 2), finished_at = NULL, dead_reason = NULL WHERE id = ?2 AND state = 'dead' AND dead_reason = ?3",
        )?
        .execute(params![now.0, message, DeadReason::Rejected.as_str()])
        .map(drop)
}

/// Inserts a notice, a message of no event, unless one with the same key has not been attempted yet.
pub(super) fn insert_notice(
    transaction: &Transaction<'_>,
    route: &str,
    (webhook, key): (&str, &str),
    body: &Guarded,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let inserted = transaction
        .prepare_cached(
            "INSERT INTO messages (route, webhook, state, events, body, target, age_starts_at, next_attempt_at, key)
             SELECT ?1, ?2, 'ready', 0, ?4, ?5, ?6, ?6, ?3 WHERE NOT EXISTS (
                 SELECT 1 FROM messages WHERE webhook = ?2 AND route = ?1 AND state = 'ready' AND attempts = 0 AND key = ?3)",
        )?
        .execute(params![route, webhook, key, body.to_json_string(), body.target().as_str(), now.0])?;
    if inserted > 0 { set_checksum(transaction, transaction.last_insert_rowid()) } else { Ok(()) }
}

/// Records that an attempt to send a message begins. False: it is not ready any more, another webhook's, or about more events
/// than when it was read.
pub(super) fn begin_attempt(
    transaction: &Transaction<'_>,
    (message, checksum): (i64, i64),
    webhook: &str,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let begun = transaction
        .prepare_cached(
            "UPDATE messages SET attempts = attempts + 1, last_attempt_at = ?
             WHERE id = ? AND webhook = ? AND state = 'ready' AND checksum = ?",
        )?
        .execute(params![now.0, message, webhook, checksum])?;
    Ok(begun > 0)
}

/// Records that the webhook has a message, even if it was dropped during the attempt. `reference`: where it is, as JSON.
pub(super) fn accept(
    transaction: &Transaction<'_>,
    message: i64,
    reference: Option<&str>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    // Ledger: message_moved, from pending (or dead, if it was dropped) to posted or digested.
    transaction
        .prepare_cached(
            "UPDATE messages SET state = CASE WHEN cause IS NULL THEN 'posted' ELSE 'digested' END,
                 body = NULL, error = NULL, dead_reason = NULL, finished_at = ?, reference = ? WHERE id = ?",
        )?
        .execute(params![now.0, reference, message])
        .map(drop)
}

/// Parks a ready message: later ones overtake it.
pub(super) fn park(transaction: &Transaction<'_>, message: i64, next_attempt_at: Timestamp) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("UPDATE messages SET parked = 1, next_attempt_at = ? WHERE id = ? AND state = 'ready'")?
        .execute(params![next_attempt_at.0, message])
        .map(drop)
}

/// Records a failed attempt to send a message, which stays ready.
pub(super) fn fail(
    transaction: &Transaction<'_>,
    message: i64,
    error: &str,
    failures: u32,
    next_attempt_at: Timestamp,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE messages SET error = ?, failures = failures + ?, next_attempt_at = ? WHERE id = ? AND state = 'ready'",
        )?
        .execute(params![stored(error), failures, next_attempt_at.0, message])
        .map(drop)
}

/// Moves a ready message to dead.
pub(super) fn mark_dead(
    transaction: &Transaction<'_>,
    message: i64,
    reason: DeadReason,
    error: &str,
    now: Timestamp,
) -> rusqlite::Result<()> {
    // Ledger: message_moved, from pending to dead.
    transaction
        .prepare_cached(
            "UPDATE messages SET state = 'dead', dead_reason = ?, error = ?, finished_at = ?
             WHERE id = ? AND state = 'ready'",
        )?
        .execute(params![reason.as_str(), stored(error), now.0, message])
        .map(drop)
}

/// Moves a route's ready messages for a webhook to dead. Returns them.
pub(super) fn mark_all_dead(
    transaction: &Transaction<'_>,
    (route, webhook): (&str, &str),
    reason: DeadReason,
    error: &str,
    now: Timestamp,
) -> rusqlite::Result<Vec<i64>> {
    // Ledger: message_moved, from pending to dead.
    transaction
        .prepare_cached(
            "UPDATE messages SET state = 'dead', dead_reason = ?, error = ?, finished_at = ?
             WHERE webhook = ? AND route = ? AND state = 'ready' RETURNING id",
        )?
        .query_map(params![reason.as_str(), stored(error), now.0, webhook, route], |row| row.get(0))?
        .collect()
}

/// Moves a route's ready messages for a webhook whose age began before a time to dead. Returns them.
pub(super) fn expire(
    transaction: &Transaction<'_>,
    (route, webhook): (&str, &str),
    before: Timestamp,
    error: &str,
    now: Timestamp,
) -> rusqlite::Result<Vec<i64>> {
    // Ledger: message_moved, from pending to dead.
    transaction
        .prepare_cached(
            "UPDATE messages SET state = 'dead', dead_reason = ?, error = ?, finished_at = ?
             WHERE webhook = ? AND route = ? AND state = 'ready' AND age_starts_at < ? RETURNING id",
        )?
        .query_map(params![DeadReason::Expired.as_str(), stored(error), now.0, webhook, route, before.0], |row| {
            row.get(0)
        })?
        .collect()
}

/// Moves a dead message back to ready. Its age starts now, or it would expire at once.
pub(super) fn retry(transaction: &Transaction<'_>, message: i64, now: Timestamp) -> rusqlite::Result<()> {
    // Ledger: message_moved, from dead to pending.
    transaction
        .prepare_cached(
            "UPDATE messages SET state = 'ready', age_starts_at = ?1, next_attempt_at = ?1, failures = 0,
                 parked = iif(changes IS NULL, 0, 2), finished_at = NULL, dead_reason = NULL WHERE id = ?2",
        )?
        .execute(params![now.0, message])
        .map(drop)
}

/// Declares a ready message to be in a target's format.
pub(super) fn set_target(transaction: &Transaction<'_>, message: i64, target: Target) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("UPDATE messages SET target = ? WHERE id = ?")?
        .execute(params![target.as_str(), message])?;
    set_checksum(transaction, message)
}

/// Drops a dead or ready message by hand. False: it is neither.
pub(super) fn drop_one(transaction: &Transaction<'_>, message: i64, now: Timestamp) -> rusqlite::Result<bool> {
    // Ledger: message_moved, from pending to dead; dead and dropped both count as dead.
    let dropped = transaction
        .prepare_cached(
            "UPDATE messages SET state = 'dropped', body = NULL, finished_at = ?1, dead_reason = 'dropped',
                 error = 'dropped by hand' WHERE id = ?2 AND state IN ('dead', 'ready') RETURNING id",
        )?
        .query_row(params![now.0, message], |_| Ok(()))
        .optional()?;
    Ok(dropped.is_some())
}

/// Returns the messages to be sent, or dead ones, whose bodies `has` accepts.
pub(super) fn with_body(connection: &Connection, has: impl Fn(&str) -> bool) -> rusqlite::Result<BTreeSet<i64>> {
    let mut statement =
        connection.prepare("SELECT id, body FROM messages WHERE state IN ('ready', 'dead') AND body IS NOT NULL")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, lossy(row, 1)?.unwrap_or_default())))?;
    rows.filter(|row| row.as_ref().map_or(true, |(_, body)| has(body))).map(|row| row.map(|(id, _)| id)).collect()
}

/// Blanks errors, and keys of settled digests, that `has` accepts.
pub(super) fn blank(transaction: &Transaction<'_>, has: impl Fn(&str) -> bool) -> rusqlite::Result<()> {
    let errors = (
        "SELECT id, error FROM messages WHERE error IS NOT NULL",
        "UPDATE messages SET error = '[forgotten]' WHERE id = ?",
    );
    let keys = (
        "SELECT id, key FROM messages WHERE key <> '' AND state NOT IN ('open', 'ready', 'dead')",
        "UPDATE messages SET key = '' WHERE id = ?",
    );
    blank_texts(transaction, errors, &has)?;
    blank_texts(transaction, keys, &has).map(drop)
}

/// Drops all dead messages by hand, or those of one webhook. Returns them.
pub(super) fn drop_dead(
    transaction: &Transaction<'_>,
    webhook: Option<&str>,
    now: Timestamp,
) -> rusqlite::Result<Vec<i64>> {
    // Ledger: message_moved; dead and dropped both count as dead.
    transaction
        .prepare_cached(
            "UPDATE messages SET state = 'dropped', body = NULL, finished_at = ?1, dead_reason = 'dropped',
                 error = 'dropped by hand' WHERE state = 'dead' AND webhook = ifnull(?2, webhook) RETURNING id",
        )?
        .query_map(params![now.0, webhook], |row| row.get(0))?
        .collect()
}

/// The dead messages that retention does not keep: those from before a time (?1), and those before the newest of a number
/// (?2).
macro_rules! past_retention {
    () => {
        "state = 'dead' AND (finished_at < ?1 OR id <= ifnull(
            (SELECT id FROM messages WHERE state = 'dead' ORDER BY id DESC LIMIT 1 OFFSET ?2), -1))"
    };
}

/// Returns whether there are dead messages that retention does not keep.
pub(super) fn has_past_retention(connection: &Connection, since: Timestamp, max: i64) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(concat!("SELECT EXISTS (SELECT 1 FROM messages WHERE ", past_retention!(), ")"))?
        .query_row([since.0, max], |row| row.get(0))
}

/// Drops some of the dead messages that retention does not keep. They keep the reason that they are dead for. Returns how
/// many they are.
pub(super) fn drop_past_retention(
    transaction: &Transaction<'_>,
    since: Timestamp,
    max: i64,
) -> rusqlite::Result<usize> {
    // Ledger: message_moved; dead and dropped both count as dead.
    transaction
        .prepare_cached(concat!(
            "UPDATE messages SET state = 'dropped', body = NULL WHERE id IN (SELECT id FROM messages WHERE ",
            past_retention!(),
            " LIMIT 200)"
        ))?
        .execute([since.0, max])
}

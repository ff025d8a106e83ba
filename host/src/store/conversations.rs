//! Where a new message belongs in a conversation: on its own, beneath another one, or in its place; and where that one is in
//! the channel.
//!
//! Nothing of it is in memory: names are columns of `routed_events`, threads and references of `messages`, and all are kept for as
//! long as the events are.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::database::lossy;
use super::error::StoreError;
use super::messages;
use super::outbox::OutboundMessage;
use super::routed_events;
use super::store::Store;
use crate::event::Timestamp;
use crate::message::{ChangeFallback, Conversation, ConversationKey, Reference, Way};

/// Where a new message belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    /// In the channel, or in this thread.
    Own { thread: Option<i64> },
    /// Beneath this message.
    Beneath(i64),
    /// In place of this message, not before then.
    Change { message: i64, next_attempt_at: i64 },
    /// In this message, which was not attempted yet.
    Merge(i64),
    /// Nowhere: it only says that something else is over, of which there is no message.
    Nowhere,
}

/// The message that another one may change.
struct Earlier {
    id: i64,
    state: String,
    is_digest: bool,
    attempts: u32,
    changes: Option<i64>,
}

/// Returns where a message for a webhook belongs.
pub(super) fn position(
    connection: &Connection,
    (route, webhook): (&str, &str),
    conversation: &Conversation,
    now: Timestamp,
) -> rusqlite::Result<Position> {
    let thread = conversation.thread.map(ConversationKey::to_i64);
    let own = Position::Own { thread };
    let Some(replaces) = conversation.replaces else { return Ok(own) };
    let earlier = match routed_events::named(connection, route, replaces.to_i64())? {
        Some(message) => find(connection, message, webhook)?,
        None => None,
    };
    let digest = match earlier {
        Some(earlier) if !earlier.is_digest => match change(connection, &earlier, webhook, now)? {
            Some(position) => return Ok(position),
            None => None,
        },
        digest => digest.filter(|digest| matches!(digest.state.as_str(), "open" | "ready" | "digested")),
    };
    Ok(match (conversation.fallback, digest) {
        (ChangeFallback::Reply, Some(digest)) => Position::Beneath(digest.id),
        (ChangeFallback::Reply, None) => own,
        (ChangeFallback::Message, _) => Position::Own { thread: None },
        (ChangeFallback::Skip, _) => Position::Nowhere,
    })
}

/// Returns how a message is changed; `None` if it cannot be.
fn change(
    connection: &Connection,
    earlier: &Earlier,
    webhook: &str,
    now: Timestamp,
) -> rusqlite::Result<Option<Position>> {
    if earlier.state == "ready" && earlier.attempts == 0 {
        return Ok(Some(Position::Merge(earlier.id)));
    }
    let changed = earlier.changes.unwrap_or(earlier.id);
    let state: Option<(String, bool)> = connection
        .prepare_cached("SELECT state, reference IS NOT NULL FROM messages WHERE id = ? AND webhook = ?")?
        .query_row(params![changed, webhook], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    // While it is on its way its reference is not known yet.
    if !state.is_some_and(|(state, has_reference)| has_reference || state == "ready") {
        return Ok(None);
    }
    Ok(Some(match messages::next_change(connection, (changed, webhook), now)? {
        (Some(unattempted), _) => Position::Merge(unattempted),
        (None, next_attempt_at) => Position::Change { message: changed, next_attempt_at },
    }))
}

fn find(connection: &Connection, message: i64, webhook: &str) -> rusqlite::Result<Option<Earlier>> {
    connection
        .prepare_cached(
            "SELECT state, cause IS NOT NULL, attempts, changes FROM messages WHERE id = ? AND webhook = ?",
        )?
        .query_row(params![message, webhook], |row| {
            Ok(Earlier {
                id: message,
                state: row.get(0)?,
                is_digest: row.get(1)?,
                attempts: row.get(2)?,
                changes: row.get(3)?,
            })
        })
        .optional()
}

impl Store {
    /// Returns whether a message for a webhook can change one of this name.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn can_change(&self, route: &str, webhook: &str, name: ConversationKey) -> Result<bool, StoreError> {
        let conversation = Conversation { replaces: Some(name), fallback: ChangeFallback::Skip, thread: None };
        let position = self.database.read("look for a message by its name", |connection| {
            position(connection, (route, webhook), &conversation, Timestamp(0))
        })?;
        Ok(matches!(position, Position::Change { .. } | Position::Merge(_)))
    }

    /// Returns how a message goes into the channel; `None` if it should change a message that has no reference.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn way(&self, message: &OutboundMessage) -> Result<Option<Way>, StoreError> {
        self.database.read("read where a message belongs", |connection| {
            if let Some(changed) = message.changes {
                return Ok(reference(connection, changed)?.map(Way::Change));
            }
            let above = match (message.beneath, message.thread) {
                (Some(beneath), _) => reference(connection, beneath)?,
                (None, Some(thread)) => first_of_thread(connection, message, thread)?,
                (None, None) => None,
            };
            Ok(Some(above.map_or(Way::Post, Way::Beneath)))
        })
    }

    /// Returns the id of the first event of a message, by which the message can be recognized.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn first_event(&self, message: i64) -> Result<Option<String>, StoreError> {
        let first = self.message_events(message, 1)?.into_iter().next();
        Ok(first.and_then(|first| first.event.ok()).map(|event| event.id))
    }

    /// Returns the id of the channel that a webhook's messages went to last.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn channel(&self, webhook: &str) -> Result<Option<String>, StoreError> {
        self.database.read("read a webhook's channel", |connection| {
            let last: Option<i64> = connection
                .prepare_cached("SELECT max(id) FROM messages WHERE webhook = ? AND reference IS NOT NULL")?
                .query_row([webhook], |row| row.get(0))?;
            last.map_or(Ok(None), |last| Ok(reference(connection, last)?.map(|last| last.channel)))
        })
    }

    /// Has a message that cannot change another one go out beneath it, or where that has no reference, as if it were the first
    /// about its events. `lost`: the other message is no longer there.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn detach(&mut self, message: &OutboundMessage, lost: bool, now: Timestamp) -> Result<(), StoreError> {
        self.database.write("detach a message", |transaction| {
            if lost && let Some(above) = message.changes.or(message.beneath) {
                messages::lose_reference(transaction, above)?;
            }
            if lost && message.changes.is_none() && message.beneath.is_none() {
                lose_thread(transaction, message)?;
            }
            messages::detach(transaction, message.id, lost, now)
        })
    }
}

/// Returns where a message is.
fn reference(connection: &Connection, message: i64) -> rusqlite::Result<Option<Reference>> {
    let reference = connection
        .prepare_cached("SELECT reference FROM messages WHERE id = ?")?
        .query_row([message], |row| lossy(row, 0))
        .optional()?;
    // One that cannot be read counts as missing.
    Ok(reference.flatten().and_then(|reference| serde_json::from_str(&reference).ok()))
}

/// The first message of a thread that has a reference, for the webhook of another message of it.
const FIRST_OF_THREAD: &str = "SELECT id FROM messages
    WHERE route = ?1 AND thread = ?2 AND id <> ?3 AND reference IS NOT NULL
        AND webhook = (SELECT webhook FROM messages WHERE id = ?3) ORDER BY id LIMIT 1";

fn first_of_thread(
    connection: &Connection,
    message: &OutboundMessage,
    thread: i64,
) -> rusqlite::Result<Option<Reference>> {
    let first: Option<i64> = connection
        .prepare_cached(FIRST_OF_THREAD)?
        .query_row(params![message.route, thread, message.id], |row| row.get(0))
        .optional()?;
    first.map_or(Ok(None), |first| reference(connection, first))
}

/// Has no later message be beneath the first one of a message's thread.
fn lose_thread(transaction: &Transaction<'_>, message: &OutboundMessage) -> rusqlite::Result<()> {
    let first: Option<i64> = transaction
        .prepare_cached(FIRST_OF_THREAD)?
        .query_row(params![message.route, message.thread, message.id], |row| row.get(0))
        .optional()?;
    first.map_or(Ok(()), |first| messages::lose_reference(transaction, first))
}

#[cfg(test)]
#[path = "conversations_tests.rs"]
mod tests;

//! Where a new message belongs in a conversation: on its own, beneath another one, or in its place; and where that one is in
//! the channel.
//!
//! Nothing of it is in memory: names are columns of `routed_events`, threads and references of `messages`, and all are kept for as
//! long as the events are.

use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

use super::database::lossy;
use super::error::StoreError;
use super::messages;
use super::outbox::OutboundMessage;
use super::routed_events;
use super::store::Store;
use crate::event::Timestamp;
use crate::hex::hex;
use crate::message::{ChangeFallback, Conversation, ConversationKey, Reference, Way};

/// Bytes of the hash that is a message's id.
const MESSAGE_ID_BYTES: usize = 16;

/// Where a new message belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    /// In the channel, or in this thread.
    Own { thread: Option<i64> },
    /// Beneath this message.
    Beneath(i64),
    /// In place of this message, not before then; or else in this thread.
    Change { message: i64, next_attempt_at: i64, thread: Option<i64> },
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

/// Returns where the message about an event, for a webhook, belongs.
pub(super) fn position(
    connection: &Connection,
    event: i64,
    (route, webhook): (&str, &str),
    conversation: &Conversation,
    now: Timestamp,
) -> rusqlite::Result<Position> {
    let thread = conversation.thread.map(ConversationKey::to_i64);
    let own = Position::Own { thread };
    let Some(replaces) = conversation.replaces else { return Ok(own) };
    let earlier = match routed_events::named(connection, route, replaces.to_i64(), event)? {
        Some(message) => find(connection, message, webhook)?,
        None => None,
    };
    let digest = match earlier {
        Some(earlier) if !earlier.is_digest => match change(connection, &earlier, webhook, (thread, now))? {
            Some(position) => return Ok(position),
            None => None,
        },
        // One that was posted before others joined it is a digest, too.
        digest => digest.filter(|digest| matches!(digest.state.as_str(), "open" | "ready" | "posted" | "digested")),
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
    (thread, now): (Option<i64>, Timestamp),
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
        (None, next_attempt_at) => Position::Change { message: changed, next_attempt_at, thread },
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
    /// Returns whether the message about an event, for a webhook, can change one of this name.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn can_change(
        &self,
        event: i64,
        (route, webhook): (&str, &str),
        name: ConversationKey,
    ) -> Result<bool, StoreError> {
        let conversation = Conversation { replaces: Some(name), fallback: ChangeFallback::Skip, thread: None };
        let position = self.database.read("look for a message by its name", |connection| {
            position(connection, event, (route, webhook), &conversation, Timestamp(0))
        })?;
        Ok(matches!(position, Position::Change { .. } | Position::Merge(_)))
    }

    /// Returns how a message goes into a channel, as [`Reference::of`] knows it; `None` if it should change a message that is
    /// not there.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn way(&self, message: &OutboundMessage, channel: &str) -> Result<Option<Way>, StoreError> {
        self.database.read("read where a message belongs", |connection| {
            if let Some(changed) = message.changes {
                return Ok(reference(connection, changed, channel)?.map(Way::Change));
            }
            let above = match (message.beneath, message.thread) {
                (Some(beneath), _) => reference(connection, beneath, channel)?,
                (None, Some(thread)) => first_of_thread(connection, message, thread, channel)?,
                (None, None) => None,
            };
            Ok(Some(above.map_or(Way::Post, Way::Beneath)))
        })
    }

    /// Returns an id by which a message can be recognized, also among those of other routes and stores.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn message_id(&self, message: &OutboundMessage) -> Result<Option<String>, StoreError> {
        let first = self.message_events(message.id, 1)?.into_iter().next();
        let Some(event) = first.and_then(|first| first.event.ok()) else { return Ok(None) };
        let hash = Sha256::digest(format!("{}\n{}\n{}", event.id, message.route, message.id));
        Ok(Some(hex(hash.get(..MESSAGE_ID_BYTES).unwrap_or_default())))
    }

    /// Returns the id of the channel that a webhook's messages go to, from the last one that was sent there.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn channel(&self, webhook: &str, channel: &str) -> Result<Option<String>, StoreError> {
        self.database.read("read a webhook's channel", |connection| {
            let last: Option<i64> = connection
                .prepare_cached("SELECT max(id) FROM messages WHERE webhook = ? AND reference IS NOT NULL")?
                .query_row([webhook], |row| row.get(0))?;
            last.map_or(Ok(None), |last| Ok(reference(connection, last, channel)?.map(|last| last.channel)))
        })
    }

    /// Has a message that cannot change another one go out beneath it, or where that has no reference, as if it were the first
    /// about its events. `lost`: the other message is no longer there.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn detach(&mut self, message: &OutboundMessage, lost: bool, now: Timestamp) -> Result<(), StoreError> {
        self.database.write("detach a message", |transaction| {
            match (message.changes, message.beneath, message.thread) {
                (Some(changed), ..) if lost => messages::lose_reference(transaction, changed)?,
                (None, None, Some(thread)) if lost => {
                    let webhook: String = transaction
                        .prepare_cached("SELECT webhook FROM messages WHERE id = ?")?
                        .query_row([message.id], |row| row.get(0))?;
                    messages::end_thread(transaction, (&message.route, &webhook), thread)?;
                }
                _ => {}
            }
            messages::detach(transaction, message.id, lost, now)
        })
    }
}

/// Returns where a message is, if that is in the channel that messages go to now.
fn reference(connection: &Connection, message: i64, channel: &str) -> rusqlite::Result<Option<Reference>> {
    let reference = connection
        .prepare_cached("SELECT reference FROM messages WHERE id = ?")?
        .query_row([message], |row| lossy(row, 0))
        .optional()?;
    // One that cannot be read counts as missing.
    let reference: Option<Reference> = reference.flatten().and_then(|reference| serde_json::from_str(&reference).ok());
    Ok(reference.filter(|reference| reference.of == channel))
}

/// Returns where the first message of a thread is that was sent to the channel that another message of it goes to.
fn first_of_thread(
    connection: &Connection,
    message: &OutboundMessage,
    thread: i64,
    channel: &str,
) -> rusqlite::Result<Option<Reference>> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM messages WHERE route = ?1 AND thread = ?2 AND id <> ?3 AND reference IS NOT NULL
             AND webhook = (SELECT webhook FROM messages WHERE id = ?3) ORDER BY id",
    )?;
    let mut rows = statement.query(params![message.route, thread, message.id])?;
    while let Some(row) = rows.next()? {
        if let Some(found) = reference(connection, row.get(0)?, channel)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

#[cfg(test)]
#[path = "conversations_tests.rs"]
mod tests;

//! The results of formatting: an event becomes a message, joins a digest, or is settled without one; and what undoes it.

use rusqlite::{Transaction, params};

use super::conversations::{self, Position};
use super::digest_writer::{DigestKey, DigestWriter};
use super::error::StoreError;
use super::recent_posts::{self, PostTimes};
use super::routed_events::Facts;
use super::store::Store;
use super::{messages, routed_events};
use crate::event::Timestamp;
use crate::message::{ConversationKey, Guarded, Target};

/// The most messages that one transaction has formatted again: other writers wait meanwhile.
const REFORMAT_BATCH: i64 = 1_024;

/// The result of formatting an event for a route.
#[derive(Debug)]
pub struct FormattedEvent {
    /// The event's number in the order of receipt.
    pub seq: i64,
    /// The result.
    pub disposition: Disposition,
    /// What the event counts as in a digest, also one that its message joins later.
    pub tags: Vec<String>,
    /// The name of the message about it, by which a later one may change it, or be beneath the digest that it is in.
    pub name: Option<ConversationKey>,
}

impl FormattedEvent {
    /// Returns the result of formatting an event, without tags or a name.
    #[must_use]
    pub const fn new(seq: i64, disposition: Disposition) -> Self {
        Self { seq, disposition, tags: Vec::new(), name: None }
    }

    fn facts(&self) -> Facts<'_> {
        Facts { tags: &self.tags, name: self.name.map(ConversationKey::to_i64) }
    }
}

/// Why an event is skipped that would change a message, where there is none.
pub(crate) const NO_MESSAGE: &str = "what it would change has no message of its own";

/// The result of formatting: what an event becomes on a route.
#[derive(Debug)]
pub enum Disposition {
    /// A message of its own.
    Send(Guarded),
    /// The same, for another webhook than the route's.
    SendTo(String, Guarded),
    /// Part of a digest.
    Digest(DigestKey),
    /// Skipped by the plugin, for this reason.
    Skip(String),
    /// Dead without a message, for this reason: it cannot be formatted at all.
    Dead(String),
}

impl Store {
    /// Records the results of formatting events for a route; all or nothing. `from`: the open digest that the events were in;
    /// `None`: they were to be formatted. `posts`: the route's recent posts, if they have changed. Leaves out events that
    /// are no longer there.
    ///
    /// # Errors
    /// When the store fails; then nothing has changed.
    pub fn record_formatted(
        &mut self,
        route: &str,
        from: Option<i64>,
        formatted: &[FormattedEvent],
        posts: Option<&PostTimes>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.database.write("record formatted events", |transaction| {
            let mut digests = DigestWriter::new(route, now);
            let mut moved = 0;
            for formatted in formatted {
                let (event, facts) = ((formatted.seq, route, from), formatted.facts());
                let is_moved = match &formatted.disposition {
                    Disposition::Send(body) => send(transaction, event, (None, body), facts, now)?,
                    Disposition::SendTo(webhook, body) => send(transaction, event, (Some(webhook), body), facts, now)?,
                    Disposition::Digest(digest_key) => {
                        digests.join(transaction, from, (formatted.seq, facts), digest_key)?
                    }
                    Disposition::Skip(reason) => routed_events::settle(transaction, event, "skipped", reason)?,
                    Disposition::Dead(reason) => routed_events::settle(transaction, event, "dead", reason)?,
                };
                moved += i64::from(is_moved);
            }
            digests.finish(transaction)?;
            if let Some(posts) = posts {
                recent_posts::record(transaction, route, posts)?;
            }
            match from {
                Some(digest) => messages::remove_events(transaction, digest, moved),
                None => Ok(()),
            }
        })
    }

    /// Has the events of the first ready messages for a webhook formatted again that are in another target's format. Returns
    /// how many messages these are.
    ///
    /// # Errors
    /// When the store fails; then nothing has changed.
    pub(crate) fn reformat(&mut self, webhook: &str, target: Target) -> Result<usize, StoreError> {
        self.database.write("have events formatted again", |transaction| {
            let others: Vec<i64> = transaction
                .prepare_cached(
                    "SELECT id FROM messages WHERE webhook = ? AND state = 'ready' AND target <> ? ORDER BY id LIMIT ?",
                )?
                .query_map(params![webhook, target.as_str(), REFORMAT_BATCH], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            for id in &others {
                if !unformat(transaction, *id)? {
                    // It is sent as it is; otherwise it would never be.
                    messages::set_target(transaction, *id, target)?;
                }
            }
            Ok(others.len())
        })
    }
}

/// Makes a message of one event, or of one that was not attempted yet a message of this event as well. False: the event is
/// not pending, or not in the message `from`.
fn send(
    transaction: &Transaction<'_>,
    event: (i64, &str, Option<i64>),
    (webhook, body): (Option<&String>, &Guarded),
    facts: Facts<'_>,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let (seq, route, _) = event;
    let position = match body.conversation() {
        None => Position::Own { thread: None },
        Some(conversation) => {
            let Some((own, _)) = routed_events::find_pending(transaction, event)? else { return Ok(false) };
            conversations::position(transaction, seq, (route, webhook.unwrap_or(&own)), conversation, now)?
        }
    };
    match position {
        Position::Nowhere => return routed_events::settle(transaction, event, "skipped", NO_MESSAGE),
        Position::Merge(message) => {
            let is_moved = routed_events::move_to_message(transaction, event, message, facts)?;
            if is_moved {
                messages::merge(transaction, message, body, 1)?;
            }
            return Ok(is_moved);
        }
        Position::Own { .. } | Position::Beneath(_) | Position::Change { .. } => {}
    }
    let Some(message) = messages::insert_ready(transaction, event, (webhook, body), now)? else { return Ok(false) };
    match position {
        Position::Own { thread: Some(thread) } => messages::set_thread(transaction, message, thread)?,
        Position::Beneath(above) => messages::set_beneath(transaction, message, above)?,
        Position::Change { message: changed, next_attempt_at, thread } => {
            messages::set_changes(transaction, message, changed, next_attempt_at)?;
            // Should that not be there, it is a message of its thread.
            thread.map_or(Ok(()), |thread| messages::set_thread(transaction, message, thread))?;
        }
        Position::Own { thread: None } | Position::Merge(_) | Position::Nowhere => {}
    }
    routed_events::set_message(transaction, (seq, route), message, facts)?;
    Ok(true)
}

/// Has the events of a ready message formatted again, and deletes it. False: one of them is missing, and nothing has
/// changed.
pub(super) fn unformat(transaction: &Transaction<'_>, message: i64) -> rusqlite::Result<bool> {
    let are_complete = routed_events::are_complete(transaction, message)?;
    if are_complete {
        routed_events::unformat(transaction, message)?;
        messages::delete(transaction, message)?;
    }
    Ok(are_complete)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventDetails;
    use crate::store::fixture::{Fixture, append, fixture, join_storm, message, sec_ledger};
    use crate::store::{RouteLedger, RoutedTo};

    #[test]
    fn record_formatted_again_changes_nothing() {
        let mut fixture = fixture();
        let Fixture { store, inbox, .. } = &mut fixture;
        append(inbox, EventDetails::Start);
        for _ in 0..2 {
            store
                .route_events(&[RoutedTo {
                    seq: 1,
                    ban: None,
                    to: vec![("sec".into(), "hook".into())],
                    quarantined: false,
                }])
                .unwrap();
        }
        assert!(!store.is_drained().unwrap());
        assert_eq!(store.unfinished_routes().unwrap(), ["sec"]);
        assert_eq!(store.unformatted("sec", 9).unwrap().len(), 1);
        for disposition in [
            Disposition::Send(message()),
            Disposition::Send(message()),
            Disposition::Skip("late".into()),
            join_storm(9),
        ] {
            store.record_formatted("sec", None, &[FormattedEvent::new(1, disposition)], None, Timestamp(3)).unwrap();
            assert!(store.unformatted("sec", 9).unwrap().is_empty());
        }
        assert_eq!(store.queues(Timestamp(3)).unwrap()["hook"].pending, 1);
        assert_eq!(sec_ledger(store), RouteLedger { matched: 1, pending: 1, ..RouteLedger::default() });
    }
}

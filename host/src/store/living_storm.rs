//! A storm that is one message: its first digest is sent, and each later one changes that message to what has happened since
//! the storm began.
//!
//! Nobody is notified of a change, and it scrolls away with its message. So the storm gets another message once it is ten times
//! as large as the first digest was, or an hour old. That also bounds how many events are counted again for each change.
//!
//! Its last change says that the storm is over. Until that is known, it is an open digest without events whose key is the id of
//! the message; then, a change without events, of which nothing is kept once it is made.

use std::time::Duration;

use rusqlite::{OptionalExtension, Transaction, params};

use super::digest_counts::LivingCounts;
use super::digests::OpenDigest;
use super::error::StoreError;
use super::store::Store;
use super::{messages, routed_events};
use crate::event::{DigestCause, Timestamp};
use crate::message::Guarded;

/// How much larger a storm becomes before it gets another message.
const TENFOLD: u32 = 10;
/// A storm of fewer events gets no other message for its size.
const LARGE: u32 = 100;
/// The most events of one message: they are counted with every change.
const MAX_EVENTS: u32 = 20_000;
/// How long one message tells of a storm, in ms.
const MAX_AGE_MS: i64 = 3_600_000;

/// Whether a storm is over, at the time at which it is if nothing has happened since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StormEnd {
    /// It goes on.
    NotYet,
    /// It is, and this message shows it.
    Over(i64),
    /// No message shows it any more.
    Nowhere,
}

impl OpenDigest {
    /// Returns whether it is no digest, but stands for the end of a storm.
    #[must_use]
    pub(crate) fn is_end_of_storm(&self) -> bool {
        self.shown_storm().is_some()
    }

    /// Returns the message of the storm for whose end it stands, or which it was to change and could not.
    pub(crate) fn shown_storm(&self) -> Option<i64> {
        self.key.parse().ok().filter(|_| self.cause == DigestCause::Storm)
    }
}

/// The condition for messages that can show a storm: where they are is known, or will be, and none of their events is pruned,
/// which a change would no longer count. Those of the first message are pruned first.
macro_rules! can_be_changed {
    () => {
        "(state = 'ready' OR state = 'digested' AND reference IS NOT NULL)
             AND events = (SELECT count(*) FROM routed_events WHERE message = messages.id)"
    };
}

impl Store {
    /// Returns the message that tells of the storm that an open digest goes on with; `None`: it gets a message of its own.
    /// `within`: after so much time without an event a storm is over.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn living_storm(
        &self,
        route: &str,
        digest: &OpenDigest,
        within: Duration,
    ) -> Result<Option<i64>, StoreError> {
        let within_ms = i64::try_from(within.as_millis()).unwrap_or(i64::MAX);
        self.database.read("look for the message of a storm", |connection| {
            let living: Option<(i64, u32, i64)> = connection
                .prepare_cached(concat!(
                    "SELECT id, events, opened_at FROM messages
                     WHERE id = (SELECT id FROM messages
                         WHERE route = ?1 AND webhook = ?2 AND cause = 'storm' AND key = '' AND changes IS NULL AND id < ?3
                             AND state NOT IN ('open', 'dead', 'dropped') ORDER BY id DESC LIMIT 1) AND ",
                    can_be_changed!()
                ))?
                .query_row(params![route, digest.webhook, digest.id], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2).unwrap_or_default()))
                })
                .optional()?;
            let Some((id, first, opened_at)) = living else { return Ok(None) };
            let (events, last): (u32, i64) = connection
                .prepare_cached(
                    // The last event of the newest change: the index has it at its end.
                    "SELECT sum(events), ifnull((SELECT received_at FROM events WHERE seq = (
                         SELECT max(event) FROM routed_events
                         WHERE message = (SELECT max(id) FROM messages WHERE id = ?1 OR changes = ?1))), 0)
                     FROM messages WHERE id = ?1 OR changes = ?1",
                )?
                .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let is_soon = digest.opened_at.0.saturating_sub(last) <= within_ms;
            Ok((is_soon && goes_on(digest, first, events, Timestamp(opened_at))).then_some(id))
        })
    }

    /// Closes an open digest: it is the message of a storm. `over_at`: when that is over, if nothing more happens.
    ///
    /// # Errors
    /// When the store fails; then it is still open.
    pub(crate) fn begin_storm(
        &mut self,
        route: &str,
        digest: &OpenDigest,
        body: &Guarded,
        over_at: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.database.write("begin a storm", |transaction| {
            messages::close(transaction, digest.id, body, true, now)?;
            expect_end(transaction, (route, &digest.webhook), digest.id, over_at, now)
        })
    }

    /// Returns whether the storm is over for whose end this stands.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn end_of_storm(&self, route: &str, end: &OpenDigest) -> Result<StormEnd, StoreError> {
        self.database.read("look whether a storm is over", |connection| {
            let goes_on: bool = connection
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM messages
                         WHERE state = 'open' AND route = ? AND cause = 'storm' AND key = '' AND webhook = ?)",
                )?
                .query_row(params![route, end.webhook], |row| row.get(0))?;
            let is_shown: bool = connection
                .prepare_cached(concat!(
                    "SELECT EXISTS (SELECT 1 FROM messages WHERE id = ? AND webhook = ? AND ",
                    can_be_changed!(),
                    ")"
                ))?
                .query_row(params![end.shown_storm(), end.webhook], |row| row.get(0))?;
            Ok(match end.shown_storm().filter(|_| is_shown) {
                None => StormEnd::Nowhere,
                Some(_) if goes_on => StormEnd::NotYet,
                Some(living) => StormEnd::Over(living),
            })
        })
    }

    /// Returns whether the storm of a message is over: no other one of its route goes on.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn is_storm_over(&self, message: i64) -> Result<bool, StoreError> {
        self.database.read("look whether a storm is over", |connection| {
            connection
                .prepare_cached(
                    "SELECT NOT EXISTS (SELECT 1 FROM messages
                         WHERE state = 'open' AND route = (SELECT route FROM messages WHERE id = ?1) AND cause = 'storm')",
                )?
                .query_row([message], |row| row.get(0))
        })
    }

    /// Forgets that a storm will end.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn forget_end_of_storm(&mut self, end: &OpenDigest) -> Result<(), StoreError> {
        self.database.write("forget the end of a storm", |transaction| messages::remove_events(transaction, end.id, 0))
    }

    /// Returns when a message may be changed again that was changed just now; `None`: at once.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn next_change_at(
        &self,
        living: i64,
        digest: &OpenDigest,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let (_, at) = self.database.read("look when a message may be changed", |connection| {
            messages::next_change(connection, (living, &digest.webhook), now)
        })?;
        // One that is further away was noted before the clock was set back.
        Ok(Some(Timestamp(at)).filter(|at| now < *at && *at <= now.plus_ms(messages::CHANGE_INTERVAL_MS)))
    }

    /// Closes an open digest, which changes the message of its storm or series; or joins it, or an earlier change, if that was not
    /// attempted yet. `body`: of what has happened since that message. `over_at`: as for [`Self::begin_storm`]; `None`: it is
    /// over, or no storm. Returns false if something was forgotten since `counts`, which may be in the body: then nothing has
    /// changed.
    ///
    /// # Errors
    /// When the store fails; then it is still open.
    pub(crate) fn continue_living(
        &mut self,
        (route, digest): (&str, &OpenDigest),
        (living, counts): (i64, &mut LivingCounts),
        body: &Guarded,
        over_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let shown_by = self.database.write("continue a message", |transaction| {
            if counts.are_outdated(transaction)? {
                return Ok(None);
            }
            messages::become_digest(transaction, living, (digest.cause, &digest.key))?;
            if let Some(over_at) = over_at {
                expect_end(transaction, (route, &digest.webhook), living, over_at, now)?;
            }
            let (change, next_attempt_at) = messages::next_change(transaction, (living, &digest.webhook), now)?;
            let first: Option<i64> = transaction
                .prepare_cached("SELECT id FROM messages WHERE id = ? AND state = 'ready' AND attempts = 0")?
                .query_row([living], |row| row.get(0))
                .optional()?;
            if let Some(earlier) = first.or(change) {
                let events: Option<u32> = transaction
                    .prepare_cached("SELECT events FROM messages WHERE id = ?")?
                    .query_row([digest.id], |row| row.get(0))
                    .optional()?;
                // Its events were all damaged.
                let Some(events) = events else { return Ok(Some(earlier)) };
                routed_events::move_all(transaction, digest.id, earlier)?;
                messages::delete(transaction, digest.id)?;
                messages::merge(transaction, earlier, body, events)?;
                return Ok(Some(earlier));
            }
            messages::close(transaction, digest.id, body, true, now)?;
            messages::set_changes(transaction, digest.id, living, next_attempt_at)?;
            Ok(Some(digest.id))
        })?;
        if let Some(message) = shown_by {
            counts.merged(digest.id, message);
        }
        Ok(shown_by.is_some())
    }
}

/// Has the storm that a message shows end at a time, and no earlier one of the route.
fn expect_end(
    transaction: &Transaction<'_>,
    (route, webhook): (&str, &str),
    living: i64,
    over_at: Timestamp,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let earlier: Vec<i64> = transaction
        .prepare_cached(
            "SELECT id FROM messages WHERE state = 'open' AND route = ? AND cause = 'storm' AND key <> '' AND webhook = ?",
        )?
        .query_map(params![route, webhook], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    earlier.into_iter().try_for_each(|end| messages::delete(transaction, end))?;
    let end =
        messages::insert_open(transaction, (route, webhook), (DigestCause::Storm, &living.to_string()), now.0, now)?;
    messages::update_open(transaction, end, 0, over_at.0, now.0)
}

/// Returns whether the message with so many events in all, which was made of `first` ones, also tells of those of a digest.
pub(super) fn goes_on(digest: &OpenDigest, first: u32, events: u32, since: Timestamp) -> bool {
    let most = first.saturating_mul(TENFOLD).clamp(LARGE, MAX_EVENTS);
    let age_ms = digest.opened_at.0.saturating_sub(since.0);
    (0..MAX_AGE_MS).contains(&age_ms) && events.saturating_add(digest.events) < most
}

#[cfg(test)]
#[path = "living_storm_tests.rs"]
mod tests;

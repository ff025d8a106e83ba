//! Enriches bans with what fail2ban's database knows of them.
//!
//! Best effort: fail2ban writes the row while its action runs, so a ban may have to wait a moment for it. It never waits long,
//! nor for a database that does not exist or is not written, and no error here loses an event.

use std::ops::Range;
use std::path::PathBuf;

use crate::event::{Ban, Event, EventDetails, Timestamp};
use crate::receive::fail2ban_database::Fail2banDatabase;

/// How long after it was received a ban waits for its row, in ms.
const MAX_WAIT_MS: i64 = 1_000;

/// A ban that was received so long after it happened, in ms, is of an old log: its row exists already, or never will.
const RECENT_MS: i64 = 10_000;

/// After so many bans in a row without one, fail2ban is assumed to write to another database, or none.
const MAX_MISSES: u32 = 3;

/// How long no ban waits then, and how long an unreadable database is not queried, in ms.
const PAUSE_MS: i64 = 60_000;

/// How long a locked database is not queried, in ms.
const BUSY_PAUSE_MS: i64 = 250;

/// Whether an event may be routed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum EnrichStatus {
    /// It may: it is enriched, or there is nothing to enrich it with.
    Ready,
    /// Its row may still be written: try again a little later (some 50 ms), or route it as it is.
    NotYet,
}

/// Enriches events of this host, one at a time.
pub(crate) struct Enricher {
    database: Option<Fail2banDatabase>,
    /// Whether the configuration names it, so that it is logged if it may not be read.
    configured: bool,
    /// When it is not queried.
    paused: Range<Timestamp>,
    /// When no ban waits for it.
    not_awaited: Range<Timestamp>,
    misses: u32,
    reported: bool,
}

const NEVER: Range<Timestamp> = Timestamp(0)..Timestamp(0);

impl Enricher {
    /// Makes an enricher for the database in this file, if any.
    ///
    /// `configured`: whether the configuration names it. If not, it is the default one, and it is not logged if that may not
    /// be read.
    #[must_use]
    pub(crate) fn new(database: Option<PathBuf>, configured: bool) -> Self {
        let database = database.map(Fail2banDatabase::new);
        Self { database, configured, paused: NEVER, not_awaited: NEVER, misses: 0, reported: false }
    }

    /// Returns whether an event is one that can be enriched.
    #[must_use]
    pub(crate) fn can_enrich(&self, event: &Event) -> bool {
        let EventDetails::Ban(ban) = &event.details else { return false };
        self.database.is_some() && !ban.subject.is_empty() && ban.matches.is_empty()
    }

    /// Enriches an event; only bans ever wait. Reads at most one row.
    ///
    /// `received`: when it was stored. `now`: by the same clock; if that was set back since, the event does not wait.
    pub(crate) fn enrich(&mut self, event: &mut Event, received: Timestamp, now: Timestamp) -> EnrichStatus {
        if !self.can_enrich(event) {
            return EnrichStatus::Ready;
        }
        let Some(database) = &mut self.database else { return EnrichStatus::Ready };
        let Event { details: EventDetails::Ban(ban), jail, at, .. } = event else { return EnrichStatus::Ready };
        let waits = may_wait(ban, *at, received, now) && !self.not_awaited.contains(&now);
        let later = if waits { EnrichStatus::NotYet } else { EnrichStatus::Ready };
        if self.paused.contains(&now) {
            // Only the pause for a lock is worth waiting for.
            return if self.reported { EnrichStatus::Ready } else { later };
        }
        match database.look_up(jail, &ban.subject, ban.ticket_at, *at) {
            Ok(Some(known)) => {
                known.enrich(ban);
                self.misses = 0;
                self.reported = false;
                EnrichStatus::Ready
            }
            Ok(None) if database.exists() => {
                self.reported = false;
                if has_waited(ban, *at, received, now) {
                    self.miss(now);
                }
                later
            }
            Ok(None) => EnrichStatus::Ready,
            Err(error) if error.is_busy() => {
                self.paused = now..now.plus_ms(BUSY_PAUSE_MS);
                later
            }
            Err(error) => {
                self.paused = now..now.plus_ms(PAUSE_MS);
                let expected = error.is_denied() && !self.configured;
                if !std::mem::replace(&mut self.reported, true) && !expected {
                    tracing::warn!("bans are not enriched with their log lines: {error}");
                }
                EnrichStatus::Ready
            }
        }
    }

    fn miss(&mut self, now: Timestamp) {
        if self.not_awaited.contains(&now) {
            return;
        }
        self.misses = self.misses.saturating_add(1);
        if self.misses >= MAX_MISSES {
            self.misses = 0;
            self.not_awaited = now..now.plus_ms(PAUSE_MS);
        }
    }
}

/// Returns whether fail2ban is about to write the row of this ban: not again for a restored one. A ban by hand has no
/// matches, so there is nothing to wait for.
fn is_awaited(ban: &Ban, at: Timestamp, received: Timestamp) -> bool {
    !ban.restored && ban.failures != Some(0) && received.0.saturating_sub(at.0) <= RECENT_MS
}

/// Returns whether a row that is missing now will never be written, which says something about the database. For an event
/// received long ago it says nothing: fail2ban purges rows.
fn has_waited(ban: &Ban, at: Timestamp, received: Timestamp, now: Timestamp) -> bool {
    is_awaited(ban, at, received) && (MAX_WAIT_MS..RECENT_MS).contains(&now.0.saturating_sub(received.0))
}

/// Returns whether the ban may wait for its row.
fn may_wait(ban: &Ban, at: Timestamp, received: Timestamp, now: Timestamp) -> bool {
    is_awaited(ban, at, received) && (0..MAX_WAIT_MS).contains(&now.0.saturating_sub(received.0))
}

#[cfg(test)]
#[path = "enricher_tests.rs"]
mod tests;

//! Completes bans with what fail2ban's database knows of them, before they are routed.
//!
//! Best effort: fail2ban writes the row while its action runs, so a ban may have to wait a moment for it. It never waits
//! for long, never for a database that is not there or has nothing to say, and nothing that goes wrong here costs an event.

use std::ops::Range;
use std::path::PathBuf;

use super::fail2ban_database::Fail2banDatabase;
use crate::event::{Ban, Event, EventDetails, Timestamp};

/// How long after its intake a ban waits for its row, in ms.
const WAIT_MS: i64 = 1_000;

/// The row of a ban that was taken in so long after it happened is there or will never be, in ms: an old log is read.
const RECENT_MS: i64 = 10_000;

/// After so many bans in a row whose rows never came, fail2ban is taken to write into another database, or none.
const MISSES: u32 = 3;

/// How long then nothing waits, and how long a database is left alone that cannot be read, in ms.
const REST_MS: i64 = 60_000;

/// The same for one that another program keeps locked, in ms.
const BUSY_REST_MS: i64 = 250;

/// Whether an event may be routed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum EnrichStatus {
    /// There is nothing more to be had.
    Ready,
    /// Its row may still come: hand it in again a little later (some 50 ms), or route it as it is.
    NotYet,
}

/// Completes events of this host, one at a time.
pub struct Enricher {
    database: Option<Fail2banDatabase>,
    /// Whether somebody asked for it, and is told when it may not be read.
    configured: bool,
    /// When it is left alone.
    rest: Range<Timestamp>,
    /// When nothing waits for it.
    impatient: Range<Timestamp>,
    misses: u32,
    complained: bool,
}

const NEVER: Range<Timestamp> = Timestamp(0)..Timestamp(0);

impl Enricher {
    /// Of the database in this file, if any.
    ///
    /// `configured`: whether the configuration names it. Otherwise it is the usual one, and if that may not be read, nobody
    /// is told.
    #[must_use]
    pub fn new(database: Option<PathBuf>, configured: bool) -> Self {
        let database = database.map(Fail2banDatabase::new);
        Self { database, configured, rest: NEVER, impatient: NEVER, misses: 0, complained: false }
    }

    /// Whether an event is one that could be completed.
    #[must_use]
    pub fn concerns(&self, event: &Event) -> bool {
        let EventDetails::Ban(ban) = &event.details else { return false };
        self.database.is_some() && !ban.subject.is_empty() && ban.matches.is_empty()
    }

    /// Completes an event as far as it can be now; only bans ever wait. Costs at most one look at one row.
    ///
    /// `received`: when it was stored. `now`: by the same clock; if it was set back since, nothing waits.
    pub fn enrich(&mut self, event: &mut Event, received: Timestamp, now: Timestamp) -> EnrichStatus {
        if !self.concerns(event) {
            return EnrichStatus::Ready;
        }
        let Some(database) = &mut self.database else { return EnrichStatus::Ready };
        let Event { details: EventDetails::Ban(ban), jail, at, .. } = event else { return EnrichStatus::Ready };
        let waits = may_wait(ban, *at, received, now) && !self.impatient.contains(&now);
        let later = if waits { EnrichStatus::NotYet } else { EnrichStatus::Ready };
        if self.rest.contains(&now) {
            // Of the two rests, only the one for a lock is worth waiting for.
            return if self.complained { EnrichStatus::Ready } else { later };
        }
        match database.look_up(jail, &ban.subject, ban.ticket_at, *at) {
            Ok(Some(known)) => {
                known.enrich(ban);
                self.misses = 0;
                self.complained = false;
                EnrichStatus::Ready
            }
            Ok(None) if database.is_there() => {
                self.complained = false;
                if has_waited(ban, *at, received, now) {
                    self.miss(now);
                }
                later
            }
            Ok(None) => EnrichStatus::Ready,
            Err(error) if error.is_busy() => {
                self.rest = now..now.plus_ms(BUSY_REST_MS);
                later
            }
            Err(error) => {
                self.rest = now..now.plus_ms(REST_MS);
                let told = error.is_denied() && !self.configured;
                if !std::mem::replace(&mut self.complained, true) && !told {
                    tracing::warn!("bans come without their log lines: {error}");
                }
                EnrichStatus::Ready
            }
        }
    }

    fn miss(&mut self, now: Timestamp) {
        if self.impatient.contains(&now) {
            return;
        }
        self.misses = self.misses.saturating_add(1);
        if self.misses >= MISSES {
            self.misses = 0;
            self.impatient = now..now.plus_ms(REST_MS);
        }
    }
}

/// Whether fail2ban is about to write the row of this ban: not again for a restored one. One by hand has no matches, so
/// there is nothing to wait for.
fn is_awaited(ban: &Ban, at: Timestamp, received: Timestamp) -> bool {
    !ban.restored && ban.failures != Some(0) && received.0.saturating_sub(at.0) <= RECENT_MS
}

/// Whether a row that is not there now will never be, so that it says something about the database. What was taken in long
/// ago says nothing: fail2ban forgets rows.
fn has_waited(ban: &Ban, at: Timestamp, received: Timestamp, now: Timestamp) -> bool {
    is_awaited(ban, at, received) && (WAIT_MS..RECENT_MS).contains(&now.0.saturating_sub(received.0))
}

fn may_wait(ban: &Ban, at: Timestamp, received: Timestamp, now: Timestamp) -> bool {
    is_awaited(ban, at, received) && (0..WAIT_MS).contains(&now.0.saturating_sub(received.0))
}

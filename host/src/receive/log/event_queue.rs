//! Events in the order of their lines, each held back until nothing more can be said of it.
//!
//! How often a subject has been banned, and for how long, is in an `Increase Ban` line, which another thread of fail2ban
//! writes: mostly just after the line of the ban, and sometimes before it.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use crate::event::{BanDuration, Event, EventDetails, Timestamp};

/// How far apart a ban and its `Increase Ban` may be, by the log's own times, in ms.
const INCREASE_WITHIN_MS: i64 = 1_000;

/// How many events at most are held back by a ban whose `Increase Ban` may still come.
const MAX_HELD: u64 = 256;

/// How many `Increase Ban` lines are kept that came before their ban.
const MAX_EARLY: usize = 16;

/// How many jails are remembered to have had an `Increase Ban`.
const MAX_JAILS: usize = 1_024;

/// How long a ban waits for an `Increase Ban` if no line comes: fail2ban takes some milliseconds.
const INCREASE_TIMEOUT: Duration = Duration::from_millis(20);

/// The same in a jail that had one before: there, most bans are followed by one.
const LIKELY_INCREASE_TIMEOUT: Duration = Duration::from_millis(250);

/// An event, and where in the log its line is.
#[derive(Debug)]
pub(super) struct QueuedEvent {
    pub(super) event: Event,
    pub(super) begin: u64,
    pub(super) end: u64,
}

/// What an `Increase Ban` line says.
#[derive(Debug)]
pub(super) struct Increase {
    pub(super) host: String,
    pub(super) jail: String,
    pub(super) subject: String,
    pub(super) count: u32,
    pub(super) duration: BanDuration,
    pub(super) at: Timestamp,
}

/// The events that were parsed and not handed out yet.
#[derive(Debug, Default)]
pub(super) struct EventQueue {
    events: VecDeque<QueuedEvent>,
    /// How many have been handed out, which is the number of the first in the queue.
    handed_out: u64,
    /// The numbers of bans whose `Increase Ban` may still come.
    open: VecDeque<u64>,
    /// `Increase Ban` lines whose ban has not come yet.
    early: VecDeque<Increase>,
    /// Jails that had an `Increase Ban`.
    increasing_jails: HashSet<String>,
}

impl EventQueue {
    /// Adds an event; `open`: it is a ban whose `Increase Ban` may still come.
    pub(super) fn push(&mut self, queued: QueuedEvent, open: bool) {
        let number = self.handed_out + self.events.len() as u64;
        self.events.push_back(queued);
        if open {
            self.open.push_back(number);
        }
        while self.open.pop_front_if(|first| *first + MAX_HELD <= number).is_some() {}
    }

    /// Returns the next event, unless it, or one before it, is held back.
    pub(super) fn pop(&mut self) -> Option<QueuedEvent> {
        if self.open.front() == Some(&self.handed_out) {
            return None;
        }
        let queued = self.events.pop_front()?;
        self.handed_out += 1;
        Some(queued)
    }

    /// Returns the first event that was not handed out.
    pub(super) fn first(&self) -> Option<&QueuedEvent> {
        self.events.front()
    }

    /// Returns whether an `Increase Ban` may still come.
    pub(super) fn is_waiting(&self) -> bool {
        !self.open.is_empty()
    }

    /// Ends the wait for all bans.
    pub(super) fn resolve(&mut self) {
        self.open.clear();
    }

    /// Ends the wait for bans too long before a line of this time.
    pub(super) fn resolve_before(&mut self, at: Timestamp) {
        while let Some(first) = self.open.front()
            && self.queued(*first).is_none_or(|queued| queued.event.at.plus_ms(INCREASE_WITHIN_MS) < at)
        {
            self.open.pop_front();
        }
    }

    /// Returns how long to wait for an `Increase Ban` if no line comes; `None` if none is waited for.
    pub(super) fn timeout(&self) -> Option<Duration> {
        let ban = self.queued(*self.open.front()?)?;
        let likely = self.increasing_jails.contains(&ban.event.jail);
        Some(if likely { LIKELY_INCREASE_TIMEOUT } else { INCREASE_TIMEOUT })
    }

    /// Adds what an `Increase Ban` says to its ban, or keeps it until that comes. Returns whether one was dropped, as its ban
    /// had been handed out before.
    #[must_use]
    pub(super) fn increase(&mut self, increase: Increase) -> bool {
        if self.increasing_jails.len() < MAX_JAILS && !self.increasing_jails.contains(&increase.jail) {
            self.increasing_jails.insert(increase.jail.clone());
        }
        let is_its_ban = |queued: &QueuedEvent| {
            let subject = queued.event.ban().map(|ban| &ban.subject);
            subject == Some(&increase.subject)
                && queued.event.jail == increase.jail
                && queued.event.host == increase.host
        };
        let ban = self.open.iter().rposition(|number| self.queued(*number).is_some_and(is_its_ban));
        if let Some(number) = ban.and_then(|index| self.open.remove(index)) {
            let index = usize::try_from(number - self.handed_out).unwrap_or(usize::MAX);
            if let Some(QueuedEvent { event: Event { details: EventDetails::Ban(ban), .. }, .. }) =
                self.events.get_mut(index)
            {
                (ban.count, ban.duration) = (Some(increase.count), Some(increase.duration));
            }
            return false;
        }
        self.early.push_back(increase);
        self.early.len() > MAX_EARLY && self.early.pop_front().is_some()
    }

    /// Returns what an `Increase Ban` has said of a ban just before its line.
    pub(super) fn take_early_increase(
        &mut self,
        host: &str,
        jail: &str,
        subject: &str,
        at: Timestamp,
    ) -> Option<(u32, BanDuration)> {
        let is_it = |early: &Increase| {
            early.host == host
                && early.jail == jail
                && early.subject == subject
                && early.at.plus_ms(INCREASE_WITHIN_MS) >= at
        };
        let early = self.early.iter().position(is_it).and_then(|index| self.early.remove(index))?;
        Some((early.count, early.duration))
    }

    fn queued(&self, number: u64) -> Option<&QueuedEvent> {
        self.events.get(usize::try_from(number.checked_sub(self.handed_out)?).ok()?)
    }
}

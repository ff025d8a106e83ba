//! How a digest closes: as a message, as a change of one, or in another digest.

use super::formatter::{FORMAT_BATCH, skip};
use super::grouping::{Grouping, RecentPosts, digest_of_restarts, digest_of_storm, jail_of_unbans, restart_of_unbans};
use super::loaded_route::LoadedRoute;
use super::series::key_of_restart;
use super::window::milliseconds;
use crate::event::{Batch, DigestCause, EventDetails, Timestamp};
use crate::message::{
    DigestDecision, Guarded, HOLD_MS_MAX, StormLimit, asks_for_built_in_digest, digest, guard_digest,
};
use crate::store::{DigestKey, Disposition, FormattedEvent, OpenDigest, Store, StoreError, StormEnd, UnformattedEvent};

impl LoadedRoute {
    /// Closes a digest: it becomes a message, or joins another digest, or its events are formatted after all, or it stays open
    /// for as long as the plugin says. `is_last_time`: it does not.
    pub(super) fn close(
        &mut self,
        store: &mut Store,
        open: &OpenDigest,
        now: Timestamp,
        is_last_time: bool,
        enough: &mut impl FnMut() -> bool,
    ) -> Result<(), StoreError> {
        if open.is_end_of_storm() {
            return self.end_storm(store, open, now);
        }
        if open.cause == DigestCause::Unbans {
            if let Some(restart) = self.restart_of(store, open)? {
                return store.merge_digest(&self.route.name, open.id, &restart, now);
            }
            // What `enough` leaves is formatted next time.
            let events = store.message_events(open.id, FORMAT_BATCH)?;
            return self.format_all(store, Some(open.id), events, now, enough).map(drop);
        }
        let has_conversations = self.profile.target.has_conversations();
        if let Some(restarts) = self.restarts_of(store, open, now)? {
            return store.merge_digest(&self.route.name, open.id, &restarts, now);
        }
        let living = if has_conversations { self.living(store, open)? } else { None };
        if open.cause == DigestCause::Held || open.cause == DigestCause::SameSubject && living.is_none() {
            let recent = RecentPosts::read(&mut self.recent_posts, store, &self.route.name)?;
            if let Some(storm) = digest_of_storm(&self.route, recent, has_conversations, now) {
                return store.merge_digest(&self.route.name, open.id, &storm, now);
            }
        }
        if open.cause != DigestCause::Held && living.is_none() {
            // Counted again: unbans that were released just before may have joined it.
            let mut events = store.message_events(open.id, 2)?;
            if let (1, Some(single)) = (events.len(), events.pop())
                && !(matches!(open.cause, DigestCause::Restart | DigestCause::Restarts) && is_unban(&single))
            {
                let formatted = self.format(single, Grouping::Standalone, now, &|_, _| false);
                match &formatted.disposition {
                    Disposition::Send(body) | Disposition::SendTo(_, body) => {
                        return store.close_digest(open.id, body, false, now);
                    }
                    // It was held before it joined the storm; to hold it again would send it in circles.
                    Disposition::Digest(_) => {}
                    Disposition::Skip(_) | Disposition::Dead(_) => {
                        return store.record_formatted(&self.route.name, Some(open.id), &[formatted], None, now);
                    }
                }
            }
        }
        // Until then it would only be merged into a change that waits.
        if let Some(living) = living.filter(|_| !is_last_time)
            && let Some(at) = store.next_change_at(living, open, now)?
        {
            return store.hold_digest(open.id, at, now);
        }
        let latest = if is_last_time { now } else { open.opened_at.plus_ms(HOLD_MS_MAX) };
        self.close_as_digest(store, open, living, now, latest)
    }

    /// Closes a digest, which becomes a message or changes a living one. `latest`: until when the plugin may hold it.
    fn close_as_digest(
        &mut self,
        store: &mut Store,
        open: &OpenDigest,
        living: Option<i64>,
        now: Timestamp,
        latest: Timestamp,
    ) -> Result<(), StoreError> {
        let is_storm = open.cause == DigestCause::Storm;
        // What a series tells of is little.
        let mut counts = self.counts.take_if(|_| is_storm).unwrap_or_default();
        let changes = living.map(|living| (living, &mut counts));
        let mut batch = store.digest_batch(open, changes, &self.defaults.host, |event| self.defaults.apply(event))?;
        batch.labels.clone_from(&self.defaults.labels);
        batch.continues = is_of_series(open) && living.is_none();
        match self.decide_on_digest(&batch, now, latest) {
            DigestDisposition::Send(body) => {
                let (route, over_at) = (self.route.name.as_str(), self.storm_over_at(now));
                match (living, over_at.filter(|_| is_storm)) {
                    (Some(living), over_at) => {
                        // If it does not, it is due again at once, and counted again.
                        store.continue_living((route, open), (living, &mut counts), &body, over_at, now)?;
                    }
                    (None, Some(over_at)) => store.begin_storm(route, open, &body, over_at, now)?,
                    (None, None) => {
                        self.go_on_in(store, open)?;
                        store.close_digest(open.id, &body, true, now)?;
                    }
                }
            }
            DigestDisposition::Hold(until) => store.hold_digest(open.id, until, now)?,
            DigestDisposition::Skip(reason) => self.skip_digest(store, open.id, &reason, now)?,
        }
        if is_storm {
            self.counts = living.is_some().then_some(counts);
        }
        Ok(())
    }

    /// Returns when a storm of which a message is formatted now is over, if nothing more happens; `None`: no message can be
    /// changed to say so.
    fn storm_over_at(&self, now: Timestamp) -> Option<Timestamp> {
        let storm = self.route.storm.filter(|_| self.profile.target.has_conversations())?;
        Some(now.plus_ms(milliseconds(storm.within)))
    }

    /// Has the message of a storm say that it is over, unless it goes on.
    fn end_storm(&mut self, store: &mut Store, end: &OpenDigest, now: Timestamp) -> Result<(), StoreError> {
        let (Some(later), over) = (self.storm_over_at(now), store.end_of_storm(&self.route.name, end)?) else {
            return store.forget_end_of_storm(end);
        };
        // The clock was set back: how long the storm has paused is not known.
        if end.opened_at > now {
            return store.hold_digest(end.id, later, now);
        }
        let living = match over {
            StormEnd::Over(living) => living,
            StormEnd::NotYet => return store.hold_digest(end.id, later, now),
            StormEnd::Nowhere => return store.forget_end_of_storm(end),
        };
        let mut counts = self.counts.take().unwrap_or_default();
        let changes = Some((living, &mut counts));
        let mut batch = store.digest_batch(end, changes, &self.defaults.host, |event| self.defaults.apply(event))?;
        batch.labels.clone_from(&self.defaults.labels);
        batch.over = true;
        match self.decide_on_digest(&batch, now, now) {
            DigestDisposition::Send(body) if batch.totals.events > 0 => {
                store.continue_living((&self.route.name, end), (living, &mut counts), &body, None, now).map(drop)
            }
            _ => store.forget_end_of_storm(end),
        }
    }

    /// Returns the message that a digest changes.
    fn living(&mut self, store: &Store, open: &OpenDigest) -> Result<Option<i64>, StoreError> {
        let route = &self.route.name;
        if let Some(storm) = self.route.storm.filter(|_| open.cause == DigestCause::Storm) {
            return store.living_storm(route, open, storm.within);
        }
        if !is_of_series(open) {
            return Ok(None);
        }
        let recent = RecentPosts::read(&mut self.recent_posts, store, route)?;
        match recent.event_of_series(&open.key) {
            Some(event) => store.living_series(route, open, event),
            None => Ok(None),
        }
    }

    /// Has what follows a digest of a series change the message that this one becomes.
    fn go_on_in(&mut self, store: &Store, open: &OpenDigest) -> Result<(), StoreError> {
        if is_of_series(open)
            && let Some(first) = store.message_events(open.id, 1)?.pop()
        {
            let recent = RecentPosts::read(&mut self.recent_posts, store, &self.route.name)?;
            recent.go_on_in(&open.key, first.seq);
        }
        Ok(())
    }

    /// Returns the digest of several hosts that the restart of one joins.
    fn restarts_of(
        &mut self,
        store: &Store,
        open: &OpenDigest,
        now: Timestamp,
    ) -> Result<Option<DigestKey>, StoreError> {
        if open.cause != DigestCause::Restart {
            return Ok(None);
        }
        let batch = store.digest_batch(open, None, &self.defaults.host, |event| event)?;
        let Some(restart) = key_of_restart(batch.cause, &batch.totals) else { return Ok(None) };
        let Some(first) = store.message_events(open.id, 1)?.pop() else { return Ok(None) };
        let is_living = self.profile.target.has_conversations();
        let recent = RecentPosts::read(&mut self.recent_posts, store, &self.route.name)?;
        Ok(digest_of_restarts(&self.route, recent, (restart, &open.key, first.seq), is_living, now))
    }

    /// Settles all events of a digest as skipped, as many at a time as events are formatted.
    fn skip_digest(&self, store: &mut Store, digest: i64, reason: &str, now: Timestamp) -> Result<(), StoreError> {
        loop {
            let events = store.message_events(digest, FORMAT_BATCH)?;
            if events.is_empty() {
                return Ok(());
            }
            let skipped: Vec<_> =
                events.into_iter().map(|event| FormattedEvent::new(event.seq, skip(reason))).collect();
            store.record_formatted(&self.route.name, Some(digest), &skipped, None, now)?;
        }
    }

    /// Returns the restart that a digest of unbans belongs to: their jail stopped, whether or not the route matches stops.
    fn restart_of(&self, store: &Store, open: &OpenDigest) -> Result<Option<DigestKey>, StoreError> {
        let (Some(quiet), Some((host, jail))) = (self.route.restart, jail_of_unbans(&open.key)) else {
            return Ok(None);
        };
        let stopped = store.is_followed_by_stop(open, (&host, &jail), &self.defaults.host)?;
        Ok(stopped.then(|| restart_of_unbans(&host, quiet)))
    }

    /// Returns what becomes of a digest: what the plugin decides, or else the built-in message. `latest`: until when the
    /// plugin may hold it.
    fn decide_on_digest(&mut self, batch: &Batch, now: Timestamp, latest: Timestamp) -> DigestDisposition {
        let storm = self.storm_limit();
        let formatted = match self.plugin.digest(batch, now) {
            Ok(Some(DigestDecision::Post(message))) => {
                let is_redacted = self.route.redacted_fallback && asks_for_built_in_digest(&message);
                let redacted = is_redacted.then(|| batch.redacted());
                let batch = redacted.as_ref().unwrap_or(batch);
                self.plugin.guard(&message, |policy| guard_digest(&message, batch, storm, policy), now)
            }
            Ok(Some(DigestDecision::Skip(reason))) => {
                self.plugin.succeeded();
                return DigestDisposition::Skip(reason);
            }
            Ok(Some(DigestDecision::Hold(until))) if until <= now => {
                Err(self.plugin.failed("holds its digest until a time that is not in the future".to_owned(), now))
            }
            Ok(Some(DigestDecision::Hold(until))) if now < latest => {
                self.plugin.succeeded();
                return DigestDisposition::Hold(until.min(latest));
            }
            Ok(Some(DigestDecision::Hold(_)) | None) => {
                return DigestDisposition::Send(self.built_in_digest(batch, None));
            }
            Err(why) => Err(why),
        };
        DigestDisposition::Send(formatted.unwrap_or_else(|why| self.built_in_digest(batch, Some(&why))))
    }

    /// Returns the built-in digest. `why`: how the plugin failed.
    fn built_in_digest(&self, batch: &Batch, why: Option<&str>) -> Guarded {
        let (storm, target) = (self.storm_limit(), self.profile.target);
        if self.route.redacted_fallback {
            return digest(&batch.redacted(), storm, why.map(|_| self.withheld()).as_deref(), target);
        }
        let why = why.map(|why| format!("plugin {} {why}", self.plugin.name));
        digest(batch, storm, why.as_deref(), target)
    }

    fn storm_limit(&self) -> Option<StormLimit> {
        self.route.storm.map(|storm| StormLimit { threshold: storm.threshold, within: storm.within })
    }
}

/// What becomes of a digest that closes.
enum DigestDisposition {
    /// A message.
    Send(Guarded),
    /// It stays open until then.
    Hold(Timestamp),
    /// Its events are skipped, for this reason.
    Skip(String),
}

/// Whether a digest is of posts that follow one like them.
fn is_of_series(open: &OpenDigest) -> bool {
    matches!(open.cause, DigestCause::SameSubject | DigestCause::Restarts)
}

/// Whether it is an unban that a restart caused: announced by itself, it would read as if the ban had ended.
fn is_unban(unformatted: &UnformattedEvent) -> bool {
    matches!(&unformatted.event, Ok(event) if matches!(event.details, EventDetails::Unban(_)))
}

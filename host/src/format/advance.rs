//! One step of a route: it formats a batch of events, closes the digests whose time has come, and groups a backlog.

use super::formatter::FORMAT_BATCH;
use super::grouping::{Grouping, RecentPosts, digest_of_storm, jail_of_unbans, milliseconds, restart_of_unbans};
use super::loaded_route::LoadedRoute;
use crate::event::{Batch, DigestCause, EventDetails, Timestamp};
use crate::message::{Guarded, StormLimit, digest, guard_digest};
use crate::store::{DigestKey, Disposition, OpenDigest, Store, StoreError, UnformattedEvent};

impl LoadedRoute {
    /// Formats one batch of events, fewer if `enough` returns true after an event; then closes the digests whose time has
    /// come, or all of them if `close_all` and no event is left.
    ///
    /// Returns how many events and digests there were; 0: there is nothing to do for now.
    ///
    /// # Errors
    /// When the store fails; the events are still to be formatted then.
    pub(crate) fn advance(
        &mut self,
        store: &mut Store,
        now: Timestamp,
        close_all: bool,
        mut enough: impl FnMut() -> bool,
    ) -> Result<usize, StoreError> {
        let unformatted = store.unformatted(&self.route.name, FORMAT_BATCH)?;
        let close_all = close_all && unformatted.is_empty();
        self.reassign(store, unformatted.iter().map(|unformatted| &unformatted.webhook))?;
        let mut done = self.format_all(store, None, unformatted, now, &mut enough)?;
        let closing = store.digests_to_close(&self.route.name, now, close_all)?;
        self.reassign(store, closing.iter().map(|open| &open.webhook))?;
        for open in closing {
            done += 1;
            self.close(store, &open, now, &mut enough)?;
        }
        // Digests that were held count as posts; a crash before this line has a storm noticed a little later.
        if let Some(posts) = self.recent_posts.as_mut().and_then(RecentPosts::changed) {
            store.record_posts(&self.route.name, &posts)?;
        }
        if done > 0 {
            self.group_backlog(store, now)?;
        }
        Ok(done)
    }

    /// Returns when the next digest closes.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn next_closing(&self, store: &Store) -> Result<Option<Timestamp>, StoreError> {
        store.next_digest_at(&self.route.name)
    }

    /// Groups the route's messages into a digest where more are pending than their webhook takes in a minute.
    fn group_backlog(&self, store: &mut Store, now: Timestamp) -> Result<(), StoreError> {
        let closes_at = now.plus_ms(milliseconds(self.route.digest_window));
        let route = &self.route.name;
        let own = Some((&self.route.webhook, self.profile));
        let fallback = self.route.fallback_webhook.iter().zip(self.fallback_profile);
        for (webhook, profile) in own.into_iter().chain(fallback) {
            let messages = store.digest_backlog(route, webhook, profile.messages_per_minute, closes_at, now)?;
            if messages > 0 {
                tracing::info!(route, webhook, messages, "backlog grouped into a digest");
            }
        }
        Ok(())
    }

    /// Reassigns events that were routed when the route had another webhook to the one that they are formatted for.
    fn reassign<'a>(
        &self,
        store: &mut Store,
        mut webhooks: impl Iterator<Item = &'a String>,
    ) -> Result<(), StoreError> {
        if webhooks.all(|webhook| *webhook == self.route.webhook) {
            return Ok(());
        }
        store.reassign_unformatted(&self.route.name, &self.route.webhook)
    }
}

impl LoadedRoute {
    /// Closes a digest: it becomes a message, or joins another digest, or its events are formatted after all.
    pub(super) fn close(
        &mut self,
        store: &mut Store,
        open: &OpenDigest,
        now: Timestamp,
        enough: &mut impl FnMut() -> bool,
    ) -> Result<(), StoreError> {
        if open.cause == DigestCause::Unbans {
            if let Some(restart) = self.restart_of(store, open)? {
                return store.merge_digest(&self.route.name, open.id, &restart, now);
            }
            // What `enough` leaves is formatted next time.
            let events = store.message_events(open.id, FORMAT_BATCH)?;
            return self.format_all(store, Some(open.id), events, now, enough).map(drop);
        }
        if open.cause == DigestCause::Held {
            let recent = RecentPosts::read(&mut self.recent_posts, store, &self.route.name)?;
            if let Some(storm) = digest_of_storm(&self.route, recent, now) {
                return store.merge_digest(&self.route.name, open.id, &storm, now);
            }
        } else {
            // Counted again: unbans that were released just before may have joined it.
            let mut events = store.message_events(open.id, 2)?;
            if let (1, Some(single)) = (events.len(), events.pop())
                && !(open.cause == DigestCause::Restart && is_unban(&single))
            {
                let formatted = self.format(single, Grouping::Standalone, now);
                match &formatted.disposition {
                    Disposition::Send(body) => return store.close_digest(open.id, body, false, now),
                    // It was held before it joined the storm; to hold it again would send it in circles.
                    Disposition::Digest(_) => {}
                    Disposition::Skip(_) | Disposition::Dead(_) => {
                        return store.record_formatted(&self.route.name, Some(open.id), &[formatted], None, now);
                    }
                }
            }
        }
        let batch = store.digest_batch(open, &self.defaults.host, |event| self.defaults.apply(event))?;
        let body = self.format_digest(&batch, now);
        store.close_digest(open.id, &body, true, now)
    }

    /// Returns the restart that a digest of unbans belongs to: their jail stopped, whether or not the route matches stops.
    fn restart_of(&self, store: &Store, open: &OpenDigest) -> Result<Option<DigestKey>, StoreError> {
        let (Some(quiet), Some((host, jail))) = (self.route.restart, jail_of_unbans(&open.key)) else {
            return Ok(None);
        };
        let stopped = store.is_followed_by_stop(open, (&host, &jail), &self.defaults.host)?;
        Ok(stopped.then(|| restart_of_unbans(&host, quiet)))
    }

    /// Returns the message of a digest: the plugin's, or else the built-in one.
    fn format_digest(&mut self, batch: &Batch, now: Timestamp) -> Guarded {
        let storm = self.route.storm.map(|storm| StormLimit { threshold: storm.threshold, within: storm.within });
        let formatted = match self.plugin.digest(batch, now) {
            Ok(None) => return digest(batch, storm, None, self.profile.target),
            Ok(Some(message)) => {
                self.plugin.guard(&message, |policy| guard_digest(&message, batch, storm, policy), now)
            }
            Err(why) => Err(why),
        };
        formatted.unwrap_or_else(|why| {
            digest(batch, storm, Some(&format!("plugin {} {why}", self.plugin.name)), self.profile.target)
        })
    }
}

/// Whether it is an unban that a restart caused: announced by itself, it would read as if the ban had ended.
fn is_unban(unformatted: &UnformattedEvent) -> bool {
    matches!(&unformatted.event, Ok(event) if matches!(event.details, EventDetails::Unban(_)))
}

//! One step of a route: it formats a batch of events, closes the digests whose time has come, and groups a backlog.

use super::formatter::FORMAT_BATCH;
use super::grouping::{Grouping, milliseconds};
use super::loaded_route::LoadedRoute;
use crate::event::{Batch, DigestCause, Timestamp};
use crate::message::{Guarded, StormLimit, digest, guard_digest};
use crate::store::{Disposition, OpenDigest, Store, StoreError};

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
    /// Closes a digest, or sends one by one what was held in case others followed.
    pub(super) fn close(
        &mut self,
        store: &mut Store,
        open: &OpenDigest,
        now: Timestamp,
        enough: &mut impl FnMut() -> bool,
    ) -> Result<(), StoreError> {
        if open.cause == DigestCause::Unbans {
            // No stop has followed. What `enough` leaves is formatted next time.
            let events = store.message_events(open.id, FORMAT_BATCH)?;
            return self.format_all(store, Some(open.id), events, now, enough).map(drop);
        }
        if open.cause != DigestCause::Held {
            // Counted again: unbans that were released just before may have joined it.
            let mut events = store.message_events(open.id, 2)?;
            if let (1, Some(single)) = (events.len(), events.pop()) {
                let formatted = self.format(single, Grouping::Standalone, now);
                return match &formatted.disposition {
                    Disposition::Send(body) => store.close_digest(open.id, body, false, now),
                    _ => store.record_formatted(&self.route.name, Some(open.id), &[formatted], None, now),
                };
            }
        }
        let batch = store.digest_batch(open, &self.defaults.host, |event| self.defaults.apply(event))?;
        let body = self.format_digest(&batch, now);
        store.close_digest(open.id, &body, true, now)
    }

    /// Returns the message of a digest: the plugin's, or else the built-in one.
    fn format_digest(&mut self, batch: &Batch, now: Timestamp) -> Guarded {
        let storm = self.route.storm.map(|storm| StormLimit { threshold: storm.threshold, within: storm.within });
        let formatted = match self.plugin.digest(batch, now) {
            Ok(None) => return digest(batch, storm, None, self.profile.target),
            Ok(Some(message)) => self.plugin.guard(&message, |policy| guard_digest(&message, batch, policy), now),
            Err(why) => Err(why),
        };
        formatted.unwrap_or_else(|why| {
            digest(batch, storm, Some(&format!("plugin {} {why}", self.plugin.name)), self.profile.target)
        })
    }
}

//! One step of a route: it formats a batch of events, closes the digests whose time has come, and groups a backlog.

use super::formatter::FORMAT_BATCH;
use super::loaded_route::LoadedRoute;
use super::window::milliseconds;
use crate::event::Timestamp;
use crate::store::{Store, StoreError};

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
        // `banhook forget` changes the store of a daemon that runs.
        if let Some(recent) = &self.recent_posts
            && recent.forgettings != store.forgettings()?
        {
            self.recent_posts = None;
        }
        let unformatted = store.unformatted(&self.route.name, FORMAT_BATCH)?;
        let close_all = close_all && unformatted.is_empty();
        self.reassign(store, unformatted.iter().map(|unformatted| &unformatted.webhook))?;
        let mut done = self.format_all(store, None, unformatted, now, &mut enough)?;
        let closing = store.digests_to_close(&self.route.name, now, close_all)?;
        self.reassign(store, closing.iter().map(|open| &open.webhook))?;
        for open in closing {
            // Each may call a slow plugin; the others are closed in the next step.
            if done > 0 && enough() {
                break;
            }
            done += 1;
            self.close(store, &open, now, close_all, &mut enough)?;
        }
        // Digests that were held count as posts; a crash before this line has a storm noticed a little later.
        if let Some(posts) = self.recent_posts.as_mut().and_then(|recent| recent.changed(now)) {
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

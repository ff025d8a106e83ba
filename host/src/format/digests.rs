//! How a route closes its digests: formatted by its plugin or by banhook, or as single messages after all.

use super::formatter::FORMAT_BATCH;
use super::grouping::Grouping;
use super::loaded_route::LoadedRoute;
use crate::event::{Batch, DigestCause, Timestamp};
use crate::message::{Guarded, StormLimit, digest, guard_digest};
use crate::store::{Disposition, OpenDigest, Store, StoreError};

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

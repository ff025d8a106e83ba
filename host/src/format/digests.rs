//! How a route closes what it holds: as a digest, formatted by its plugin or by banhook, or one by one after all.

use super::FORMAT_BATCH;
use super::grouping::milliseconds;
use super::loaded_route::LoadedRoute;
use crate::event::DigestCause;
use crate::event::{Batch, Timestamp};
use crate::message::{Guarded, Hold, digest, guard_digest};
use crate::store::{Closes, DigestKey, Disposition, OpenDigest, Store, StoreError};

/// Characters of a hold's key that count.
const KEY_CHARS: usize = 200;

/// The longest that a plugin may have an event held, as `wit/exports.wit` promises, in ms.
const HOLD_LONGEST_MS: i64 = 86_400_000;

impl LoadedRoute {
    /// Closes a digest, or lets go one by one what waited for others and stayed standalone.
    pub(super) fn close(
        &mut self,
        store: &mut Store,
        hold: &OpenDigest,
        now: Timestamp,
        enough: &mut impl FnMut() -> bool,
    ) -> Result<(), StoreError> {
        if hold.cause == DigestCause::Unbans {
            // What is left when it is enough comes next time.
            let events = store.message_events(hold.id, FORMAT_BATCH)?;
            return self.format_all(store, Some(hold.id), events, now, enough).map(drop);
        }
        if hold.cause != DigestCause::Held {
            // Unbans that were let go of just before may have joined it.
            let mut events = store.message_events(hold.id, 2)?;
            if let (1, Some(standalone)) = (events.len(), events.pop()) {
                let formatted = self.format(standalone, None, now);
                return match &formatted.disposition {
                    Disposition::Send(body) => store.close_digest(hold.id, body, false, now),
                    _ => store.record_formatted(&self.route.name, Some(hold.id), &[formatted], None, now),
                };
            }
        }
        let defaults = self.defaults.clone();
        let batch = store.digest_batch(hold, &defaults.host, |event| defaults.apply(event))?;
        let body = self.digest(&batch, now);
        store.close_digest(hold.id, &body, true, now)
    }

    /// Events that are told together, as the plugin or, without its help, banhook words them.
    fn digest(&mut self, batch: &Batch, now: Timestamp) -> Guarded {
        let target = self.profile.target;
        let fallback_message = |why: &str| digest(batch, Some(&format!("plugin {} {why}", self.plugin_name)), target);
        let plugin = match &self.plugin {
            Ok(plugin) => plugin,
            Err(error) => return fallback_message(&error.to_string()),
        };
        if self.breaker.is_paused(now) {
            return fallback_message("is not called for a while");
        }
        self.current_event.take(i64::MAX);
        let Some(answer) = plugin.digest(batch, now) else {
            // It words no digests, and of these events it may have formatted none.
            return match &self.breaker.error {
                Some(error) => fallback_message(&format!("failed {} times in a row: {error}", self.breaker.failures)),
                None => digest(batch, None, target),
            };
        };
        self.log(&answer);
        let guarded = match answer.decision {
            Ok(message) => self.checked(&message, |policy| guard_digest(&message, batch, policy)),
            Err(error) => Err(self.failure(&error, "a digest")),
        };
        match guarded {
            Ok(body) => {
                self.worked();
                body
            }
            Err(why) => {
                let why = self.failed(why, now);
                digest(batch, Some(&format!("plugin {} {why}", self.plugin_name)), target)
            }
        }
    }

    /// What a plugin holds an event for, with the route's window where it names no time, or one too far off.
    pub(super) fn held(&self, Hold { key, until }: Hold, now: Timestamp) -> DigestKey {
        let window = now.plus_ms(milliseconds(self.route.digest_window));
        let until = until.filter(|until| until.0 <= now.0.saturating_add(HOLD_LONGEST_MS)).unwrap_or(window);
        let key = key.chars().take(KEY_CHARS).collect();
        DigestKey { cause: DigestCause::Held, key, closes: Closes::At(until), merge_unbans: None }
    }
}

//! How a route closes what it holds: as a digest, worded by its plugin or by banhook, or one by one after all.

use super::WORDED_AT_ONCE;
use super::folding::milliseconds;
use super::route::LiveRoute;
use crate::event::{Batch, Timestamp};
use crate::message::{Guarded, Hold, digest, guard_digest};
use crate::store::{Closes, Fold, OpenHold, Reason, Store, StoreError, Verdict};

/// Characters of a hold's key that count.
const KEY_CHARS: usize = 200;

/// The longest that a plugin may have an event held, as `wit/exports.wit` promises, in ms.
const HOLD_LONGEST_MS: i64 = 86_400_000;

impl LiveRoute {
    /// Closes a digest, or lets go one by one what waited for others and stayed alone.
    pub(super) fn close(
        &mut self,
        store: &mut Store,
        hold: &OpenHold,
        now: Timestamp,
        enough: &mut impl FnMut() -> bool,
    ) -> Result<(), StoreError> {
        if hold.reason == Reason::Unbans {
            // What is left when it is enough comes next time.
            let events = store.events_of(hold.id, WORDED_AT_ONCE)?;
            return self.word_all(store, Some(hold.id), events, now, enough).map(drop);
        }
        if hold.reason != Reason::Held {
            // Unbans that were let go of just before may have joined it.
            let mut events = store.events_of(hold.id, 2)?;
            if let (1, Some(alone)) = (events.len(), events.pop()) {
                let worded = self.word(alone, None, now);
                return match &worded.verdict {
                    Verdict::Send(body) => store.close(hold.id, body, false, now),
                    _ => store.word(&self.route.name, Some(hold.id), &[worded], None, now),
                };
            }
        }
        let naming = self.naming.clone();
        let batch = store.batch(hold, &naming.host, |event| naming.name(event))?;
        let body = self.digest(&batch, now);
        store.close(hold.id, &body, true, now)
    }

    /// Events that are told together, as the plugin or, without its help, banhook words them.
    fn digest(&mut self, batch: &Batch, now: Timestamp) -> Guarded {
        let target = self.destination.target;
        let instead = |why: &str| digest(batch, Some(&format!("plugin {} {why}", self.plugin_name)), target);
        let plugin = match &self.plugin {
            Ok(plugin) => plugin,
            Err(error) => return instead(&error.to_string()),
        };
        if self.health.is_paused(now) {
            return instead("is not called for a while");
        }
        self.in_hand.take(i64::MAX);
        let Some(answer) = plugin.digest(batch, now) else {
            // It words no digests, and of these events it may have worded none.
            return match &self.health.error {
                Some(error) => instead(&format!("failed {} times in a row: {error}", self.health.failures)),
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
    pub(super) fn held(&self, Hold { key, until }: Hold, now: Timestamp) -> Fold {
        let window = now.plus_ms(milliseconds(self.route.digest_window));
        let until = until.filter(|until| until.0 <= now.0.saturating_add(HOLD_LONGEST_MS)).unwrap_or(window);
        let key = key.chars().take(KEY_CHARS).collect();
        Fold { reason: Reason::Held, key, closes: Closes::At(until), unbans: None }
    }
}

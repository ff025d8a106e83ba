//! The part of a webhook's queue that changes messages which were sent: a lane of its own, which holds up no post.

use super::attempt::{AttemptOutcome, AttemptReport, NextAction};
use super::delivery_policy::DeliveryPolicy;
use super::delivery_policy::{after, clamp_deadline, next_change_slot, within_change_rate};
use super::failures::is_expired;
use super::queue::{Attempt, ORDERED_TIME_SHARE, Queue, UNCLEAR_MAX};
use super::send_result::SendResult;
use crate::event::Timestamp;
use crate::store::{FailedAttempt, OutboundMessage, Store, StoreError};

impl Queue {
    /// Returns what to do next where no message is to be posted now: messages that were sent are changed.
    pub(super) fn next_change(
        &self,
        store: &mut Store,
        policy: &DeliveryPolicy,
        backoff_until: Timestamp,
        now: Timestamp,
    ) -> Result<NextAction, StoreError> {
        if !policy.target.has_conversations() {
            // Those of a webhook that had another target are messages of their own.
            return Ok(match store.next_change(&self.webhook)? {
                Some(change) => {
                    store.detach(&change, true, now)?;
                    NextAction::AskAgain
                }
                None => NextAction::Idle,
            });
        }
        let Some(change) = store.next_change(&self.webhook)? else { return Ok(NextAction::Idle) };
        let budget = store.change_budget(&policy.change_budget)?;
        let at = within_change_rate(budget, policy, now)
            .max(clamp_deadline(change.next_attempt_at, now))
            .max(clamp_deadline(self.changes_not_before, now))
            .max(backoff_until);
        if at > now {
            return Ok(NextAction::WaitUntil(at));
        }
        self.in_its_way(store, policy, change, now)
    }

    /// Records that an attempt to change a message begins, if that is still within the rate: the queues of other webhooks with the
    /// same token use it as well.
    pub(super) fn begin_change(
        &self,
        store: &mut Store,
        policy: &DeliveryPolicy,
        message: &OutboundMessage,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let spend =
            |budget| (within_change_rate(budget, policy, now) <= now).then(|| next_change_slot(budget, policy, now));
        store.begin_change(message, &self.webhook, &policy.change_budget, spend, now)
    }

    /// Records what the attempt to change a message came to. Its failures say nothing about the webhook's other messages, and
    /// it is never dead at once: what cannot change a message is one of its own.
    pub(super) fn record_change(
        &mut self,
        store: &mut Store,
        attempt: Attempt<'_>,
        result: SendResult,
    ) -> Result<AttemptReport, StoreError> {
        let Attempt { policy, message, ref state, now, .. } = attempt;
        if !matches!(result, SendResult::Accepted { .. }) {
            // Otherwise changes that end in a time-out would take all of the webhook's time.
            let took = now.0.saturating_sub(self.attempt_began_at.0).max(0);
            self.changes_not_before = now.plus_ms(took.saturating_mul(ORDERED_TIME_SHARE));
        }
        match result {
            SendResult::Accepted { reference, .. } => {
                let recovered = state.suspended.is_some();
                let state = if recovered { state.recovered() } else { state.clone() };
                store.record_accepted(message.id, reference.as_ref(), None, &self.webhook, &state, now)?;
                Ok(AttemptOutcome::Accepted { parked_message: None, recovered }.into())
            }
            SendResult::RateLimited(wait, error) => {
                store.back_off_changes(&policy.change_budget, after(now, wait))?;
                let failure = FailedAttempt { next_attempt_at: after(now, wait), ..FailedAttempt::new(state, &error) };
                self.record(store, message, failure, now)?;
                if is_expired(policy, message, message.attempts.saturating_add(1), now) {
                    return self.expire(store, policy, message, state, error, now);
                }
                Ok(AttemptOutcome::RetryIn(wait, error).into())
            }
            SendResult::Unclear { error, .. } if message.failures.saturating_add(1) >= UNCLEAR_MAX => {
                self.detach(store, message, false, error, now)
            }
            SendResult::Transient { after, error } | SendResult::Unclear { after, error } => {
                self.parked_failed(store, &attempt, after, error)
            }
            SendResult::Rejected(error) => self.detach(store, message, false, error, now),
            SendResult::Detached { lost, error } => self.detach(store, message, lost, error, now),
            // The message is sent itself then; if that gets the same answer, the webhook is suspended.
            SendResult::EndpointGone(error) => self.detach(store, message, true, error, now),
        }
    }
}

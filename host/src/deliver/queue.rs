//! One webhook's queue: which message it gets next and when, and what its answer leads to; `failures` has what a failure leads
//! to. Pure: the clock and the jitter are handed in, the network is the worker's, and all that must survive is in the store.
//!
//! Messages keep their order. A webhook that fails gets the same message again after a backoff. A message that has failed
//! three times may be at fault itself, so after each further failure a later message is sent as a *probe*. If that is
//! accepted, the failing message is *parked*: it is retried separately, and the others go on in order.

use std::time::Duration;

use super::attempt::{AttemptOutcome, AttemptReport, NextAction};
use super::backoff;
use super::delivery_policy::DeliveryPolicy;
use super::delivery_policy::{after, clamp_deadline, clock_went_back, next_slot, within_rate};
use super::send_result::SendResult;
use crate::event::Timestamp;
use crate::message::{Reference, Way};
use crate::store::{Lane, OutboundMessage, Store, StoreError, WebhookState};

/// Failures of a message after which later messages are probed, and after which it is parked if a probe succeeds.
pub(super) const PARK_AFTER_FAILURES: u32 = 3;

/// How many of the messages after a failing one are probed in turn: a probe may be at fault as well.
const PROBE_WINDOW: u32 = 8;

/// Messages in order that are sent between two parked ones, while there are any.
const ORDERED_PER_PARKED: u32 = 4;

/// How much longer than the attempt at a parked message messages in order have the webhook for themselves. Otherwise a few
/// parked messages that end in a time-out would take all of its time.
pub(super) const ORDERED_TIME_SHARE: i64 = 9;

/// Attempts at a message after which an answer that the service does not document counts as a rejection.
pub(super) const UNCLEAR_MAX: u32 = 6;

/// A message that is sent before one that keeps failing.
#[derive(Clone, Copy)]
pub(super) struct Probe {
    /// The message that keeps failing.
    pub(super) overtaken: i64,
    /// How many places after it the probe stands.
    pub(super) offset: u32,
    /// Whether it is sent without waiting for the backoff.
    pub(super) at_once: bool,
}

/// One attempt with its webhook's state before it, and what its result is judged by.
pub(super) struct Attempt<'a> {
    pub(super) policy: &'a DeliveryPolicy,
    pub(super) url_hash: &'a str,
    pub(super) message: &'a OutboundMessage,
    pub(super) state: WebhookState,
    /// The message that this one overtook as a probe.
    pub(super) overtaken: Option<i64>,
    pub(super) now: Timestamp,
    /// In 0..1.
    pub(super) jitter: f64,
}

pub(crate) struct Queue {
    pub(super) webhook: String,
    /// Whether it has the notices alone: on a fleet's worker, the webhook's other messages may be another worker's.
    pub(super) notices_only: bool,
    /// The probe that is sent next, after a message failed.
    pub(super) probe: Option<Probe>,
    /// The offset of the probe after that.
    next_probe_offset: u32,
    /// When the last attempt began.
    pub(super) attempt_began_at: Timestamp,
    /// Messages in order that are sent before the next parked one.
    ordered_before_parked: u32,
    /// No parked message is sent before.
    parked_not_before: Timestamp,
    /// No message is changed before.
    pub(super) changes_not_before: Timestamp,
}

impl Queue {
    pub(crate) const fn new(webhook: String) -> Self {
        let never = Timestamp(0);
        Self {
            webhook,
            notices_only: false,
            probe: None,
            next_probe_offset: 1,
            attempt_began_at: never,
            ordered_before_parked: 0,
            parked_not_before: never,
            changes_not_before: never,
        }
    }

    /// Has the notices alone.
    pub(crate) fn of_notices(webhook: String) -> Self {
        Self { notices_only: true, ..Self::new(webhook) }
    }

    /// Whether it has the notices alone.
    pub(crate) const fn has_notices_only(&self) -> bool {
        self.notices_only
    }

    /// Returns what to do next. `url_hash`: of the webhook's URL; with another URL a suspended webhook is tried again.
    pub(crate) fn next(
        &mut self,
        store: &mut Store,
        policy: &DeliveryPolicy,
        url_hash: &str,
        now: Timestamp,
    ) -> Result<NextAction, StoreError> {
        let mut state = store.webhook(&self.webhook)?;
        if state.suspended.as_ref().is_some_and(|suspended| suspended.url_hash != url_hash) {
            state = state.recovered();
            store.record_webhook(&self.webhook, &state)?;
        }
        let backoff_until =
            if clock_went_back(&state, policy, now) { now } else { clamp_deadline(state.backoff_until, now) };
        let probe = match self.probe {
            Some(Probe { offset, .. }) => store.next_in_order(&self.webhook, offset)?,
            None => None,
        };
        let skips_backoff = probe.is_some() && self.probe.is_some_and(|probe| probe.at_once);
        let message = match probe {
            Some(message) => Some(message),
            None => self.first(store, now)?,
        };
        let Some(message) = message else {
            return if self.notices_only {
                Ok(NextAction::Idle)
            } else {
                self.next_change(store, policy, backoff_until, now)
            };
        };
        if message.target != Some(policy.target) {
            let (webhook, target) = (&self.webhook, policy.target.name());
            let messages = store.reformat(webhook, policy.target)?;
            self.probe = None;
            tracing::info!(webhook, target, messages, "target changed: pending messages are formatted again");
            return Ok(NextAction::AskAgain);
        }
        let mut at = within_rate(&state, policy, now);
        if !skips_backoff {
            at = at.max(backoff_until);
        }
        if message.lane == Lane::Parked {
            at = at.max(clamp_deadline(message.next_attempt_at, now));
        }
        if at <= now {
            return self.in_its_way(store, policy, message, now);
        }
        if self.notices_only {
            return Ok(NextAction::WaitUntil(at));
        }
        // A post that waits holds up no change.
        Ok(match self.next_change(store, policy, backoff_until, now)? {
            NextAction::WaitUntil(change_at) => NextAction::WaitUntil(at.min(change_at)),
            NextAction::Idle => NextAction::WaitUntil(at),
            action => action,
        })
    }

    /// Returns a message that is to be sent now with the way that it goes.
    pub(super) fn in_its_way(
        &self,
        store: &mut Store,
        policy: &DeliveryPolicy,
        mut message: OutboundMessage,
        now: Timestamp,
    ) -> Result<NextAction, StoreError> {
        if !policy.target.has_conversations() {
            return Ok(NextAction::Send(Box::new(message)));
        }
        let Some(way) = store.way(&message, &policy.channel)? else {
            store.detach(&message, true, now)?;
            return Ok(NextAction::AskAgain);
        };
        message.way = way;
        Ok(NextAction::Send(Box::new(message)))
    }

    /// Forgets the webhook's failures, since it is reached in another way now.
    pub(crate) fn forget_failures(&self, store: &mut Store) -> Result<(), StoreError> {
        store.record_webhook(&self.webhook, &store.webhook(&self.webhook)?.without_failures())
    }

    /// Returns the next message in order, or a parked one whose time has come.
    fn first(&self, store: &Store, now: Timestamp) -> Result<Option<OutboundMessage>, StoreError> {
        if self.notices_only {
            return store.next_notice(&self.webhook);
        }
        let (parked, in_order) = (store.next_parked(&self.webhook)?, store.next_in_order(&self.webhook, 0)?);
        let is_due = parked.as_ref().is_some_and(|message| clamp_deadline(message.next_attempt_at, now) <= now);
        let has_turn = self.ordered_before_parked == 0 && clamp_deadline(self.parked_not_before, now) <= now;
        Ok(if is_due && (has_turn || in_order.is_none()) { parked } else { in_order.or(parked) })
    }

    /// Records that an attempt begins. Returns false if the message is not to be sent any more.
    pub(crate) fn begin(
        &mut self,
        store: &mut Store,
        policy: &DeliveryPolicy,
        message: &OutboundMessage,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.attempt_began_at = now;
        if message.lane == Lane::Change {
            return self.begin_change(store, policy, message, now);
        }
        let mut state = store.webhook(&self.webhook)?;
        state.next_slot_at = next_slot(&state, policy, now);
        store.begin_attempt(message, &self.webhook, &state, now)
    }

    /// Records what an attempt came to. `url_hash`: as for [`Self::next`]. `jitter`: in 0..1.
    #[expect(clippy::too_many_arguments, reason = "all of it is one attempt, and the caller has it in pieces")]
    pub(crate) fn record_result(
        &mut self,
        store: &mut Store,
        policy: &DeliveryPolicy,
        url_hash: &str,
        message: &OutboundMessage,
        result: SendResult,
        now: Timestamp,
        jitter: f64,
    ) -> Result<AttemptReport, StoreError> {
        if message.lane == Lane::Change {
            let state = store.webhook(&self.webhook)?;
            let attempt = Attempt { policy, url_hash, message, state, overtaken: None, now, jitter };
            return self.record_change(store, attempt, result);
        }
        let overtaken = self.probe.take().map(|probe| probe.overtaken);
        let state = store.webhook(&self.webhook)?;
        if message.lane == Lane::Parked {
            let took = now.0.saturating_sub(self.attempt_began_at.0).max(0);
            self.ordered_before_parked = ORDERED_PER_PARKED;
            self.parked_not_before = now.plus_ms(took.saturating_mul(ORDERED_TIME_SHARE));
        } else {
            self.ordered_before_parked = self.ordered_before_parked.saturating_sub(1);
        }
        let attempt = Attempt { policy, url_hash, message, state, overtaken, now, jitter };
        match result {
            SendResult::Accepted { pause, reference } => self.accepted(store, attempt, pause, reference.as_ref()),
            SendResult::RateLimited(wait, error) => self.rate_limited(store, attempt, wait, error),
            // The failure of a probe says nothing about that message.
            SendResult::Unclear { error, .. }
                if overtaken.is_none() && message.failures.saturating_add(1) >= UNCLEAR_MAX =>
            {
                self.rejected(store, attempt, error)
            }
            SendResult::Transient { after, error } | SendResult::Unclear { after, error }
                if message.lane == Lane::Parked =>
            {
                self.parked_failed(store, &attempt, after, error)
            }
            SendResult::Transient { after, error } | SendResult::Unclear { after, error } => {
                self.failed(store, attempt, after, error)
            }
            SendResult::Rejected(error) => self.rejected(store, attempt, error),
            // The earlier message may be elsewhere; if it is the endpoint, the message itself gets the same answer.
            SendResult::EndpointGone(error) if message.way != Way::Post => {
                self.detach(store, message, true, error, now)
            }
            SendResult::EndpointGone(error) => self.suspend(store, attempt, error, &[]),
            SendResult::Detached { error, .. } if message.way == Way::Post => self.rejected(store, attempt, error),
            // A reply that is refused would be refused again.
            SendResult::Detached { error, .. } => self.detach(store, message, true, error, now),
        }
    }

    fn accepted(
        &mut self,
        store: &mut Store,
        attempt: Attempt<'_>,
        pause: Option<Duration>,
        reference: Option<&Reference>,
    ) -> Result<AttemptReport, StoreError> {
        let Attempt { message, state, overtaken, now, jitter, .. } = attempt;
        let recovered = state.failures > 0 || state.suspended.is_some();
        let backoff_until = pause.map_or(Timestamp(0), |pause| after(now, pause));
        let state = WebhookState { backoff_until, ..state.recovered() };
        let parked = overtaken.map(|id| (id, after(now, backoff::wait(PARK_AFTER_FAILURES, jitter))));
        store.record_accepted(message.id, reference, parked, &self.webhook, &state, now)?;
        self.next_probe_offset = 1;
        Ok(AttemptOutcome::Accepted { parked_message: overtaken, recovered }.into())
    }

    /// Returns how many places after the first message the next probe stands; another one each time.
    pub(super) fn choose_probe(&mut self, store: &Store) -> Result<Option<u32>, StoreError> {
        if self.notices_only {
            return Ok(None);
        }
        let offset = self.next_probe_offset;
        if store.next_in_order(&self.webhook, offset)?.is_some() {
            self.next_probe_offset = offset % PROBE_WINDOW + 1;
            return Ok(Some(offset));
        }
        let first = store.next_in_order(&self.webhook, 1)?.map(|_| 1);
        self.next_probe_offset = if first.is_some() { 2 } else { 1 };
        Ok(first)
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;

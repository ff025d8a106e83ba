//! One webhook's queue: which message it gets next and when, and what its answer leads to. Pure: the clock and the jitter
//! are handed in, the network is the worker's, and all that must survive is in the store.
//!
//! Messages keep their order. A webhook that fails gets the same message again after a backoff. A message that has failed
//! three times may be at fault itself, so after each further failure a later message is sent as a *probe*. If that is
//! accepted, the failing message is *parked*: it is retried separately, and the others go on in order.
//!
//! A message that the webhook rejects is sent again in its plain form, and is dead if that is rejected as well. A webhook that
//! rejects the plain form of several messages in a row is at fault itself: it is suspended, and they are pending again.

use std::collections::BTreeMap;
use std::time::Duration;

use super::attempt::{AttemptOutcome, AttemptReport, NextAction};
use super::backoff;
use super::delivery_policy::DeliveryPolicy;
use super::delivery_policy::{after, clamp_deadline, clock_went_back, next_slot, within_rate};
use super::plain_form::plain_form;
use super::send_result::SendResult;
use crate::event::Timestamp;
use crate::message::{Reference, Way};
use crate::store::{
    DeadReason, FailedAttempt, Lane, Notice, OutboundMessage, Store, StoreError, Suspended, WebhookState,
};

/// Failures of a message after which later messages are probed, and after which it is parked if a probe succeeds.
const PARK_AFTER_FAILURES: u32 = 3;

/// How many of the messages after a failing one are probed in turn: a probe may be at fault as well.
const PROBE_WINDOW: u32 = 8;

/// Messages in order that are sent between two parked ones, while there are any.
const ORDERED_PER_PARKED: u32 = 4;

/// How much longer than the attempt at a parked message messages in order have the webhook for themselves. Otherwise a few
/// parked messages that end in a time-out would take all of its time.
pub(super) const ORDERED_TIME_SHARE: i64 = 9;

/// Attempts in a row that must have failed before a message expires: a clock that is set forward is no reason.
const EXPIRE_AFTER_FAILURES: u32 = 10;

/// Attempts at a message after which an answer that the service does not document counts as a rejection.
pub(super) const UNCLEAR_MAX: u32 = 6;

/// Messages whose plain form a webhook rejects in a row before it is suspended.
const PLAIN_REJECTIONS_MAX: usize = 3;

/// How long after it was suspended a webhook is probed first; the time doubles with each probe that fails.
const SUSPENDED_PROBE_FIRST: Duration = Duration::from_secs(300);
/// The longest time between two probes of a suspended webhook.
const SUSPENDED_PROBE_MAX: Duration = Duration::from_secs(3_600);

/// A message that is sent before one that keeps failing.
#[derive(Clone, Copy)]
struct Probe {
    /// The message that keeps failing.
    overtaken: i64,
    /// How many places after it the probe stands.
    offset: u32,
    /// Whether it is sent without waiting for the backoff.
    at_once: bool,
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
    /// The probe that is sent next, after a message failed.
    probe: Option<Probe>,
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
            probe: None,
            next_probe_offset: 1,
            attempt_began_at: never,
            ordered_before_parked: 0,
            parked_not_before: never,
            changes_not_before: never,
        }
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
        let Some(message) = message else { return self.next_change(store, policy, backoff_until, now) };
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

    pub(super) fn detach(
        &self,
        store: &mut Store,
        message: &OutboundMessage,
        lost: bool,
        error: String,
        now: Timestamp,
    ) -> Result<AttemptReport, StoreError> {
        store.detach(message, lost, now)?;
        Ok(AttemptOutcome::Detached(error).into())
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

    /// Rate limits are no failures of the webhook, but a message does not wait for them for ever.
    fn rate_limited(
        &self,
        store: &mut Store,
        attempt: Attempt<'_>,
        wait: Duration,
        error: String,
    ) -> Result<AttemptReport, StoreError> {
        let Attempt { policy, message, state, now, .. } = attempt;
        let state = WebhookState { backoff_until: after(now, wait), ..state };
        self.record(store, message, FailedAttempt::new(&state, &error), now)?;
        if is_expired(policy, message, message.attempts.saturating_add(1), now) {
            return self.expire(store, policy, message, &state, error, now);
        }
        Ok(AttemptOutcome::RetryIn(wait, error).into())
    }

    fn failed(
        &mut self,
        store: &mut Store,
        attempt: Attempt<'_>,
        retry_after: Option<Duration>,
        error: String,
    ) -> Result<AttemptReport, StoreError> {
        let Attempt { policy, message, state, overtaken, now, jitter, .. } = attempt;
        // The failure of a probe says nothing about that message.
        let counts = u32::from(overtaken.is_none());
        if overtaken.is_none() && message.failures.saturating_add(1) >= PARK_AFTER_FAILURES {
            // A time that the webhook asks for holds for its other messages as well.
            let (overtaken, at_once) = (message.id, retry_after.is_none());
            self.probe = self.choose_probe(store)?.map(|offset| Probe { overtaken, offset, at_once });
        }
        if self.probe.is_some_and(|probe| probe.at_once) {
            self.record(store, message, FailedAttempt { failures: counts, ..FailedAttempt::new(&state, &error) }, now)?;
            return Ok(AttemptOutcome::RetryIn(Duration::ZERO, error).into());
        }
        let failures = state.failures.saturating_add(1);
        let wait = retry_after.unwrap_or_else(|| backoff::wait(failures, jitter));
        let state = WebhookState { failures, backoff_until: after(now, wait), ..state };
        let expire_before = self.expire_before(store, policy, failures, now)?;
        let notice_of_expired = self.notice_of_dead(policy, &message.route, &too_old(&error));
        let failure =
            FailedAttempt { failures: counts, expire_before, notice_of_expired, ..FailedAttempt::new(&state, &error) };
        let expired = self.record(store, message, failure, now)?;
        Ok(AttemptReport { outcome: AttemptOutcome::RetryIn(wait, error), expired })
    }

    /// A parked message failed again. The webhook works, so only this message is put off.
    pub(super) fn parked_failed(
        &self,
        store: &mut Store,
        attempt: &Attempt<'_>,
        retry_after: Option<Duration>,
        error: String,
    ) -> Result<AttemptReport, StoreError> {
        let Attempt { policy, message, ref state, now, jitter, .. } = *attempt;
        let failures = message.failures.saturating_add(1);
        if is_expired(policy, message, failures, now) {
            return self.expire(store, policy, message, state, error, now);
        }
        let wait = retry_after.unwrap_or_else(|| backoff::wait(failures, jitter));
        let failure =
            FailedAttempt { failures: 1, next_attempt_at: after(now, wait), ..FailedAttempt::new(state, &error) };
        self.record(store, message, failure, now)?;
        Ok(AttemptOutcome::RetryIn(wait, error).into())
    }

    /// The webhook rejected the message: its plain form is next. If that is what it rejected, the message is dead, or the
    /// webhook is at fault.
    fn rejected(&self, store: &mut Store, attempt: Attempt<'_>, error: String) -> Result<AttemptReport, StoreError> {
        let Attempt { policy, message, ref state, now, .. } = attempt;
        let rejects_all = state.rejected.len() >= PLAIN_REJECTIONS_MAX;
        if !message.plain
            && let Some(plain) = plain_form(store, policy, message, &error)?
        {
            let state = match rejects_all {
                // Its state is what it makes of the plain form, which is sent at once.
                true => WebhookState { backoff_until: now, ..state.clone() },
                false => rejecting(state, state.rejected.clone()),
            };
            store.replace_by_plain(message.id, (&self.webhook, &state), &plain, &error)?;
            return Ok(AttemptOutcome::PlainNext(error).into());
        }
        let mut rejected = state.rejected.clone();
        if message.plain && !rejects_all {
            rejected.push(message.id);
        }
        if message.plain && rejected.len() >= PLAIN_REJECTIONS_MAX {
            return self.suspend(store, attempt, format!("it rejects plain messages as well: {error}"), &rejected);
        }
        let notice = self.notice_of_dead(policy, &message.route, &error);
        let state = rejecting(state, rejected);
        let reason = (DeadReason::Rejected, error.as_str());
        store.mark_dead(message.id, (&self.webhook, &state), reason, notice.as_ref(), now)?;
        Ok(AttemptOutcome::Rejected(error).into())
    }

    /// Suspends the webhook, or leaves it suspended. `rejected`: the messages whose plain form it has rejected, if that is why.
    fn suspend(
        &self,
        store: &mut Store,
        attempt: Attempt<'_>,
        error: String,
        rejected: &[i64],
    ) -> Result<AttemptReport, StoreError> {
        let Attempt { policy, url_hash, message, state, now, .. } = attempt;
        let news = state.suspended.is_none();
        let failures = if news { 1 } else { state.failures.saturating_add(1) };
        let since = state.suspended.map_or(now, |suspended| suspended.since);
        let wait =
            SUSPENDED_PROBE_FIRST.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(SUSPENDED_PROBE_MAX);
        // Not again with each probe.
        let at_fault_before = state.rejected.len() >= PLAIN_REJECTIONS_MAX;
        let revived: Vec<i64> = rejected.iter().copied().filter(|id| !at_fault_before && *id != message.id).collect();
        let state = WebhookState {
            failures,
            suspended: Some(Suspended { error: error.clone(), since, url_hash: url_hash.to_owned() }),
            backoff_until: after(now, wait),
            next_slot_at: state.next_slot_at,
            rejected: if rejected.is_empty() { state.rejected } else { rejected.to_vec() },
        };
        let failure = FailedAttempt {
            expire_before: self.expire_before(store, policy, failures, now)?,
            revive: &revived,
            notice: policy.health.as_ref().filter(|_| news).map(|health| health.suspended(&self.webhook, &error)),
            notice_of_expired: self.notice_of_dead(policy, &message.route, &too_old(&error)),
            ..FailedAttempt::new(&state, &error)
        };
        let expired = self.record(store, message, failure, now)?;
        Ok(AttemptReport { outcome: AttemptOutcome::Suspended { error, news, revived }, expired })
    }

    pub(super) fn expire(
        &self,
        store: &mut Store,
        policy: &DeliveryPolicy,
        message: &OutboundMessage,
        state: &WebhookState,
        error: String,
        now: Timestamp,
    ) -> Result<AttemptReport, StoreError> {
        let why = too_old(&error);
        let notice = self.notice_of_dead(policy, &message.route, &why);
        store.mark_dead(message.id, (&self.webhook, state), (DeadReason::Expired, &why), notice.as_ref(), now)?;
        Ok(AttemptOutcome::Expired(error).into())
    }

    fn notice_of_dead(&self, policy: &DeliveryPolicy, route: &str, why: &str) -> Option<Notice> {
        Some(policy.health.as_ref()?.dead(&self.webhook, route, why))
    }

    pub(super) fn record(
        &self,
        store: &mut Store,
        message: &OutboundMessage,
        failure: FailedAttempt<'_>,
        now: Timestamp,
    ) -> Result<Vec<(i64, String)>, StoreError> {
        store.record_failure(message.id, &self.webhook, &failure, now)
    }

    /// Returns how many places after the first message the next probe stands; another one each time.
    fn choose_probe(&mut self, store: &Store) -> Result<Option<u32>, StoreError> {
        let offset = self.next_probe_offset;
        if store.next_in_order(&self.webhook, offset)?.is_some() {
            self.next_probe_offset = offset % PROBE_WINDOW + 1;
            return Ok(Some(offset));
        }
        let first = store.next_in_order(&self.webhook, 1)?.map(|_| 1);
        self.next_probe_offset = if first.is_some() { 2 } else { 1 };
        Ok(first)
    }

    /// Returns by route the time whose older messages are expired; empty while the webhook has not failed often enough.
    fn expire_before(
        &self,
        store: &Store,
        policy: &DeliveryPolicy,
        failures: u32,
        now: Timestamp,
    ) -> Result<BTreeMap<String, Timestamp>, StoreError> {
        if failures < EXPIRE_AFTER_FAILURES {
            return Ok(BTreeMap::new());
        }
        let routes = store.pending_routes(&self.webhook)?;
        let limit = |route: String| {
            let before = now.plus_ms(-policy.max_age_ms(&route));
            (route, before)
        };
        Ok(routes.into_iter().map(limit).collect())
    }
}

/// Returns whether a message that failed `failures` times expires.
pub(super) fn is_expired(policy: &DeliveryPolicy, message: &OutboundMessage, failures: u32, now: Timestamp) -> bool {
    failures >= EXPIRE_AFTER_FAILURES && message.age_starts_at < now.plus_ms(-policy.max_age_ms(&message.route))
}

/// Returns the state of a webhook that rejected a message: it works.
fn rejecting(state: &WebhookState, rejected: Vec<i64>) -> WebhookState {
    WebhookState { rejected, ..state.recovered() }
}

fn too_old(error: &str) -> String {
    format!("older than max_age; the webhook's last answer: {error}")
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;

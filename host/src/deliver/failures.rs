//! What a failed attempt leads to.
//!
//! A message that the webhook rejects is sent again in its plain form, and is dead if that is rejected as well. A webhook that
//! rejects the plain form of several messages in a row is at fault itself: it is suspended, and they are pending again.

use std::collections::BTreeMap;
use std::time::Duration;

use super::attempt::{AttemptOutcome, AttemptReport};
use super::backoff;
use super::delivery_policy::{DeliveryPolicy, after};
use super::plain_form::plain_form;
use super::queue::{Attempt, PARK_AFTER_FAILURES, Probe, Queue};
use crate::event::Timestamp;
use crate::store::{DeadReason, FailedAttempt, Notice, OutboundMessage, Store, StoreError, Suspended, WebhookState};

/// Attempts in a row that must have failed before a message expires: a clock that is set forward is no reason.
const EXPIRE_AFTER_FAILURES: u32 = 10;

/// Messages whose plain form a webhook rejects in a row before it is suspended.
const PLAIN_REJECTIONS_MAX: usize = 3;

/// How long after it was suspended a webhook is probed first; the time doubles with each probe that fails.
const SUSPENDED_PROBE_FIRST: Duration = Duration::from_secs(300);
/// The longest time between two probes of a suspended webhook.
const SUSPENDED_PROBE_MAX: Duration = Duration::from_secs(3_600);

impl Queue {
    /// Rate limits are no failures of the webhook, but a message does not wait for them for ever.
    pub(super) fn rate_limited(
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

    pub(super) fn failed(
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
    pub(super) fn rejected(
        &self,
        store: &mut Store,
        attempt: Attempt<'_>,
        error: String,
    ) -> Result<AttemptReport, StoreError> {
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
    pub(super) fn suspend(
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

    /// Returns by route the time whose older messages are expired; empty while the webhook has not failed often enough.
    fn expire_before(
        &self,
        store: &Store,
        policy: &DeliveryPolicy,
        failures: u32,
        now: Timestamp,
    ) -> Result<BTreeMap<String, Timestamp>, StoreError> {
        if failures < EXPIRE_AFTER_FAILURES || self.notices_only {
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

//! One webhook's queue: what it gets next and when, and what its answer leads to. Without clock or network, which are the
//! worker's; all that must survive is in the store.
//!
//! Messages keep their order. A webhook that fails is left alone for longer and longer, and then gets the same message
//! again; but one that has failed three times may be at fault itself, so each time it fails another one is tried probe it.
//! If that is accepted, the first waits alone (`parked`), and the others go on.

use std::collections::BTreeMap;
use std::time::Duration;

use super::backoff;
use super::send_result::SendResult;
use crate::event::Timestamp;
use crate::message::Target;
use crate::store::{
    DeadReason, FailedAttempt, MAX_WAIT_MS, OutboundMessage, Store, StoreError, Suspended, WebhookState,
};

/// A message that has failed so often does not keep the next one from being tried.
const PARK_AFTER_FAILURES: u32 = 3;

/// How far probe a message that fails others are tried in turn: of those, too, one may be at fault.
const PROBE_WINDOW: u32 = 8;

/// Messages in order that go before the next one that waits alone, if there are so many; and how many times as long as that
/// took they have at least. Else a few that a webhook answers only after a time-out would take all of its time.
const BETWEEN_PARKED: u32 = 4;
const PARKED_TIME_SHARE: i64 = 9;

/// A message is not too old before so many attempts in a row have failed: a clock that is set forward is no reason.
const EXPIRE_AFTER_FAILURES: u32 = 10;

/// How long a webhook that is suspended is left alone at first, and at most.
const SUSPENDED_PROBE_FIRST: Duration = Duration::from_secs(300);
const SUSPENDED_PROBE_MAX: Duration = Duration::from_secs(3_600);

/// How old a message of a route may become that the configuration has no more.
const MAX_AGE: Duration = Duration::from_secs(86_400);

/// What the configuration says of a webhook's queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryPolicy {
    /// What the webhook speaks.
    pub target: Target,
    /// The time between two messages.
    pub every: Duration,
    /// Messages that may go at once after a pause; at least one.
    pub burst: u32,
    /// By route, how old a message may become.
    pub max_age: BTreeMap<String, Duration>,
    /// By route, its own webhook and the one that takes over when that is suspended.
    pub fallbacks: BTreeMap<String, [String; 2]>,
}

/// When an answer came, and what chance says, in 0..1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: Timestamp,
    pub(super) random: f64,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NextAction {
    /// Send this now.
    Send(OutboundMessage),
    /// Nothing before then.
    At(Timestamp),
    /// Look again: messages for another kind of service were there, and their events are formatted anew.
    Again,
    /// Nothing is there.
    Nothing,
}

/// What an answer led to, for the log.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum AttemptOutcome {
    /// The webhook has it. Another message was parked. Recovered: it has failed before, or was suspended.
    Accepted { parked_message: Option<i64>, recovered: bool },
    /// Again after this long.
    RetryIn(Duration, String),
    /// Never: the webhook refused it.
    Dead(String),
    /// Never: it is too old, after this.
    TooOld(String),
    /// The webhook takes nothing any more, which is news or not.
    Suspended { error: String, news: bool },
}

/// An answer's consequences.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AttemptReport {
    pub(super) outcome: AttemptOutcome,
    /// Messages that are dead since they are too old, with their routes.
    pub(super) too_old: Vec<(i64, String)>,
}

impl From<AttemptOutcome> for AttemptReport {
    fn from(outcome: AttemptOutcome) -> Self {
        Self { outcome, too_old: Vec::new() }
    }
}

/// A message that is tried probe one that has failed again and again.
#[derive(Clone, Copy)]
struct Probe {
    overtaken: i64,
    /// So many messages probe that.
    by: u32,
    /// Without waiting for what the failure has put off.
    at_once: bool,
}

pub(super) struct Queue {
    webhook: String,
    /// A message that just failed, and the one that is tried next instead.
    probe: Option<Probe>,
    /// How far probe that is the next time.
    next_probe: u32,
    /// When the last attempt began.
    begun: Timestamp,
    /// Messages that go before one that waits alone does, and until when.
    until_parked: u32,
    no_parked_before: Timestamp,
}

impl Queue {
    pub(super) const fn new(webhook: String) -> Self {
        let never = Timestamp(0);
        Self { webhook, probe: None, next_probe: 1, begun: never, until_parked: 0, no_parked_before: never }
    }

    /// What the webhook gets next. `url`: a hash of where it is, so that a new one is noticed.
    pub(super) fn next(
        &mut self,
        store: &mut Store,
        policy: &DeliveryPolicy,
        url: &str,
        now: Timestamp,
    ) -> Result<NextAction, StoreError> {
        let mut state = store.webhook(&self.webhook)?;
        if state.suspended.as_ref().is_some_and(|suspended| suspended.url_hash != url) {
            state = state.recovered();
            store.record_webhook(&self.webhook, &state)?;
        }
        let backoff_until =
            if clock_went_back(&state, policy, now) { now } else { clamp_deadline(state.backoff_until, now) };
        let probe = match self.probe {
            Some(Probe { by, .. }) => store.next_in_order(&self.webhook, by)?,
            None => None,
        };
        let may_wait = probe.is_none() || self.probe.is_some_and(|probe| !probe.at_once);
        let message = match probe {
            Some(message) => Some(message),
            None => self.first(store, now)?,
        };
        let Some(message) = message else { return Ok(NextAction::Nothing) };
        if message.target != Some(policy.target) {
            let (webhook, target) = (&self.webhook, policy.target);
            let messages = store.reformat(webhook, target)?;
            self.probe = None;
            tracing::info!(webhook, messages, "speaks {} now: what it was to get is formatted anew", target.name());
            return Ok(NextAction::Again);
        }
        let mut at = within_rate(&state, policy, now);
        if may_wait {
            at = at.max(backoff_until);
        }
        if message.parked {
            at = at.max(clamp_deadline(message.next_attempt_at, now));
        }
        Ok(if at <= now { NextAction::Send(message) } else { NextAction::At(at) })
    }

    /// The webhook is tried again at once: it is reached in another way than before.
    pub(super) fn forget_failures(&self, store: &mut Store) -> Result<(), StoreError> {
        store.record_webhook(&self.webhook, &store.webhook(&self.webhook)?.without_failures())
    }

    /// The next message in order, or one that waits alone and is due.
    fn first(&self, store: &Store, now: Timestamp) -> Result<Option<OutboundMessage>, StoreError> {
        let (parked, in_order) = (store.next_parked(&self.webhook)?, store.next_in_order(&self.webhook, 0)?);
        let is_due = parked.as_ref().is_some_and(|message| clamp_deadline(message.next_attempt_at, now) <= now);
        let has_turn = self.until_parked == 0 && clamp_deadline(self.no_parked_before, now) <= now;
        Ok(if is_due && (has_turn || in_order.is_none()) { parked } else { in_order.or(parked) })
    }

    /// Records that a message's sending begins. False: it is not to be sent any more.
    pub(super) fn begin(
        &mut self,
        store: &mut Store,
        policy: &DeliveryPolicy,
        message: i64,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut state = store.webhook(&self.webhook)?;
        self.begun = now;
        let next_slot_at = clamp_deadline_within(state.next_slot_at, now, ahead(policy));
        state.next_slot_at = next_slot_at.max(now).plus_ms(ms(policy.every));
        store.begin_attempt(message, &self.webhook, &state, now)
    }

    /// Records what a webhook said to a message. `url`: as for [`Self::next`].
    pub(super) fn record_result(
        &mut self,
        store: &mut Store,
        policy: &DeliveryPolicy,
        url: &str,
        message: &OutboundMessage,
        answer: SendResult,
        moment: Moment,
    ) -> Result<AttemptReport, StoreError> {
        let overtaken = self.probe.take().map(|probe| probe.overtaken);
        let (now, state) = (moment.now, store.webhook(&self.webhook)?);
        if message.parked {
            let took = now.0.saturating_sub(self.begun.0).max(0);
            self.until_parked = BETWEEN_PARKED;
            self.no_parked_before = now.plus_ms(took.saturating_mul(PARKED_TIME_SHARE));
        } else {
            self.until_parked = self.until_parked.saturating_sub(1);
        }
        match answer {
            SendResult::Accepted { pause } => {
                let (failures, was_suspended) = (state.failures, state.suspended.is_some());
                let backoff_until = pause.map_or(Timestamp(0), |pause| after(now, pause));
                let state = WebhookState { backoff_until, ..state.recovered() };
                let parked_message =
                    overtaken.map(|id| (id, after(now, backoff::wait(PARK_AFTER_FAILURES, moment.random))));
                store.record_accepted(message.id, parked_message, &self.webhook, &state, now)?;
                self.next_probe = 1;
                let recovered = failures > 0 || was_suspended;
                Ok(AttemptOutcome::Accepted { parked_message: overtaken, recovered }.into())
            }
            SendResult::RateLimited(wait, error) => {
                let state = WebhookState { backoff_until: after(now, wait), ..state };
                self.record(store, message, FailedAttempt::new(&state, &error), now)?;
                // No failure of the webhook's; but for ever is too long.
                if is_too_old(policy, message, message.attempts.saturating_add(1), now) {
                    return give_up(store, message, error, now);
                }
                Ok(AttemptOutcome::RetryIn(wait, error).into())
            }
            SendResult::Transient { after: wish, error } if message.parked => {
                self.failed_parked(store, policy, &state, message, (wish, error), moment)
            }
            SendResult::Transient { after: wish, error } => {
                // The one that is tried probe another has not failed by itself.
                let counts = u32::from(overtaken.is_none());
                let failures = message.failures.saturating_add(counts);
                if overtaken.is_none() && failures >= PARK_AFTER_FAILURES {
                    // A wish is the webhook's, not the message's: the other one keeps to it as well.
                    let (overtaken, at_once) = (message.id, wish.is_none());
                    self.probe = self.probe_another(store)?.map(|by| Probe { overtaken, by, at_once });
                }
                if self.probe.is_some_and(|probe| probe.at_once) {
                    self.record(
                        store,
                        message,
                        FailedAttempt { failures: counts, ..FailedAttempt::new(&state, &error) },
                        now,
                    )?;
                    return Ok(AttemptOutcome::RetryIn(Duration::ZERO, error).into());
                }
                let failures = state.failures.saturating_add(1);
                let wait = wish.unwrap_or_else(|| backoff::wait(failures, moment.random));
                let state = WebhookState { failures, backoff_until: after(now, wait), ..state };
                let expire_before = self.expire_before(store, policy, failures, now)?;
                let failure = FailedAttempt { failures: counts, expire_before, ..FailedAttempt::new(&state, &error) };
                let too_old = self.record(store, message, failure, now)?;
                Ok(AttemptReport { outcome: AttemptOutcome::RetryIn(wait, error), too_old })
            }
            SendResult::Rejected(error) => {
                if state.failures > 0 || state.suspended.is_some() {
                    // It works, and says so.
                    store.record_webhook(&self.webhook, &state.recovered())?;
                }
                store.mark_dead(message.id, DeadReason::Rejected, &error, now)?;
                Ok(AttemptOutcome::Dead(error).into())
            }
            SendResult::EndpointGone(error) => {
                let news = state.suspended.is_none();
                let failures = if news { 1 } else { state.failures.saturating_add(1) };
                let since = state.suspended.map_or(now, |suspended| suspended.since);
                let suspended = Some(Suspended { error: error.clone(), since, url_hash: url.to_owned() });
                let wait = SUSPENDED_PROBE_FIRST
                    .saturating_mul(1 << failures.saturating_sub(1).min(10))
                    .min(SUSPENDED_PROBE_MAX);
                let state = WebhookState {
                    failures,
                    suspended,
                    backoff_until: after(now, wait),
                    next_slot_at: state.next_slot_at,
                };
                let expire_before = self.expire_before(store, policy, failures, now)?;
                let too_old = self.record(
                    store,
                    message,
                    FailedAttempt { expire_before, ..FailedAttempt::new(&state, &error) },
                    now,
                )?;
                Ok(AttemptReport { outcome: AttemptOutcome::Suspended { error, news }, too_old })
            }
        }
    }

    /// A message that waits alone has failed again. The webhook works: only this message is put off.
    fn failed_parked(
        &self,
        store: &mut Store,
        policy: &DeliveryPolicy,
        state: &WebhookState,
        message: &OutboundMessage,
        (wish, error): (Option<Duration>, String),
        Moment { now, random }: Moment,
    ) -> Result<AttemptReport, StoreError> {
        let failures = message.failures.saturating_add(1);
        if is_too_old(policy, message, failures, now) {
            return give_up(store, message, error, now);
        }
        let wait = wish.unwrap_or_else(|| backoff::wait(failures, random));
        let failure =
            FailedAttempt { failures: 1, next_attempt_at: after(now, wait), ..FailedAttempt::new(state, &error) };
        self.record(store, message, failure, now)?;
        Ok(AttemptOutcome::RetryIn(wait, error).into())
    }

    fn record(
        &self,
        store: &mut Store,
        message: &OutboundMessage,
        failure: FailedAttempt<'_>,
        now: Timestamp,
    ) -> Result<Vec<(i64, String)>, StoreError> {
        store.record_failure(message.id, &self.webhook, &failure, now)
    }

    /// How far probe the first message another one is, a different one each time.
    fn probe_another(&mut self, store: &Store) -> Result<Option<u32>, StoreError> {
        let probe = self.next_probe;
        if store.next_in_order(&self.webhook, probe)?.is_some() {
            self.next_probe = probe % PROBE_WINDOW + 1;
            return Ok(Some(probe));
        }
        let first = store.next_in_order(&self.webhook, 1)?.map(|_| 1);
        self.next_probe = if first.is_some() { 2 } else { 1 };
        Ok(first)
    }

    /// By route, before when messages are too old.
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

/// Whether one message is given up that was tried so often.
fn is_too_old(policy: &DeliveryPolicy, message: &OutboundMessage, tries: u32, now: Timestamp) -> bool {
    tries >= EXPIRE_AFTER_FAILURES && message.age_starts_at < now.plus_ms(-policy.max_age_ms(&message.route))
}

fn give_up(
    store: &mut Store,
    message: &OutboundMessage,
    error: String,
    now: Timestamp,
) -> Result<AttemptReport, StoreError> {
    let why = format!("too old, after the webhook said: {error}");
    store.mark_dead(message.id, DeadReason::Expired, &why, now)?;
    Ok(AttemptOutcome::TooOld(error).into())
}

impl DeliveryPolicy {
    fn max_age_ms(&self, route: &str) -> i64 {
        ms(self.max_age.get(route).copied().unwrap_or(MAX_AGE))
    }
}

/// Whether the clock has been set back since the last attempt by more than what has passed since: each attempt takes its
/// part of the rate, which is never used up further ahead than the burst allows. A pause that was asked for then would
/// last for as much longer.
fn clock_went_back(state: &WebhookState, policy: &DeliveryPolicy, now: Timestamp) -> bool {
    state.next_slot_at > now.plus_ms(ahead(policy))
}

/// How far ahead the rate may be used up, in ms.
fn ahead(policy: &DeliveryPolicy) -> i64 {
    ms(policy.every).saturating_mul(i64::from(policy.burst))
}

/// When one message more is within the rate.
fn within_rate(state: &WebhookState, policy: &DeliveryPolicy, now: Timestamp) -> Timestamp {
    let (every, ahead) = (ms(policy.every), ahead(policy));
    clamp_deadline_within(state.next_slot_at, now, ahead).plus_ms(every.saturating_sub(ahead))
}

/// A time that something was put off to, or now if it never was put off for so long.
pub(super) fn clamp_deadline(at: Timestamp, now: Timestamp) -> Timestamp {
    clamp_deadline_within(at, now, MAX_WAIT_MS)
}

fn clamp_deadline_within(at: Timestamp, now: Timestamp, longest_ms: i64) -> Timestamp {
    if at > now.plus_ms(longest_ms) { now } else { at }
}

fn after(now: Timestamp, wait: Duration) -> Timestamp {
    now.plus_ms(ms(wait))
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

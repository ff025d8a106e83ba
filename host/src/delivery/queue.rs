//! One webhook's queue: what it gets next and when, and what its answer leads to. Without clock or network, which are the
//! courier's; all that must survive is in the store.
//!
//! Messages keep their order. A webhook that fails is left alone for longer and longer, and then gets the same message
//! again; but one that has failed three times may be at fault itself, so each time it fails another one is tried behind it.
//! If that is accepted, the first waits alone (`aside`), and the others go on.

use std::collections::BTreeMap;
use std::time::Duration;

use super::answer::Answer;
use super::backoff;
use crate::event::Timestamp;
use crate::message::Target;
use crate::store::{Failure, Gone, LONGEST_WAIT_MS, Pending, Store, StoreError, WebhookState};

/// A message that has failed so often does not keep the next one from being tried.
const OVERTAKEN_AFTER: u32 = 3;

/// How far behind a message that fails others are tried in turn: of those, too, one may be at fault.
const TRIED_BEHIND: u32 = 8;

/// Messages in order that go before the next one that waits alone, if there are so many; and how many times as long as that
/// took they have at least. Else a few that a webhook answers only after a time-out would take all of its time.
const BETWEEN_ASIDES: u32 = 4;
const ASIDE_SHARE: i64 = 9;

/// A message is not too old before so many attempts in a row have failed: a clock that is set forward is no reason.
const GIVEN_UP_AFTER: u32 = 10;

/// How long a webhook that is gone is left alone at first, and at most.
const GONE_FIRST: Duration = Duration::from_secs(300);
const GONE_MOST: Duration = Duration::from_secs(3_600);

/// How old a message of a route may become that the configuration has no more.
const MAX_AGE: Duration = Duration::from_secs(86_400);

/// What the configuration says of a webhook's queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// What the webhook speaks.
    pub target: Target,
    /// The time between two messages.
    pub every: Duration,
    /// Messages that may go at once after a pause; at least one.
    pub burst: u32,
    /// By route, how old a message may become.
    pub max_age: BTreeMap<String, Duration>,
    /// By route, its own webhook and the one that takes over when that is gone.
    pub takes_over: BTreeMap<String, [String; 2]>,
}

/// When an answer came, and what chance says, in 0..1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: Timestamp,
    pub(super) random: f64,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Send this now.
    Send(Pending),
    /// Nothing before then.
    At(Timestamp),
    /// Look again: messages for another kind of service were there, and their events are worded anew.
    Again,
    /// Nothing is there.
    Nothing,
}

/// What an answer led to, for the log.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The webhook has it. Another message was set aside. Recovered: it has failed before, or was gone.
    Accepted { set_aside: Option<i64>, recovered: bool },
    /// Again after this long.
    Again(Duration, String),
    /// Never: the webhook refused it.
    Dead(String),
    /// Never: it is too old, after this.
    TooOld(String),
    /// The webhook takes nothing any more, which is news or not.
    Gone { error: String, news: bool },
}

/// An answer's consequences.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answered {
    pub(super) outcome: Outcome,
    /// Messages that are dead since they are too old, with their routes.
    pub(super) too_old: Vec<(i64, String)>,
}

impl From<Outcome> for Answered {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, too_old: Vec::new() }
    }
}

/// A message that is tried behind one that has failed again and again.
#[derive(Clone, Copy)]
struct Behind {
    overtaken: i64,
    /// So many messages behind that.
    by: u32,
    /// Without waiting for what the failure has put off.
    at_once: bool,
}

pub(super) struct Queue {
    webhook: String,
    /// A message that just failed, and the one that is tried next instead.
    behind: Option<Behind>,
    /// How far behind that is the next time.
    next_behind: u32,
    /// When the last attempt began.
    begun: Timestamp,
    /// Messages that go before one that waits alone does, and until when.
    before_aside: u32,
    no_aside_before: Timestamp,
}

impl Queue {
    pub(super) const fn new(webhook: String) -> Self {
        let never = Timestamp(0);
        Self { webhook, behind: None, next_behind: 1, begun: never, before_aside: 0, no_aside_before: never }
    }

    /// What the webhook gets next. `url`: a hash of where it is, so that a new one is noticed.
    pub(super) fn next(
        &mut self,
        store: &mut Store,
        rules: &Rules,
        url: &str,
        now: Timestamp,
    ) -> Result<Next, StoreError> {
        let mut state = store.webhook(&self.webhook)?;
        if state.gone.as_ref().is_some_and(|gone| gone.url != url) {
            state = state.recovered();
            store.record_webhook(&self.webhook, &state)?;
        }
        let not_before = if set_back(&state, rules, now) { now } else { believable(state.not_before, now) };
        let behind = match self.behind {
            Some(Behind { by, .. }) => store.next_in_order(&self.webhook, by)?,
            None => None,
        };
        let may_wait = behind.is_none() || self.behind.is_some_and(|behind| !behind.at_once);
        let message = match behind {
            Some(message) => Some(message),
            None => self.first(store, now)?,
        };
        let Some(message) = message else { return Ok(Next::Nothing) };
        if message.target != Some(rules.target) {
            let (webhook, target) = (&self.webhook, rules.target);
            let messages = store.word_anew(webhook, target)?;
            self.behind = None;
            tracing::info!(webhook, messages, "speaks {} now: what it was to get is worded anew", target.name());
            return Ok(Next::Again);
        }
        let mut at = within_rate(&state, rules, now);
        if may_wait {
            at = at.max(not_before);
        }
        if message.aside {
            at = at.max(believable(message.due_at, now));
        }
        Ok(if at <= now { Next::Send(message) } else { Next::At(at) })
    }

    /// The webhook is tried again at once: it is reached in another way than before.
    pub(super) fn forget_failures(&self, store: &mut Store) -> Result<(), StoreError> {
        store.record_webhook(&self.webhook, &store.webhook(&self.webhook)?.to_be_tried())
    }

    /// The next message in order, or one that waits alone and is due.
    fn first(&self, store: &Store, now: Timestamp) -> Result<Option<Pending>, StoreError> {
        let (aside, in_order) = (store.next_aside(&self.webhook)?, store.next_in_order(&self.webhook, 0)?);
        let is_due = aside.as_ref().is_some_and(|message| believable(message.due_at, now) <= now);
        let has_turn = self.before_aside == 0 && believable(self.no_aside_before, now) <= now;
        Ok(if is_due && (has_turn || in_order.is_none()) { aside } else { in_order.or(aside) })
    }

    /// Records that a message's sending begins. False: it is not to be sent any more.
    pub(super) fn begin(
        &mut self,
        store: &mut Store,
        rules: &Rules,
        message: i64,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut state = store.webhook(&self.webhook)?;
        self.begun = now;
        let free_at = believable_within(state.free_at, now, ahead(rules));
        state.free_at = free_at.max(now).plus_ms(ms(rules.every));
        store.begin_attempt(message, &self.webhook, &state, now)
    }

    /// Records what a webhook said to a message. `url`: as for [`Self::next`].
    pub(super) fn answered(
        &mut self,
        store: &mut Store,
        rules: &Rules,
        url: &str,
        message: &Pending,
        answer: Answer,
        moment: Moment,
    ) -> Result<Answered, StoreError> {
        let overtaken = self.behind.take().map(|behind| behind.overtaken);
        let (now, state) = (moment.now, store.webhook(&self.webhook)?);
        if message.aside {
            let took = now.0.saturating_sub(self.begun.0).max(0);
            self.before_aside = BETWEEN_ASIDES;
            self.no_aside_before = now.plus_ms(took.saturating_mul(ASIDE_SHARE));
        } else {
            self.before_aside = self.before_aside.saturating_sub(1);
        }
        match answer {
            Answer::Accepted { pause } => {
                let (failures, was_gone) = (state.failures, state.gone.is_some());
                let not_before = pause.map_or(Timestamp(0), |pause| after(now, pause));
                let state = WebhookState { not_before, ..state.recovered() };
                let set_aside = overtaken.map(|id| (id, after(now, backoff::wait(OVERTAKEN_AFTER, moment.random))));
                store.accepted(message.id, set_aside, &self.webhook, &state, now)?;
                self.next_behind = 1;
                let recovered = failures > 0 || was_gone;
                Ok(Outcome::Accepted { set_aside: overtaken, recovered }.into())
            }
            Answer::Wait(wait, error) => {
                let state = WebhookState { not_before: after(now, wait), ..state };
                self.record(store, message, Failure::of(&state, &error), now)?;
                // No failure of the webhook's; but for ever is too long.
                if is_too_old(rules, message, message.attempts.saturating_add(1), now) {
                    return give_up(store, message, error, now);
                }
                Ok(Outcome::Again(wait, error).into())
            }
            Answer::Failed { after: wish, error } if message.aside => {
                self.failed_aside(store, rules, &state, message, (wish, error), moment)
            }
            Answer::Failed { after: wish, error } => {
                // The one that is tried behind another has not failed by itself.
                let counts = u32::from(overtaken.is_none());
                let refusals = message.refusals.saturating_add(counts);
                if overtaken.is_none() && refusals >= OVERTAKEN_AFTER {
                    // A wish is the webhook's, not the message's: the other one keeps to it as well.
                    let (overtaken, at_once) = (message.id, wish.is_none());
                    self.behind = self.another_behind(store)?.map(|by| Behind { overtaken, by, at_once });
                }
                if self.behind.is_some_and(|behind| behind.at_once) {
                    self.record(store, message, Failure { counts, ..Failure::of(&state, &error) }, now)?;
                    return Ok(Outcome::Again(Duration::ZERO, error).into());
                }
                let failures = state.failures.saturating_add(1);
                let wait = wish.unwrap_or_else(|| backoff::wait(failures, moment.random));
                let state = WebhookState { failures, not_before: after(now, wait), ..state };
                let too_old = self.too_old(store, rules, failures, now)?;
                let failure = Failure { counts, too_old, ..Failure::of(&state, &error) };
                let too_old = self.record(store, message, failure, now)?;
                Ok(Answered { outcome: Outcome::Again(wait, error), too_old })
            }
            Answer::Refused(error) => {
                if state.failures > 0 || state.gone.is_some() {
                    // It works, and says so.
                    store.record_webhook(&self.webhook, &state.recovered())?;
                }
                store.bury(message.id, &error, now)?;
                Ok(Outcome::Dead(error).into())
            }
            Answer::Gone(error) => {
                let news = state.gone.is_none();
                let failures = if news { 1 } else { state.failures.saturating_add(1) };
                let since = state.gone.map_or(now, |gone| gone.since);
                let gone = Some(Gone { error: error.clone(), since, url: url.to_owned() });
                let wait = GONE_FIRST.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(GONE_MOST);
                let state = WebhookState { failures, gone, not_before: after(now, wait), free_at: state.free_at };
                let too_old = self.too_old(store, rules, failures, now)?;
                let too_old = self.record(store, message, Failure { too_old, ..Failure::of(&state, &error) }, now)?;
                Ok(Answered { outcome: Outcome::Gone { error, news }, too_old })
            }
        }
    }

    /// A message that waits alone has failed again. The webhook works: only this message is put off.
    fn failed_aside(
        &self,
        store: &mut Store,
        rules: &Rules,
        state: &WebhookState,
        message: &Pending,
        (wish, error): (Option<Duration>, String),
        Moment { now, random }: Moment,
    ) -> Result<Answered, StoreError> {
        let refusals = message.refusals.saturating_add(1);
        if is_too_old(rules, message, refusals, now) {
            return give_up(store, message, error, now);
        }
        let wait = wish.unwrap_or_else(|| backoff::wait(refusals, random));
        let failure = Failure { counts: 1, due_at: after(now, wait), ..Failure::of(state, &error) };
        self.record(store, message, failure, now)?;
        Ok(Outcome::Again(wait, error).into())
    }

    fn record(
        &self,
        store: &mut Store,
        message: &Pending,
        failure: Failure<'_>,
        now: Timestamp,
    ) -> Result<Vec<(i64, String)>, StoreError> {
        store.failed(message.id, &self.webhook, &failure, now)
    }

    /// How far behind the first message another one is, a different one each time.
    fn another_behind(&mut self, store: &Store) -> Result<Option<u32>, StoreError> {
        let behind = self.next_behind;
        if store.next_in_order(&self.webhook, behind)?.is_some() {
            self.next_behind = behind % TRIED_BEHIND + 1;
            return Ok(Some(behind));
        }
        let first = store.next_in_order(&self.webhook, 1)?.map(|_| 1);
        self.next_behind = if first.is_some() { 2 } else { 1 };
        Ok(first)
    }

    /// By route, before when messages are too old.
    fn too_old(
        &self,
        store: &Store,
        rules: &Rules,
        failures: u32,
        now: Timestamp,
    ) -> Result<BTreeMap<String, Timestamp>, StoreError> {
        if failures < GIVEN_UP_AFTER {
            return Ok(BTreeMap::new());
        }
        let routes = store.pending_routes(&self.webhook)?;
        let limit = |route: String| {
            let before = now.plus_ms(-rules.max_age_ms(&route));
            (route, before)
        };
        Ok(routes.into_iter().map(limit).collect())
    }
}

/// Whether one message is given up that was tried so often.
fn is_too_old(rules: &Rules, message: &Pending, tries: u32, now: Timestamp) -> bool {
    tries >= GIVEN_UP_AFTER && message.made_at < now.plus_ms(-rules.max_age_ms(&message.route))
}

fn give_up(store: &mut Store, message: &Pending, error: String, now: Timestamp) -> Result<Answered, StoreError> {
    store.bury(message.id, &format!("too old, after the webhook said: {error}"), now)?;
    Ok(Outcome::TooOld(error).into())
}

impl Rules {
    fn max_age_ms(&self, route: &str) -> i64 {
        ms(self.max_age.get(route).copied().unwrap_or(MAX_AGE))
    }
}

/// Whether the clock has been set back since the last attempt by more than what has passed since: each attempt takes its
/// part of the rate, which is never used up further ahead than the burst allows. A pause that was asked for then would
/// last for as much longer.
fn set_back(state: &WebhookState, rules: &Rules, now: Timestamp) -> bool {
    state.free_at > now.plus_ms(ahead(rules))
}

/// How far ahead the rate may be used up, in ms.
fn ahead(rules: &Rules) -> i64 {
    ms(rules.every).saturating_mul(i64::from(rules.burst))
}

/// When one message more is within the rate.
fn within_rate(state: &WebhookState, rules: &Rules, now: Timestamp) -> Timestamp {
    let (every, ahead) = (ms(rules.every), ahead(rules));
    believable_within(state.free_at, now, ahead).plus_ms(every.saturating_sub(ahead))
}

/// A time that something was put off to, or now if it never was put off for so long.
pub(super) fn believable(at: Timestamp, now: Timestamp) -> Timestamp {
    believable_within(at, now, LONGEST_WAIT_MS)
}

fn believable_within(at: Timestamp, now: Timestamp, longest_ms: i64) -> Timestamp {
    if at > now.plus_ms(longest_ms) { now } else { at }
}

fn after(now: Timestamp, wait: Duration) -> Timestamp {
    now.plus_ms(ms(wait))
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

//! Deadlines that are kept although the clock may jump: a wait that is longer than any wait can be was set by another clock.

use std::time::Duration;

use super::delivery_policy::{DeliveryPolicy, milliseconds};
use crate::event::Timestamp;
use crate::store::{MAX_WAIT_MS, WebhookState};

/// Returns a deadline, or `now` if it is further away than any wait may be.
pub(super) fn clamp_deadline(at: Timestamp, now: Timestamp) -> Timestamp {
    clamp_deadline_within(at, now, MAX_WAIT_MS)
}

fn clamp_deadline_within(at: Timestamp, now: Timestamp, longest_ms: i64) -> Timestamp {
    if at > now.plus_ms(longest_ms) { now } else { at }
}

/// Returns whether the clock was set back since the last attempt by more than the time that has passed since.
///
/// Each attempt uses up a part of the rate, never further ahead than the burst allows; a later `next_slot_at` is of another
/// clock, and so is the backoff that was set with it.
pub(super) fn clock_went_back(state: &WebhookState, policy: &DeliveryPolicy, now: Timestamp) -> bool {
    state.next_slot_at > now.plus_ms(policy.burst_ms())
}

/// Returns when one more message is within the rate.
pub(super) fn within_rate(state: &WebhookState, policy: &DeliveryPolicy, now: Timestamp) -> Timestamp {
    let burst_ms = policy.burst_ms();
    clamp_deadline_within(state.next_slot_at, now, burst_ms).plus_ms(policy.every_ms().saturating_sub(burst_ms))
}

/// Returns the theoretical arrival time of the next message once one more is sent now.
pub(super) fn next_slot(state: &WebhookState, policy: &DeliveryPolicy, now: Timestamp) -> Timestamp {
    clamp_deadline_within(state.next_slot_at, now, policy.burst_ms()).max(now).plus_ms(policy.every_ms())
}

/// Returns the time after a wait.
pub(super) fn after(now: Timestamp, wait: Duration) -> Timestamp {
    now.plus_ms(milliseconds(wait))
}

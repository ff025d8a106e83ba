//! The circuit breaker of a route's plugin: one that fails many times in a row is paused.

use std::time::Duration;

use crate::event::Timestamp;

/// Failures in a row after which a plugin is paused.
const MAX_FAILURES: u32 = 10;
/// The first pause; each that follows without a success between is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);

/// The circuit breaker of one plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Breaker {
    /// Failures in a row.
    pub(super) failures: u32,
    /// The last of them.
    pub(super) error: Option<String>,
    /// When it may be called again.
    pub(super) paused_until: Option<Timestamp>,
    pauses: u32,
}

/// What a failure changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BreakerTransition {
    None,
    /// Paused for the first time since it succeeded, which the channel reads.
    Paused(Duration),
    /// Paused again, after another try failed.
    PausedAgain(Duration),
}

impl Breaker {
    /// Returns whether it must not be called now.
    pub(super) fn is_paused(&self, now: Timestamp) -> bool {
        // A longer pause than any was set by a clock that has been set back since.
        let longest = i64::try_from(LONGEST_PAUSE.as_millis()).unwrap_or(i64::MAX);
        self.paused_until.is_some_and(|until| now < until && until.0.saturating_sub(now.0) <= longest)
    }

    /// Records a success. Returns whether the plugin was paused before.
    pub(super) fn succeeded(&mut self) -> bool {
        let was_paused = self.paused_until.is_some();
        if self.failures > 0 {
            *self = Self::default();
        }
        was_paused
    }

    /// Records a failure.
    pub(super) fn failed(&mut self, error: &str, now: Timestamp) -> BreakerTransition {
        self.failures = self.failures.saturating_add(1);
        self.error = Some(error.to_owned());
        if self.failures < MAX_FAILURES {
            return BreakerTransition::None;
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << self.pauses.min(10)).min(LONGEST_PAUSE);
        self.pauses = self.pauses.saturating_add(1);
        self.paused_until = Some(now.plus_ms(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX)));
        if self.pauses == 1 { BreakerTransition::Paused(pause) } else { BreakerTransition::PausedAgain(pause) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_are_reported_once_and_end_with_a_success() {
        let mut breaker = Breaker::default();
        let mut now = Timestamp(0);
        for _ in 1..MAX_FAILURES {
            assert_eq!(breaker.failed("oops", now), BreakerTransition::None);
        }
        assert!(!breaker.is_paused(now));
        assert_eq!(breaker.failed("oops", now), BreakerTransition::Paused(Duration::from_secs(60)));
        assert!(breaker.is_paused(Timestamp(59_999)) && !breaker.is_paused(Timestamp(60_000)));
        assert!(!breaker.is_paused(Timestamp(-90 * 86_400_000)), "the clock was set back");

        let mut longest = Duration::ZERO;
        for _ in 0..20 {
            now = breaker.paused_until.unwrap();
            let BreakerTransition::PausedAgain(pause) = breaker.failed("oops", now) else { panic!("{breaker:?}") };
            assert!(pause >= longest);
            longest = pause;
        }
        assert_eq!(longest, LONGEST_PAUSE);

        assert!(breaker.succeeded());
        assert!(!breaker.is_paused(now) && !breaker.succeeded());
        assert_eq!(breaker.failed("oops", now), BreakerTransition::None);
    }
}

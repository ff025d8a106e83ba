//! How a route's plugin fares: one that fails many times in a row is not called for a while.

use std::time::Duration;

use crate::event::Timestamp;

/// Failures in a row after which a plugin is paused.
pub const FAILURES: u32 = 10;
/// The first pause; each that follows without a success between is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);

/// The health of one plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// Failures in a row.
    pub failures: u32,
    /// The last of them.
    pub error: Option<String>,
    /// Not to be called before.
    pub paused_until: Option<Timestamp>,
    pauses: u32,
}

/// What a failure led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consequence {
    None,
    /// It is paused for the first time since it worked: to be said in the channel.
    Paused(Duration),
    /// It was tried again, failed again, and is paused again.
    PausedAgain(Duration),
}

impl Health {
    /// Whether it is to be left alone now.
    pub(super) fn is_paused(&self, now: Timestamp) -> bool {
        // A pause that is longer than any was written by a clock that has been set back since.
        let longest = i64::try_from(LONGEST_PAUSE.as_millis()).unwrap_or(i64::MAX);
        self.paused_until.is_some_and(|until| now < until && until.0.saturating_sub(now.0) <= longest)
    }

    /// It worked. Says whether that is news.
    pub(super) fn worked(&mut self) -> bool {
        let was_paused = self.paused_until.is_some();
        if self.failures > 0 {
            *self = Self::default();
        }
        was_paused
    }

    /// It failed.
    pub(super) fn failed(&mut self, error: &str, now: Timestamp) -> Consequence {
        self.failures = self.failures.saturating_add(1);
        self.error = Some(error.to_owned());
        if self.failures < FAILURES {
            return Consequence::None;
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << self.pauses.min(10)).min(LONGEST_PAUSE);
        self.pauses = self.pauses.saturating_add(1);
        self.paused_until = Some(now.plus_ms(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX)));
        if self.pauses == 1 { Consequence::Paused(pause) } else { Consequence::PausedAgain(pause) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_are_said_once_and_end_with_a_success() {
        let mut health = Health::default();
        let mut now = Timestamp(0);
        for _ in 1..FAILURES {
            assert_eq!(health.failed("oops", now), Consequence::None);
        }
        assert!(!health.is_paused(now));
        assert_eq!(health.failed("oops", now), Consequence::Paused(Duration::from_secs(60)));
        assert!(health.is_paused(Timestamp(59_999)) && !health.is_paused(Timestamp(60_000)));
        assert!(!health.is_paused(Timestamp(-90 * 86_400_000)), "the clock was set back");

        let mut longest = Duration::ZERO;
        for _ in 0..20 {
            now = health.paused_until.unwrap();
            let Consequence::PausedAgain(pause) = health.failed("oops", now) else { panic!("{health:?}") };
            assert!(pause >= longest);
            longest = pause;
        }
        assert_eq!(longest, LONGEST_PAUSE);

        assert!(health.worked());
        assert!(!health.is_paused(now) && !health.worked());
        assert_eq!(health.failed("oops", now), Consequence::None);
    }
}

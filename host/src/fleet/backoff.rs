//! How long a member of a fleet waits before it connects again: twice as long each time, and not all at once.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(8);

/// The wait after the next failure.
pub(super) struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    pub(super) const fn new() -> Self {
        Self { next: FIRST, longest: LONGEST }
    }

    /// One whose waits are no longer than this.
    pub(super) fn up_to(longest: Duration) -> Self {
        Self { next: FIRST.min(longest), longest: LONGEST.min(longest) }
    }

    /// Returns the next wait, with jitter: some thousand hosts must not come back together.
    pub(super) fn next(&mut self) -> Duration {
        let wait = self.next.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.next = (self.next * 2).min(self.longest);
        wait
    }
}

//! How long digests stay open.

use std::time::Duration;

/// How much wider the windows of digests become that follow each other: with the default of 30 s, 1 min, 2 min and then 5 min,
/// so that a long attack is about fifteen messages an hour.
const WIDER: [u32; 3] = [2, 4, 10];

/// No window becomes wider than this by itself.
const WIDEST_WINDOW: Duration = Duration::from_secs(300);

/// Returns how long a digest stays open, the first of which was open for `first`, if it is one of many that last so long.
pub(super) fn longer_window(first: Duration, mut lasts_ms: i64) -> Duration {
    let mut window = first;
    for factor in WIDER {
        lasts_ms = lasts_ms.saturating_sub(milliseconds(window));
        if lasts_ms < 0 {
            break;
        }
        window = first.saturating_mul(factor).min(WIDEST_WINDOW.max(first));
    }
    window
}

/// Returns a duration in ms, saturating.
pub(super) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

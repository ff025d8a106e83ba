//! How long to wait before the next attempt: exponential, with full jitter, capped.

use std::time::Duration;

/// The longest wait after the first attempt that failed.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait of all.
const MOST: Duration = Duration::from_secs(300);
/// The shortest wait; full jitter alone could mean none.
const LEAST: Duration = Duration::from_millis(250);

/// The wait after `attempts` that failed; `random` is in 0..1.
pub(super) fn wait(attempts: u32, random: f64) -> Duration {
    let most = FIRST.saturating_mul(1_u32.checked_shl(attempts.saturating_sub(1)).unwrap_or(u32::MAX)).min(MOST);
    most.mul_f64(random.clamp(0.0, 1.0)).max(LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_doubles_up_to_the_cap_and_is_never_zero() {
        let most: Vec<u64> = [1, 2, 3, 9, 10, 32, 33, u32::MAX].map(|attempts| wait(attempts, 1.0).as_secs()).to_vec();
        assert_eq!(most, [1, 2, 4, 256, 300, 300, 300, 300]);
        assert_eq!(wait(5, 0.0), LEAST);
        assert_eq!(wait(3, 0.5), Duration::from_secs(2));
    }
}

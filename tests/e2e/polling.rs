//! Waiting for a condition: polls until it holds, and fails at a deadline.

use std::time::{Duration, Instant};

/// Long enough for an unoptimised build on a busy machine that compiles a plugin first.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

const POLL_INTERVAL: Duration = Duration::from_millis(15);

/// Polls until there is a value to return. At the deadline fails with `what` and the last error of `check`.
#[track_caller]
pub fn until<T>(what: &str, check: impl FnMut() -> Result<T, String>) -> T {
    within(DEFAULT_TIMEOUT, what, check)
}

/// The same with a timeout that is part of the test.
#[track_caller]
pub fn within<T>(timeout: Duration, what: &str, mut check: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + timeout;
    loop {
        match check() {
            Ok(found) => return found,
            Err(seen) if Instant::now() > deadline => panic!("waited {timeout:?} for {what}; last: {seen}"),
            Err(_) => std::thread::sleep(POLL_INTERVAL),
        }
    }
}

//! UnroutedEvent without sleeping blindly: poll for the condition, give up at a deadline.

use std::time::{Duration, Instant};

/// Long enough for an unoptimised build on a busy machine that compiles a plugin first.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

const POLL_INTERVAL: Duration = Duration::from_millis(15);

/// Looks until there is something to return; at the deadline fails with `what` and the last thing that `look` saw.
#[track_caller]
pub fn until<T>(what: &str, look: impl FnMut() -> Result<T, String>) -> T {
    within(DEFAULT_TIMEOUT, what, look)
}

/// As `until`, with a deadline that is part of what is tested.
#[track_caller]
pub fn within<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) if Instant::now() > deadline => panic!("waited {patience:?} for {what}; last seen: {seen}"),
            Err(_) => std::thread::sleep(POLL_INTERVAL),
        }
    }
}

//! Waiting without sleeping blindly: poll for the condition, give up at a deadline.

use std::time::{Duration, Instant};

/// Long enough for an unoptimised build on a busy machine that compiles a plugin first.
pub const PATIENCE: Duration = Duration::from_secs(30);

const BETWEEN_LOOKS: Duration = Duration::from_millis(15);

/// Looks until there is something to return; at the deadline fails with `what` and the last thing that `look` saw.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) if Instant::now() > deadline => panic!("waited {PATIENCE:?} for {what}; last seen: {seen}"),
            Err(_) => std::thread::sleep(BETWEEN_LOOKS),
        }
    }
}

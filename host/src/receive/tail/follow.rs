//! Follows a log until it is stopped.

use std::time::Instant;

use super::error::TailError;
use super::event_sink::EventSink;
use super::follower::{Follower, Step};
use super::log_watch::LogWatch;
use super::stop_switch::StopSignal;

/// Follows a log until it is stopped. An error of reading is logged once, and retried.
///
/// # Errors
/// When `sink` fails.
pub(crate) fn follow(mut follower: Follower, sink: &mut dyn EventSink, stopped: &StopSignal) -> Result<(), TailError> {
    let mut watch = LogWatch::new(follower.path().to_owned(), stopped.handle());
    let mut last_error = String::new();
    let mut idle_since = None;
    while !stopped.is_stopped() {
        let resolve_timeout = match follower.step(sink) {
            Ok(Step::Read) => {
                last_error.clear();
                idle_since = None;
                continue;
            }
            Ok(Step::Idle { resolve_timeout }) => resolve_timeout,
            Err(error @ TailError::Read { .. }) => {
                let error = error.to_string();
                if error != last_error {
                    tracing::warn!("{error}; retrying");
                    last_error = error;
                }
                None
            }
            Err(error) => return Err(error),
        };
        if watch.update() {
            // Something may have happened before it was watched.
            continue;
        }
        let idle = idle_since.get_or_insert_with(Instant::now).elapsed();
        if resolve_timeout.is_some_and(|timeout| idle >= timeout) {
            follower.resolve(sink)?;
            continue;
        }
        let timeout = resolve_timeout.map_or(watch.poll_interval(), |timeout| timeout.saturating_sub(idle));
        if !stopped.wait(timeout) {
            break;
        }
    }
    follower.save_checkpoint(sink)
}

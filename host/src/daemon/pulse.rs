//! Whether the threads of a daemon make progress, which feeds the service manager's watchdog.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

/// In place of a time: the thread waits for something to do.
const WAITING: u64 = u64::MAX;

/// The threads of a daemon.
pub(super) struct Pulses {
    begun: Instant,
    threads: Mutex<Vec<Weak<AtomicU64>>>,
}

/// One thread. Until its first step it waits, and once this is dropped nobody looks at it.
pub(super) struct Pulse {
    begun: Instant,
    /// When its step began, in milliseconds after `begun`.
    step: Arc<AtomicU64>,
}

impl Pulses {
    pub(super) fn new() -> Self {
        Self { begun: Instant::now(), threads: Mutex::default() }
    }

    /// Adds a thread.
    pub(super) fn add(&self) -> Pulse {
        let pulse = Pulse { begun: self.begun, step: Arc::new(AtomicU64::new(WAITING)) };
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.retain(|thread| thread.strong_count() > 0);
        threads.push(Arc::downgrade(&pulse.step));
        pulse
    }

    /// Returns how long the slowest thread has been at its step.
    pub(super) fn longest_step(&self) -> Duration {
        let now = milliseconds(self.begun);
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let steps = threads.iter().filter_map(Weak::upgrade).map(|step| step.load(Ordering::Relaxed));
        let longest = steps.filter(|step| *step != WAITING).map(|step| now.saturating_sub(step)).max();
        Duration::from_millis(longest.unwrap_or_default())
    }
}

impl Pulse {
    /// The thread begins another step.
    pub(super) fn step(&self) {
        self.step.store(milliseconds(self.begun), Ordering::Relaxed);
    }

    /// The thread begins to wait.
    pub(super) fn wait(&self) {
        self.step.store(WAITING, Ordering::Relaxed);
    }
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(WAITING - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_step_is_that_of_a_thread_that_neither_waits_nor_begins_another() {
        let hour = Duration::from_secs(3_600);
        let pulses = Pulses { begun: Instant::now().checked_sub(hour * 2).unwrap(), ..Pulses::new() };
        let (stuck, busy, waiting, ended) = (pulses.add(), pulses.add(), pulses.add(), pulses.add());
        // An hour ago.
        for pulse in [&stuck, &busy, &waiting, &ended] {
            pulse.step.store(3_600_000, Ordering::Relaxed);
        }
        waiting.wait();
        drop(ended);
        busy.step();
        assert!(pulses.longest_step() >= hour);
        stuck.wait();
        assert!(pulses.longest_step() < hour);
        busy.wait();
        assert_eq!(pulses.longest_step(), Duration::ZERO);
    }
}

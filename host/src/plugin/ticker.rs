//! The clock of running plugins: a thread that advances the engine's epoch while any of them runs.
//!
//! An idle daemon must not wake up a hundred times a second, so the thread parks when no plugin has run for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wasmtime::Engine;

/// How often the epoch advances.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// Ticks without a call before the thread parks; a burst of events then costs one unpark, not one for each.
const IDLE_TICKS: u32 = 100;

pub(super) struct Ticker {
    shared: Arc<TickerState>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct TickerState {
    running: AtomicUsize,
    parked: AtomicBool,
    stop: AtomicBool,
}

/// Keeps the epoch advancing while it lives.
pub(super) struct Running<'a> {
    shared: &'a TickerState,
}

impl Ticker {
    pub(super) fn start(engine: &Engine) -> std::io::Result<Self> {
        let shared = Arc::new(TickerState::default());
        let engine = engine.clone();
        let seen = Arc::clone(&shared);
        let thread = thread::Builder::new().name("epoch".into()).spawn(move || tick(&engine, &seen))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Advances the epoch until the returned guard is dropped. Called before a plugin runs.
    pub(super) fn running(&self) -> Running<'_> {
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        // Both sides write their own flag before they read the other's, so one of them sees the other.
        if self.shared.parked.load(Ordering::SeqCst)
            && let Some(thread) = &self.thread
        {
            thread.thread().unpark();
        }
        Running { shared: &self.shared }
    }

    /// The number of ticks after which `time` has certainly passed.
    pub(super) fn ticks(time: Duration) -> u64 {
        u64::try_from(time.as_nanos().div_ceil(TICK.as_nanos())).unwrap_or(u64::MAX / 2).saturating_add(1)
    }
}

fn tick(engine: &Engine, shared: &TickerState) {
    let mut idle = 0;
    while !shared.stop.load(Ordering::SeqCst) {
        thread::sleep(TICK);
        engine.increment_epoch();
        idle = if shared.running.load(Ordering::SeqCst) > 0 { 0 } else { idle + 1 };
        if idle >= IDLE_TICKS {
            shared.parked.store(true, Ordering::SeqCst);
            while shared.running.load(Ordering::SeqCst) == 0 && !shared.stop.load(Ordering::SeqCst) {
                thread::park();
            }
            shared.parked.store(false, Ordering::SeqCst);
            idle = 0;
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.shared.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It ends within a tick. If it panicked, nothing can be done about that here.
            let _ = thread.join();
        }
    }
}

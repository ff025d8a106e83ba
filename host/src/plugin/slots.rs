//! The pool's slots for instances: a call that finds none free waits for one, instead of failing because of other calls.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Bounds how many calls run at once.
#[derive(Clone)]
pub(super) struct Slots(Arc<(Mutex<u32>, Condvar)>);

/// The right to one call, until it is dropped.
pub(super) struct Slot(Slots);

impl Slots {
    pub(super) fn new(count: u32) -> Self {
        Self(Arc::new((Mutex::new(count), Condvar::new())))
    }

    /// Waits until one is free. No call keeps one for longer than a plugin's time limit.
    pub(super) fn take(&self) -> Slot {
        let (free, freed) = &*self.0;
        let free = free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = freed.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Slot(self.clone())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let (free, freed) = &*self.0.0;
        *free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        freed.notify_one();
    }
}

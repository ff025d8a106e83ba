//! File descriptors: each route and each webhook needs some, and the usual limit of 1,024 is soon reached.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a process needs without any route or webhook: logs, pipes, the store of the event loop and the router.
const BASE: u64 = 80;

/// The store's two files and their write-ahead logs.
const PER_ROUTE: u64 = 4;

/// The same, and two connections.
const PER_WEBHOOK: u64 = 6;

/// SQLite closes a file only when no other connection of the process has a lock on it.
const CLOSED_LATE: u64 = 2;

/// Routes that format at the same time, however low the limit is.
const SLOTS_MIN: u64 = 4;

/// The routes that may have the store open at the same time.
pub(super) struct StoreSlots {
    free: Mutex<u64>,
    freed: Condvar,
}

/// One of them; given back on drop.
pub(super) struct StoreSlot(Arc<StoreSlots>);

impl StoreSlots {
    /// Raises the limit as far as the system allows without privileges, and returns how many routes fit into it. Warns if
    /// that may not be all.
    pub(super) fn within_limit(routes: usize, webhooks: usize) -> Arc<Self> {
        let limit = getrlimit(Resource::Nofile);
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        let allowed = match setrlimit(Resource::Nofile, raised) {
            Ok(()) => limit.maximum,
            Err(_) => limit.current,
        };
        let [for_routes, for_webhooks] =
            [(routes, PER_ROUTE), (webhooks, PER_WEBHOOK)].map(|(count, each)| (count as u64).saturating_mul(each));
        let needed = BASE.saturating_add(for_routes).saturating_add(for_webhooks);
        if let Some(allowed) = allowed.filter(|allowed| *allowed < needed) {
            tracing::warn!(
                routes,
                webhooks,
                "up to {needed} file descriptors are needed, and only {allowed} are allowed; raise LimitNOFILE= of the \
                 unit, or the hard limit (ulimit -Hn)"
            );
        }
        let left = allowed.unwrap_or(u64::MAX).saturating_sub(BASE).saturating_sub(for_webhooks);
        let slots = (left / (PER_ROUTE * CLOSED_LATE)).max(SLOTS_MIN);
        Arc::new(Self { free: Mutex::new(slots), freed: Condvar::new() })
    }

    /// Waits for a free slot and takes it. Whoever has one waits for no other.
    pub(super) fn take(self: &Arc<Self>) -> StoreSlot {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.freed.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        StoreSlot(Arc::clone(self))
    }

    /// Returns whether another route could take one now.
    pub(super) fn are_free(&self) -> bool {
        *self.free.lock().unwrap_or_else(PoisonError::into_inner) > 0
    }
}

impl Drop for StoreSlot {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}

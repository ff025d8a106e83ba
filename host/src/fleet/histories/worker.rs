//! A worker of a history: a real store on a disk of its own, and its part in the lease.

use std::collections::BTreeSet;
use std::time::Duration;

use banhook_notify::WorkLock;

use crate::fleet::owner::{Candidate, Owner};
use crate::store::{SettledBefore, StateDir, Store};

/// The time of the lease.
pub(super) const TTL: Duration = Duration::from_secs(1);

/// A worker with its disk.
pub(super) struct Worker {
    pub(super) number: usize,
    pub(super) disk: tempfile::TempDir,
    /// What was sent, and recorded as sent on this disk.
    pub(super) recorded: BTreeSet<(u64, usize)>,
    pub(super) process: Option<Process>,
    pub(super) terms: u32,
}

/// A worker's running process.
pub(super) struct Process {
    pub(super) store: Store,
    pub(super) _lock: WorkLock,
    pub(super) role: Role,
    /// A write got no answer.
    pub(super) is_unsure: bool,
}

/// What it is for the lease.
pub(super) enum Role {
    Candidate(Candidate),
    /// Before it has the record's word: `None`.
    Owner(Box<Owner>, Option<SettledBefore>),
}

impl Worker {
    /// One with an empty disk.
    pub(super) fn new(number: usize) -> Self {
        Self { number, disk: tempfile::tempdir().unwrap(), recorded: BTreeSet::new(), process: None, terms: 0 }
    }

    pub(super) fn candidate(&self) -> Candidate {
        Candidate::new(format!("worker-{} {}", self.number, self.terms), format!("token-{}", self.number), TTL)
    }

    pub(super) fn start(&mut self) -> Process {
        self.terms += 1;
        let folder = StateDir::new(self.disk.path().join("state"));
        folder.create().unwrap();
        let lock = folder.try_work_lock().unwrap().unwrap();
        let store = Store::open_for_work(&folder, &lock).unwrap().new_routing_connection().unwrap();
        Process { store, _lock: lock, role: Role::Candidate(self.candidate()), is_unsure: false }
    }
}

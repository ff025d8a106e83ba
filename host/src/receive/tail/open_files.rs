//! The files that the logs of this process are in at present. Each is read by one of them, whatever names lead to it: two
//! would each hand out its events.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Files by device and inode.
#[derive(Debug, Clone, Default)]
pub(crate) struct OpenFiles(Arc<Mutex<HashSet<(u64, u64)>>>);

impl OpenFiles {
    /// Reserves a file; `None` if another log reads it.
    pub(super) fn reserve(&self, file: (u64, u64)) -> Option<Reservation> {
        self.files().insert(file).then(|| Reservation { open_files: self.clone(), file })
    }

    /// Returns whether a log reads this file.
    pub(super) fn contains(&self, file: (u64, u64)) -> bool {
        self.files().contains(&file)
    }

    fn files(&self) -> MutexGuard<'_, HashSet<(u64, u64)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file that no other log reads until this is dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    open_files: OpenFiles,
    file: (u64, u64),
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.open_files.files().remove(&self.file);
    }
}

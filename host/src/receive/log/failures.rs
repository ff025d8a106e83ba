//! How many `Found` lines a subject has had in a jail of a host since it was last banned there.
//!
//! Nearly every line of a log is a `Found` line, so this decides how fast a log is read; and an attacker with many addresses
//! decides how much there is to remember. So subjects are kept as hashes (with a key for each process, so that nobody can
//! make two of them collide), in two tables: when the newer one is full, the older one is forgotten. To forget costs nothing,
//! and a subject that is not known yet is mostly recognized by that in the tables' control bytes, which fit into the
//! processor's cache.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};

use foldhash::fast::RandomState;

use crate::event::readable::MAX_TEXT_BYTES;

/// How many subjects a table remembers: as many as it holds without growing, some 4.5 MB.
const MAX_SUBJECTS: usize = (1 << 18) / 8 * 7;

/// How many lines are counted together. Nearly each misses the processor's caches, and the processor can wait for many
/// misses at a time: that made reading a log a third faster.
const BATCH: usize = 256;

type Counts = HashMap<u64, u32, BuildHasherDefault<IdentityHasher>>;

/// The failures of subjects that are not banned yet.
#[derive(Debug, Default)]
pub(super) struct Failures {
    /// Subjects that were found lately.
    newer: Counts,
    /// Subjects that were not found since `newer` was begun.
    older: Counts,
    key: RandomState,
    /// The keys of lines that are not in a table yet.
    uncounted: Vec<u64>,
    /// The key of the last line.
    last: u64,
}

impl Failures {
    /// Adds a failure.
    pub(super) fn add(&mut self, host: &str, jail: &[u8], subject: &[u8]) {
        self.last = self.key(host, jail, subject);
        self.uncounted.push(self.last);
        if self.uncounted.len() == BATCH {
            self.count();
        }
    }

    /// Adds the last failure so many times again.
    pub(super) fn repeat(&mut self, times: u32) {
        self.count();
        let counts = if self.newer.contains_key(&self.last) { &mut self.newer } else { &mut self.older };
        if let Some(count) = counts.get_mut(&self.last) {
            *count = count.saturating_add(times);
        }
    }

    fn count(&mut self) {
        for key in self.uncounted.drain(..) {
            if let Some(count) = self.newer.get_mut(&key) {
                *count = count.saturating_add(1);
            } else {
                let before = self.older.remove(&key).unwrap_or(0);
                self.newer.insert(key, before.saturating_add(1));
            }
        }
        // Checked once for each batch, so there has to be room for another.
        if self.newer.len() >= MAX_SUBJECTS - BATCH {
            self.older.clear();
            std::mem::swap(&mut self.newer, &mut self.older);
        }
    }

    /// Returns the number of failures, and resets it.
    pub(super) fn take(&mut self, host: &str, jail: &[u8], subject: &[u8]) -> Option<u32> {
        self.count();
        let key = self.key(host, jail, subject);
        self.newer.remove(&key).or_else(|| self.older.remove(&key))
    }

    /// Hashes as much of the subject as is kept: the rest of a long line is cut off.
    fn key(&self, host: &str, jail: &[u8], subject: &[u8]) -> u64 {
        let subject = subject.get(..MAX_TEXT_BYTES).unwrap_or(subject);
        if host.is_empty() { self.key.hash_one((jail, subject)) } else { self.key.hash_one((host, jail, subject)) }
    }
}

/// Passes keys on: they are hashes already.
#[derive(Debug, Default)]
struct IdentityHasher(u64);

impl Hasher for IdentityHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Not called: keys are u64.
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn take_counts_by_host_jail_and_subject() {
        let mut failures = Failures::default();
        for (host, jail, subject) in
            [("", "a", "x"), ("", "a", "x"), ("", "b", "x"), ("web-2", "a", "x"), ("", "a", "y"), ("", "ax", "")]
        {
            failures.add(host, jail.as_bytes(), subject.as_bytes());
        }
        assert_eq!(failures.take("", b"a", b"x"), Some(2));
        assert_eq!(failures.take("", b"a", b"x"), None);
        assert_eq!(failures.take("web-2", b"a", b"x"), Some(1));
        assert_eq!(failures.take("", b"b", b"x"), Some(1));
        assert_eq!(failures.take("", b"ax", b""), Some(1));
    }

    #[test]
    fn add_too_many_subjects_forgets_those_found_longest_ago() {
        let mut failures = Failures::default();
        let many = u32::try_from(3 * MAX_SUBJECTS).unwrap();
        for subject in 0..many {
            failures.add("", b"j", &subject.to_ne_bytes());
            // Found again and again.
            if subject % 10_000 == 0 {
                failures.add("", b"j", b"again");
            }
        }
        failures.count();
        for table in [&failures.newer, &failures.older] {
            assert!(table.len() <= MAX_SUBJECTS && table.capacity() <= MAX_SUBJECTS, "{}", table.capacity());
        }
        assert_eq!(failures.take("", b"j", b"again"), Some(many.div_ceil(10_000)));
        assert_eq!(failures.take("", b"j", &0_u32.to_ne_bytes()), None);
        for recent in 1..=u32::try_from(MAX_SUBJECTS - BATCH).unwrap() {
            assert_eq!(failures.take("", b"j", &(many - recent).to_ne_bytes()), Some(1));
        }
    }
}

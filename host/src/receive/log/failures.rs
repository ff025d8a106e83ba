//! How many `Found` lines a subject has had in a jail since it was last banned there.
//!
//! Nearly every line of a log is a `Found` line, so this decides how fast a log is read; and an attacker with many addresses
//! decides how much there is to remember. So subjects are kept as hashes (with a key for each process, so that nobody can
//! make two of them collide), and when there are too many, those that were found longest ago are forgotten.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};

use foldhash::fast::RandomState;

use crate::event::readable::MAX_TEXT_BYTES;

/// How many subjects are remembered: as many as the table holds without growing, some 9 MB.
const MAX_SUBJECTS: usize = (1 << 19) / 8 * 7;

/// How many lines are counted together. Nearly each misses the processor's caches, and the processor can wait for many
/// misses at a time: that made reading a log a third faster.
const BATCH: usize = 256;

/// The failures of subjects that are not banned yet.
#[derive(Debug, Default)]
pub(super) struct Failures {
    found: HashMap<u64, Found, BuildHasherDefault<IdentityHasher>>,
    key: RandomState,
    /// The keys of lines that are not in the table yet.
    uncounted: Vec<u64>,
    /// How many lines there were so far.
    lines: u64,
}

#[derive(Debug, Clone, Copy)]
struct Found {
    count: u32,
    /// The number of the last line, in units of 256 so that it does not overflow before 2^40 lines.
    last: u32,
}

impl Failures {
    /// Adds a failure.
    pub(super) fn add(&mut self, jail: &[u8], subject: &[u8]) {
        self.uncounted.push(self.key(jail, subject));
        if self.uncounted.len() == BATCH {
            self.count();
        }
    }

    fn count(&mut self) {
        for key in self.uncounted.drain(..) {
            self.lines += 1;
            let last = u32::try_from(self.lines >> 8).unwrap_or(u32::MAX);
            let found = self.found.entry(key).or_insert(Found { count: 0, last });
            *found = Found { count: found.count.saturating_add(1), last };
        }
        // Checked once for each batch, so there has to be room for another.
        if self.found.len() >= MAX_SUBJECTS - BATCH {
            self.forget_half();
        }
    }

    /// Returns the number of failures, and resets it.
    pub(super) fn take(&mut self, jail: &[u8], subject: &[u8]) -> Option<u32> {
        self.count();
        self.found.remove(&self.key(jail, subject)).map(|found| found.count)
    }

    /// Hashes as much of the subject as is kept: the rest of a long line is cut off.
    fn key(&self, jail: &[u8], subject: &[u8]) -> u64 {
        self.key.hash_one((jail, subject.get(..MAX_TEXT_BYTES).unwrap_or(subject)))
    }

    fn forget_half(&mut self) {
        let mut times: Vec<u32> = self.found.values().map(|found| found.last).collect();
        let middle = times.len() / 2;
        let (_, median, _) = times.select_nth_unstable(middle);
        let median = *median;
        self.found.retain(|_, found| found.last > median);
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
    fn take_counts_by_jail_and_subject() {
        let mut failures = Failures::default();
        for (jail, subject) in [("a", "x"), ("a", "x"), ("b", "x"), ("a", "y"), ("ax", "")] {
            failures.add(jail.as_bytes(), subject.as_bytes());
        }
        assert_eq!(failures.take(b"a", b"x"), Some(2));
        assert_eq!(failures.take(b"a", b"x"), None);
        assert_eq!(failures.take(b"b", b"x"), Some(1));
        assert_eq!(failures.take(b"ax", b""), Some(1));
    }

    #[test]
    fn add_too_many_subjects_forgets_those_found_longest_ago() {
        let mut failures = Failures::default();
        let many = u32::try_from(MAX_SUBJECTS + MAX_SUBJECTS / 4).unwrap();
        for subject in 0..many {
            failures.add(b"j", &subject.to_ne_bytes());
        }
        failures.count();
        assert!(failures.found.len() <= MAX_SUBJECTS && failures.found.capacity() <= MAX_SUBJECTS);
        assert_eq!(failures.take(b"j", &0_u32.to_ne_bytes()), None);
        assert_eq!(failures.take(b"j", &(many - 1).to_ne_bytes()), Some(1));
    }
}

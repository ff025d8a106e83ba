//! How many `Found` lines a subject has had in a jail since it was last banned there.
//!
//! Nearly every line of a log is a `Found` line, so this decides how fast a log is read; and whoever writes from ever
//! new addresses decides how much there is to remember. So subjects are kept as hashes (keyed anew in each process, so that
//! nobody can have two of them meet), and when there are too many, those that were found longest ago are forgotten.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};

use foldhash::fast::RandomState;

use crate::event::readable::MAX_TEXT_BYTES;

/// The most subjects that are remembered: what fills the table of this size without making it grow, some 9 MB.
const MOST: usize = (1 << 19) / 8 * 7;

/// How many lines are gone through at once. Nearly each is a miss of the processor's caches, and it can wait for many at
/// a time: that made the reading of a log a third faster.
const AT_ONCE: usize = 256;

/// The failures of subjects that are not banned yet.
#[derive(Debug, Default)]
pub(super) struct Failures {
    found: HashMap<u64, Found, BuildHasherDefault<AsItIs>>,
    key: RandomState,
    /// Lines that are not in the table yet.
    fresh: Vec<u64>,
    /// How many lines there were so far: what is recent.
    lines: u64,
}

#[derive(Debug, Clone, Copy)]
struct Found {
    times: u32,
    /// In units of 256 lines, so that it does not wrap before 2^40 lines.
    last: u32,
}

impl Failures {
    /// One more.
    pub(super) fn add(&mut self, jail: &[u8], subject: &[u8]) {
        self.fresh.push(self.key(jail, subject));
        if self.fresh.len() == AT_ONCE {
            self.catch_up();
        }
    }

    fn catch_up(&mut self) {
        for key in self.fresh.drain(..) {
            self.lines += 1;
            let last = u32::try_from(self.lines >> 8).unwrap_or(u32::MAX);
            let found = self.found.entry(key).or_insert(Found { times: 0, last });
            *found = Found { times: found.times.saturating_add(1), last };
        }
        // Looked at in between only: there is room for that many more.
        if self.found.len() >= MOST - AT_ONCE {
            self.forget_half();
        }
    }

    /// How many there were; from now on none.
    pub(super) fn take(&mut self, jail: &[u8], subject: &[u8]) -> Option<u32> {
        self.catch_up();
        self.found.remove(&self.key(jail, subject)).map(|found| found.times)
    }

    /// Of as much of the subject as is kept: lines are cut off behind that.
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

/// The keys are hashes already.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
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
    fn counted_by_jail_and_subject() {
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
    fn what_was_found_longest_ago_is_forgotten() {
        let mut failures = Failures::default();
        let many = u32::try_from(MOST + MOST / 4).unwrap();
        for subject in 0..many {
            failures.add(b"j", &subject.to_ne_bytes());
        }
        failures.catch_up();
        assert!(failures.found.len() <= MOST && failures.found.capacity() <= MOST);
        assert_eq!(failures.take(b"j", &0_u32.to_ne_bytes()), None);
        assert_eq!(failures.take(b"j", &(many - 1).to_ne_bytes()), Some(1));
    }
}

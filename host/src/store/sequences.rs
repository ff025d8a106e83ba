//! A set of sequences of a stream, as runs of those that follow each other: what is pending is few, or follows each other.
//!
//! As JSON it is a list of numbers, two for each run: how far it begins after the end of the one before, and its length.

use serde::{Deserialize, Serialize};

/// A set of sequences.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(into = "Vec<u64>", try_from = "Vec<u64>")]
pub(crate) struct Sequences {
    /// The first and the last of each run, in order; between two runs is a gap.
    runs: Vec<(u64, u64)>,
}

impl Sequences {
    /// Adds one that is no less than all others.
    fn push(&mut self, sequence: u64) {
        match self.runs.last_mut() {
            Some((_, last)) if sequence <= last.saturating_add(1) => *last = sequence.max(*last),
            _ => self.runs.push((sequence, sequence)),
        }
    }

    /// Returns the least of them; `None`: it is empty.
    pub(crate) fn first(&self) -> Option<u64> {
        self.runs.first().map(|(first, _)| *first)
    }

    /// Returns the greatest of them; `None`: it is empty.
    pub(super) fn last(&self) -> Option<u64> {
        self.runs.last().map(|(_, last)| *last)
    }

    /// Returns whether it has this one.
    pub(crate) fn contains(&self, sequence: u64) -> bool {
        let after = self.runs.partition_point(|(first, _)| *first <= sequence);
        after.checked_sub(1).and_then(|run| self.runs.get(run)).is_some_and(|(_, last)| sequence <= *last)
    }

    /// The number of runs.
    pub(super) fn runs(&self) -> usize {
        self.runs.len()
    }

    /// Leaves out all but so many runs, the first ones.
    pub(super) fn keep_runs(&mut self, at_most: usize) {
        self.runs.truncate(at_most);
    }

    /// Adds those of another set that are greater than `through`, which is no less than all here.
    pub(super) fn extend_after(&mut self, through: u64, other: &Self) {
        for (first, last) in &other.runs {
            if *last > through {
                let first = (*first).max(through + 1);
                match self.runs.last_mut() {
                    Some((_, end)) if first == *end + 1 => *end = *last,
                    _ => self.runs.push((first, *last)),
                }
            }
        }
    }
}

impl FromIterator<u64> for Sequences {
    /// From sequences in ascending order.
    fn from_iter<T: IntoIterator<Item = u64>>(sequences: T) -> Self {
        let mut set = Self::default();
        sequences.into_iter().for_each(|sequence| set.push(sequence));
        set
    }
}

impl From<Sequences> for Vec<u64> {
    fn from(set: Sequences) -> Self {
        let mut end = 0;
        let mut numbers = Self::with_capacity(set.runs.len() * 2);
        for (first, last) in set.runs {
            numbers.extend([first - end, last - first + 1]);
            end = last;
        }
        numbers
    }
}

/// A list of numbers is not a set of sequences.
#[derive(Debug, thiserror::Error)]
#[error("not a list of gaps and lengths")]
pub(crate) struct NotSequences;

impl TryFrom<Vec<u64>> for Sequences {
    type Error = NotSequences;

    fn try_from(numbers: Vec<u64>) -> Result<Self, NotSequences> {
        let (mut runs, mut end) = (Vec::with_capacity(numbers.len() / 2), 0_u64);
        for run in numbers.chunks(2) {
            let [gap, length] = *run else { return Err(NotSequences) };
            if gap == 0 || length == 0 {
                return Err(NotSequences);
            }
            let first = end.checked_add(gap).ok_or(NotSequences)?;
            end = first.checked_add(length - 1).ok_or(NotSequences)?;
            runs.push((first, end));
        }
        Ok(Self { runs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(sequences: &[u64]) -> Sequences {
        sequences.iter().copied().collect()
    }

    #[test]
    fn json_is_gaps_and_lengths_and_reads_back() {
        for (sequences, json) in
            [(&[][..], "[]"), (&[1], "[1,1]"), (&[5, 6, 7, 9], "[5,3,2,1]"), (&[2, 4, 6], "[2,1,2,1,2,1]")]
        {
            let set = set(sequences);
            assert_eq!(serde_json::to_string(&set).unwrap(), json);
            assert_eq!(serde_json::from_str::<Sequences>(json).unwrap(), set);
            let contained: Vec<_> = (0..12).filter(|sequence| set.contains(*sequence)).collect();
            assert_eq!(contained, sequences);
            assert_eq!((set.first(), set.last()), (sequences.first().copied(), sequences.last().copied()));
        }
        for json in ["[1]", "[0,1]", "[1,0]", "[1,1,0,1]", "[18446744073709551615,2]", "[1,18446744073709551615,2,1]"] {
            assert!(serde_json::from_str::<Sequences>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn extend_after_takes_only_what_follows() {
        let mut all = set(&[2, 3]);
        all.extend_after(5, &set(&[1, 4, 5, 6, 7, 9]));
        assert_eq!(all, set(&[2, 3, 6, 7, 9]));
        let mut all = set(&[2, 5]);
        all.extend_after(5, &set(&[6]));
        assert_eq!((all.runs(), all), (2, set(&[2, 5, 6])));
    }
}

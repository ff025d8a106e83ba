//! The table of failures and what came of them.

use std::collections::BTreeMap;

use super::injection::Injection;
use crate::reliability::FaultRow;

/// How a command ended of which one call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It did its work all the same.
    Done,
    /// It ended with an error.
    Error,
    /// The system could not load it.
    NotStarted,
    /// It got no memory.
    OutOfMemory,
    /// It made no such call.
    NotMade,
}

impl Outcome {
    const fn words(self) -> &'static str {
        match self {
            Self::Done => "did their work all the same",
            Self::Error => "ended with an error that says what failed",
            Self::NotStarted => "could not be loaded",
            Self::OutOfMemory => "ended because they got no memory",
            Self::NotMade => "did not make the call",
        }
    }
}

/// How often each failure was injected, by outcome.
#[derive(Default)]
pub struct FaultTable(BTreeMap<(String, &'static str, &'static str), BTreeMap<Outcome, u32>>);

impl FaultTable {
    pub fn add(&mut self, command: &str, injection: &Injection, outcome: Outcome) {
        let row = self.0.entry((command.to_owned(), injection.call, injection.error)).or_default();
        *row.entry(outcome).or_default() += 1;
    }

    /// Fails unless most of the calls that were to fail were made.
    #[track_caller]
    pub fn assert_most_were_made(&self) {
        let of = |is: fn(&Outcome) -> bool| -> u32 {
            let results = self.0.values().flatten();
            results.filter(|(outcome, _)| is(outcome)).map(|(_, count)| count).sum()
        };
        let (made, all) = (of(|outcome| *outcome != Outcome::NotMade), of(|_| true));
        assert!(made * 2 >= all, "{made} of {all} calls were made");
    }

    /// The rows of the table of faults, one for each command.
    pub fn rows(&self) -> Vec<FaultRow> {
        let mut commands: BTreeMap<&str, BTreeMap<Outcome, u32>> = BTreeMap::new();
        for ((command, _, _), results) in &self.0 {
            let row = commands.entry(command).or_default();
            results.iter().for_each(|(outcome, count)| *row.entry(*outcome).or_default() += count);
        }
        let row = |(command, mut results): (&str, BTreeMap<Outcome, u32>)| {
            let not_made = results.remove(&Outcome::NotMade).unwrap_or(0);
            let words = results.iter().map(|(outcome, count)| format!("{count} {}", outcome.words()));
            FaultRow {
                fault: format!("one system call of `{command}` fails"),
                count: results.values().map(|count| u64::from(*count)).sum(),
                result: format!(
                    "{}; no acknowledged event lost{}",
                    words.collect::<Vec<_>>().join(", "),
                    if not_made > 0 { format!("; {not_made} calls more were not made") } else { String::new() }
                ),
            }
        };
        commands.into_iter().map(row).collect()
    }

    /// Prints a row for each command, call and error.
    pub fn print(&self) {
        eprintln!(
            "| command | call | error | injected | done | error reported | not started | out of memory | not made |"
        );
        eprintln!("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |");
        for ((command, call, error), results) in &self.0 {
            let [done, failed, not_started, memory, not_made] =
                [Outcome::Done, Outcome::Error, Outcome::NotStarted, Outcome::OutOfMemory, Outcome::NotMade]
                    .map(|outcome| results.get(&outcome).copied().unwrap_or(0));
            let all: u32 = results.values().sum();
            eprintln!(
                "| {command} | {call} | {error} | {all} | {done} | {failed} | {not_started} | {memory} | {not_made} |"
            );
        }
    }
}

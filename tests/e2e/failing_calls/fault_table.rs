//! The table of failures and what came of them.

use std::collections::BTreeMap;

use super::injection::Injection;

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
}

/// How often each failure was injected, by outcome.
#[derive(Default)]
pub struct FaultTable(BTreeMap<(String, &'static str, &'static str), BTreeMap<Outcome, u32>>);

impl FaultTable {
    pub fn add(&mut self, command: &str, injection: &Injection, outcome: Outcome) {
        let row = self.0.entry((command.to_owned(), injection.call, injection.error)).or_default();
        *row.entry(outcome).or_default() += 1;
    }

    /// Prints a row for each command, call and error.
    pub fn print(&self) {
        eprintln!("| command | call | error | injected | done | error reported | not started | out of memory |");
        eprintln!("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |");
        for ((command, call, error), results) in &self.0 {
            let [done, failed, not_started, memory] =
                [Outcome::Done, Outcome::Error, Outcome::NotStarted, Outcome::OutOfMemory]
                    .map(|outcome| results.get(&outcome).copied().unwrap_or(0));
            let all: u32 = results.values().sum();
            eprintln!("| {command} | {call} | {error} | {all} | {done} | {failed} | {not_started} | {memory} |");
        }
    }
}

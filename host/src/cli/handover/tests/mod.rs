//! Every order in which processes may pass the work lock on is searched: in none of them is work left that nobody does, and in
//! none do two processes work at once.
//!
//! What a process asks of the system next follows from what it was answered before. So a process here is the code under test
//! and its answers: it is run again with one answer more each time, and ends at the first question that has no answer yet. The
//! system is a value, and all that can be reached from a first one is searched, each state once.

mod process;
mod system;

use std::collections::HashMap;
use std::rc::Rc;

use crate::reliability::{FaultRow, report};
use process::Program::{Borrower, CarelessBorrower, Daemon, Drain, Notify, ShortRun};
use system::System;

/// Everything that was reached from a first state, each with those before it.
struct Reached {
    states: Vec<Rc<System>>,
    numbers: HashMap<Rc<System>, usize>,
    before: Vec<Vec<usize>>,
}

impl Reached {
    /// Returns the number of a state.
    fn number(&mut self, state: System) -> usize {
        if let Some(number) = self.numbers.get(&state) {
            return *number;
        }
        let state = Rc::new(state);
        self.states.push(Rc::clone(&state));
        self.before.push(Vec::new());
        self.numbers.insert(state, self.states.len() - 1);
        self.states.len() - 1
    }

    /// How a state came about, a line for each step.
    fn path(&self, mut number: usize) -> String {
        let mut steps = vec![format!("{:?}", self.states[number])];
        while number > 0 {
            number = self.before[number][0];
            steps.push(format!("{:?}", self.states[number]));
        }
        steps.reverse();
        steps.join("\n")
    }
}

/// Searches everything that can be reached. Returns how many states that is; an error if work is left in one.
fn search(first: System) -> Result<usize, String> {
    let mut reached = Reached { states: Vec::new(), numbers: HashMap::new(), before: Vec::new() };
    let (mut number, mut good) = (reached.number(first), Vec::new());
    while let Some(system) = reached.states.get(number).cloned() {
        let nexts = system.nexts();
        if nexts.is_empty() && system.is_forgotten() {
            return Err(format!("work is left:\n{}", reached.path(number)));
        }
        if !system.is_forgotten() {
            good.push(number);
        }
        for next in nexts {
            let next = reached.number(next);
            if next > 0 {
                reached.before[next].push(number);
            }
        }
        number += 1;
    }
    // From every state the work can still get done. That a stop would do it is no excuse: each of these is searched without
    // stops as well.
    let mut can_end = vec![false; reached.states.len()];
    while let Some(number) = good.pop() {
        if !std::mem::replace(&mut can_end[number], true) {
            good.extend(&reached.before[number]);
        }
    }
    match can_end.iter().position(|can_end| !can_end) {
        Some(stuck) => Err(format!("nobody does the work:\n{}", reached.path(stuck))),
        None => Ok(reached.states.len()),
    }
}

#[test]
fn work_is_done_in_every_order_of_processes() {
    let mut states = 0;
    for (programs, stops) in [
        (&[Notify, Notify, Notify][..], 0),
        (&[ShortRun, Notify, Notify], 0),
        (&[Daemon, Notify, Notify], 0),
        (&[Daemon, Notify, Notify], 1),
        (&[Daemon, Daemon, Notify, Notify], 0),
        (&[Daemon, Daemon, Notify], 2),
        (&[ShortRun, Daemon, Notify, Notify], 0),
        (&[ShortRun, Daemon, Notify, Notify], 1),
        (&[Drain, Notify, Notify], 0),
        (&[Drain, Notify, Notify], 1),
        (&[Drain, Daemon, Notify], 0),
        (&[Drain, Daemon, Notify], 1),
        (&[ShortRun, Borrower, Notify, Notify], 0),
        (&[Daemon, Borrower, Notify], 0),
        (&[Daemon, Borrower, Notify], 1),
        (&[Drain, Drain, Notify, Notify], 0),
    ] {
        eprintln!("{programs:?}");
        let found = search(System::of(programs, stops)).unwrap_or_else(|error| panic!("{programs:?}: {error}"));
        eprintln!("{programs:?}: {found} states");
        states += found;
    }
    let fault =
        "every order in which up to four processes begin, yield, give up and end, and daemons and drains are stopped"
            .to_owned();
    let result =
        "states were searched; in none is work left to nobody, in none do two processes work at once".to_owned();
    report("lock_order", &[FaultRow { fault, count: states as u64, result }]);
}

#[test]
fn search_finds_work_that_is_left() {
    let error = search(System::of(&[ShortRun, CarelessBorrower, Notify], 0)).unwrap_err();
    assert!(error.starts_with("work is left") || error.starts_with("nobody does the work"), "{error}");
}

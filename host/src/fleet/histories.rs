//! Random histories of three workers: each takes the lease, reads, routes, sends and writes its record in single steps, after any
//! of which it may give the lease away and follow, be frozen, or die, or die with its disk; answers of the broker are lost, before or after it has done what it
//! was asked for; webhooks are suspended. The lease, the record and the stores are the real ones; the broker's log, the webhooks
//! and the clock are simulated.
//!
//! What must hold is in [`world`]: nothing is lost, what a record once said is settled is not sent again, what a worker has
//! settled is settled by the record that it writes next, and the order is kept.

mod broker_log;
mod events;
mod step;
mod worker;
mod world;

use std::cell::RefCell;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};

use super::owner::Bug;
use crate::reliability::{FaultRow, report};
use step::{Step, step};
use world::{Totals, World};

/// Histories in CI; `BANHOOK_SOAK=20000` takes an hour.
const HISTORIES: u32 = 120;

/// Steps of the longest history.
const STEPS: usize = 50;

/// Takes random histories; the shortest that fails is returned, with what is wrong.
fn histories(count: u32, bug: Option<Bug>) -> Result<Totals, TestError<Vec<Step>>> {
    // What is expected to fail need not be the shortest.
    let max_shrink_iters = if bug.is_some() { 0 } else { 500 };
    let config = Config { cases: count, failure_persistence: None, max_shrink_iters, ..Config::default() };
    let totals = RefCell::new(Totals::default());
    TestRunner::new(config).run(&vec(step(), 1..STEPS), |steps| {
        let mut world = World::new(bug);
        for step in &steps {
            world.take(*step).map_err(TestCaseError::fail)?;
        }
        world.finish().map_err(TestCaseError::fail)?;
        totals.borrow_mut().add(&world.totals);
        Ok(())
    })?;
    Ok(totals.into_inner())
}

#[test]
fn any_history_of_workers_loses_nothing_and_repeats_only_what_was_not_recorded() {
    let count = std::env::var("BANHOOK_SOAK").map_or(HISTORIES, |text| text.parse().unwrap());
    let totals = histories(count, None).unwrap_or_else(|error| panic!("{error}"));
    // Otherwise nothing would be tested.
    assert!(totals.owners > 2 * u64::from(count) && totals.messages > 3 * u64::from(count), "{totals:?}");
    assert!(totals.again > 0 && totals.skipped > 0 && totals.given_away > u64::from(count) / 4, "{totals:?}");
    let Totals { messages, owners, again, killed, disks_lost, answers_lost, frozen, given_away, .. } = totals;
    let result = format!(
        "{messages} messages with {owners} owners; none lost; {again} sent again, none that a record said is settled"
    );
    let history = FaultRow { fault: "a random history of three workers".to_owned(), count: count.into(), result };
    let in_it = [
        ("a worker is killed", killed),
        ("a worker is killed, and its disk is lost", disks_lost),
        ("a worker that has the lease is frozen for longer", frozen),
        ("a worker gives the lease away", given_away),
        ("the broker's answer to a write of the record is lost", answers_lost),
    ];
    let in_it = in_it.map(|(fault, count)| {
        let fault = format!("in these histories of workers: {fault}");
        FaultRow { fault, count, result: "see above".to_owned() }
    });
    report("histories", &[history].into_iter().chain(in_it).collect::<Vec<_>>());
}

#[test]
fn histories_notice_each_bug_that_is_put_in() {
    for (bug, says) in [
        // Which of the two is noticed first is by chance.
        (Bug::WritesOnlyWhatIsLoaded, &["never sent", "although it is settled"][..]),
        (Bug::ForgetsWhatIsNotLoaded, &["although it is settled"]),
        (Bug::TrustsOwnStore, &["although it is settled"]),
        (Bug::SendsWithoutLease, &["although it is settled"]),
    ] {
        let found = histories(10 * HISTORIES, Some(bug));
        let Err(TestError::Fail(reason, steps)) = found else { panic!("{bug:?} is not noticed: {found:?}") };
        assert!(says.iter().any(|says| reason.message().contains(says)), "{bug:?}: {reason} after {steps:?}");
    }
}

//! Random histories of a host: events, storms, restarts, webhooks that fail in every way, other configurations, plugins that
//! break and come back, a clock that jumps, retention, `queue retry`, and crashes at any moment. The store, the routes, the
//! plugin and the queues are the real ones; the clock and the chats are simulated, and nothing sleeps.
//!
//! What must hold is in [`model`], which shares nothing with the code under test. A history that fails is shrunk, and printed
//! as steps that can be taken again. It cannot see what threads do to each other, requests on a network, signals, or what a
//! power failure takes back: `tests/e2e/crash.rs` and `power_failure.rs` do.

mod chats;
mod host;
mod model;
mod process;
mod setup;
mod step;

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::test_runner::{Config, TestRunner};

use crate::reliability::{FaultRow, report};
use host::Host;
use step::{Change, EventKind, Step, step};

/// Histories in CI; `BANHOOK_SOAK=15000` takes an hour.
const HISTORIES: u32 = 200;

/// Steps of the longest history.
const STEPS: usize = 60;

/// What the histories of a run had in them.
#[derive(Default)]
struct Totals {
    events: u32,
    messages: usize,
    changes: usize,
    faults: BTreeMap<&'static str, u64>,
}

/// Takes all steps, and checks after each what holds always; then everything is repaired, and all of it has to arrive.
fn live(steps: &[Step], totals: &RefCell<Totals>) {
    let mut host = Host::new();
    for step in steps {
        host.take(step);
        host.check();
    }
    host.repair_and_finish();
    host.check_all_arrived();
    let (totals, (events, messages, changes)) = (&mut *totals.borrow_mut(), host.counts());
    totals.events += events;
    totals.messages += messages;
    totals.changes += changes;
    for fault in steps.iter().filter_map(Step::fault) {
        *totals.faults.entry(fault).or_default() += 1;
    }
}

#[test]
fn ban_that_waits_for_discord_is_one_message_with_its_end() {
    let events = |count, jail, kind| Step::Events { count, jail, kind, from_log: false };
    let discord = || Step::Configure(Change::Retarget(1));
    let steps = [discord(), discord(), events(9, 0, EventKind::Ban), events(1, 0, EventKind::Unban)];
    live(&steps, &RefCell::new(Totals::default()));
}

#[test]
fn any_history_loses_nothing_and_keeps_order_rate_and_ledger() {
    let histories = std::env::var("BANHOOK_SOAK").map_or(HISTORIES, |text| text.parse().unwrap());
    let config = Config { cases: histories, failure_persistence: None, ..Config::default() };
    let totals = RefCell::new(Totals::default());
    let run = TestRunner::new(config).run(&vec(step(), 1..STEPS), |steps| {
        live(&steps, &totals);
        Ok(())
    });
    if let Err(error) = run {
        panic!("{error}");
    }
    let Totals { events, messages, changes, faults } = totals.into_inner();
    let result = format!(
        "{events} events in {messages} messages with {changes} changes; none lost; order, rate and ledger hold"
    );
    let history = FaultRow { fault: "a random history".to_owned(), count: histories.into(), result };
    let in_it = |(fault, count): (&str, u64)| {
        let fault = format!("in these histories: {fault}");
        FaultRow { fault, count, result: "see above".to_owned() }
    };
    let rows: Vec<_> = [history].into_iter().chain(faults.into_iter().map(in_it)).collect();
    report("simulation", &rows);
}

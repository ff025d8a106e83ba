//! How fast a backlog is routed and formatted, by a daemon with one core.

use std::time::Duration;

use anyhow::ensure;
use banhook::store::Store;

use crate::cores::Cores;
use crate::report::Report;
use crate::site::Site;
use crate::webhook::Webhook;
use crate::{events, floor};

/// Events that are stored when the daemon starts.
const EVENTS: u64 = 100_000;

/// What one of them may take, in µs: 20,000 a second.
const AT_MOST_MICROSECONDS: f64 = 50.0;
const AT_MOST_MIB: f64 = 64.0;

/// How often it is measured. The best counts: what disturbs it only ever makes it slower.
const ROUNDS: usize = 5;

const LOOK_EVERY: Duration = Duration::from_millis(2);
const DONE_WITHIN: Duration = Duration::from_secs(300);

/// What one round took: in ms, and then in µs an event.
struct Round {
    /// A daemon that has nothing to do, until it is ready.
    idle: f64,
    /// The daemon with the backlog, until its first events are routed.
    first: f64,
    /// From its start until all are formatted, without what the idle one took.
    routed: f64,
    processor: f64,
    floor: f64,
    mib: f64,
}

/// Measures, and adds to the report.
pub fn measure(report: &mut Report, cores: &Cores) -> anyhow::Result<()> {
    let webhook = Webhook::open()?;
    let (idle, filled) = (Site::new(&webhook, "", "")?, Site::new(&webhook, "", "")?);
    for site in [&idle, &filled] {
        // The plugin is compiled once, and kept.
        site.start()?.ready()?;
    }
    events::store(&filled.state(), 0..EVENTS)?;
    let rounds = (0..ROUNDS).map(|_| round(&webhook, &idle, &filled, cores)).collect::<anyhow::Result<Vec<_>>>()?;
    cores.take_all_back()?;

    report.heading(&format!("{EVENTS} stored events, one core, {ROUNDS} rounds"), "");
    let of = |value: fn(&Round) -> f64| rounds.iter().map(value).collect::<Vec<_>>();
    let best = |value: fn(&Round) -> f64| of(value).into_iter().fold(f64::INFINITY, f64::min);
    report.row("idle daemon: from its start until its plugin is loaded, ms", &of(|round| round.idle), None);
    report.row("daemon: from its start until the first are routed, ms", &of(|round| round.first), None);
    report.row("routed and formatted, µs an event", &of(|round| round.routed), None);
    report.row("  of it, on the processor", &of(|round| round.processor), None);
    report.row("SQLite alone: the same rows, in the same transactions", &of(|round| round.floor), None);
    let best_routed = best(|round| round.routed);
    report.number("the best round: µs an event", best_routed, Some(AT_MOST_MICROSECONDS));
    report.number("  events a second", 1e6 / best_routed, None);
    report.number("  times SQLite alone, in the same round", best(|round| round.routed / round.floor), None);
    let most = rounds.iter().map(|round| round.mib).fold(0.0, f64::max);
    report.number("resident memory of the daemon at most, MiB", most, Some(AT_MOST_MIB));
    Ok(())
}

fn round(webhook: &Webhook, idle: &Site, filled: &Site, cores: &Cores) -> anyhow::Result<Round> {
    let idle = cores.start_on_the_first(|| idle.start())??.ready()?;
    let site = Site::new(webhook, "", "")?;
    site.copy_state(filled)?;
    let store = Store::open(&site.state())?;
    let daemon = cores.start_on_the_first(|| site.start())??;
    let wait_until = |done: &dyn Fn() -> anyhow::Result<bool>| {
        while !done()? {
            ensure!(daemon.begun().elapsed() < DONE_WITHIN, "not all was routed");
            std::thread::sleep(LOOK_EVERY);
        }
        anyhow::Ok(daemon.begun().elapsed().as_secs_f64() * 1e3)
    };
    let first = wait_until(&|| Ok(store.ledger()?.unrouted < EVENTS))?;
    let all = wait_until(&|| Ok(store.ledger()?.unrouted == 0 && store.unformatted("all", 1)?.is_empty()))?;
    let (processor, mib) = (daemon.processor_milliseconds()?, daemon.peak_mib()?);
    // Not asked to end: it would leave its open digests to a short run that outlives it.
    drop(daemon);
    let ledger = store.ledger()?;
    let route = ledger.routes.get("all").copied().unwrap_or_default();
    ensure!(
        ledger.balances() && route.matched == EVENTS && route.skipped + route.dead == 0,
        "not all events became messages: {ledger:?}"
    );
    let floor = cores.start_on_the_first(|| floor::milliseconds(site.path(), EVENTS))??;
    let an_event = |milliseconds: f64| milliseconds * 1e3 / EVENTS as f64;
    Ok(Round {
        idle,
        first,
        routed: an_event(all - idle),
        processor: an_event(processor - idle),
        floor: an_event(floor),
        mib,
    })
}

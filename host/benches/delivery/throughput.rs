//! How fast a daemon on one core routes and formats a backlog.

use std::time::Duration;

use anyhow::ensure;
use banhook::store::Store;

use crate::bench_env::BenchEnv;
use crate::cores::Cores;
use crate::report::Report;
use crate::webhook::Webhook;
use crate::{events, sqlite_baseline};

/// Stored events when the daemon starts.
const EVENTS: u64 = 100_000;

/// The most that one of them may take, as a multiple of SQLite alone. Not a time: machines differ by more than what a change
/// of the code does.
const AT_MOST_SQLITE: f64 = 3.0;
const AT_MOST_MIB: f64 = 64.0;

/// The number of rounds. The best counts, since interference only makes a round slower.
const ROUNDS: usize = 5;

const POLL_INTERVAL: Duration = Duration::from_millis(2);
const DONE_WITHIN: Duration = Duration::from_secs(300);

/// The measurements of one round: first in ms, then in µs per event.
struct Round {
    /// From the start of a daemon without events until it is ready.
    idle: f64,
    /// From the start of the daemon with the backlog until its first events are routed.
    first: f64,
    /// From its start until all are formatted, minus `idle`.
    routed: f64,
    processor: f64,
    sqlite: f64,
    mib: f64,
}

/// Measures and adds to the report.
pub fn measure(report: &mut Report, cores: &Cores) -> anyhow::Result<()> {
    let webhook = Webhook::open()?;
    let (idle, filled) = (BenchEnv::new(&webhook, "", "")?, BenchEnv::new(&webhook, "", "")?);
    for env in [&idle, &filled] {
        // Compiles the plugin, which is cached then.
        env.start()?.ready()?;
    }
    events::store(&filled.state(), 0..EVENTS)?;
    let rounds = (0..ROUNDS).map(|_| round(&webhook, &idle, &filled, cores)).collect::<anyhow::Result<Vec<_>>>()?;
    cores.use_all()?;

    report.heading(&format!("{EVENTS} stored events, one core, {ROUNDS} rounds"), "");
    let of = |value: fn(&Round) -> f64| rounds.iter().map(value).collect::<Vec<_>>();
    let best = |value: fn(&Round) -> f64| of(value).into_iter().fold(f64::INFINITY, f64::min);
    report.row("daemon without events: from start to loaded plugin, ms", &of(|round| round.idle), None);
    report.row("daemon: from start to first routed events, ms", &of(|round| round.first), None);
    report.row("routed and formatted, µs per event", &of(|round| round.routed), None);
    report.row("  processor time", &of(|round| round.processor), None);
    report.row("SQLite alone: same rows in same transactions", &of(|round| round.sqlite), None);
    let best_routed = best(|round| round.routed);
    report.number("best round, µs per event", best_routed, None);
    report.number("  events per second", 1e6 / best_routed, None);
    report.number(
        "  ratio to SQLite alone in the same round",
        best(|round| round.routed / round.sqlite),
        Some(AT_MOST_SQLITE),
    );
    let most = rounds.iter().map(|round| round.mib).fold(0.0, f64::max);
    report.number("peak resident memory of the daemon, MiB", most, Some(AT_MOST_MIB));
    Ok(())
}

fn round(webhook: &Webhook, idle: &BenchEnv, filled: &BenchEnv, cores: &Cores) -> anyhow::Result<Round> {
    let idle = cores.start_on_the_first(|| idle.start())??.ready()?;
    let env = BenchEnv::new(webhook, "", "")?;
    env.copy_state(filled)?;
    let store = Store::open(&env.state())?;
    let daemon = cores.start_on_the_first(|| env.start())??;
    let wait_until = |done: &dyn Fn() -> anyhow::Result<bool>| {
        while !done()? {
            ensure!(daemon.started().elapsed() < DONE_WITHIN, "the backlog was not routed in time");
            std::thread::sleep(POLL_INTERVAL);
        }
        anyhow::Ok(daemon.started().elapsed().as_secs_f64() * 1e3)
    };
    let first = wait_until(&|| Ok(store.ledger()?.unrouted < EVENTS))?;
    let all = wait_until(&|| Ok(store.ledger()?.unrouted == 0 && store.unformatted("all", 1)?.is_empty()))?;
    let (processor, mib) = (daemon.processor_milliseconds()?, daemon.peak_mib()?);
    // Killed: a daemon that stops leaves its open digests to a short run that outlives it.
    drop(daemon);
    let ledger = store.ledger()?;
    let route = ledger.routes.get("all").copied().unwrap_or_default();
    ensure!(
        ledger.balances() && route.matched == EVENTS && route.skipped + route.dead == 0,
        "not all events became messages: {ledger:?}"
    );
    let sqlite = cores.start_on_the_first(|| sqlite_baseline::milliseconds(env.path(), EVENTS))??;
    let per_event = |milliseconds: f64| milliseconds * 1e3 / EVENTS as f64;
    Ok(Round {
        idle,
        first,
        routed: per_event(all - idle),
        processor: per_event(processor - idle),
        sqlite: per_event(sqlite),
        mib,
    })
}

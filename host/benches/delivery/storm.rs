//! What an event costs in a storm that is one message, which is changed to all of it each time, and what it costs in the
//! digests of a webhook.

use std::time::{Duration, Instant};

use anyhow::ensure;
use banhook::store::Store;

use crate::bench_env::BenchEnv;
use crate::cores::Cores;
use crate::events;
use crate::report::Report;
use crate::webhook::Webhook;

/// Bans of each slice, and how many slices there are, one after the other. Fewer than the message of a storm may have.
const SLICE: u64 = 1_500;
const SLICES: u64 = 12;
const EVERY: Duration = Duration::from_millis(1_100);

/// The most that an event may cost in one message, as a multiple of what it costs in digests.
const AT_MOST_DIGESTS: f64 = 1.0;

/// Rounds of each. The best counts, since interference only makes a round slower.
const ROUNDS: usize = 3;

/// A digest for each slice, and a rate that delays nothing.
const ROUTE: &str = "storm = { threshold = 8, within = \"60s\" }\ndigest_window = \"1s\"\nrestart = false";
const WEBHOOK: &str = "rate = \"1000/s\"\nburst = 1000";

const POLL_INTERVAL: Duration = Duration::from_millis(20);
const DONE_WITHIN: Duration = Duration::from_secs(60);

/// Measures and adds to the report.
pub fn measure(report: &mut Report, cores: &Cores) -> anyhow::Result<()> {
    let webhook = Webhook::open()?;
    let (mut digests, mut message) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        digests.push(storm(&BenchEnv::new(&webhook, WEBHOOK, ROUTE)?, &webhook, cores)?);
        message.push(storm(&BenchEnv::with_app(&webhook, WEBHOOK, ROUTE)?, &webhook, cores)?);
    }
    cores.use_all()?;
    report.heading(&format!("storm of {} bans, one core, {ROUNDS} rounds", SLICE * SLICES), "");
    let of = |rounds: &[Round], value: fn(&Round) -> f64| rounds.iter().map(value).collect::<Vec<_>>();
    report.row("digests of a webhook: processor time, µs per event", &of(&digests, |round| round.processor), None);
    report.row("  requests", &of(&digests, |round| round.requests), None);
    report.row("one message of an app: processor time, µs per event", &of(&message, |round| round.processor), None);
    report.row("  requests", &of(&message, |round| round.requests), None);
    let best = |rounds: &[Round]| rounds.iter().map(|round| round.processor).fold(f64::INFINITY, f64::min);
    report.number("ratio of the best rounds", best(&message) / best(&digests), Some(AT_MOST_DIGESTS));
    Ok(())
}

struct Round {
    /// Of the daemon, in µs per event.
    processor: f64,
    requests: f64,
}

fn storm(env: &BenchEnv, webhook: &Webhook, cores: &Cores) -> anyhow::Result<Round> {
    // Compiles the plugin, which is cached then.
    env.start()?.ready()?;
    let daemon = cores.start_on_the_first(|| env.start())??;
    daemon.ready()?;
    let (before, began) = (daemon.processor_milliseconds()?, Instant::now());
    while webhook.arrivals.try_recv().is_ok() {}
    for slice in 0..SLICES {
        let at = began + EVERY * u32::try_from(slice)?;
        std::thread::sleep(at.saturating_duration_since(Instant::now()));
        events::store(&env.state(), slice * SLICE..(slice + 1) * SLICE)?;
        // Wakes the daemon.
        ensure!(env.notify(usize::try_from(slice)?).status()?.success(), "notify failed");
    }
    let all = SLICES * (SLICE + 1);
    let store = Store::open(&env.state())?;
    loop {
        let ledger = store.ledger()?;
        let route = ledger.routes.get("all").copied().unwrap_or_default();
        if ledger.balances() && route.posted + route.digested == all {
            break;
        }
        ensure!(began.elapsed() < DONE_WITHIN, "not all was sent in time: {ledger:?}");
        std::thread::sleep(POLL_INTERVAL);
    }
    let processor = (daemon.processor_milliseconds()? - before) * 1e3 / all as f64;
    Ok(Round { processor, requests: webhook.arrivals.try_iter().count() as f64 })
}

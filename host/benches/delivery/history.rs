//! The cost of history: the size of the store, and the time of a daemon's start and of a `notify`, with a growing number of
//! past events.

use std::fs;
use std::time::Instant;

use anyhow::ensure;
use banhook::event::{DigestCause, PastBan, Timestamp};
use banhook::message::{Target, fallback};
use banhook::store::{Closes, DigestKey, Disposition, FormattedEvent, RoutedTo, StateDir, Store, WebhookState};

use crate::bench_env::BenchEnv;
use crate::events;
use crate::report::Report;
use crate::statistics::median;
use crate::webhook::Webhook;

/// Numbers of past events, one after another on the same store.
const SIZES: [u64; 3] = [1_000, 100_000, 1_000_000];

/// Starts of the daemon and reported bans per size.
const STARTS: usize = 20;
const NOTIFIES: usize = 60;

/// The most that the medians may grow with a tenfold history, in ms: the cost of another level of a B-tree and some pages. A
/// start that read every event, or an index of them, would take some hundred ms more with the last size.
const START_MORE_AT_MOST: f64 = 4.0;
const NOTIFY_MORE_AT_MOST: f64 = 0.5;

/// Events per batch.
const BATCH: usize = 1_000;

/// One event in `SINGLE` becomes a message of its own, the others go into digests of one batch.
const SINGLE: i64 = 4;

/// Nothing is pruned, and no digest is made.
const ROUTE: &str = "storm = false\nrestart = false\n";
const WEBHOOK: &str = "rate = \"1000/s\"\nburst = 1000\n";

/// Measures and adds to the report.
pub fn measure(report: &mut Report) -> anyhow::Result<()> {
    let webhook = Webhook::open()?;
    let env = BenchEnv::new(&webhook, WEBHOOK, ROUTE)?;
    // Compiles the plugin, which is cached then.
    env.start()?.ready()?;
    let (mut starts, mut notifies, mut reported) = (Vec::new(), Vec::new(), 0);
    for size in SIZES {
        let start = Instant::now();
        grow(&env.state(), size)?;
        let created_in = start.elapsed().as_secs_f64();
        let bytes = fs::metadata(env.state().database()).map_or(0, |meta| meta.len()) as f64;

        let mut of_starts = Vec::new();
        for _ in 0..STARTS {
            let daemon = env.start()?;
            of_starts.push(daemon.ready()?);
            daemon.stop()?;
        }
        let daemon = env.start()?;
        daemon.ready()?;
        let mut of_notifies = Vec::new();
        for _ in 0..NOTIFIES {
            let start = Instant::now();
            let status = env.notify(reported).status()?;
            of_notifies.push(start.elapsed().as_secs_f64() * 1e3);
            ensure!(status.success(), "notify: {status}");
            webhook.arrivals.recv()?;
            reported += 1;
        }
        daemon.stop()?;
        report.heading(&format!("{size} events of history (created in {created_in:.0} s)"), "");
        report.number("database, MiB", bytes / f64::from(1 << 20), None);
        report.number("bytes per event", bytes / size as f64, None);
        report.row("daemon: from start to ready, ms", &of_starts, None);
        report.row("notify, idle daemon, ms", &of_notifies, None);
        starts.push(median(&of_starts));
        notifies.push(median(&of_notifies));
    }
    report.heading("for each tenfold history", "more ms");
    let (Some(least), Some(most)) = (SIZES.first(), SIZES.last()) else { return Ok(()) };
    let tenfold = (*most as f64 / *least as f64).log10();
    for (name, values, at_most) in
        [("daemon: from start to ready", starts, START_MORE_AT_MOST), ("notify", notifies, NOTIFY_MORE_AT_MOST)]
    {
        let (Some(first), Some(last)) = (values.first(), values.last()) else { continue };
        report.number(name, (last - first) / tenfold, Some(at_most));
    }
    Ok(())
}

/// Fills the store with that many delivered events.
fn grow(folder: &StateDir, size: u64) -> anyhow::Result<()> {
    folder.create()?;
    let lock = folder.try_work_lock()?;
    ensure!(lock.is_some(), "another process is running");
    let Some(lock) = lock else { return Ok(()) };
    let mut opened = Store::open_for_work(folder, &lock)?;
    let mut store = opened.new_routing_connection()?;
    let mut next = store.ledger()?.received;
    while next < size {
        let until = (next + BATCH as u64).min(size);
        events::store(folder, next..until)?;
        next = until;
        deliver(&mut store)?;
        store.wal_checkpoint_if_long()?;
    }
    let ledger = store.ledger()?;
    ensure!(ledger.balances() && store.is_drained()?, "not everything is delivered: {ledger:?}");
    opened.wal_checkpoint_and_truncate()?;
    lock.release();
    Ok(())
}

/// Routes, formats and delivers all events, without a plugin and a webhook.
fn deliver(store: &mut Store) -> anyhow::Result<()> {
    let (now, webhook) = (Timestamp::now(), WebhookState::default());
    let digest_key =
        DigestKey { cause: DigestCause::Storm, key: String::new(), closes: Closes::At(now), merge_unbans: None };
    loop {
        let (mut routed, mut formatted, mut body) = (Vec::new(), Vec::new(), None);
        for unrouted in store.unrouted(BATCH)? {
            let event = unrouted.event.map_err(anyhow::Error::msg)?;
            let message = fallback(&event, "a benchmark", Target::SLACK);
            let to = vec![("all".to_owned(), "main".to_owned())];
            routed.push(RoutedTo { seq: unrouted.seq, ban: PastBan::of(&event), to, quarantined: false });
            let disposition = if unrouted.seq % SINGLE == 0 {
                Disposition::Send(message.clone())
            } else {
                Disposition::Digest(digest_key.clone())
            };
            formatted.push(FormattedEvent::new(unrouted.seq, disposition));
            body = Some(message);
        }
        let Some(body) = body else { return Ok(()) };
        store.route_events(&routed)?;
        store.record_formatted("all", None, &formatted, None, now)?;
        for digest in store.digests_to_close("all", now, true)? {
            store.close_digest(digest.id, &body, true, now)?;
        }
        while let Some(message) = store.next_in_order("main", 0)? {
            store.record_accepted(message.id, None, None, "main", &webhook, now)?;
        }
    }
}

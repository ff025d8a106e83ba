//! What history costs: the size of the store, and how long the daemon's start and a `notify` take, with more and more
//! events that are past.

use std::fs;
use std::time::Instant;

use anyhow::ensure;
use banhook::event::{DigestCause, PastBan, Timestamp};
use banhook::message::{Target, fallback};
use banhook::store::{Closes, DigestKey, Disposition, FormattedEvent, RoutedTo, StateDir, Store, WebhookState};

use crate::events;
use crate::report::Report;
use crate::site::Site;
use crate::statistics::median;
use crate::webhook::Webhook;

/// Events of history, one size after another on the same store.
const SIZES: [u64; 3] = [1_000, 100_000, 1_000_000];

/// How often the daemon starts, and how many bans are reported, with each size.
const STARTS: usize = 20;
const NOTIFIES: usize = 60;

/// What the medians may grow by with each tenfold history, in ms: what a level of a B-tree and some pages more take. A
/// start that looked at every event, or at an index of them, would take some hundred ms more with the last size.
const START_MORE_AT_MOST: f64 = 4.0;
const NOTIFY_MORE_AT_MOST: f64 = 0.5;

/// Events that are moved at once.
const AT_ONCE: usize = 1_000;

/// One event in so many is told by itself, the others in digests of as many as are moved at once.
const ALONE: i64 = 4;

/// Nothing is pruned, and no backlog is grouped.
const ROUTE: &str = "storm = false\nrestart = false\n";
const WEBHOOK: &str = "rate = \"1000/s\"\nburst = 1000\n";

/// Measures, and adds to the report.
pub fn measure(report: &mut Report) -> anyhow::Result<()> {
    let webhook = Webhook::open()?;
    let site = Site::new(&webhook, WEBHOOK, ROUTE)?;
    // The plugin is compiled once, and kept.
    site.start()?.ready()?;
    let (mut starts, mut notifies, mut reported) = (Vec::new(), Vec::new(), 0);
    for size in SIZES {
        let begun = Instant::now();
        grow(&site.state(), size)?;
        let made_in = begun.elapsed().as_secs_f64();
        let bytes = ["inbox.sqlite3", "work.sqlite3"]
            .map(|file| fs::metadata(site.state().path().join(file)).map(|meta| meta.len()));
        let [inbox, work] = bytes.map(|bytes| bytes.unwrap_or_default() as f64 / f64::from(1 << 20));

        let mut of_starts = Vec::new();
        for _ in 0..STARTS {
            let daemon = site.start()?;
            of_starts.push(daemon.ready()?);
            daemon.stop()?;
        }
        let daemon = site.start()?;
        daemon.ready()?;
        let mut of_notifies = Vec::new();
        for _ in 0..NOTIFIES {
            let begun = Instant::now();
            let status = site.notify(reported).status()?;
            of_notifies.push(begun.elapsed().as_secs_f64() * 1e3);
            ensure!(status.success(), "notify: {status}");
            webhook.came.recv()?;
            reported += 1;
        }
        daemon.stop()?;
        report.heading(&format!("{size} events of history (made in {made_in:.0} s)"), "");
        report.number("inbox, MiB", inbox, None);
        report.number("what became of events, MiB", work, None);
        report.number("bytes an event", (inbox + work) * f64::from(1 << 20) / size as f64, None);
        report.row("daemon: from its start until it is ready, ms", &of_starts, None);
        report.row("notify, a daemon up, ms", &of_notifies, None);
        starts.push(median(&of_starts));
        notifies.push(median(&of_notifies));
    }
    report.heading("for each tenfold history", "more ms");
    let (Some(least), Some(most)) = (SIZES.first(), SIZES.last()) else { return Ok(()) };
    let tenfold = (*most as f64 / *least as f64).log10();
    for (name, values, at_most) in [
        ("daemon: from its start until it is ready", starts, START_MORE_AT_MOST),
        ("notify", notifies, NOTIFY_MORE_AT_MOST),
    ] {
        let (Some(first), Some(last)) = (values.first(), values.last()) else { continue };
        report.number(name, (last - first) / tenfold, Some(at_most));
    }
    Ok(())
}

/// Has that many events in the store that are all past.
fn grow(folder: &StateDir, size: u64) -> anyhow::Result<()> {
    let lock = folder.try_work_lock()?;
    ensure!(lock.is_some(), "somebody is at work");
    let Some(lock) = lock else { return Ok(()) };
    let opened = Store::open_for_work(folder, &lock)?;
    let mut store = opened.new_routing_connection()?;
    let inbox = opened.open_inbox()?;
    let there = store.ledger()?.received;
    let mut next = there;
    while next < size {
        let until = (next + AT_ONCE as u64).min(size);
        events::store(folder, next..until)?;
        next = until;
        tell(&mut store)?;
        store.wal_checkpoint_if_long()?;
        inbox.wal_checkpoint_if_long()?;
    }
    let ledger = store.ledger()?;
    ensure!(ledger.balances() && store.is_drained()?, "not everything is past: {ledger:?}");
    opened.wal_checkpoint_and_truncate()?;
    lock.release();
    Ok(())
}

/// What the pipeline and a webhook would make of what waits.
fn tell(store: &mut Store) -> anyhow::Result<()> {
    let (now, webhook) = (Timestamp::now(), WebhookState::default());
    let digest_key =
        DigestKey { cause: DigestCause::Storm, key: String::new(), closes: Closes::At(now), merge_unbans: None };
    loop {
        let (mut routed, mut formatted, mut body) = (Vec::new(), Vec::new(), None);
        for waiting in store.unrouted(AT_ONCE)? {
            let event = waiting.event.map_err(anyhow::Error::msg)?;
            let told = fallback(&event, "a benchmark", Target::SLACK);
            let to = vec![("all".to_owned(), "main".to_owned())];
            routed.push(RoutedTo { seq: waiting.seq, ban: PastBan::of(&event), to });
            let disposition = if waiting.seq % ALONE == 0 {
                Disposition::Send(told.clone())
            } else {
                Disposition::Digest(digest_key.clone())
            };
            formatted.push(FormattedEvent { seq: waiting.seq, disposition });
            body = Some(told);
        }
        let Some(body) = body else { return Ok(()) };
        store.route_events(&routed)?;
        store.record_formatted("all", None, &formatted, None, now)?;
        for digest in store.digests_to_close("all", now, true)? {
            store.close_digest(digest.id, &body, true, now)?;
        }
        while let Some(message) = store.next_in_order("main", 0)? {
            store.record_accepted(message.id, None, "main", &webhook, now)?;
        }
    }
}

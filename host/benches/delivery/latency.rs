//! How soon a ban is sent: from `notify` to the first byte of the request at the webhook, with an idle daemon.

use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::bench_env::BenchEnv;
use crate::report::Report;
use crate::webhook::Webhook;

/// Bans, one after another.
const ROUNDS: usize = 100;

/// Rounds that are not counted: they create files, fill caches and open a connection.
const WARM_UP: usize = 5;

/// Syncs that a ban waits for: that of `notify`, which makes the event durable, and that of the attempt, before the request.
/// The steps between them are not synced.
const SYNCS: usize = 2;

/// The most that the median may exceed these syncs by, in ms.
const AT_MOST_OVER_SYNCS: f64 = 10.0;

/// A record of the size of one event.
const RECORD: [u8; 300] = [b'x'; 300];

const SENT_WITHIN: Duration = Duration::from_secs(20);

/// A pause in which the daemon records the response, with a sync, so that this is not part of the next round.
const PAUSE: Duration = Duration::from_millis(30);

/// The rate limit delays nothing, and no digest is made.
const WEBHOOK: &str = "rate = \"1000/s\"\nburst = 1000\n";
const ROUTE: &str = "storm = false\nrestart = false\n";

/// Measures and adds to the report.
pub fn measure(report: &mut Report) -> anyhow::Result<()> {
    let webhook = Webhook::open()?;
    let env = BenchEnv::new(&webhook, WEBHOOK, ROUTE)?;
    let daemon = env.start()?;
    daemon.ready()?;
    let mut appended = File::create(env.path().join("appended"))?;
    let [mut syncs, mut from_start, mut from_exit, mut notify, mut over] = [const { Vec::new() }; 5];
    for round in 0..WARM_UP + ROUNDS {
        let start = Instant::now();
        for _ in 0..SYNCS {
            appended.write_all(&RECORD)?;
            appended.sync_data()?;
        }
        let of_syncs = milliseconds(start, Instant::now());
        let start = Instant::now();
        let status = env.notify(round).status()?;
        let exited = Instant::now();
        ensure!(status.success(), "notify: {status}");
        let arrived = webhook.arrivals.recv_timeout(SENT_WITHIN).context("a ban was not sent")?;
        std::thread::sleep(PAUSE);
        if round >= WARM_UP {
            syncs.push(of_syncs);
            from_start.push(milliseconds(start, arrived));
            from_exit.push(milliseconds(exited, arrived));
            notify.push(milliseconds(start, exited));
            over.push(milliseconds(start, arrived) - of_syncs);
        }
    }
    ensure!(webhook.arrivals.try_recv().is_err(), "a ban was sent twice");
    daemon.stop()?;
    report.heading(&format!("one ban, an idle daemon, {ROUNDS} rounds"), "ms");
    report.row(&format!("{SYNCS} times: append {} bytes, sync", RECORD.len()), &syncs, None);
    report.row("from notify's start to the request", &from_start, None);
    report.row("from notify's exit to the request", &from_exit, None);
    report.row("notify itself", &notify, None);
    report.row(&format!("from notify's start, minus the {SYNCS} syncs of the round"), &over, Some(AT_MOST_OVER_SYNCS));
    Ok(())
}

/// The ms between two times; negative if `to` is earlier.
fn milliseconds(from: Instant, to: Instant) -> f64 {
    let part = |from: Instant, to: Instant| to.saturating_duration_since(from).as_secs_f64() * 1e3;
    part(from, to) - part(to, from)
}

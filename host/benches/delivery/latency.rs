//! How soon a ban is told: from `notify` to the first byte of the request at the webhook, with an idle daemon.

use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::report::Report;
use crate::site::Site;
use crate::webhook::Webhook;

/// How many bans, one after another.
const ROUNDS: usize = 100;

/// Rounds that are not counted: files are made, caches filled, a connection opened.
const WARM_UP: usize = 5;

/// Syncs that a ban waits for: that of `notify`, which makes the event durable, and that of the attempt, before which
/// nothing leaves. What lies between is not synced.
const SYNCS: usize = 2;

/// What the median may be over these, in ms.
const AT_MOST_OVER_SYNCS: f64 = 10.0;

/// What a record of one event weighs.
const RECORD: [u8; 300] = [b'x'; 300];

const TOLD_WITHIN: Duration = Duration::from_secs(20);

/// The daemon still records the answer, with a sync, when its webhook has given it: no part of the next round.
const REST: Duration = Duration::from_millis(30);

/// Our own limits are far off, and nothing is told together.
const WEBHOOK: &str = "rate = \"1000/s\"\nburst = 1000\n";
const ROUTE: &str = "storm = false\nrestart = false\n";

/// Measures, and adds to the report.
pub fn measure(report: &mut Report) -> anyhow::Result<()> {
    let webhook = Webhook::open()?;
    let site = Site::new(&webhook, WEBHOOK, ROUTE)?;
    let daemon = site.start()?;
    daemon.ready()?;
    let mut appended = File::create(site.path().join("appended"))?;
    let [mut syncs, mut from_start, mut from_exit, mut notify, mut over] = [const { Vec::new() }; 5];
    for round in 0..WARM_UP + ROUNDS {
        let begun = Instant::now();
        for _ in 0..SYNCS {
            appended.write_all(&RECORD)?;
            appended.sync_data()?;
        }
        let of_syncs = milliseconds(begun, Instant::now());
        let begun = Instant::now();
        let status = site.notify(round).status()?;
        let exited = Instant::now();
        ensure!(status.success(), "notify: {status}");
        let came = webhook.came.recv_timeout(TOLD_WITHIN).context("a ban was not told")?;
        std::thread::sleep(REST);
        if round >= WARM_UP {
            syncs.push(of_syncs);
            from_start.push(milliseconds(begun, came));
            from_exit.push(milliseconds(exited, came));
            notify.push(milliseconds(begun, exited));
            over.push(milliseconds(begun, came) - of_syncs);
        }
    }
    ensure!(webhook.came.try_recv().is_err(), "a ban was told twice");
    daemon.stop()?;
    report.heading(&format!("one ban, an idle daemon, {ROUNDS} rounds"), "ms");
    report.row(&format!("{SYNCS} times: append {} bytes, sync", RECORD.len()), &syncs, None);
    report.row("from notify's start to the request", &from_start, None);
    report.row("from notify's exit to the request", &from_exit, None);
    report.row("notify itself", &notify, None);
    report.row(&format!("from notify's start, over the {SYNCS} syncs of the round"), &over, Some(AT_MOST_OVER_SYNCS));
    Ok(())
}

/// Less than nothing, if `to` came first.
fn milliseconds(from: Instant, to: Instant) -> f64 {
    let part = |from: Instant, to: Instant| to.saturating_duration_since(from).as_secs_f64() * 1e3;
    part(from, to) - part(to, from)
}

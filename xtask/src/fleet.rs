//! A fleet with a real broker, compared with a single host in the same run: how soon a ban on a host is a request at the webhook,
//! and how fast the worker puts a backlog through. Then the same with many hosts, compared with reading the bare stream.

mod many_hosts;
mod members;
mod routing_watch;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use anyhow::ensure;

use crate::bench_env::BenchDir;
use crate::command::{run, target_dir};
use crate::statistics::{median, quantile};
use crate::webhook::Webhook;
use crate::{debian_releases, packages, programs};
use members::{Fleet, routes};

/// Bans that are timed, one after another.
const BANS: usize = 60;

/// Events of the backlog.
const EVENTS: usize = 20_000;

/// How often the backlog is measured; the best counts, since interference only makes a round slower.
const ROUNDS: usize = 3;

/// What the way through the broker may add, in ms, its sync and that of the worker included.
const AT_MOST_MS: f64 = 15.0;

/// What a worker reaches at least of the rate of a single host.
const AT_LEAST_OF_HOST: f64 = 0.8;

/// Measures and prints. Fails if a target is missed.
pub fn bench(root: &Path) -> anyhow::Result<()> {
    packages::ensure(&packages::for_benches())?;
    programs::build(root)?;
    let server = debian_releases::NATS_SERVER.get(root)?.join("forky/usr/sbin/nats-server");
    let folder = BenchDir::new(root)?;
    let fleet = Fleet { program: target_dir(root)?.join("release/banhook"), server, folder: folder.0.clone() };
    let (of_fleet, of_host) = fleet.latencies()?;
    println!("{BANS} bans, from the action's program to the request, ms     median      95 %");
    for (name, values) in [("a single host", &of_host), ("a host of a fleet", &of_fleet)] {
        println!("  {name:<52}{:>9.1} {:>9.1}", median(values), quantile(values, 0.95));
    }
    let added = median(&of_fleet) - median(&of_host);
    println!("  {:<52}{added:>9.1}            at most {AT_MOST_MS:.0}", "added");
    let rounds = (0..ROUNDS).map(|round| fleet.backlog(round)).collect::<anyhow::Result<Vec<_>>>()?;
    let best = |of: fn(&Backlog) -> f64| rounds.iter().map(of).fold(f64::INFINITY, f64::min);
    let rate = |seconds: f64| EVENTS as f64 / seconds;
    println!("{EVENTS} stored bans, {ROUNDS} rounds, best, events per second");
    println!("  {:<52}{:>9.0}", "host: stored to acknowledged by the broker", rate(best(|round| round.forwarded)));
    println!("  {:<52}{:>9.0}", "a single host: stored to routed", rate(best(|round| round.single)));
    println!("  {:<52}{:>9.0}", "worker: with the broker to routed", rate(best(|round| round.worker)));
    let share = rounds.iter().map(|round| round.single / round.worker).fold(0.0, f64::max);
    println!(
        "  {:<52}{share:>9.2}            at least {AT_LEAST_OF_HOST:.2}",
        "worker : single host in the same round"
    );
    ensure!(added <= AT_MOST_MS && share >= AT_LEAST_OF_HOST, "a fleet misses a target");
    many_hosts::measure(&fleet)
}

/// Seconds of one round.
struct Backlog {
    forwarded: f64,
    single: f64,
    worker: f64,
}

impl Fleet {
    /// The times of bans on a host of a fleet and on a single host, in turn.
    fn latencies(&self) -> anyhow::Result<(Vec<f64>, Vec<f64>)> {
        let (of_fleet, of_single) = (Webhook::open()?, Webhook::open()?);
        let (_server, worker, host) = self.set_up("latency", &of_fleet)?;
        let single = self.member("latency-single", &routes(), &[("main.url", of_single.url.as_bytes())])?;
        let _running = [worker.start()?, host.start()?, single.start()?];
        let mut times = (Vec::new(), Vec::new());
        // The first ones connect to the webhook.
        for number in 0..BANS + 3 {
            let (fleet, alone) = (host.ban(number, &of_fleet)?, single.ban(number, &of_single)?);
            if number >= 3 {
                times.0.push(fleet);
                times.1.push(alone);
            }
        }
        Ok(times)
    }

    /// One backlog, through a fleet and on a single host.
    fn backlog(&self, round: usize) -> anyhow::Result<Backlog> {
        let webhook = Webhook::open()?;
        let log = self.folder.join("fail2ban.log");
        write_log(&log)?;
        let (_server, worker, host) = self.set_up(&format!("backlog-{round}"), &webhook)?;
        let single =
            self.member(&format!("backlog-{round}-single"), &routes(), &[("main.url", webhook.url.as_bytes())])?;
        for member in [&host, &single] {
            // As a host of a fleet, whose daemon passes on what is stored here.
            let mut store = member.command("tail");
            let config = host.directory.join("config.toml");
            run(store
                .env("BANHOOK_CONFIG", &config)
                .arg("--once")
                .arg(&log)
                .stdout(Stdio::null())
                .stderr(Stdio::null()))?;
        }
        // Makes the streams, and gives its lease back.
        worker.start()?.stop()?;
        let began = Instant::now();
        let running = host.start()?;
        host.wait_for("forwarded", EVENTS)?;
        let forwarded = began.elapsed().as_secs_f64();
        drop(running);
        let began = Instant::now();
        let running = worker.start()?;
        worker.wait_for("routed", EVENTS)?;
        let of_worker = began.elapsed().as_secs_f64();
        drop(running);
        let began = Instant::now();
        let _running = single.start()?;
        single.wait_for("routed", EVENTS)?;
        Ok(Backlog { forwarded, single: began.elapsed().as_secs_f64(), worker: of_worker })
    }
}

/// Writes fail2ban's log of the bans.
fn write_log(path: &Path) -> anyhow::Result<()> {
    let mut log = BufWriter::new(File::create(path)?);
    for number in 0..EVENTS {
        let (minute, second) = (number / 60 % 60, number % 60);
        let (third, fourth) = (number / 250, number % 250 + 1);
        writeln!(
            log,
            "2026-11-22 {:02}:{minute:02}:{second:02},601 fail2ban.actions        [1]: NOTICE  [sshd] Ban 10.{}.{}.{fourth}",
            number / 3_600 % 24,
            third / 250,
            third % 250
        )?;
    }
    log.flush()?;
    Ok(())
}

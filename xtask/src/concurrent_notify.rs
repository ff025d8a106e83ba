//! How long each jail waits when many run their action at the same moment: `banhook-notify`, and the least that any durable
//! action does (append and sync), both with a busy daemon; a curl action; and a program that does nothing, alone and with
//! the busy daemon. All are started by fail2ban's own function, and take turns within one run.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::bench_env::{BenchDaemon, BenchDir};
use crate::notify::curl_action;
use crate::statistics::{median, median_ratio, quantile};
use crate::webhook::Webhook;
use crate::{append_and_sync, packages, programs};

/// Concurrent commands; concurrent_commands.py starts them.
const CONCURRENT: usize = 200;
const SCRIPT: &str = include_str!("concurrent_commands.py");

const ROUNDS: usize = 5;

/// Bans written per round to the log that the daemon follows: more than it sends before the commands have finished.
const BACKLOG: usize = 3_000;

/// The most that the slowest may take, in ms.
const ALL_AT_MOST: f64 = 1_000.0;

/// The most that the 95th percentile may be, as a multiple of that of the others.
const AT_MOST_OF_TRUE: f64 = 1.15;
const AT_MOST_OF_SYNC: f64 = 1.1;
const AT_MOST_OF_CURL: f64 = 0.8;

/// A daemon that has sent nothing for this long is idle.
const IDLE_AFTER: Duration = Duration::from_millis(500);

/// The rate limit delays nothing, and each event is a message.
const WEBHOOK: &str = "rate = \"1000/s\"\nburst = 1000\n";
const ROUTE: &str = "storm = false\nrestart = false\n\n[[sources]]\nlog = \"fail2ban.log\"\ntimezone = \"UTC\"\n";

/// Prints the comparison. Fails if `notify` exceeds a limit.
pub fn bench(root: &Path) -> anyhow::Result<()> {
    packages::ensure(&packages::for_benches())?;
    programs::build(root)?;
    let folder = BenchDir::new(root)?;
    let log_path = folder.0.join("fail2ban.log");
    let mut log = OpenOptions::new().append(true).create_new(true).open(log_path)?;
    let (webhook, curl_webhook) = (Webhook::open()?, Webhook::open()?);
    let daemon = BenchDaemon::start(root, &folder.0, &webhook, WEBHOOK, ROUTE)?;
    let notify = daemon.notify("198.51.100.{number}", 1_763_809_015);

    let append_and_sync = append_and_sync::compile(root, &folder.0)?;
    let mut floor = Command::new(append_and_sync);
    floor.arg(folder.0.join("appended"));

    let mut times = Times::default();
    let mut backlogs = 0..;
    let mut with_busy_daemon = |command: &Command| {
        log.write_all(bans(backlogs.next().unwrap_or_default()).as_bytes())?;
        let before = webhook.answered();
        let times = run_concurrently(command)?;
        let sent = webhook.answered() - before;
        ensure!((1..BACKLOG).contains(&sent), "the daemon sent {sent} of {BACKLOG} bans meanwhile: it was not busy");
        // What comes next is not measured with this backlog.
        wait_until_idle(&webhook);
        Ok(times)
    };
    for _ in 0..ROUNDS {
        times.alone.push(run_concurrently(&Command::new("true"))?);
        times.curl.push(run_concurrently(&curl_action(&curl_webhook, "198.51.100.{number}"))?);
        times.busy.push(with_busy_daemon(&Command::new("true"))?);
        times.floor.push(with_busy_daemon(&floor)?);
        times.notify.push(with_busy_daemon(&notify)?);
    }
    times.report()
}

/// What each of the commands took, in ms, by round.
#[derive(Default)]
struct Times {
    /// `true`, alone.
    alone: Vec<Vec<f64>>,
    curl: Vec<Vec<f64>>,
    /// `true`, with a busy daemon.
    busy: Vec<Vec<f64>>,
    /// Append and sync, with a busy daemon.
    floor: Vec<Vec<f64>>,
    notify: Vec<Vec<f64>>,
}

impl Times {
    fn report(&self) -> anyhow::Result<()> {
        let Self { alone, curl, busy, floor, notify } = self;
        let quantiles =
            |rounds: &[Vec<f64>], share| rounds.iter().map(|times| quantile(times, share)).collect::<Vec<_>>();
        println!("{CONCURRENT} at once, medians of {ROUNDS} rounds, ms   median      95 %       max");
        for (name, rounds) in [
            ("true", alone),
            ("curl, immediate response", curl),
            ("true, busy daemon", busy),
            ("append and sync, busy daemon", floor),
            ("banhook-notify, busy daemon", notify),
        ] {
            let [half, p95, max] = [0.5, 0.95, 1.0].map(|share| median(&quantiles(rounds, share)));
            println!("{name:<35}{half:>9.0} {p95:>9.0} {max:>9.0}");
        }
        let slowest = median(&quantiles(notify, 1.0));
        let of = |other| median_ratio(&quantiles(notify, 0.95), &quantiles(other, 0.95));
        let (of_true, of_sync, of_curl) = (of(alone), of(floor), of(curl));
        println!("medians of the ratios within a round, 95th percentile");
        println!("{:<35}{of_true:>9.2}   at most {AT_MOST_OF_TRUE:.2}", "notify / true");
        println!("{:<35}{:>9.2}", "notify / true, busy daemon", of(busy));
        println!("{:<35}{of_sync:>9.2}   at most {AT_MOST_OF_SYNC:.2}", "notify / append and sync");
        println!("{:<35}{of_curl:>9.2}   at most {AT_MOST_OF_CURL:.2}", "notify / curl");
        println!("{:<35}{slowest:>9.0}   at most {ALL_AT_MOST:.0}", "slowest notify, ms");
        ensure!(
            of_true <= AT_MOST_OF_TRUE
                && of_sync <= AT_MOST_OF_SYNC
                && of_curl <= AT_MOST_OF_CURL
                && slowest <= ALL_AT_MOST,
            "concurrent notify exceeds a limit"
        );
        Ok(())
    }
}

/// Waits until the daemon sends nothing any more.
fn wait_until_idle(webhook: &Webhook) {
    let mut answered = 0;
    while answered != webhook.answered() {
        answered = webhook.answered();
        thread::sleep(IDLE_AFTER);
    }
}

/// Runs a command CONCURRENT times at once. Returns the ms that each took.
fn run_concurrently(command: &Command) -> anyhow::Result<Vec<f64>> {
    let mut python = Command::new("python3");
    python.args(["-c", SCRIPT]).arg(command.get_program()).args(command.get_args());
    let answer = python.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("starting python3")?;
    ensure!(answer.status.success(), "{command:?}: {}", answer.status);
    let times: Result<Vec<f64>, _> = String::from_utf8_lossy(&answer.stdout).lines().map(str::parse).collect();
    let times = times.context("reading the times")?;
    ensure!(times.len() == CONCURRENT, "{} commands ran", times.len());
    Ok(times)
}

/// The log lines of a backlog's bans.
fn bans(backlog: usize) -> String {
    (0..BACKLOG)
        .map(|number| {
            let (high, low) = (number / 250, number % 250);
            format!(
                "2026-11-22 11:{backlog:02}:55,601 fail2ban.actions        [2784]: NOTICE  [nginx] Ban 10.1.{high}.{low}\n"
            )
        })
        .collect()
}

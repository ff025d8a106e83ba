//! How long fail2ban waits for its action: `banhook-notify`, compared with the minimum of a durable action (append and sync)
//! and with the usual one (curl). They take turns within one run, since machines differ and their load varies.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::bench_env::{BenchDaemon, BenchDir};
use crate::command::run;
use crate::statistics::{median, median_ratio, quantile};
use crate::webhook::Webhook;
use crate::{append_and_sync, packages, programs};

/// How often each program runs by default.
pub const ROUNDS: usize = 200;

/// Rounds that are not counted: they create files and fill caches.
const WARM_UP: usize = 5;

/// The most that `banhook-notify` may take, as a multiple of the other two.
const AT_MOST_OF_SYNC: f64 = 1.1;
const AT_MOST_OF_CURL: f64 = 0.18;
const SYNCS_AT_MOST: usize = 1;

/// The time of the first ban, in seconds since 1970.
const FIRST_BAN: usize = 1_763_809_015;

/// The time of the first ban by the other form of the program, so that none is a repetition.
const OTHER_FIRST_BAN: usize = FIRST_BAN + 1_000_000;

const POLL_INTERVAL: Duration = Duration::from_micros(200);

/// How long a round waits at most for the daemon to send a ban, so that this work is not measured as part of the next
/// program.
const DELIVERED_WITHIN: Duration = Duration::from_millis(100);

/// Runs them in turn and prints the comparison. Fails if `notify` exceeds a limit.
pub fn bench(root: &Path, rounds: usize) -> anyhow::Result<()> {
    packages::ensure(&packages::for_benches())?;
    programs::build(root)?;
    let folder = BenchDir::new(root)?;
    let webhook = Webhook::open()?;
    let daemon = BenchDaemon::start(root, &folder.0, &webhook, "", "")?;
    let append_and_sync = append_and_sync::compile(root, &folder.0)?;
    let curl_webhook = Webhook::open()?;

    let [mut sync, mut notify, mut large, mut curl] = [const { Vec::new() }; 4];
    for round in 0..WARM_UP + rounds {
        let of_sync = milliseconds(Command::new(&append_and_sync).arg(folder.0.join("appended")))?;
        let of_notify = milliseconds(&mut daemon.notify(&address(round), FIRST_BAN + round))?;
        wait_until_answered(&webhook, 2 * round + 1);
        let of_large = milliseconds(&mut daemon.banhook_notify(&address(round), OTHER_FIRST_BAN + round))?;
        wait_until_answered(&webhook, 2 * round + 2);
        let of_curl = milliseconds(&mut curl_action(&curl_webhook, &address(round)))?;
        if round >= WARM_UP {
            sync.push(of_sync);
            notify.push(of_notify);
            large.push(of_large);
            curl.push(of_curl);
        }
    }
    let last = WARM_UP + rounds;
    let syncs = count_syncs(&daemon.notify(&address(last), FIRST_BAN + last), &folder.0.join("trace"))?;

    println!("whole process, {rounds} rounds         median ms    p95 ms");
    for (name, values) in [
        ("C: append 300 bytes, sync", &sync),
        ("banhook-notify, idle daemon", &notify),
        ("banhook notify, idle daemon", &large),
        ("curl, immediate response", &curl),
    ] {
        println!("{name:<35}{:>9.2} {:>9.2}", median(values), quantile(values, 0.95));
    }
    let of_sync = median_ratio(&notify, &sync);
    let of_curl = median_ratio(&notify, &curl);
    println!("medians of the ratios within a round");
    println!("{:<35}{of_sync:>9.2}   at most {AT_MOST_OF_SYNC:.2}", "banhook-notify / append and sync");
    println!("{:<35}{of_curl:>9.2}   at most {AT_MOST_OF_CURL:.2}", "banhook-notify / curl");
    println!("{:<35}{:>9.2}", "banhook notify / append and sync", median_ratio(&large, &sync));
    println!("{:<35}{syncs:>9}   at most {SYNCS_AT_MOST}", "syncs");
    ensure!(
        of_sync <= AT_MOST_OF_SYNC && of_curl <= AT_MOST_OF_CURL && syncs <= SYNCS_AT_MOST,
        "notify exceeds a limit"
    );
    Ok(())
}

/// The time from a program's start to its exit.
fn milliseconds(command: &mut Command) -> anyhow::Result<f64> {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let start = Instant::now();
    let status = command.status().with_context(|| format!("starting {command:?}"))?;
    let taken = start.elapsed();
    ensure!(status.success(), "{command:?}: {status}");
    Ok(taken.as_secs_f64() * 1000.0)
}

/// The number of syncs in one run of a program.
fn count_syncs(command: &Command, trace: &Path) -> anyhow::Result<usize> {
    run(Command::new("strace")
        .args(["-f", "-e", "trace=fsync,fdatasync", "-o"])
        .arg(trace)
        .arg(command.get_program())
        .args(command.get_args()))?;
    Ok(fs::read_to_string(trace)?.lines().filter(|line| line.contains("sync(")).count())
}

/// The curl command that is usual in `action.d`.
pub fn curl_action(webhook: &Webhook, address: &str) -> Command {
    let mut command = Command::new("curl");
    let text = format!(r#"{{"text": "[sshd] banned {address} after 5 failures"}}"#);
    command.args(["-s", "-X", "POST", "-H", "Content-type: application/json", "--data", &text, &webhook.url]);
    command
}

fn address(round: usize) -> String {
    format!("198.51.{}.{}", round / 256 % 256, round % 256)
}

/// Waits until the webhook has answered `count` requests, at most for `DELIVERED_WITHIN`.
fn wait_until_answered(webhook: &Webhook, count: usize) {
    let deadline = Instant::now() + DELIVERED_WITHIN;
    while webhook.answered() < count && Instant::now() < deadline {
        std::thread::sleep(POLL_INTERVAL);
    }
}

//! How long each jail waits when many act at the same moment: `banhook notify` beside a daemon that has its hands full, the
//! curl action, and a program that does nothing, all started by fail2ban's own function. In turn, in one run.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::command::{cargo, run};
use crate::notify::curl_action;
use crate::packages;
use crate::site::{Banhook, Folder};
use crate::statistics::{median, median_ratio, quantile};
use crate::webhook::Webhook;

/// How many act at once; crowd.py starts them.
const AT_ONCE: usize = 200;
const SCRIPT: &str = include_str!("crowd.py");

const ROUNDS: usize = 5;

/// Bans in the log that the daemon follows, for each round: more than it tells before the crowd is gone.
const BUSY_WITH: usize = 5_000;

/// What the last of them may take, in ms.
const ALL_AT_MOST: f64 = 1_000.0;

/// What 95 % of them may take, as a multiple of the same of the other two.
const AT_MOST_OF_NOTHING: f64 = 2.0;
const AT_MOST_OF_CURL: f64 = 0.8;

/// Our own limits are far off, and each event is a message.
const WEBHOOK: &str = "rate = \"1000/s\"\nburst = 1000\n";
const ROUTE: &str = "storm = false\nrestart = false\n\n[[sources]]\nlog = \"fail2ban.log\"\ntimezone = \"UTC\"\n";

/// Prints how they compare; an error if `notify` takes more than it may.
pub fn crowd(root: &Path) -> anyhow::Result<()> {
    packages::ensure(&packages::for_benches())?;
    run(cargo(root).args(["build", "--release"]))?;
    let folder = Folder::new(root)?;
    let log_path = folder.0.join("fail2ban.log");
    let mut log = OpenOptions::new().append(true).create_new(true).open(log_path)?;
    let (webhook, curl_webhook) = (Webhook::open()?, Webhook::open()?);
    let banhook = Banhook::set_up(root, &folder.0, &webhook, WEBHOOK, ROUTE)?;
    let notify = banhook.notify("198.51.100.{number}", 1_763_809_015);

    let [mut of_nothing, mut of_curl, mut of_notify] = [const { Vec::new() }; 3];
    for round in 0..ROUNDS {
        of_nothing.push(at_once(&Command::new("true"))?);
        of_curl.push(at_once(&curl_action(&curl_webhook, "198.51.100.{number}"))?);
        log.write_all(bans(round).as_bytes())?;
        let before = webhook.answered();
        of_notify.push(at_once(&notify)?);
        let told = webhook.answered() - before;
        ensure!(
            (1..BUSY_WITH).contains(&told),
            "the daemon told {told} of {BUSY_WITH} bans meanwhile: it was not busy"
        );
    }
    report(&of_nothing, &of_curl, &of_notify)
}

fn report(of_nothing: &[Vec<f64>], of_curl: &[Vec<f64>], of_notify: &[Vec<f64>]) -> anyhow::Result<()> {
    let each = |rounds: &[Vec<f64>], share| rounds.iter().map(|times| quantile(times, share)).collect::<Vec<_>>();
    println!("{AT_ONCE} at once, medians of {ROUNDS} rounds, ms     half      95 %       all");
    for (name, rounds) in
        [("true", of_nothing), ("curl, answered at once", of_curl), ("banhook notify, a busy daemon", of_notify)]
    {
        let [half, most, all] = [0.5, 0.95, 1.0].map(|share| median(&each(rounds, share)));
        println!("{name:<35}{half:>9.0} {most:>9.0} {all:>9.0}");
    }
    let all = median(&each(of_notify, 1.0));
    let of = |other| median_ratio(&each(of_notify, 0.95), &each(other, 0.95));
    let (of_nothing, of_curl) = (of(of_nothing), of(of_curl));
    println!("medians of the ratios within a round, of the 95 %");
    println!("{:<35}{of_nothing:>9.2}   at most {AT_MOST_OF_NOTHING:.2}", "notify / true");
    println!("{:<35}{of_curl:>9.2}   at most {AT_MOST_OF_CURL:.2}", "notify / curl");
    println!("{:<35}{all:>9.0}   at most {ALL_AT_MOST:.0}", "all notify, ms");
    ensure!(
        of_nothing <= AT_MOST_OF_NOTHING && of_curl <= AT_MOST_OF_CURL && all <= ALL_AT_MOST,
        "a crowd of notify takes more than it may"
    );
    Ok(())
}

/// How many ms each took.
fn at_once(command: &Command) -> anyhow::Result<Vec<f64>> {
    let mut python = Command::new("python3");
    python.args(["-c", SCRIPT]).arg(command.get_program()).args(command.get_args());
    let answer = python.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("starting python3")?;
    ensure!(answer.status.success(), "{command:?}: {}", answer.status);
    let times: Result<Vec<f64>, _> = String::from_utf8_lossy(&answer.stdout).lines().map(str::parse).collect();
    let times = times.context("reading how long each took")?;
    ensure!(times.len() == AT_ONCE, "{} took part", times.len());
    Ok(times)
}

/// Lines of a log that ban so many.
fn bans(round: usize) -> String {
    (0..BUSY_WITH)
        .map(|number| {
            let (high, low) = (number / 250, number % 250);
            format!(
                "2026-11-22 11:{round:02}:55,601 fail2ban.actions        [2784]: NOTICE  [nginx] Ban 10.1.{high}.{low}\n"
            )
        })
        .collect()
}

//! How fast a log is read: `banhook tail --once --dry-run` compared with grep on the same file, in turn, for the log of a busy
//! server and for one in which nearly every failure is of another address; and how long it takes until a written line is
//! stored.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::bench_env::BenchDir;
use crate::command::{cargo, run};
use crate::statistics::{median, median_ratio, quantile};
use crate::webhook::Webhook;

/// The pattern for grep: the lines that banhook evaluates.
const PATTERN: &str = r"\] (Found|(Restore )?Ban|Unban) ";

/// How often each of the two reads the log.
const ROUNDS: usize = 7;

/// How many lines are written, one after another, to measure how soon they are stored.
const LINES: usize = 60;

const AT_MOST_OF_GREP: f64 = 1.0;
const AT_MOST_MIB: f64 = 32.0;
const AT_MOST_MS: f64 = 50.0;

const STORED_WITHIN: Duration = Duration::from_secs(20);

/// How many failures the log of many addresses has; one in forty is of the same address.
const ADDRESSES: u32 = 4_000_000;

/// Prints the comparisons. Fails if the tailer exceeds a limit or reads wrong events.
pub fn bench(root: &Path, megabytes: u64) -> anyhow::Result<()> {
    run(cargo(root).args(["build", "--release"]))?;
    let folder = BenchDir::new(root)?;
    let program = folder.0.with_file_name("release").join("banhook");
    let log = folder.0.join("fail2ban.log");
    let expected = write_log(&log, megabytes * 1_000_000)?;
    println!("{megabytes} MB, {} events, {} failures before bans; {ROUNDS} rounds, median ms", expected.0, expected.1);
    let busy = compare(&program, &log, expected)?;
    let bytes = write_log_of_addresses(&log)?;
    println!("{} MB, {ADDRESSES} failures of nearly as many addresses; the same", bytes / 1_000_000);
    let addresses = compare(&program, &log, (0, 0))?;
    let latencies = latencies(&program, &folder.0)?;
    let latency = median(&latencies);
    println!("{:<35}{latency:>9.1}   at most {AT_MOST_MS:.0}", "line written to event stored, ms");
    println!("{:<35}{:>9.1}", "the same, 95th percentile", quantile(&latencies, 0.95));
    ensure!(busy && addresses && latency <= AT_MOST_MS, "the tailer exceeds a limit");
    Ok(())
}

/// Prints how long the tailer and grep take for a log. Returns whether the tailer keeps the limits.
fn compare(program: &Path, log: &Path, expected: Counts) -> anyhow::Result<bool> {
    let banhook = || {
        let mut command = Command::new(program);
        command.args(["tail", "--once", "--dry-run", "--timezone=Europe/Berlin"]).arg(log);
        command
    };
    let [mut tails, mut greps] = [const { Vec::new() }; 2];
    for round in 0..=ROUNDS {
        let output = log.with_file_name("events.jsonl");
        let of_tail = timed(&mut banhook(), File::create(&output)?.into())?;
        let mut grep = Command::new("grep");
        // Into a pipe: with /dev/null it stops at the first match.
        let of_grep = timed(grep.env("LC_ALL", "C").args(["-cE", PATTERN]).arg(log), Stdio::piped())?;
        if round == 0 {
            // The first round fills the caches and checks the events.
            let read = count(&output)?;
            ensure!(read == expected, "of {expected:?} events and failures, the tailer read {read:?}");
        } else {
            tails.push(of_tail);
            greps.push(of_grep);
        }
    }
    let (of_grep, memory) = (median_ratio(&tails, &greps), peak_mib(&mut banhook())?);
    println!("{:<35}{:>9.0}", "banhook tail --once --dry-run", median(&tails));
    println!("{:<35}{:>9.0}", "grep -cE", median(&greps));
    println!("{:<35}{of_grep:>9.2}   at most {AT_MOST_OF_GREP:.2}", "tail / grep, within a round");
    println!("{:<35}{memory:>9.1}   at most {AT_MOST_MIB:.0}", "peak memory, MiB");
    Ok(of_grep <= AT_MOST_OF_GREP && memory <= AT_MOST_MIB)
}

/// The number of events, and the number of failures before all bans together.
type Counts = (u64, u64);

/// Runs a program. Returns the time from its start to its exit, in ms.
fn timed(command: &mut Command, output: Stdio) -> anyhow::Result<f64> {
    let start = Instant::now();
    let child = command.stdout(output).stderr(Stdio::null()).spawn().with_context(|| format!("{command:?}"))?;
    let status = child.wait_with_output()?.status;
    let taken = start.elapsed();
    ensure!(status.success(), "{command:?}: {status}");
    Ok(taken.as_secs_f64() * 1000.0)
}

/// Counts the events in a JSON Lines file.
fn count(events: &Path) -> anyhow::Result<Counts> {
    let mut counts = (0, 0);
    for line in BufReader::new(File::open(events)?).lines() {
        counts.0 += 1;
        let failures =
            line?.split_once("\"failures\":").and_then(|(_, rest)| rest.split([',', '}']).next()?.parse().ok());
        counts.1 += failures.unwrap_or(0);
    }
    Ok(counts)
}

/// Writes the log of a busy server: thousands of addresses, most lines `Found`. Returns what it contains.
fn write_log(path: &Path, bytes: u64) -> anyhow::Result<Counts> {
    const JAILS: [(&str, u8); 4] = [("sshd", 5), ("sshd", 5), ("postfix-sasl", 9), ("nginx-http-auth", 12)];
    let mut log = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut random = 1_u64;
    let mut next = |below: u64| {
        // Knuth's MMIX generator; its upper bits are random enough.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    /// Addresses that attack at the same time.
    const ATTACKERS: usize = 4096;
    let mut attackers: Vec<(u64, u8)> = (0..ATTACKERS as u64).map(|n| (n, 0)).collect();
    let mut next_address = ATTACKERS as u64;
    let (mut written, mut ms, mut counts) = (0, 0_u64, (0, 0));
    while written < bytes {
        ms += next(60);
        let (second, fraction) = (ms / 1000, ms % 1000);
        let time = format!(
            "2026-{:02}-{:02} {:02}:{:02}:{:02}",
            1 + second / 2_419_200 % 12,
            1 + second / 86_400 % 28,
            second / 3600 % 24,
            second / 60 % 60,
            second % 60
        );
        let index = next(ATTACKERS as u64) as usize;
        let (Some(&(jail, most)), Some((address, failures))) =
            (JAILS.get(index % JAILS.len()), attackers.get_mut(index))
        else {
            continue;
        };
        let ip = format!(
            "{}.{}.{}.{}",
            1 + *address % 223,
            *address / 223 % 256,
            *address / 57_088 % 256,
            *address / 14_614_528
        );
        let mut line =
            format!("{time},{fraction:03} fail2ban.filter         [812]: INFO    [{jail}] Found {ip} - {time}\n");
        *failures += 1;
        if *failures == most {
            line += &format!("{time},{fraction:03} fail2ban.actions        [812]: NOTICE  [{jail}] Ban {ip}\n");
            counts = (counts.0 + 1, counts.1 + u64::from(most));
            // One ban in four ends in the log; the next address takes its place.
            if next(4) == 0 {
                line += &format!("{time},{fraction:03} fail2ban.actions        [812]: NOTICE  [{jail}] Unban {ip}\n");
                counts.0 += 1;
            }
            (*address, *failures) = (next_address, 0);
            next_address += 1;
        }
        written += line.len() as u64;
        log.write_all(line.as_bytes())?;
    }
    log.flush()?;
    Ok(counts)
}

/// Writes the log of an attack from millions of addresses. Returns its length.
fn write_log_of_addresses(path: &Path) -> anyhow::Result<u64> {
    let mut log = BufWriter::with_capacity(1 << 20, File::create(path)?);
    for n in 0..ADDRESSES {
        // An odd factor makes each product another one.
        let address = if n % 40 == 0 { 7 } else { n.wrapping_mul(2_654_435_761) };
        let [a, b, c, d] = address.to_be_bytes();
        let time =
            format!("2026-11-{:02} {:02}:{:02}:{:02}", 1 + n / 1_000_000, n / 41_667 % 24, n / 694 % 60, n / 12 % 60);
        writeln!(log, "{time},601 fail2ban.filter         [812]: INFO    [sshd] Found {a}.{b}.{c}.{d} - {time}")?;
    }
    log.flush()?;
    Ok(fs::metadata(path)?.len())
}

/// The peak memory of a program, polled from `/proc` until it exits.
fn peak_mib(command: &mut Command) -> anyhow::Result<f64> {
    let mut child = command.stdout(Stdio::null()).spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let mut kib = 0.0_f64;
    while child.try_wait()?.is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        kib = kib.max(peak.unwrap_or(0.0));
        std::thread::sleep(Duration::from_millis(2));
    }
    ensure!(kib > 0.0, "the program exited before its memory could be read");
    Ok(kib / 1024.0)
}

/// A child process. Killed on drop.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Writes lines into a log that is followed. Returns how long it takes until `banhook status` counts each, in ms.
fn latencies(program: &Path, folder: &Path) -> anyhow::Result<Vec<f64>> {
    let (log, state, config) = (folder.join("live.log"), folder.join("tail-state"), folder.join("tail.toml"));
    let webhook = Webhook::open()?;
    fs::write(&config, format!("[webhooks.main]\nurl = \"{}\"\n", webhook.url))?;
    fs::set_permissions(&config, fs::Permissions::from_mode(0o600))?;
    let mut file = OpenOptions::new().append(true).create(true).open(&log)?;
    let add_paths = |command: &mut Command| {
        command.arg("--config").arg(&config).arg("--state-dir").arg(&state);
    };
    let mut command = Command::new(program);
    add_paths(&mut command);
    let daemon =
        command.args(["tail", "--from-start"]).arg(&log).stderr(Stdio::null()).stdout(Stdio::null()).spawn()?;
    let _daemon = Daemon(daemon);
    let received = || -> anyhow::Result<usize> {
        let mut command = Command::new(program);
        add_paths(&mut command);
        let status = command.args(["status", "--format", "json"]).output()?;
        let text = String::from_utf8_lossy(&status.stdout).into_owned();
        let number = text.split_once("\"received\":").and_then(|(_, rest)| rest.split([',', '}']).next());
        Ok(number.and_then(|number| number.trim().parse().ok()).unwrap_or(0))
    };
    let mut took = Vec::new();
    for n in 1..=LINES + 1 {
        let line =
            format!("2026-11-22 11:56:55,{:03} fail2ban.actions        [2784]: NOTICE  [sshd] Ban 203.0.113.{n}\n", n);
        let start = Instant::now();
        file.write_all(line.as_bytes())?;
        while received()? < n {
            ensure!(start.elapsed() < STORED_WITHIN, "line {n} was not stored");
        }
        // The first includes the start of the daemon.
        if n > 1 {
            took.push(start.elapsed().as_secs_f64() * 1000.0);
        }
    }
    Ok(took)
}

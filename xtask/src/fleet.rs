//! A fleet with a real broker, compared with a single host in the same run: how soon a ban on a host is a request at the webhook,
//! and how fast the worker puts a backlog through.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::bench_env::BenchDir;
use crate::command::{run, target_dir};
use crate::statistics::{median, quantile};
use crate::webhook::Webhook;
use crate::{debian_releases, programs};

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

const DONE_WITHIN: Duration = Duration::from_secs(120);
const POLL_INTERVAL: Duration = Duration::from_micros(200);

/// Measures and prints. Fails if a target is missed.
pub fn bench(root: &Path) -> anyhow::Result<()> {
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
    Ok(())
}

/// Seconds of one round.
struct Backlog {
    forwarded: f64,
    single: f64,
    worker: f64,
}

struct Fleet {
    program: PathBuf,
    server: PathBuf,
    folder: PathBuf,
}

/// A process. Killed on drop.
struct Running(Child);

impl Running {
    fn stop(mut self) -> anyhow::Result<()> {
        run(Command::new("kill").arg(self.0.id().to_string()))?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A directory with a configuration and a state directory.
struct Member<'f> {
    fleet: &'f Fleet,
    directory: PathBuf,
}

impl Fleet {
    fn member(&self, name: &str, config: &str, files: &[(&str, &[u8])]) -> anyhow::Result<Member<'_>> {
        let directory = self.folder.join(name);
        fs::create_dir_all(&directory)?;
        for (name, content) in files {
            fs::write(directory.join(name), content)?;
            fs::set_permissions(directory.join(name), fs::Permissions::from_mode(0o600))?;
        }
        fs::write(directory.join("config.toml"), config)?;
        Ok(Member { fleet: self, directory })
    }

    /// Sets up a broker, a worker and a host with names of their own, and starts the broker.
    fn set_up(&self, name: &str, webhook: &Webhook) -> anyhow::Result<(Running, Member<'_>, Member<'_>)> {
        let broker = self.folder.join(format!("{name}-broker"));
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let fleet = |arguments: &[&str]| {
            run(Command::new(&self.program)
                .arg("fleet")
                .args(arguments)
                .arg("--dir")
                .arg(&broker)
                .stdout(Stdio::null()))
        };
        let stored = broker.join("stored");
        fleet(&["init", "--listen", &format!("127.0.0.1:{port}"), "--store-dir", &stored.display().to_string()])?;
        fleet(&["add", "web-1"])?;
        let server = Command::new(&self.server)
            .arg("--config")
            .arg(broker.join("banhook-nats.conf"))
            .stdout(Stdio::null())
            .stderr(File::create(broker.join("log"))?)
            .spawn()?;
        let server = Running(server);
        wait("the broker to listen", || Ok(TcpStream::connect(("127.0.0.1", port)).is_ok()))?;
        let of = |role: &str| {
            format!("[fleet]\nrole = \"{role}\"\nservers = [\"nats://127.0.0.1:{port}\"]\nnkey_file = \"fleet.nkey\"\n")
        };
        let key = |name: &str| fs::read(broker.join(name)).context("reading a key");
        let worker = self.member(
            &format!("{name}-worker"),
            &format!("{}{}", of("worker"), routes()),
            &[("fleet.nkey", &key("worker.nkey")?), ("main.url", webhook.url.as_bytes())],
        )?;
        let host = self.member(
            &format!("{name}-host"),
            &format!("host = \"web-1\"\n{}", of("host")),
            &[("fleet.nkey", &key("web-1.nkey")?)],
        )?;
        Ok((server, worker, host))
    }

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
        host.wait_for("forwarded")?;
        let forwarded = began.elapsed().as_secs_f64();
        drop(running);
        let began = Instant::now();
        let running = worker.start()?;
        worker.wait_for("routed")?;
        let of_worker = began.elapsed().as_secs_f64();
        drop(running);
        let began = Instant::now();
        let _running = single.start()?;
        single.wait_for("routed")?;
        Ok(Backlog { forwarded, single: began.elapsed().as_secs_f64(), worker: of_worker })
    }
}

fn routes() -> String {
    "[webhooks.main]\nurl_file = \"main.url\"\nrate = \"1000/s\"\nburst = 1000\n[[routes]]\nname = \"all\"\nwebhook = \"main\"\nstorm = false\nrestart = false\nsame_subject = false\n".to_owned()
}

impl Member<'_> {
    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(&self.fleet.program);
        command
            .arg(name)
            .env("BANHOOK_CONFIG", self.directory.join("config.toml"))
            .env("BANHOOK_STATE_DIR", self.directory.join("state"));
        command
    }

    fn start(&self) -> anyhow::Result<Running> {
        let log = self.directory.join("log");
        let mut run = self.command("run");
        let running = Running(run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log)?).spawn()?);
        wait("a daemon to be ready", || Ok(fs::read_to_string(&log)?.contains("ready")))
            .with_context(|| fs::read_to_string(&log).unwrap_or_default())?;
        Ok(running)
    }

    /// Reports a ban; returns the milliseconds until the webhook has it.
    fn ban(&self, number: usize, webhook: &Webhook) -> anyhow::Result<f64> {
        let before = webhook.answered();
        let mut notify = Command::new(self.fleet.program.with_file_name("banhook-notify"));
        notify
            .env("BANHOOK_CONFIG", self.directory.join("config.toml"))
            .env("BANHOOK_STATE_DIR", self.directory.join("state"))
            .args(["ban", "--jail=sshd", "--failures=0", &format!("--ip=203.0.113.{}", number + 1)]);
        let began = Instant::now();
        run(&mut notify)?;
        wait("the request", || Ok(webhook.answered() > before))?;
        Ok(began.elapsed().as_secs_f64() * 1e3)
    }

    /// Waits until a count of the ledger has all events.
    fn wait_for(&self, count: &str) -> anyhow::Result<()> {
        let expected = format!("\"{count}\":{EVENTS}");
        wait(count, || {
            let status = self.command("status").args(["--format", "json"]).output()?;
            Ok(String::from_utf8_lossy(&status.stdout).replace(' ', "").contains(&expected))
        })
        .with_context(|| fs::read_to_string(self.directory.join("log")).unwrap_or_default())
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

fn wait(what: &str, mut is_done: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let deadline = Instant::now() + DONE_WITHIN;
    while !is_done()? {
        ensure!(Instant::now() < deadline, "waited {DONE_WITHIN:?} for {what}");
        std::thread::sleep(POLL_INTERVAL);
    }
    Ok(())
}

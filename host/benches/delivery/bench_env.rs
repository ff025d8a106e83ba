//! The environment of a benchmark: a folder with configuration and state, and the daemons on it.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use banhook::store::StateDir;

use crate::webhook::Webhook;

const READY_WITHIN: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_micros(200);

/// How long a daemon may take to stop.
const STOPS_WITHIN: Duration = Duration::from_secs(10);

/// A folder on the disk of the build: in `/tmp` a sync may cost nothing.
pub struct BenchEnv {
    folder: tempfile::TempDir,
}

/// A running daemon. Killed on drop.
pub struct Daemon {
    process: Child,
    started: Instant,
    log: PathBuf,
}

impl BenchEnv {
    /// Creates a configuration with one webhook and one route; `of_webhook` and `of_route` are further settings of each.
    pub fn new(webhook: &Webhook, of_webhook: &str, of_route: &str) -> anyhow::Result<Self> {
        Self::with(&format!("url = \"{}\"\n{of_webhook}", webhook.url), of_route)
    }

    /// The same with the channel of an app.
    pub fn with_app(webhook: &Webhook, of_webhook: &str, of_route: &str) -> anyhow::Result<Self> {
        let app = "target = \"slack-app\"\ntoken = \"xoxb-1-SECRET\"\nchannel = \"C1\"";
        Self::with(&format!("{app}\napi_url = \"{}\"\n{of_webhook}", webhook.api_url), of_route)
    }

    fn with(of_webhook: &str, of_route: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let path = folder.path();
        fs::write(
            path.join("config.toml"),
            format!("[webhooks.main]\n{of_webhook}\n[[routes]]\nname = \"all\"\nwebhook = \"main\"\n{of_route}"),
        )?;
        fs::set_permissions(path.join("config.toml"), fs::Permissions::from_mode(0o600))?;
        DirBuilder::new().mode(0o700).create(path.join("state"))?;
        Ok(Self { folder })
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn state(&self) -> StateDir {
        StateDir::new(self.path().join("state"))
    }

    /// Copies the state of another environment, on which no process is running.
    pub fn copy_state(&self, from: &Self) -> anyhow::Result<()> {
        copy(from.state().path(), self.state().path())
    }

    /// The banhook command for this environment.
    pub fn banhook(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_banhook"));
        command.arg("--config").arg(self.path().join("config.toml"));
        command.arg("--state-dir").arg(self.state().path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// The `notify` command of fail2ban's action.
    pub fn notify(&self, number: usize) -> Command {
        let mut command = self.banhook();
        command.args(["notify", "ban", "--jail=sshd", "--failures=5", "--bantime=600", "--bancount=1", "--restored=0"]);
        command.arg(format!("--ip=203.0.{}.{}", number / 256 % 256, number % 256));
        command.arg(format!("--time={}.6", 1_763_809_015 + number));
        command
    }

    pub fn start(&self) -> anyhow::Result<Daemon> {
        let log = self.path().join("run.log");
        let mut command = self.banhook();
        command.arg("run").stderr(File::create(&log)?);
        let started = Instant::now();
        Ok(Daemon { process: command.spawn()?, started, log })
    }
}

impl Daemon {
    pub const fn started(&self) -> Instant {
        self.started
    }

    /// Waits until its plugins are loaded. Returns the milliseconds since its start.
    pub fn ready(&self) -> anyhow::Result<f64> {
        loop {
            let log = fs::read_to_string(&self.log)?;
            let taken = self.started.elapsed();
            // A plugin that failed to load would make the start look fast.
            ensure!(!log.contains("ERROR") && taken < READY_WITHIN, "the daemon failed or is too slow: {log}");
            if log.contains("ready") {
                return Ok(taken.as_secs_f64() * 1e3);
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// Its peak memory, in MiB.
    pub fn peak_mib(&self) -> anyhow::Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        Ok(line.context("no VmHWM")?.parse::<f64>()? / 1024.0)
    }

    /// The processor time that it has used, in ms.
    pub fn processor_milliseconds(&self) -> anyhow::Result<f64> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.process.id()))?;
        let mut nanoseconds = 0.0;
        for task in tasks {
            // A thread that has exited meanwhile is not counted.
            let text = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            nanoseconds += text.split(' ').next().and_then(|first| first.parse::<f64>().ok()).unwrap_or(0.0);
        }
        Ok(nanoseconds / 1e6)
    }

    /// Stops it with SIGTERM and waits for its exit.
    pub fn stop(mut self) -> anyhow::Result<()> {
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        let deadline = Instant::now() + STOPS_WITHIN;
        while self.process.try_wait()?.is_none() {
            ensure!(Instant::now() < deadline, "the daemon did not stop: {}", fs::read_to_string(&self.log)?);
            std::thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            DirBuilder::new().mode(0o700).create(&target)?;
            copy(&entry.path(), &target)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), &target)?;
            // Synced here, so that the daemon's first sync does not include it.
            File::open(target)?.sync_all()?;
        }
    }
    Ok(())
}

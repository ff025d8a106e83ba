//! The environment of a benchmark: a folder with configuration and state, and a daemon that uses them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::command::target_dir;
use crate::webhook::Webhook;

const READY_WITHIN: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_micros(200);

/// A folder on the same disk as the build: in `/tmp` a sync may cost nothing. Removed on drop.
pub struct BenchDir(pub PathBuf);

impl BenchDir {
    pub fn new(root: &Path) -> anyhow::Result<Self> {
        let folder = target_dir(root)?.join(format!("bench-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for BenchDir {
    fn drop(&mut self) {
        // A folder that is left behind does no harm.
        fs::remove_dir_all(&self.0).ok();
    }
}

/// A running daemon with its configuration. Killed on drop.
pub struct BenchDaemon {
    program: PathBuf,
    config: PathBuf,
    state: PathBuf,
    daemon: Child,
}

impl BenchDaemon {
    /// Starts a daemon with one webhook and one route. `of_webhook` and `of_route` are further lines of their tables;
    /// `of_route` may add tables.
    pub fn start(
        root: &Path,
        folder: &Path,
        webhook: &Webhook,
        of_webhook: &str,
        of_route: &str,
    ) -> anyhow::Result<Self> {
        let program = target_dir(root)?.join("release/banhook");
        let (config, state) = (folder.join("config.toml"), folder.join("state"));
        fs::write(folder.join("main.url"), &webhook.url)?;
        fs::set_permissions(folder.join("main.url"), fs::Permissions::from_mode(0o600))?;
        fs::write(
            &config,
            format!(
                "[webhooks.main]\nurl_file = \"main.url\"\n{of_webhook}\n[[routes]]\nname = \"all\"\nwebhook = \"main\"\n\
                 {of_route}"
            ),
        )?;
        let log = folder.join("run.log");
        let daemon = Command::new(&program)
            .arg("--config")
            .arg(&config)
            .arg("--state-dir")
            .arg(&state)
            .arg("run")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log)?)
            .spawn()?;
        let started = Self { program, config, state, daemon };
        let deadline = Instant::now() + READY_WITHIN;
        while !fs::read_to_string(&log)?.contains("ready") {
            ensure!(Instant::now() < deadline, "the daemon did not become ready: {}", fs::read_to_string(&log)?);
            std::thread::sleep(POLL_INTERVAL);
        }
        Ok(started)
    }

    /// Whether the route's plugin has been loaded once: a daemon is ready without one that takes long to compile.
    pub fn is_loaded(&self) -> anyhow::Result<bool> {
        let mut status = Command::new(&self.program);
        status.args(["status", "--format=json", "--config"]).arg(&self.config).arg("--state-dir").arg(&self.state);
        Ok(String::from_utf8_lossy(&status.output()?.stdout).contains("\"sha256\":\""))
    }

    /// The `banhook-notify` of the action file, for an address and a time.
    pub fn notify(&self, address: &str, time: usize) -> Command {
        self.notify_by(Command::new(self.program.with_file_name("banhook-notify")), address, time)
    }

    /// The same by `banhook notify`.
    pub fn banhook_notify(&self, address: &str, time: usize) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("notify");
        self.notify_by(command, address, time)
    }

    fn notify_by(&self, mut command: Command, address: &str, time: usize) -> Command {
        command.args(["ban", "--jail=sshd", "--failures=5", "--bantime=600", "--bancount=1", "--restored=0"]);
        command.arg("--config").arg(&self.config).arg("--state-dir").arg(&self.state);
        command.arg(format!("--ip={address}")).arg(format!("--time={time}.6"));
        command
    }
}

impl Drop for BenchDaemon {
    fn drop(&mut self) {
        self.daemon.kill().ok();
        self.daemon.wait().ok();
    }
}

//! What is measured: a folder with a configuration and a state, and a daemon at work on them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::command::target_dir;
use crate::webhook::Webhook;

const READY_WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_micros(200);

/// A folder on the same disk as the build: in `/tmp` a sync may cost nothing. Removed when it is let go of.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(root: &Path) -> anyhow::Result<Self> {
        let folder = target_dir(root)?.join(format!("bench-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Left behind it does no harm.
        fs::remove_dir_all(&self.0).ok();
    }
}

/// A configuration, and a daemon at work on it. Stopped when it is let go of.
pub struct Banhook {
    program: PathBuf,
    config: PathBuf,
    state: PathBuf,
    daemon: Child,
}

impl Banhook {
    /// With one webhook and one route for everything; `of_webhook` and `of_route` are further settings of these, and of what
    /// may stand below.
    pub fn set_up(
        root: &Path,
        folder: &Path,
        webhook: &Webhook,
        of_webhook: &str,
        of_route: &str,
    ) -> anyhow::Result<Self> {
        let program = target_dir(root)?.join("release/banhook");
        let (config, state) = (folder.join("config.toml"), folder.join("state"));
        fs::write(folder.join("main.url"), &webhook.url)?;
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
        let banhook = Self { program, config, state, daemon };
        let deadline = Instant::now() + READY_WITHIN;
        while !fs::read_to_string(&log)?.contains("ready") {
            ensure!(Instant::now() < deadline, "the daemon did not get ready: {}", fs::read_to_string(&log)?);
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(banhook)
    }

    /// As the action file calls it, for an address and with a time.
    pub fn notify(&self, address: &str, time: usize) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(&self.config).arg("--state-dir").arg(&self.state);
        command.args(["notify", "ban", "--jail=sshd", "--failures=5", "--bantime=600", "--bancount=1", "--restored=0"]);
        command.arg(format!("--ip={address}")).arg(format!("--time={time}.6"));
        command
    }
}

impl Drop for Banhook {
    fn drop(&mut self) {
        self.daemon.kill().ok();
        self.daemon.wait().ok();
    }
}

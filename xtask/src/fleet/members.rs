//! The members of a fleet with a real broker, each with a directory of its own: the broker, a worker, and hosts.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::command::run;
use crate::webhook::Webhook;

const DONE_WITHIN: Duration = Duration::from_secs(120);
const POLL_INTERVAL: Duration = Duration::from_micros(200);

/// The programs, and where the members' directories are.
pub struct Fleet {
    pub program: PathBuf,
    pub server: PathBuf,
    pub folder: PathBuf,
}

/// A process. Killed on drop.
pub struct Running(Child);

impl Running {
    /// The process's id.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// As the service manager stops it.
    pub fn stop(mut self) -> anyhow::Result<()> {
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

/// A running broker.
pub struct Broker {
    port: u16,
    directory: PathBuf,
    _server: Running,
}

impl Broker {
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The key of a member.
    pub fn key(&self, member: &str) -> anyhow::Result<String> {
        fs::read_to_string(self.directory.join(format!("{member}.nkey"))).context("reading a key")
    }

    fn table(&self, role: &str) -> String {
        format!("[fleet]\nrole = \"{role}\"\nservers = [\"{}\"]\nnkey_file = \"fleet.nkey\"\n", self.url())
    }
}

/// A directory with a configuration and a state directory.
pub struct Member<'f> {
    fleet: &'f Fleet,
    pub directory: PathBuf,
}

impl Fleet {
    pub fn member(&self, name: &str, config: &str, files: &[(&str, &[u8])]) -> anyhow::Result<Member<'_>> {
        let directory = self.folder.join(name);
        fs::create_dir_all(&directory)?;
        for (name, content) in files {
            fs::write(directory.join(name), content)?;
            fs::set_permissions(directory.join(name), fs::Permissions::from_mode(0o600))?;
        }
        fs::write(directory.join("config.toml"), config)?;
        Ok(Member { fleet: self, directory })
    }

    /// Sets up a broker that knows these hosts, and starts it.
    pub fn broker(&self, name: &str, hosts: &[String]) -> anyhow::Result<Broker> {
        let directory = self.folder.join(format!("{name}-broker"));
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let fleet = |arguments: &[&str]| {
            let mut command = Command::new(&self.program);
            run(command.arg("fleet").args(arguments).arg("--dir").arg(&directory).stdout(Stdio::null()))
        };
        let stored = directory.join("stored");
        fleet(&["init", "--listen", &format!("127.0.0.1:{port}"), "--store-dir", &stored.display().to_string()])?;
        hosts.iter().try_for_each(|host| fleet(&["add", host]))?;
        let server = Command::new(&self.server)
            .arg("--config")
            .arg(directory.join("banhook-nats.conf"))
            .stdout(Stdio::null())
            .stderr(File::create(directory.join("log"))?)
            .spawn()?;
        let broker = Broker { port, directory, _server: Running(server) };
        wait("the broker to listen", || Ok(TcpStream::connect(("127.0.0.1", port)).is_ok()))?;
        Ok(broker)
    }

    /// Sets up a worker with these webhooks and routes.
    pub fn worker(&self, name: &str, broker: &Broker, webhook: &Webhook, routes: &str) -> anyhow::Result<Member<'_>> {
        let config = format!("{}{routes}", broker.table("worker"));
        let key = broker.key("worker")?;
        self.member(name, &config, &[("fleet.nkey", key.as_bytes()), ("main.url", webhook.url.as_bytes())])
    }

    /// Sets up a broker, a worker and a host with names of their own, and starts the broker.
    pub fn set_up(&self, name: &str, webhook: &Webhook) -> anyhow::Result<(Broker, Member<'_>, Member<'_>)> {
        let broker = self.broker(name, &["web-1".to_owned()])?;
        let worker = self.worker(&format!("{name}-worker"), &broker, webhook, &routes())?;
        let config = format!("host = \"web-1\"\n{}", broker.table("host"));
        let key = broker.key("web-1")?;
        let host = self.member(&format!("{name}-host"), &config, &[("fleet.nkey", key.as_bytes())])?;
        Ok((broker, worker, host))
    }
}

/// One webhook that takes all, and one route to it that groups nothing.
pub fn routes() -> String {
    "[webhooks.main]\nurl_file = \"main.url\"\nrate = \"1000/s\"\nburst = 1000\n[[routes]]\nname = \"all\"\nwebhook = \"main\"\nstorm = false\nrestart = false\nsame_subject = false\n".to_owned()
}

impl Member<'_> {
    pub fn command(&self, name: &str) -> Command {
        let mut command = Command::new(&self.fleet.program);
        command
            .arg(name)
            .env("BANHOOK_CONFIG", self.directory.join("config.toml"))
            .env("BANHOOK_STATE_DIR", self.directory.join("state"));
        command
    }

    pub fn start(&self) -> anyhow::Result<Running> {
        let log = self.directory.join("log");
        let mut run = self.command("run");
        let running = Running(run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log)?).spawn()?);
        wait("a daemon to be ready", || Ok(fs::read_to_string(&log)?.contains("ready")))
            .with_context(|| fs::read_to_string(&log).unwrap_or_default())?;
        Ok(running)
    }

    /// Reports a ban; returns the milliseconds until the webhook has it.
    pub fn ban(&self, number: usize, webhook: &Webhook) -> anyhow::Result<f64> {
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

    /// Waits until a count of the ledger has so many events.
    pub fn wait_for(&self, count: &str, events: usize) -> anyhow::Result<()> {
        self.wait_until(count, |status| status.get(count).is_some_and(|found| *found == events))
    }

    /// Waits until this is so of its ledger.
    pub fn wait_until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> anyhow::Result<()> {
        wait(what, || {
            let status = self.command("status").args(["--format", "json"]).output()?;
            Ok(serde_json::from_slice(&status.stdout).is_ok_and(|status| is_so(&status)))
        })
        .with_context(|| fs::read_to_string(self.directory.join("log")).unwrap_or_default())
    }
}

/// Polls until this is so.
pub fn wait(what: &str, mut is_done: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let deadline = Instant::now() + DONE_WITHIN;
    while !is_done()? {
        ensure!(Instant::now() < deadline, "waited {DONE_WITHIN:?} for {what}");
        std::thread::sleep(POLL_INTERVAL);
    }
    Ok(())
}

//! A test environment: a folder with configuration and state, a webhook, and the environment variables of its processes.
//! Nothing outside is touched, and no process outlives it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::binary::{banhook, banhook_notify};
use crate::command_output::CommandOutput;
use crate::compiled::compiled;
use crate::polling::{until, within};
use crate::slack_app;
use crate::webhook::Webhook;

/// Held shared by most tests, and exclusively by those that measure.
static MACHINE: RwLock<()> = RwLock::new(());

/// How long a daemon may take to stop after SIGTERM.
pub const STOP_WITHIN: Duration = Duration::from_secs(5);

/// Webhook settings whose rate limit delays nothing.
pub const QUICK: &str = "rate = \"1000/s\"\nburst = 1000";

/// A user without write permission anywhere.
pub const NOBODY: u32 = 65534;

/// A folder with everything that banhook needs. A thread has at most one at a time.
pub struct TestEnv {
    folder: TempDir,
    pub webhook: Webhook,
    _machine: MachineLock,
}

enum MachineLock {
    #[expect(dead_code, reason = "held, not read")]
    Shared(RwLockReadGuard<'static, ()>),
    #[expect(dead_code, reason = "held, not read")]
    Exclusive(RwLockWriteGuard<'static, ()>),
}

impl TestEnv {
    /// One route, `all`, with the built-in plugin.
    pub fn new() -> Self {
        Self::with_route("")
    }

    /// The same, with more lines in the route's table.
    pub fn with_route(lines: &str) -> Self {
        let lock = MachineLock::Shared(MACHINE.read().unwrap_or_else(PoisonError::into_inner));
        Self::set_up(lock, lines)
    }

    /// The same, with no other test running at the same time.
    pub fn exclusive() -> Self {
        let lock = MachineLock::Exclusive(MACHINE.write().unwrap_or_else(PoisonError::into_inner));
        Self::set_up(lock, "")
    }

    /// The default configuration, with rate limit and digests, plus these lines in the tables of webhook and route.
    pub fn as_shipped(webhook: &str, route: &str) -> Self {
        let env = Self::new();
        env.configure_both(webhook, route);
        env
    }

    /// One route, `all`, with the built-in plugin, to the channel of a Slack app; with more lines in the route's table.
    pub fn with_app(lines: &str) -> Self {
        let mut env = Self::new();
        env.webhook = Webhook::open_app();
        env.write_secret("slack.token", &slack_app::token(env.webhook.secret()));
        env.configure_app(QUICK, &format!("storm = false\nrestart = false\n{lines}"));
        env
    }

    /// One route, `all`, with the built-in plugin, to a stand-in for another service; its URL is in `main.url`. `lines`: more
    /// lines in the webhook's table.
    pub fn with_service(webhook: Webhook, lines: &str) -> Self {
        let mut env = Self::new();
        env.webhook = webhook;
        env.write_url("main.url", &env.webhook);
        env.configure_both(&format!("{lines}\n{QUICK}"), "storm = false\nrestart = false");
        env
    }

    /// The same without that file; `lines`: the whole of the webhook's table, for its stand-in.
    pub fn with_app_of(webhook: Webhook, lines: impl FnOnce(&Webhook) -> String) -> Self {
        let mut env = Self::new();
        env.webhook = webhook;
        let webhook = lines(&env.webhook);
        let text = format!(
            "[webhooks.main]\n{webhook}\n{QUICK}\n\n\
             [[routes]]\nname = \"all\"\nwebhook = \"main\"\nstorm = false\nrestart = false\n"
        );
        fs::write(env.config(), text).unwrap();
        env
    }

    /// Writes a secret into a file of the folder that only its owner can read.
    pub fn write_secret(&self, name: &str, secret: &str) {
        let path = self.write(name, format!("{secret}\n"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Rewrites the configuration of an app, with these lines in the tables of webhook and route.
    pub fn configure_app(&self, webhook: &str, route: &str) {
        let (api_url, channel) = (self.webhook.api_url(), slack_app::CHANNEL_NAME);
        let text = format!(
            "[webhooks.main]\ntarget = \"slack-app\"\napi_url = \"{api_url}\"\ntoken_file = \"slack.token\"\nchannel = \"{channel}\"\n{webhook}\n\n\
             [[routes]]\nname = \"all\"\nwebhook = \"main\"\n{route}\n"
        );
        fs::write(self.config(), text).unwrap();
    }

    fn set_up(lock: MachineLock, lines: &str) -> Self {
        banhook(); // built before any deadline starts
        let env = Self {
            folder: tempfile::Builder::new().prefix("banhook-").tempdir().unwrap(),
            webhook: Webhook::open(),
            _machine: lock,
        };
        env.write_url("main.url", &env.webhook);
        env.configure(lines);
        env
    }

    /// Rewrites the configuration: the webhook `main`, and the route `all` with these lines in its table. Each event
    /// becomes a message of its own immediately, as most tests expect.
    pub fn configure(&self, lines: &str) {
        self.configure_both(QUICK, &format!("storm = false\nrestart = false\n{lines}"));
    }

    /// The same with only these lines in the tables of webhook and route.
    pub fn configure_both(&self, webhook: &str, route: &str) {
        let text = format!(
            "[webhooks.main]\nurl_file = \"main.url\"\n{webhook}\n\n[[routes]]\nname = \"all\"\nwebhook = \"main\"\n{route}\n"
        );
        fs::write(self.config(), text).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn config(&self) -> PathBuf {
        self.path("config.toml")
    }

    pub fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// Writes a file into the folder.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Writes a webhook's URL into a file of the folder that only its owner can read.
    pub fn write_url(&self, name: &str, webhook: &Webhook) {
        let path = self.write(name, format!("{}\n", webhook.url()));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// A command with this environment's variables, and no others.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", self.folder.path())
            .env("TMPDIR", self.folder.path())
            .env("TZ", "UTC")
            .env("LC_ALL", "C.UTF-8")
            .env("BANHOOK_CONFIG", self.config())
            .env("BANHOOK_STATE_DIR", self.state())
            .current_dir(self.folder.path());
        command
    }

    /// Runs `banhook` with these arguments until it exits.
    pub fn banhook<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> CommandOutput {
        CommandOutput::of(self.command(banhook()).args(arguments))
    }

    /// Runs `banhook-notify` with these arguments, separated by spaces, as the action does.
    #[track_caller]
    pub fn notify(&self, line: &str) -> CommandOutput {
        self.begin_state();
        CommandOutput::of(self.command(banhook_notify()).args(line.split_whitespace())).ok()
    }

    /// Starts a daemon and waits until it is ready. Killed on drop.
    pub fn daemon(&self) -> Daemon {
        self.daemon_of(self.command(banhook()).arg("run"))
    }

    /// The same for a command that runs `banhook run` in another way.
    pub fn daemon_of(&self, command: &mut Command) -> Daemon {
        self.begin_state();
        fs::File::create(self.run_log()).unwrap();
        let mut daemon = self.spawn(command);
        until("the daemon to be ready", || {
            let log = self.log();
            assert!(daemon.exit_status().is_none(), "the daemon exited: {log}");
            if log.contains("ready") { Ok(()) } else { Err(log) }
        });
        daemon
    }

    /// Starts a process and does not wait for it. Its stderr is appended to the log.
    pub fn spawn(&self, command: &mut Command) -> Daemon {
        let stderr = fs::OpenOptions::new().append(true).create(true).open(self.run_log()).unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
        Daemon { child }
    }

    /// The stderr of the daemons started here.
    pub fn log(&self) -> String {
        fs::read_to_string(self.run_log()).unwrap_or_default()
    }

    fn run_log(&self) -> PathBuf {
        self.path("run.log")
    }

    /// Gives a state directory that is not there yet the compiled plugin.
    fn begin_state(&self) {
        if !self.state().exists() {
            self.copy_plugin_cache();
        }
    }

    /// Puts the compiled built-in plugin into the state directory, so that it is not compiled again.
    pub fn copy_plugin_cache(&self) {
        let cache = self.state().join("cache");
        let mut private = fs::DirBuilder::new();
        private.recursive(true).mode(0o700);
        private.create(self.state()).unwrap();
        private.create(&cache).unwrap();
        for entry in fs::read_dir(compiled().join("cache")).unwrap().flatten() {
            fs::copy(entry.path(), cache.join(entry.file_name())).unwrap();
        }
    }

    /// Runs `banhook status` with these arguments: it exits with 1 if something needs a person, which the counts must not.
    #[track_caller]
    pub fn status<const N: usize>(&self, arguments: [&str; N]) -> CommandOutput {
        let output = self.banhook(arguments);
        assert!(matches!(output.code, Some(0 | 1)) && output.stderr.is_empty(), "{output}");
        let is_wrong = ["discrepancy: ", "\ndamaged: ", "\"discrepancies\":[{", "\"balances\":false"];
        assert!(!is_wrong.iter().any(|wrong| output.stdout.contains(wrong)), "{output}");
        output
    }

    /// The ledger as `status` prints it. Its sums are checked each time.
    #[track_caller]
    pub fn ledger(&self) -> Ledger {
        Ledger::parse(&self.status(["status", "--format", "json"]).stdout)
    }

    /// Waits until no event is unrouted and no message pending.
    #[track_caller]
    pub fn wait_until_idle(&self) -> Ledger {
        until("everything to be delivered", || {
            let ledger = self.ledger();
            match ledger.unrouted == 0 && ledger.routes.values().all(|route| route.pending == 0) {
                true => Ok(ledger),
                false => Err(format!("{ledger:?}")),
            }
        })
    }

    /// Every process that has this environment's folder in its command line or environment.
    pub fn processes(&self) -> Vec<Pid> {
        let folder = self.folder.path().as_os_str().as_encoded_bytes();
        all_processes()
            .filter(|(_, path)| {
                ["cmdline", "environ"].iter().any(|file| {
                    fs::read(path.join(file)).is_ok_and(|bytes| bytes.windows(folder.len()).any(|part| part == folder))
                })
            })
            .map(|(pid, _)| pid)
            .collect()
    }

    /// Ends the runs that outlive `notify` and `drain`. They empty the write-ahead logs.
    #[track_caller]
    pub fn end_runs(&self) {
        until("the runs to end", || {
            let runs = self.processes();
            // One that does not catch the signal yet would be killed by it.
            for run in runs.iter().filter(|run| catches_sigterm(**run)) {
                kill_process(*run, Signal::TERM).ok();
            }
            if runs.is_empty() { Ok(()) } else { Err(format!("{runs:?}")) }
        });
    }
}

impl Drop for TestEnv {
    fn drop(&mut self) {
        // The runs that `notify` starts outlive it, and are useless without their folder.
        let deadline = Instant::now() + STOP_WITHIN;
        loop {
            let remaining = self.processes();
            if remaining.is_empty() || Instant::now() > deadline {
                return;
            }
            for pid in remaining {
                kill_process(pid, Signal::KILL).ok();
            }
            std::thread::yield_now();
        }
    }
}

/// Every other process of the machine, with its folder in `/proc`.
pub fn all_processes() -> impl Iterator<Item = (Pid, PathBuf)> {
    let own = std::process::id().cast_signed();
    fs::read_dir("/proc").unwrap().flatten().filter_map(move |entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        (pid != own).then_some(())?;
        Some((Pid::from_raw(pid)?, entry.path()))
    })
}

fn catches_sigterm(pid: Pid) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).unwrap_or_default();
    let caught = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigCgt:")?.trim(), 16).ok());
    caught.is_some_and(|caught| caught & 1 << (Signal::TERM.as_raw() - 1) != 0)
}

/// A running `banhook run`.
pub struct Daemon {
    child: Child,
}

impl Daemon {
    pub fn of(child: Child) -> Self {
        Self { child }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// The exit status, or `None` while it runs.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits until it exits by itself.
    #[track_caller]
    pub fn wait_within(&mut self, timeout: Duration) -> ExitStatus {
        within(timeout, "the process to exit", || self.exit_status().ok_or_else(|| "it is running".to_owned()))
    }

    /// `kill -9`. Returns the exit status if it had exited already.
    pub fn kill(mut self) -> Option<ExitStatus> {
        let status = self.exit_status();
        self.child.kill().ok();
        self.child.wait().unwrap();
        status
    }

    /// Sends SIGTERM, and fails unless it exits with success in time.
    #[track_caller]
    pub fn stop(mut self) {
        let status = terminate(&mut self.child);
        assert!(status.success(), "after SIGTERM: {status}");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Sends SIGTERM and waits; fails if that takes longer than `STOP_WITHIN`.
#[track_caller]
pub fn terminate(child: &mut Child) -> ExitStatus {
    let start = Instant::now();
    kill_process(Pid::from_child(child), Signal::TERM).unwrap();
    let status = until("the process to stop", || match child.try_wait().unwrap() {
        Some(status) => Ok(status),
        None => Err("it is running".into()),
    });
    assert!(start.elapsed() < STOP_WITHIN, "stopping took {:?}", start.elapsed());
    status
}

/// The ledger, as `status --format json` prints it.
#[derive(Debug)]
pub struct Ledger {
    pub received: u64,
    pub unrouted: u64,
    pub unmatched: u64,
    pub quarantined: u64,
    pub routed: u64,
    pub forwarded: u64,
    pub routes: BTreeMap<String, Counts>,
}

/// The counts of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    pub matched: u64,
    pub posted: u64,
    pub digested: u64,
    pub skipped: u64,
    pub dead: u64,
    pub pending: u64,
}

impl Ledger {
    #[track_caller]
    fn parse(text: &str) -> Self {
        let json: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let number = |of: &Value, key: &str| of[key].as_u64().unwrap_or_else(|| panic!("no number {key:?} in {of}"));
        let routes = json["routes"].as_object().unwrap_or_else(|| panic!("no routes in {text}")).iter();
        let counts = |route: &Value| Counts {
            matched: number(route, "matched"),
            posted: number(route, "posted"),
            digested: number(route, "digested"),
            skipped: number(route, "skipped"),
            dead: number(route, "dead"),
            pending: number(route, "pending"),
        };
        assert_eq!(json["balances"], true, "{text}");
        let ledger = Self {
            received: number(&json, "received"),
            unrouted: number(&json, "unrouted"),
            unmatched: number(&json, "unmatched"),
            quarantined: number(&json, "quarantined"),
            routed: number(&json, "routed"),
            // Only a host of a fleet has it.
            forwarded: json["forwarded"].as_u64().unwrap_or_default(),
            routes: routes.map(|(name, route)| (name.clone(), counts(route))).collect(),
        };
        let sum = ledger.unrouted + ledger.unmatched + ledger.quarantined + ledger.routed + ledger.forwarded;
        assert_eq!(ledger.received, sum, "{ledger:?}");
        for (name, Counts { matched, posted, digested, skipped, dead, pending }) in &ledger.routes {
            assert_eq!(*matched, posted + digested + skipped + dead + pending, "route {name} of {ledger:?}");
        }
        ledger
    }

    /// The counts of the route `all`; zero before its first event.
    pub fn all(&self) -> Counts {
        let none = Counts { matched: 0, posted: 0, digested: 0, skipped: 0, dead: 0, pending: 0 };
        self.routes.get("all").copied().unwrap_or(none)
    }
}

/// The concatenated content of all files in a folder, for a search.
pub fn content_of(folder: &Path) -> Vec<u8> {
    let mut content = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => content.extend(content_of(&entry.path())),
            Ok(kind) if kind.is_file() => content.extend(fs::read(entry.path()).unwrap_or_default()),
            _ => {}
        }
    }
    content
}

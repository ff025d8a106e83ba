//! A place to try banhook in: its own folder, configuration, state, webhook and environment. Nothing outside is touched,
//! and nothing that was started stays behind.

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

use crate::binary::banhook;
use crate::command_output::CommandOutput;
use crate::polling::{until, within};
use crate::webhook::Webhook;

/// Tests share the machine, but for those that measure.
static MACHINE: RwLock<()> = RwLock::new(());

/// How long a daemon may take to stop when told to.
pub const STOP_WITHIN: Duration = Duration::from_secs(5);

/// Lines of a webhook that keep nothing waiting.
pub const QUICK: &str = "rate = \"1000/s\"\nburst = 1000";

/// A user who may write nowhere.
pub const NOBODY: u32 = 65534;

/// A folder with everything a banhook needs. One at a time in each test.
pub struct TestEnv {
    folder: TempDir,
    pub webhook: Webhook,
    _turn: Turn,
}

enum Turn {
    #[expect(dead_code, reason = "held, not read")]
    Shared(RwLockReadGuard<'static, ()>),
    #[expect(dead_code, reason = "held, not read")]
    Alone(RwLockWriteGuard<'static, ()>),
}

impl TestEnv {
    /// One route, `all`, with the built-in plugin, to the webhook.
    pub fn new() -> Self {
        Self::with_route("")
    }

    /// As `new`, with more lines in the route's table.
    pub fn with_route(lines: &str) -> Self {
        let turn = Turn::Shared(MACHINE.read().unwrap_or_else(PoisonError::into_inner));
        Self::set_up(turn, lines)
    }

    /// As `new`, with no other test running meanwhile.
    pub fn exclusive() -> Self {
        let turn = Turn::Alone(MACHINE.write().unwrap_or_else(PoisonError::into_inner));
        Self::set_up(turn, "")
    }

    /// As it is shipped, rates, storms and restarts included, but for these lines in the tables of webhook and route.
    pub fn as_shipped(webhook: &str, route: &str) -> Self {
        let env = Self::new();
        env.configure_both(webhook, route);
        env
    }

    fn set_up(turn: Turn, lines: &str) -> Self {
        banhook(); // built before any clock runs
        let env = Self {
            folder: tempfile::Builder::new().prefix("banhook-").tempdir().unwrap(),
            webhook: Webhook::open(),
            _turn: turn,
        };
        env.write_url("main.url", &env.webhook);
        env.configure(lines);
        env
    }

    /// Rewrites the configuration: the webhook `main`, and the route `all` with these lines in its table. Each event is told
    /// by itself and at once, which is what most tests look at.
    pub fn configure(&self, lines: &str) {
        self.configure_both(QUICK, &format!("storm = false\nrestart = false\n{lines}"));
    }

    /// The same with these lines in the tables of webhook and route, and nothing else.
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

    /// Writes where a webhook is into a file of the folder that only its owner can read.
    pub fn write_url(&self, name: &str, webhook: &Webhook) {
        let path = self.write(name, format!("{}\n", webhook.url()));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// A program with an environment of this place's own.
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

    /// Runs `banhook` with these arguments to its end.
    pub fn banhook<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> CommandOutput {
        CommandOutput::of(self.command(banhook()).args(arguments))
    }

    /// Runs `banhook notify` with these arguments, as words of one line.
    #[track_caller]
    pub fn notify(&self, line: &str) -> CommandOutput {
        self.banhook(["notify"].into_iter().chain(line.split_whitespace())).ok()
    }

    /// A daemon that is ready. Killed when it is let go of.
    pub fn daemon(&self) -> Daemon {
        self.ready(self.command(banhook()).arg("run"))
    }

    /// The same of a command that runs `banhook run` in some other way.
    pub fn ready(&self, command: &mut Command) -> Daemon {
        fs::File::create(self.run_log()).unwrap();
        let mut daemon = self.spawn(command);
        until("the daemon to be ready", || {
            let said = self.log();
            assert!(daemon.ended().is_none(), "the daemon ended: {said}");
            if said.contains("ready") { Ok(()) } else { Err(said) }
        });
        daemon
    }

    /// Starts a process that goes on by itself, whatever becomes of it; what it says is added to what was said before.
    pub fn spawn(&self, command: &mut Command) -> Daemon {
        let stderr = fs::OpenOptions::new().append(true).create(true).open(self.run_log()).unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
        Daemon { child }
    }

    /// What the daemon said.
    pub fn log(&self) -> String {
        fs::read_to_string(self.run_log()).unwrap_or_default()
    }

    fn run_log(&self) -> PathBuf {
        self.path("run.log")
    }

    /// Gives the state folder the compiled plugins of another one, so that nothing is compiled again.
    pub fn copy_plugin_cache(&self, other: &Path) {
        let cache = self.state().join("cache");
        let mut private = fs::DirBuilder::new();
        private.recursive(true).mode(0o700);
        private.create(self.state()).unwrap();
        private.create(&cache).unwrap();
        for entry in fs::read_dir(other.join("cache")).unwrap().flatten() {
            fs::copy(entry.path(), cache.join(entry.file_name())).unwrap();
        }
    }

    /// What `status` says; the sums are checked each time.
    #[track_caller]
    pub fn ledger(&self) -> Ledger {
        Ledger::parse(&self.banhook(["status", "--format", "json"]).ok().stdout)
    }

    /// Waits until nothing is waiting or pending.
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

    /// Every process that has this place's folder in its command line or environment.
    pub fn processes(&self) -> Vec<Pid> {
        let folder = self.folder.path().as_os_str().as_encoded_bytes();
        running()
            .filter(|(_, path)| {
                ["cmdline", "environ"].iter().any(|file| {
                    fs::read(path.join(file)).is_ok_and(|bytes| bytes.windows(folder.len()).any(|part| part == folder))
                })
            })
            .map(|(pid, _)| pid)
            .collect()
    }
}

impl Drop for TestEnv {
    fn drop(&mut self) {
        // What `notify` started works on its own; without a folder it is of no use to anybody.
        let deadline = Instant::now() + STOP_WITHIN;
        loop {
            let left = self.processes();
            if left.is_empty() || Instant::now() > deadline {
                return;
            }
            for pid in left {
                kill_process(pid, Signal::KILL).ok();
            }
            std::thread::yield_now();
        }
    }
}

/// All processes of the machine, each with its folder in `/proc`.
pub fn running() -> impl Iterator<Item = (Pid, PathBuf)> {
    let own = std::process::id().cast_signed();
    fs::read_dir("/proc").unwrap().flatten().filter_map(move |entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        (pid != own).then_some(())?;
        Some((Pid::from_raw(pid)?, entry.path()))
    })
}

/// A running `banhook run`.
pub struct Daemon {
    child: Child,
}

impl Daemon {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits until it ends by itself.
    #[track_caller]
    pub fn ends_within(&mut self, patience: Duration) -> ExitStatus {
        within(patience, "the process to end", || self.ended().ok_or_else(|| "it runs".to_owned()))
    }

    /// `kill -9`. How it ended before, if it had.
    pub fn kill(mut self) -> Option<ExitStatus> {
        let ended = self.ended();
        self.child.kill().ok();
        self.child.wait().unwrap();
        ended
    }

    /// SIGTERM, and a good end within the promised time.
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

/// SIGTERM; fails if the process is still there after `STOP_WITHIN`.
#[track_caller]
pub fn terminate(child: &mut Child) -> ExitStatus {
    let begun = Instant::now();
    kill_process(Pid::from_child(child), Signal::TERM).unwrap();
    let status = until("the process to stop", || match child.try_wait().unwrap() {
        Some(status) => Ok(status),
        None => Err("it runs".into()),
    });
    assert!(begun.elapsed() < STOP_WITHIN, "stopping took {:?}", begun.elapsed());
    status
}

/// The ledger, as `status --format json` prints it.
#[derive(Debug)]
pub struct Ledger {
    pub received: u64,
    pub unrouted: u64,
    pub unmatched: u64,
    pub routed: u64,
    pub routes: BTreeMap<String, Counts>,
}

/// What became of a route's events.
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
            routed: number(&json, "routed"),
            routes: routes.map(|(name, route)| (name.clone(), counts(route))).collect(),
        };
        assert_eq!(ledger.received, ledger.unrouted + ledger.unmatched + ledger.routed, "{ledger:?}");
        for (name, Counts { matched, posted, digested, skipped, dead, pending }) in &ledger.routes {
            assert_eq!(*matched, posted + digested + skipped + dead + pending, "route {name} of {ledger:?}");
        }
        ledger
    }

    /// The route that `TestEnv` makes; all zero before its first event.
    pub fn all(&self) -> Counts {
        let none = Counts { matched: 0, posted: 0, digested: 0, skipped: 0, dead: 0, pending: 0 };
        self.routes.get("all").copied().unwrap_or(none)
    }
}

/// Everything in the files of a folder, for a search.
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

//! A member of a fleet: a host or a worker with a configuration, a state directory and a daemon of its own.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Signal, kill_process};
use serde_json::Value;

use super::broker::Broker;
use crate::binary::{banhook, banhook_notify};
use crate::command_output::CommandOutput;
use crate::compiled::compiled;
use crate::polling::until;
use crate::test_env::{Daemon, QUICK, TestEnv, all_processes};

/// A short lease, so that tests need not wait.
pub const LEASE: &str = "lease = \"1s\"";

/// A member.
pub struct Member<'e> {
    env: &'e TestEnv,
    pub name: String,
    daemon: Option<Daemon>,
}

impl<'e> Member<'e> {
    /// A host.
    pub fn host(env: &'e TestEnv, broker: &Broker<'_>, name: &str) -> Self {
        let member = Self { env, name: name.to_owned(), daemon: None };
        member.configure(broker, "role = \"host\"", &format!("{name}.nkey"), "");
        member
    }

    /// A worker with one route; `lines` are added to `[fleet]`.
    pub fn worker(env: &'e TestEnv, broker: &Broker<'_>, name: &str, lines: &str) -> Self {
        Self::worker_with(env, broker, name, lines, "")
    }

    /// The same, with more webhooks and routes.
    pub fn worker_with(env: &'e TestEnv, broker: &Broker<'_>, name: &str, lines: &str, more: &str) -> Self {
        let member = Self { env, name: name.to_owned(), daemon: None };
        fs::create_dir_all(member.path("")).unwrap();
        fs::copy(env.path("main.url"), member.path("main.url")).unwrap();
        let routes = format!(
            "[webhooks.main]\nurl_file = \"main.url\"\n{QUICK}\n\n[[routes]]\nname = \"all\"\nwebhook = \"main\"\nstorm = \
             false\nrestart = false\nsame_subject = false\n{more}"
        );
        member.configure(broker, &format!("role = \"worker\"\n{LEASE}\n{lines}"), "worker.nkey", &routes);
        member
    }

    fn configure(&self, broker: &Broker<'_>, role: &str, key: &str, more: &str) {
        fs::create_dir_all(self.path("")).unwrap();
        let copy = self.path("fleet.nkey");
        fs::copy(broker.directory().join(key), &copy).unwrap();
        fs::set_permissions(copy, fs::Permissions::from_mode(0o600)).unwrap();
        let text = format!(
            "host = \"{}\"\n\n[fleet]\n{role}\nservers = {:?}\nnkey_file = \"fleet.nkey\"\n\n{more}",
            self.name,
            broker.urls()
        );
        fs::write(self.path("config.toml"), text).unwrap();
    }

    /// Adds lines to its configuration.
    pub fn append(&self, lines: &str) {
        let file = self.path("config.toml");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(file, text + lines).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.env.path(&self.name).join(name)
    }

    pub fn command(&self, program: &Path) -> Command {
        let mut command = self.env.command(program);
        command.env("BANHOOK_CONFIG", self.path("config.toml")).env("BANHOOK_STATE_DIR", self.path("state"));
        command
    }

    pub fn banhook(&self, arguments: &[&str]) -> CommandOutput {
        CommandOutput::of(self.command(banhook()).args(arguments))
    }

    /// Starts its daemon, and waits until that is ready.
    pub fn start(&mut self) {
        self.start_unready();
        until("the member's daemon to be ready", || {
            let log = self.log();
            if log.contains("ready") { Ok(()) } else { Err(log) }
        });
    }

    /// Starts its daemon.
    pub fn start_unready(&mut self) {
        self.begin_state();
        let log = File::create(self.path("log")).unwrap();
        let mut command = self.command(banhook());
        command.arg("run").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.daemon = Some(Daemon::of(command.spawn().unwrap()));
    }

    /// Gives it the compiled plugin.
    fn begin_state(&self) {
        let cache = self.path("state/cache");
        if cache.exists() {
            return;
        }
        fs::create_dir_all(&cache).unwrap();
        for folder in [self.path("state"), cache.clone()] {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
        }
        for entry in fs::read_dir(compiled().join("cache")).unwrap().flatten() {
            fs::copy(entry.path(), cache.join(entry.file_name())).unwrap();
        }
    }

    pub fn daemon(&mut self) -> &mut Daemon {
        self.daemon.as_mut().unwrap()
    }

    #[track_caller]
    pub fn stop(&mut self) {
        self.daemon.take().unwrap().stop();
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.daemon.take().unwrap().kill();
    }

    /// Ends the runs that outlive its daemon.
    pub fn end_runs(&self) {
        let state = self.path("state");
        let state = state.as_os_str().as_encoded_bytes();
        until("the member's runs to end", || {
            let is_own = |path: &Path| {
                fs::read(path.join("cmdline")).is_ok_and(|line| line.windows(state.len()).any(|part| part == state))
            };
            let runs: Vec<_> = all_processes().filter(|(_, path)| is_own(path)).collect();
            for (run, _) in &runs {
                kill_process(*run, Signal::KILL).ok();
            }
            if runs.is_empty() { Ok(()) } else { Err(format!("{runs:?}")) }
        });
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// fail2ban's action reports a ban of this address.
    pub fn ban(&self, address: &str) {
        self.notify(&["ban", "--jail=sshd", &format!("--ip={address}")]);
    }

    /// fail2ban's action reports something.
    pub fn notify(&self, arguments: &[&str]) {
        self.begin_state();
        CommandOutput::of(self.command(banhook_notify()).args(arguments)).ok();
    }

    /// What `status --format json` says. Its sums hold.
    #[track_caller]
    pub fn status(&self) -> Value {
        let output = self.banhook(&["status", "--format", "json", "--check"]);
        let status: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output}"));
        assert_eq!(status["balances"], true, "{output}");
        assert!(status["discrepancies"].as_array().is_none_or(Vec::is_empty), "{output}");
        status
    }

    /// Waits until a host has forwarded so many events.
    #[track_caller]
    pub fn wait_until_forwarded(&self, events: u64) {
        until("all events to be forwarded", || {
            let status = self.status();
            match status["forwarded"].as_u64() == Some(events) && status["unrouted"] == 0 {
                true => Ok(()),
                false => Err(format!("{status}\n{}", self.log())),
            }
        });
    }

    /// Waits until the worker has recorded with the broker that all up to this message is settled.
    #[track_caller]
    pub fn wait_until_settled(&self, message: u64) {
        let expected = format!("all up to {message} settled");
        until("the worker to have settled all", || {
            let status = self.banhook(&["fleet", "status"]);
            if status.stdout.contains(&expected) { Ok(()) } else { Err(status.to_string()) }
        });
    }

    /// Waits until its log has this text.
    #[track_caller]
    pub fn wait_for_log(&self, text: &str) {
        until(text, || {
            let log = self.log();
            if log.contains(text) { Ok(()) } else { Err(log) }
        });
    }
}

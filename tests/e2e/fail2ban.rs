//! A private instance of fail2ban, the distribution's or another release, with configuration, socket, database and log in a
//! folder of its own. It runs the action file that banhook ships, and needs no systemd, firewall or network.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::binary::{banhook_notify, require, root};
use crate::command_output::CommandOutput;
use crate::polling::until;
use crate::test_env::TestEnv;

/// Three lines `auth fail user USER from ADDRESS` are a ban in the jail `sshd`.
const FILTER: &str = "[Definition]\nfailregex = ^\\s*auth fail user <F-USER>.*?</F-USER> from <ADDR>$\n";

/// One line `login fail of ID end` is a ban in the jail `logins`, of an ID that need not be an address.
const FILTER_OF_IDS: &str = "[Definition]\nfailregex = ^\\s*login fail of <F-ID>.*</F-ID> end$\n";

/// A release of fail2ban.
#[derive(Debug, Clone)]
pub struct Release {
    /// Where it was unpacked; `None`: it is installed.
    root: Option<PathBuf>,
}

impl Release {
    /// The one that this machine has.
    pub fn installed() -> Self {
        require("fail2ban-client", "fail2ban");
        Self { root: None }
    }

    /// Those that `cargo xtask test` unpacked, from newer Debians.
    pub fn unpacked() -> Vec<Self> {
        let folder = std::env::var_os("BANHOOK_FAIL2BAN").expect("BANHOOK_FAIL2BAN is not set: cargo xtask test");
        let roots = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        roots.map(|root| Self { root: Some(root) }).collect()
    }

    /// `1.0.2`
    pub fn version(&self, env: &TestEnv) -> String {
        let said = CommandOutput::of(self.client(env).arg("--version")).ok().stdout;
        let version = said.split_whitespace().find_map(|word| word.strip_prefix('v'));
        version.unwrap_or_else(|| panic!("{said}")).to_owned()
    }

    fn client(&self, env: &TestEnv) -> Command {
        let Some(root) = &self.root else { return env.command("fail2ban-client") };
        let mut client = env.command(root.join("usr/bin/fail2ban-client"));
        client.env("PYTHONPATH", root.join("usr/lib/python3/dist-packages"));
        client
    }
}

/// A running server with the jails `sshd` and `logins`. Killed on drop.
pub struct Fail2ban<'a> {
    env: &'a TestEnv,
    release: Release,
    folder: PathBuf,
}

impl<'a> Fail2ban<'a> {
    /// Starts a server whose actions run banhook.
    pub fn start(env: &'a TestEnv) -> Self {
        Self::start_with(env, banhook_notify())
    }

    /// The same of another release.
    pub fn start_release(env: &'a TestEnv, release: &Release) -> Self {
        Self::configured(env, release.clone(), banhook_notify(), &shipped_action(), |_| {})
    }

    /// Starts a server whose actions run this program instead.
    pub fn start_with(env: &'a TestEnv, program: &Path) -> Self {
        Self::start_of(env, program, &shipped_action())
    }

    /// Starts a server whose action has no `actionflush`: it lifts each ban separately before a jail stops.
    pub fn start_without_flush(env: &'a TestEnv) -> Self {
        let shipped = shipped_action();
        let lines: Vec<_> = shipped.lines().filter(|line| !line.starts_with("actionflush =")).collect();
        assert_eq!(lines.len() + 1, shipped.lines().count());
        Self::start_of(env, banhook_notify(), &lines.join("\n"))
    }

    fn start_of(env: &'a TestEnv, program: &Path, action: &str) -> Self {
        Self::start_edited(env, program, action, |_| {})
    }

    /// Starts a server with this action file, after its configuration has been edited in its folder.
    pub fn start_edited(env: &'a TestEnv, program: &Path, action: &str, edit: impl FnOnce(&Path)) -> Self {
        Self::configured(env, Release::installed(), program, action, edit)
    }

    fn configured(env: &'a TestEnv, release: Release, program: &Path, action: &str, edit: impl FnOnce(&Path)) -> Self {
        let folder = env.path("fail2ban");
        let write = |name: &str, content: &str| {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        };
        let at = |name: &str| folder.join(name).display().to_string();
        write(
            "fail2ban.conf",
            &format!(
                "[Definition]\nallowipv6 = yes\nloglevel = INFO\nlogtarget = {}\nsyslogsocket = auto\nsocket = {}\npidfile = {}\n\
                 dbfile = {}\ndbpurgeage = 1d\ndbmaxmatches = 10\n",
                at("fail2ban.log"),
                at("socket"),
                at("pid"),
                at("bans.sqlite3"),
            ),
        );
        // Flags, since the environment of a real server has neither variable.
        let options = format!("--state-dir={} --config={}", env.state().display(), env.config().display());
        let program = program.display();
        write(
            "jail.conf",
            &format!(
                "[DEFAULT]\nbackend = polling\nusedns = no\nbantime = 600\nfindtime = 600\nmaxretry = 3\n\
                 action = banhook[banhook=\"{program}\", options=\"{options}\"]\n\n\
                 [sshd]\nenabled = true\nfilter = sshd\nlogpath = {}\n\n\
                 [logins]\nenabled = true\nfilter = logins\nlogpath = {}\nmaxretry = 1\n",
                at("sshd.auth.log"),
                at("logins.auth.log"),
            ),
        );
        write("filter.d/sshd.conf", FILTER);
        write("filter.d/logins.conf", FILTER_OF_IDS);
        write("action.d/banhook.conf", action);
        write("sshd.auth.log", "");
        write("logins.auth.log", "");
        edit(&folder);
        let server = Self { env, release, folder };
        server.client("start").ok();
        server
    }

    /// Runs `fail2ban-client` with these arguments, separated by spaces.
    pub fn client(&self, arguments: &str) -> CommandOutput {
        CommandOutput::of(self.command().args(arguments.split_whitespace()))
    }

    fn command(&self) -> Command {
        let mut command = self.release.client(self.env);
        command.arg("-c").arg(&self.folder).arg("-s").arg(self.folder.join("socket")).arg("-p").arg(self.pid_file());
        // The server passes its environment on to its actions; that of a service has neither variable.
        command.env_remove("BANHOOK_CONFIG").env_remove("BANHOOK_STATE_DIR");
        command
    }

    /// Appends a line with the current time to the log that a jail watches.
    pub fn append_to_log(&self, jail: &str, line: &str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let path = self.folder.join(format!("{jail}.auth.log"));
        writeln!(OpenOptions::new().append(true).open(path).unwrap(), "{now} {line}").unwrap();
    }

    /// The folder of the server.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The path of fail2ban's own log.
    pub fn log_path(&self) -> PathBuf {
        self.folder.join("fail2ban.log")
    }

    /// The shell command of a client for this server, without its arguments.
    pub fn client_line(&self) -> String {
        let folder = self.folder.display();
        format!("fail2ban-client -c {folder} -s {folder}/socket -p {folder}/pid")
    }

    /// The content of fail2ban's own log.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log_path()).unwrap_or_default()).into_owned()
    }

    /// Fails if fail2ban logged an error, for example of an action.
    #[track_caller]
    pub fn assert_no_errors(&self) {
        let log = self.log();
        for word in ["ERROR", "CRITICAL", "Traceback"] {
            assert!(!log.contains(word), "{log}");
        }
    }

    /// Stops the server and waits until it has exited.
    #[track_caller]
    pub fn stop(&self) {
        let pid = self.pid();
        self.client("stop").ok();
        if let Some(pid) = pid {
            until("fail2ban to stop", || test_kill_process(pid).err().map_or(Err("it is running".into()), |_| Ok(())));
        }
    }

    fn pid_file(&self) -> PathBuf {
        self.folder.join("pid")
    }

    /// The server's process.
    pub fn pid(&self) -> Option<Pid> {
        Pid::from_raw(fs::read_to_string(self.pid_file()).ok()?.trim().parse().ok()?)
    }
}

/// The action file that banhook ships.
pub fn shipped_action() -> String {
    fs::read_to_string(root().join("host/packaging/action.d/banhook.conf")).unwrap()
}

impl Drop for Fail2ban<'_> {
    fn drop(&mut self) {
        if let Some(pid) = self.pid() {
            kill_process(pid, Signal::KILL).ok();
        }
    }
}

//! The action runs as root, and the daemon as a user of its own, whose directory that is: nothing that this user puts there
//! gives it anything of root's, and other users see and fill nothing.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::binary::{banhook, banhook_notify, require_root};
use crate::command_output::CommandOutput;
use crate::test_env::{NOBODY, TestEnv};

/// A user who is neither root nor the one that banhook runs as.
const OTHER: u32 = 54_321;

/// Longer than any of these commands takes that waits for nobody.
const SOON: Duration = Duration::from_secs(60);

const BAN: &str = "ban --jail=sshd --ip=203.0.113.7";

/// Files of the state directory that commands open, create, append to, truncate or remove.
const NAMES: [&str; 10] = [
    "spool",
    "spool/active",
    "spool/settled",
    "banhook.sqlite3",
    "banhook.sqlite3-wal",
    "work.lock",
    "writer.lock",
    "wake",
    "banhook.log",
    "cache",
];

/// A state directory of the user nobody, and next to it files of root's that nobody else may read or write.
struct Host {
    env: TestEnv,
}

impl Host {
    fn new() -> Self {
        require_root();
        let env = TestEnv::new();
        fs::set_permissions(env.path(""), fs::Permissions::from_mode(0o755)).unwrap();
        chown(env.path("main.url"), Some(NOBODY), None).unwrap();
        fs::create_dir(env.path("root")).unwrap();
        fs::create_dir(env.path("root/directory")).unwrap();
        fs::set_permissions(env.path("root/directory"), fs::Permissions::from_mode(0o700)).unwrap();
        for name in ["root/file", "root/directory/file"] {
            let file = env.write(name, "root's\n");
            fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
        }
        fs::create_dir(env.state()).unwrap();
        // As the documents and packages make it.
        fs::set_permissions(env.state(), fs::Permissions::from_mode(0o700)).unwrap();
        Self::give(&env.state());
        Self { env }
    }

    fn give(path: &Path) {
        std::os::unix::fs::lchown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }

    /// Root's files: what each contains, with its mode and owner.
    fn of_root(&self) -> BTreeMap<PathBuf, (Vec<u8>, u32, u32)> {
        let mut found = BTreeMap::new();
        for folder in ["root", "root/directory"] {
            for entry in fs::read_dir(self.env.path(folder)).unwrap().flatten() {
                let meta = entry.metadata().unwrap();
                let content = fs::read(entry.path()).unwrap_or_default();
                found.insert(entry.path(), (content, meta.mode(), meta.uid()));
            }
        }
        found
    }

    /// Runs fail2ban's action as root.
    fn run_action(&self) {
        let mut command = self.env.command(banhook_notify());
        CommandOutput::within(command.args(BAN.split(' ')).arg("--no-spawn"), SOON);
    }

    /// Runs as root what fail2ban and an administrator run.
    fn run_all(&self) {
        let mut notify = self.env.command(banhook_notify());
        CommandOutput::within(notify.args(BAN.split(' ')), SOON);
        for arguments in [
            &["drain", "--timeout", "1s"][..],
            &["mute", "--all", "--for", "1h", "--reason", "x"],
            &["forget", "203.0.113.7"],
            &["support"],
        ] {
            CommandOutput::within(self.env.command(banhook()).args(arguments), SOON);
        }
        self.env.end_runs();
    }

    /// Fails if root has left a file in the directory: the user could not use it, or the other way round.
    fn assert_nothing_of_root_in(&self, folder: &Path, trap: &str) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let meta = entry.metadata().unwrap();
            assert_eq!(meta.uid(), NOBODY, "{trap}: {}", entry.path().display());
            if meta.is_dir() {
                self.assert_nothing_of_root_in(&entry.path(), trap);
            }
        }
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn links_in_the_state_directory_lead_root_nowhere() {
    for name in NAMES {
        for target in ["root/file", "root/directory", "root/directory/new"] {
            let host = Host::new();
            let place = host.env.state().join(name);
            if name.starts_with("spool/") {
                fs::create_dir(host.env.state().join("spool")).unwrap();
                Host::give(&host.env.state().join("spool"));
            }
            symlink(host.env.path(target), &place).unwrap();
            Host::give(&place);
            let before = host.of_root();
            host.run_action();
            if target == "root/file" {
                host.run_all();
            }
            let trap = format!("{name} -> {target}");
            assert_eq!(host.of_root(), before, "{trap}");
            host.assert_nothing_of_root_in(&host.env.state(), &trap);
            CommandOutput::within(host.env.command(banhook()).args(["uninstall", "--purge", "--no-restart"]), SOON);
            assert_eq!(host.of_root(), before, "{trap}");
        }
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn pipes_and_directories_in_the_state_directory_hold_up_no_action() {
    for name in NAMES {
        for kind in ["pipe", "directory"] {
            let host = Host::new();
            let place = host.env.state().join(name);
            if name.starts_with("spool/") {
                fs::create_dir(host.env.state().join("spool")).unwrap();
                Host::give(&host.env.state().join("spool"));
            }
            match kind {
                "pipe" => {
                    CommandOutput::of(host.env.command("mkfifo").arg(&place)).ok();
                }
                _ => fs::create_dir(&place).unwrap(),
            }
            Host::give(&place);
            let mut command = host.env.command(banhook_notify());
            let output = CommandOutput::within(command.args(BAN.split(' ')).arg("--no-spawn"), SOON);
            assert!(output.took < Duration::from_secs(10), "{kind} {name}: {output}");
            host.assert_nothing_of_root_in(&host.env.state(), &format!("{kind} {name}"));
        }
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn another_user_sees_nothing_fills_nothing_and_wakes_nobody() {
    let host = Host::new();
    let env = &host.env;
    env.notify(BAN);
    env.wait_until_idle();
    env.end_runs();
    let content = |folder: &Path| crate::test_env::content_of(folder);
    let before = content(&env.state());
    let as_other = |program: &Path, arguments: &[&str]| {
        CommandOutput::within(env.command(program).args(arguments).uid(OTHER).gid(OTHER), SOON)
    };
    let copy = env.path("banhook");
    CommandOutput::of(env.command("cp").arg(banhook()).arg(&copy)).ok();
    let notify: Vec<&str> = BAN.split(' ').collect();
    assert_ne!(as_other(banhook_notify(), &notify).code, Some(0), "an event of another user is stored");
    for arguments in
        [&["status"][..], &["queue", "list"], &["drain"], &["forget", "203.0.113.7"], &["run", "--until-idle"]]
    {
        let output = as_other(&copy, arguments);
        assert!(output.code != Some(0) && !output.stdout.contains("203.0.113.7"), "{output}");
    }
    let state = env.state().display().to_string();
    for line in [
        format!("ls {state}"),
        format!("cat {state}/banhook.sqlite3"),
        format!("echo w > {state}/wake"),
        format!("echo x >> {state}/spool/active"),
        format!("touch {state}/spool/new"),
        format!("touch {state}/new"),
        format!("cat {}", env.path("main.url").display()),
    ] {
        let output = as_other(Path::new("/bin/sh"), &["-c", &line]);
        assert!(output.code != Some(0) && output.stdout.is_empty(), "{output}");
    }
    assert!(before == content(&env.state()), "another user changed something");
    assert_eq!(env.ledger().received, 1);
}

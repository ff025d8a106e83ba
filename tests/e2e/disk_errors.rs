//! Full, read-only and foreign state directories: one clear error, and acknowledged events are delivered as soon as
//! possible.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::binary::{banhook, banhook_notify, require_mounts, require_root};
use crate::command_output::CommandOutput;
use crate::polling::{until, within};
use crate::test_env::{NOBODY, TestEnv};

/// A small file system mounted on the state directory, in a mount namespace of its own.
struct SmallDisk<'a> {
    env: &'a TestEnv,
    /// Keeps the namespace, and with it the mount, alive.
    keeper: Child,
}

impl<'a> SmallDisk<'a> {
    /// Mounts a disk of so many MiB.
    fn mount(env: &'a TestEnv, megabytes: u32) -> Self {
        require_mounts();
        fs::create_dir_all(env.state()).unwrap();
        let mounted = env.path("mounted");
        let script = format!("mount -t tmpfs -o mode=700,size={megabytes}m small \"$1\" && : > \"$2\" && exec cat");
        let mut command = env.command("unshare");
        command.args(["-m", "sh", "-c", &script, "sh"]).arg(env.state()).arg(&mounted);
        let keeper = command.stdin(Stdio::piped()).spawn().unwrap();
        until("the disk to be mounted", || if mounted.exists() { Ok(()) } else { Err(String::new()) });
        Self { env, keeper }
    }

    /// A command in the namespace of the disk.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = self.env.command("nsenter");
        command.arg(format!("--mount=/proc/{}/ns/mnt", self.keeper.id())).arg("--").arg(program);
        command
    }

    fn sh(&self, script: &str) -> CommandOutput {
        CommandOutput::of(self.command("sh").args(["-c", script]))
    }

    fn notify(&self, number: u32) -> CommandOutput {
        let mut command = self.command(banhook_notify());
        command.args(["--no-spawn", "ban", "--jail=sshd", &format!("--ip={}", address(number))]);
        CommandOutput::of(&mut command)
    }

    /// Fills the disk until only so many KiB are free.
    fn fill_except(&self, kilobytes: u32) {
        let ballast = "\"$BANHOOK_STATE_DIR/ballast\"";
        self.sh(&format!("cat /dev/zero 2>/dev/null >>{ballast}; truncate -s -{kilobytes}K {ballast}"));
    }

    fn free(&self) {
        self.sh("rm \"$BANHOOK_STATE_DIR/ballast\"").ok();
    }

    /// Waits until this many events are received and all of them posted.
    fn wait_until_posted(&self, expected: usize) {
        until("everything to be posted", || {
            let output = CommandOutput::of(self.command(banhook()).args(["status", "--format", "json"])).ok();
            let status: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
            let all = &status["routes"]["all"];
            match (&status["received"], &all["posted"]) == (&expected.into(), &expected.into()) {
                true => Ok(()),
                false => Err(output.stdout),
            }
        });
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        self.keeper.kill().ok();
        self.keeper.wait().ok();
    }
}

fn address(number: u32) -> String {
    format!("10.0.{}.{}", number / 256, number % 256)
}

/// How long a daemon may take to notice a full disk. It may exit with an error or keep running.
const NOTICED_WITHIN: Duration = Duration::from_secs(5);

#[test]
#[ignore = "needs root, to mount a disk: cargo xtask test"]
fn disk_filling_up_during_daemon_loses_nothing() {
    // No space at all, and some that the daemon itself uses up.
    [0, 300].into_iter().for_each(fills_up);
}

fn fills_up(kilobytes: u32) {
    let env = TestEnv::new();
    env.daemon().stop();
    let disk = SmallDisk::mount(&env, 16);
    let mut daemon = env.daemon_of(disk.command(banhook()).arg("run"));
    for number in 1..=3 {
        disk.notify(number).ok();
    }
    env.webhook.wait_for(3);
    env.webhook.stop();
    for number in 4..=8 {
        disk.notify(number).ok();
    }
    until("a message to fail", || match env.log() {
        log if log.contains("not delivered") => Ok(()),
        log => Err(log),
    });
    disk.fill_except(kilobytes);
    let stored = (9..=5_000).find(|number| match disk.notify(*number) {
        output if output.code == Some(0) => false,
        output => {
            output.exits(1).complains(&["disk is full"]);
            true
        }
    });
    let stored = stored.expect("the disk fills up") as usize - 1;
    env.webhook.start();
    // It exits with a clear error, or continues in the space that is left.
    let exited = within(NOTICED_WITHIN * 2, "the daemon to exit or deliver", || match daemon.exit_status() {
        Some(status) => Ok(Some(status)),
        None if env.webhook.arrived().len() >= stored => Ok(None),
        None => Err(env.log()),
    });
    let log = env.log();
    assert!(!log.contains("panicked"), "{log}");
    if let Some(status) = exited {
        assert_eq!(status.code(), Some(1), "{log}");
        assert!(log.contains("the disk is full; free some space there"), "{log}");
    }
    eprintln!(
        "{kilobytes} KiB: {stored} stored; the daemon {}",
        exited.map_or("kept running".to_owned(), |status| status.to_string())
    );
    disk.free();
    let _next = exited.map(|_| env.daemon_of(disk.command(banhook()).arg("run")));
    disk.wait_until_posted(stored);
    let messages = env.webhook.arrived();
    for number in 1..=stored {
        let subject = address(number as u32);
        assert!(messages.iter().any(|message| message.shown().contains(&format!("`{subject}`"))), "{subject}");
    }
    // A message that was accepted but could not be recorded is sent again.
    assert!((stored..=stored + 1).contains(&messages.len()), "{} of {stored}", messages.len());
}

#[test]
#[ignore = "needs root, to mount a disk: cargo xtask test"]
fn disk_full_from_start_reports_error() {
    let env = TestEnv::new();
    let disk = SmallDisk::mount(&env, 1);
    disk.fill_except(0);
    for arguments in [&["run"][..], &["drain"], &["run", "--until-idle"]] {
        let output = CommandOutput::of(disk.command(banhook()).args(arguments)).exits(1);
        output.complains(&["disk is full", "free some space"]);
    }
    disk.notify(1).exits(1).complains(&["disk is full"]);
    disk.free();
    disk.notify(1).ok();
    CommandOutput::of(disk.command(banhook()).arg("drain")).ok();
    assert!(env.webhook.wait_for(1)[0].contains(&["10.0.0.1"]));
}

#[test]
#[ignore = "needs root, to mount a disk: cargo xtask test"]
fn disk_read_only_reports_error() {
    require_mounts();
    let env = TestEnv::new();
    env.banhook(["drain"]).ok(); // creates all files
    env.notify("--no-spawn ban --jail=sshd --ip=10.0.0.1");
    let before = fs::read(env.state().join("banhook.sqlite3")).unwrap();
    let read_only = "mount --bind \"$BANHOOK_STATE_DIR\" \"$BANHOOK_STATE_DIR\" && \
                     mount -o remount,bind,ro \"$BANHOOK_STATE_DIR\" && exec \"$@\"";
    for arguments in
        [&["run"][..], &["drain"], &["run", "--until-idle"], &["notify", "ban", "--jail=sshd", "--ip=10.0.0.2"]]
    {
        let mut command = env.command("unshare");
        command.args(["-m", "sh", "-c", read_only, "sh"]).arg(banhook()).args(arguments);
        let output = CommandOutput::of(&mut command).exits(1);
        output.complains(&[env.state().to_str().unwrap()]);
        assert!(output.stderr.to_lowercase().contains("read-only"), "{output}");
    }
    assert!(before == fs::read(env.state().join("banhook.sqlite3")).unwrap());
    env.banhook(["drain"]).ok();
    assert!(env.webhook.wait_for(1)[0].contains(&["10.0.0.1"]));
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn state_dir_of_another_user_reports_error() {
    require_root();
    let env = TestEnv::new();
    env.notify("--no-spawn ban --jail=sshd --ip=10.0.0.1");
    // Other users may not be able to read the binary and the URL; this test is about the state directory.
    let copy = env.path("banhook");
    // By another process: a program is busy while a child of this one has it open for writing.
    CommandOutput::of(env.command("cp").arg(banhook()).arg(&copy)).ok();
    for path in [env.path(""), env.state()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    std::os::unix::fs::chown(env.path("main.url"), Some(NOBODY), None).unwrap();
    for arguments in [&["run"][..], &["drain"], &["notify", "ban", "--jail=sshd", "--ip=10.0.0.2"], &["status"]] {
        let output = CommandOutput::of(env.command(&copy).args(arguments).uid(NOBODY).gid(NOBODY)).exits(1);
        output.complains(&[env.state().to_str().unwrap(), "user that banhook runs as"]);
    }
}

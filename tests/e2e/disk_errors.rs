//! A disk that fills up under a daemon, and one that lets nobody write: a clear error, and what was acknowledged is told
//! as soon as it can be.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::binary::{banhook, require_mounts, require_root};
use crate::command_output::CommandOutput;
use crate::polling::{until, within};
use crate::test_env::{NOBODY, TestEnv};

/// A disk of its own beneath the state folder, in a namespace that others do not see.
struct Disk<'a> {
    env: &'a TestEnv,
    /// Keeps the namespace, and the disk with it.
    keeper: Child,
}

impl<'a> Disk<'a> {
    /// Of so many MiB.
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

    /// A program that sees the disk.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = self.env.command("nsenter");
        command.arg(format!("--mount=/proc/{}/ns/mnt", self.keeper.id())).arg("--").arg(program);
        command
    }

    fn sh(&self, script: &str) -> CommandOutput {
        CommandOutput::of(self.command("sh").args(["-c", script]))
    }

    fn notify(&self, number: u32) -> CommandOutput {
        let mut command = self.command(banhook());
        command.args(["notify", "--no-spawn", "ban", "--jail=sshd", &format!("--ip=10.0.0.{number}")]);
        CommandOutput::of(&mut command)
    }

    /// Until no more than so many KiB fit in.
    fn fill_but_for(&self, kilobytes: u32) {
        let ballast = "\"$BANHOOK_STATE_DIR/ballast\"";
        self.sh(&format!("cat /dev/zero 2>/dev/null >>{ballast}; truncate -s -{kilobytes}K {ballast}"));
    }

    fn free(&self) {
        self.sh("rm \"$BANHOOK_STATE_DIR/ballast\"").ok();
    }

    /// Waits until all that was taken in has been accepted.
    fn settle(&self, expected: usize) {
        until("everything to be accepted", || {
            let told = CommandOutput::of(self.command(banhook()).args(["status", "--format", "json"])).ok();
            let status: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
            let all = &status["routes"]["all"];
            match (&status["received"], &all["posted"]) == (&expected.into(), &expected.into()) {
                true => Ok(()),
                false => Err(told.stdout),
            }
        });
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        self.keeper.kill().ok();
        self.keeper.wait().ok();
    }
}

/// How long a daemon may go on without room: an error that it survives is as good as a clear end.
const DECIDES_WITHIN: Duration = Duration::from_secs(5);

#[test]
fn disk_filling_up_during_daemon_loses_nothing() {
    // No room at all, and some that it uses up itself.
    [0, 300].into_iter().for_each(fills_up);
}

fn fills_up(kilobytes: u32) {
    let env = TestEnv::new();
    env.daemon().stop();
    let disk = Disk::mount(&env, 16);
    let mut daemon = env.daemon_of(disk.command(banhook()).arg("run"));
    for number in 1..=3 {
        disk.notify(number).ok();
    }
    env.webhook.wait_for(3);
    env.webhook.stop();
    for number in 4..=8 {
        disk.notify(number).ok();
    }
    until("a message to have failed", || match env.log() {
        said if said.contains("not delivered") => Ok(()),
        said => Err(said),
    });
    disk.fill_but_for(kilobytes);
    let stored = (9..=250).find(|number| match disk.notify(*number) {
        told if told.code == Some(0) => false,
        told => {
            told.exits(1).complains(&["disk is full"]);
            true
        }
    });
    let stored = stored.expect("the disk is never full") as usize - 1;
    env.webhook.start();
    // It ends with a clear error, or works on in what room there is.
    let ended = within(DECIDES_WITHIN * 2, "the daemon to decide", || match daemon.exit_status() {
        Some(status) => Ok(Some(status)),
        None if env.webhook.arrived().len() >= stored => Ok(None),
        None => Err(env.log()),
    });
    let said = env.log();
    assert!(!said.contains("panicked"), "{said}");
    if let Some(status) = ended {
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(said.contains("the disk is full; free some space there"), "{said}");
    }
    eprintln!(
        "{kilobytes} KiB: {stored} stored; the daemon {}",
        ended.map_or("worked on".to_owned(), |status| status.to_string())
    );
    disk.free();
    let _next = ended.map(|_| env.daemon_of(disk.command(banhook()).arg("run")));
    disk.settle(stored);
    let messages = env.webhook.arrived();
    for number in 1..=stored {
        let subject = format!("10.0.0.{number}");
        assert!(messages.iter().any(|message| message.shown().contains(&format!("`{subject}`"))), "{subject}");
    }
    // One that was accepted and could not be recorded comes once more.
    assert!((stored..=stored + 1).contains(&messages.len()), "{} of {stored}", messages.len());
}

#[test]
fn disk_full_from_start_reports_error() {
    let env = TestEnv::new();
    let disk = Disk::mount(&env, 1);
    disk.fill_but_for(0);
    for arguments in [&["run"][..], &["drain"], &["run", "--until-idle"]] {
        let told = CommandOutput::of(disk.command(banhook()).args(arguments)).exits(1);
        told.complains(&["disk is full", "free some space"]);
    }
    disk.notify(1).exits(1).complains(&["disk is full"]);
    disk.free();
    disk.notify(1).ok();
    CommandOutput::of(disk.command(banhook()).arg("drain")).ok();
    assert!(env.webhook.wait_for(1)[0].contains(&["10.0.0.1"]));
}

#[test]
fn disk_read_only_reports_error() {
    require_mounts();
    let env = TestEnv::new();
    env.banhook(["drain"]).ok(); // makes all files
    env.notify("--no-spawn ban --jail=sshd --ip=10.0.0.1");
    let whole = ["inbox.sqlite3", "work.sqlite3"].map(|file| fs::read(env.state().join(file)).unwrap());
    let read_only = "mount --bind \"$BANHOOK_STATE_DIR\" \"$BANHOOK_STATE_DIR\" && \
                     mount -o remount,bind,ro \"$BANHOOK_STATE_DIR\" && exec \"$@\"";
    for arguments in
        [&["run"][..], &["drain"], &["run", "--until-idle"], &["notify", "ban", "--jail=sshd", "--ip=10.0.0.2"]]
    {
        let mut command = env.command("unshare");
        command.args(["-m", "sh", "-c", read_only, "sh"]).arg(banhook()).args(arguments);
        let told = CommandOutput::of(&mut command).exits(1);
        told.complains(&[env.state().to_str().unwrap()]);
        assert!(told.stderr.to_lowercase().contains("read-only"), "{told}");
    }
    let still = ["inbox.sqlite3", "work.sqlite3"].map(|file| fs::read(env.state().join(file)).unwrap());
    assert!(whole == still);
    env.banhook(["drain"]).ok();
    assert!(env.webhook.wait_for(1)[0].contains(&["10.0.0.1"]));
}

#[test]
fn state_dir_of_another_user_reports_error() {
    require_root();
    let env = TestEnv::new();
    env.notify("--no-spawn ban --jail=sshd --ip=10.0.0.1");
    // The program may lie where others can't read, and so does the secret: it is not what is looked for here.
    let copy = env.path("banhook");
    fs::copy(banhook(), &copy).unwrap();
    for path in [env.path(""), env.state()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::set_permissions(env.path("main.url"), fs::Permissions::from_mode(0o644)).unwrap();
    for arguments in [&["run"][..], &["drain"], &["notify", "ban", "--jail=sshd", "--ip=10.0.0.2"], &["status"]] {
        let told = CommandOutput::of(env.command(&copy).args(arguments).uid(NOBODY).gid(NOBODY)).exits(1);
        told.complains(&[env.state().to_str().unwrap(), "user that banhook runs as"]);
    }
}

//! fail2ban's log as a source: each line of a real server's log is read once.

mod rotation;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Stdio};

use rotation::Rotation;

use crate::binary::{banhook, require, root};
use crate::fail2ban::Fail2ban;
use crate::polling::until;
use crate::test_env::{TestEnv, terminate};

/// Templates that print the fields of an event and nothing else.
const PLAIN: &str = r#"[routes.settings]
start = "start {{ jail }}"
stop = "stop {{ jail }}"
flush = "flush {{ jail }}"
ban = "ban {{ jail }} {{ ip }} {{ failures }}"
unban = "unban {{ jail }} {{ ip }}"
"#;

/// A log line of a ban in the jail `sshd`.
fn ban(subject: &str) -> String {
    format!("2026-11-22 11:56:55,601 fail2ban.actions        [2784]: NOTICE  [sshd] Ban {subject}\n")
}

/// A running `banhook tail`. Killed on drop.
struct Tail(Child);

impl Tail {
    fn spawn(env: &TestEnv, arguments: &[&str]) -> Self {
        let stderr = OpenOptions::new().append(true).create(true).open(env.path("tail.log")).unwrap();
        let mut command = env.command(banhook());
        Self(command.arg("tail").args(arguments).stdin(Stdio::null()).stderr(stderr).spawn().unwrap())
    }

    fn spawn_ready(env: &TestEnv, arguments: &[&str]) -> Self {
        let tail = Self::spawn(env, arguments);
        until("the tailer to be ready", || {
            let log = fs::read_to_string(env.path("tail.log")).unwrap();
            if log.contains("ready") { Ok(()) } else { Err(log) }
        });
        tail
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

pub fn append(path: &Path, text: &str) {
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

#[test]
fn tail_recorded_logs_match_golden_events() {
    let env = TestEnv::new();
    let folder = root().join("host/src/receive/log/testdata");
    // The other logs have lines without a time or a year, which depend on the current time.
    for name in ["fail2ban-1.0.2", "hostile", "increments", "fail2ban-0.8", "clocks-set-back"] {
        let log = folder.join(format!("{name}.log"));
        let golden = fs::read_to_string(folder.join(format!("{name}.jsonl"))).unwrap();
        let zone = "--timezone=Europe/Berlin";
        let read = env.banhook(["tail", "--once", "--dry-run", zone, &log.display().to_string()]).ok();
        assert_eq!(read.stdout, golden, "{name}");
        let mut piped = env.command(banhook());
        let piped = piped.args(["tail", "--dry-run", zone, "-"]).stdin(File::open(&log).unwrap()).output().unwrap();
        assert_eq!(String::from_utf8(piped.stdout).unwrap(), golden, "{name}, through a pipe");
    }
    assert!(!env.state().exists(), "a dry run stores nothing");
}

#[test]
fn tail_once_delivers_only_new_lines() {
    let env = TestEnv::new();
    let log = env.write("f.log", ban("203.0.113.1") + &ban("203.0.113.2") + "2026-11-22 11:5");
    let once = || env.banhook(["tail", "--once", &log.display().to_string()]).ok();
    once();
    let messages = env.webhook.wait_for(2);
    assert!(messages[0].contains(&["203.0.113.1"]) && messages[1].contains(&["203.0.113.2"]));
    once();
    assert_eq!(env.webhook.arrived().len(), 2);
    fs::write(&log, ban("203.0.113.1") + &ban("203.0.113.2") + &ban("203.0.113.3")).unwrap();
    once();
    assert!(env.webhook.wait_for(3)[2].contains(&["203.0.113.3"]));
    env.banhook(["tail", "--once", "no-such.log"]).exits(2).complains(&["no-such.log", "no such file"]);
}

#[test]
fn tail_once_of_foreign_log_warns_and_fails() {
    let env = TestEnv::new();
    env.write("auth.log", "Nov 22 11:56:55 web-1 sshd[1]: Failed password for root\nand more\n");
    env.write("f.log", ban("203.0.113.1") + "and more\n");
    env.write("empty.log", "");
    let once = |arguments: &[&str]| env.banhook(["tail", "--once"].iter().chain(arguments));
    for arguments in [&["--dry-run", "auth.log"][..], &["auth.log", "f.log"]] {
        let output = once(arguments).exits(1);
        let warning = output.stderr.lines().find(|line| line.contains("auth.log is not a log of fail2ban"));
        let words = ["(2 lines read, none recognized)", "sshd[1]: Failed password", "fail2ban-client get logtarget"];
        assert!(warning.is_some_and(|line| words.iter().all(|word| line.contains(word))), "{output}");
    }
    // The other log was read all the same.
    env.webhook.wait_for(1);
    // No warning for a log without new lines, or with some lines of fail2ban.
    append(&env.path("f.log"), &ban("203.0.113.2"));
    for log in ["empty.log", "f.log", "f.log", "auth.log"] {
        let output = once(&[log]).ok();
        assert!(!output.stderr.contains("warning"), "{output}");
    }
}

#[test]
#[ignore = "needs logrotate, xz, zstd and bzip2: cargo xtask test"]
fn tail_compressed_rotations_are_read() {
    require("logrotate", "logrotate");
    for (program, package, extension) in
        [("gzip", "gzip", "gz"), ("xz", "xz-utils", "xz"), ("zstd", "zstd", "zst"), ("bzip2", "bzip2", "bz2")]
    {
        require(program, package);
        let env = TestEnv::with_route(PLAIN);
        let log = env.write("f.log", ban("203.0.113.1"));
        let path = std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .map(|folder| folder.join(program))
            .find(|path| path.is_file())
            .unwrap();
        // Without `--rm` zstd keeps the original file.
        let options = if program == "zstd" { "--rm" } else { "" };
        let config = format!(
            "{} {{\nrotate 9\ncompress\ncompresscmd {}\ncompressext .{extension}\ncompressoptions {options} -5\n}}\n",
            log.display(),
            path.display(),
        );
        let rotation = Rotation { config: env.write("logrotate.conf", config), state: env.path("logrotate.state") };
        fs::set_permissions(&rotation.config, fs::Permissions::from_mode(0o644)).unwrap();
        fs::set_permissions(env.path(""), fs::Permissions::from_mode(0o755)).unwrap();
        let once = || env.banhook(["tail", "--once", &log.display().to_string()]).ok();
        once();
        // One rotation in the middle of a file that was read, one of a file that was never read.
        append(&log, &ban("203.0.113.2"));
        rotation.force(&env);
        fs::write(&log, ban("203.0.113.3")).unwrap();
        rotation.force(&env);
        fs::write(&log, ban("203.0.113.4")).unwrap();
        assert!(env.path(&format!("f.log.2.{extension}")).is_file());
        let output = once();
        let shown: Vec<_> = env.webhook.arrived().iter().map(|message| message.shown().trim().to_owned()).collect();
        assert_eq!(
            shown,
            (1..=4).map(|n| format!("ban sshd 203.0.113.{n}")).collect::<Vec<_>>(),
            "{program}: {output}"
        );
    }
}

#[test]
fn tail_follows_from_end_and_resumes() {
    let env = TestEnv::new();
    let log = env.write("f.log", ban("203.0.113.1"));
    let name = log.display().to_string();
    let mut tail = Tail::spawn_ready(&env, &[&name]);
    // A thread opens the log, possibly after the process is ready.
    until("the log to be opened", || match env.banhook(["status"]).code {
        Some(0) if fs::read(env.state().join("banhook.sqlite3-wal")).is_ok_and(|wal| holds(&wal, &name)) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    append(&log, &ban("203.0.113.2"));
    assert!(env.webhook.wait_for(1)[0].contains(&["203.0.113.2"]));
    assert!(terminate(&mut tail.0).success());
    append(&log, &ban("203.0.113.3"));
    let _tail = Tail::spawn_ready(&env, &[&name]);
    assert!(env.webhook.wait_for(2)[1].contains(&["203.0.113.3"]));
    env.banhook(["run"]).exits(1).complains(&["another banhook is running"]);
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

#[test]
fn tail_pipe_is_read_to_end_and_delivered() {
    let env = TestEnv::new();
    let mut command = env.command(banhook());
    let mut tail = command.args(["tail", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut pipe = tail.stdin.take().unwrap();
    pipe.write_all(b"[sshd] Ban 203.0.113.1\n").unwrap();
    // The message arrives while the pipe is open.
    assert!(env.webhook.wait_for(1)[0].contains(&["203.0.113.1"]));
    pipe.write_all(b"[sshd] Ban 203.0.113.2\n[sshd] Ban 203.0.").unwrap();
    drop(pipe);
    assert!(tail.wait().unwrap().success());
    assert!(env.webhook.wait_for(2)[1].contains(&["203.0.113.2"]));
}

#[test]
fn daemon_reads_configured_sources() {
    let env = TestEnv::new();
    let log = env.path("later/f.log");
    env.configure(&format!("[[sources]]\nlog = \"{}\"\ntimezone = \"UTC\"", log.display()));
    let daemon = env.daemon();
    env.notify("ban --jail=sshd --ip=203.0.113.1");
    env.webhook.wait_for(1);
    fs::create_dir(log.parent().unwrap()).unwrap();
    append(&log, &ban("203.0.113.2"));
    assert!(env.webhook.wait_for(2)[1].contains(&["203.0.113.2"]));
    daemon.stop();
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn event_from_action_and_log_is_delivered_once() {
    let env = TestEnv::new();
    let log = env.path("fail2ban/fail2ban.log");
    env.configure(&format!("{PLAIN}\n[[sources]]\nlog = \"{}\"\ntimezone = \"UTC\"", log.display()));
    let daemon = env.daemon();
    let server = Fail2ban::start(&env);
    assert_eq!(log, server.log_path());
    for n in 1..=3 {
        server.append_to_log("logins", &format!("login fail of user-{n} end"));
    }
    until("three bans in the log", || match server.log().matches("] Ban ").count() {
        3 => Ok(()),
        other => Err(other.to_string()),
    });
    server.client("set logins unbanip user-2").ok();
    server.client("set sshd banip 203.0.113.7").ok();
    // The log is read in order: once this line is delivered, all lines before it are processed.
    append(&log, &ban("203.0.113.99"));
    until("the last line to be delivered", || {
        let arrived = env.webhook.arrived();
        let last = arrived.iter().any(|message| message.contains(&["203.0.113.99"]));
        if last { Ok(()) } else { Err(format!("{:?}", crate::webhook::shown(&arrived))) }
    });
    let ledger = env.wait_until_idle();
    let mut delivered: Vec<_> = env.webhook.arrived().iter().map(|message| message.shown()).collect();
    delivered.sort();
    let bans = ["ban logins user-1 1", "ban logins user-2 1", "ban logins user-3 1"];
    let others = ["start logins", "start sshd", "unban logins user-2"];
    // A ban by hand has 0 failures if the action reports it first; the log does not have the number.
    let by_hand = delivered.remove(delivered.iter().position(|line| line.starts_with("ban sshd 203.0.113.7")).unwrap());
    assert!(["ban sshd 203.0.113.7 0", "ban sshd 203.0.113.7"].contains(&by_hand.trim()), "{by_hand}");
    let mut expected = [&bans[..], &["ban sshd 203.0.113.99"], &others[..]].concat();
    expected.sort_unstable();
    assert_eq!(delivered.iter().map(|line| line.trim()).collect::<Vec<_>>(), expected);
    assert_eq!(ledger.received, 8, "{ledger:?}");
    daemon.stop();
}

//! A real server's log under real rotations, with a reader that is killed repeatedly: each line is read once.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::{PLAIN, Tail};
use crate::binary::require;
use crate::command_output::CommandOutput;
use crate::fail2ban::Fail2ban;
use crate::polling::until;
use crate::test_env::TestEnv;

/// Rotations while the log is read.
const ROTATIONS: usize = 20;

/// logrotate for one log.
pub struct Rotation {
    pub config: PathBuf,
    pub state: PathBuf,
}

impl Rotation {
    /// The configuration of Debian's fail2ban package, for this server's log.
    fn of(env: &TestEnv, server: &Fail2ban<'_>) -> Self {
        require("logrotate", "logrotate");
        let packaged = fs::read_to_string("/etc/logrotate.d/fail2ban").expect("fail2ban's package contains it");
        let mut config = packaged
            .replace("/var/log/fail2ban.log", &server.log_path().display().to_string())
            .replace("fail2ban-client", &server.client_line())
            // Keeps everything that fail2ban writes, for the comparison at the end.
            .replace("rotate 4", "rotate 99");
        assert!(config.contains("delaycompress") && config.contains("create 640"), "{config}");
        if !rustix::process::geteuid().is_root() {
            config = config.replace("640 root adm", "640");
        }
        let config = env.write("logrotate.conf", config);
        fs::set_permissions(&config, fs::Permissions::from_mode(0o644)).unwrap();
        Self { config, state: env.path("logrotate.state") }
    }

    pub fn force(&self, env: &TestEnv) {
        let mut command = env.command("logrotate");
        CommandOutput::of(command.arg("-f").arg("-s").arg(&self.state).arg(&self.config)).ok();
    }
}

/// The events that the action received, in the form of the messages.
fn seen(record: &Path) -> Vec<String> {
    let value = |line: &str, option: &str| {
        line.split(' ').find_map(|word| word.strip_prefix(option)).unwrap_or_default().to_owned()
    };
    let text = fs::read_to_string(record).unwrap_or_default();
    // A line that is still being written does not count.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let text_of = |line: &str| {
        let kind = line.split(' ').next().unwrap_or_default();
        let (jail, ip, failures) = (value(line, "--jail="), value(line, "--ip="), value(line, "--failures="));
        match kind {
            "ban" => format!("ban {jail} {ip} {failures}"),
            "unban" => format!("unban {jail} {ip}"),
            other => format!("{other} {jail}"),
        }
    };
    whole.lines().map(text_of).collect()
}

/// The content of a log and of all its rotated files.
fn read_all_rotations(log: &Path) -> String {
    let mut command = std::process::Command::new("sh");
    let output = command.args(["-c", "cat \"$0\" \"$0.1\"; zcat \"$0\".*.gz"]).arg(log).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Whether a log contains an event that the action received.
fn is_written(log: &str, seen: &str) -> bool {
    let mut words = seen.split(' ');
    let (kind, jail, ip) = (words.next().unwrap(), words.next().unwrap(), words.next());
    match (kind, ip) {
        ("ban", Some(ip)) => log.contains(&format!("[{jail}] Ban {ip}\n")),
        ("unban", Some(ip)) => log.contains(&format!("[{jail}] Unban {ip}\n")),
        _ => true,
    }
}

/// Whether a log contains all failures of a ban that the action received.
fn has_all_failures(log: &str, seen: &str) -> bool {
    match seen.split(' ').collect::<Vec<_>>()[..] {
        ["ban", jail, ip, failures] => log.matches(&format!("[{jail}] Found {ip} - ")).count().to_string() == failures,
        _ => true,
    }
}

/// Stops the writer on drop, also during a panic.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
#[ignore = "needs fail2ban and logrotate: cargo xtask test"]
fn tail_rotations_and_kills_deliver_every_line_once() {
    let env = TestEnv::with_route(PLAIN);
    let record = env.path("record");
    let recorder = env.write("recorder", format!("#!/bin/sh\necho \"$@\" >> {}\n", record.display()));
    fs::set_permissions(&recorder, fs::Permissions::from_mode(0o755)).unwrap();
    let server = Fail2ban::start_with(&env, &recorder);
    let rotation = Rotation::of(&env, &server);
    let (is_over, bans) = (AtomicBool::new(false), AtomicUsize::new(0));
    let tail = std::thread::scope(|scope| {
        scope.spawn(|| ban_until(&is_over, &bans, &server));
        let _writer = StopOnDrop(&is_over);
        rotate_and_kill(&env, &server, &rotation, &record)
    });
    let unbans = ROTATIONS / 5;
    let all = 2 + unbans + bans.load(Ordering::Relaxed);
    until("the action to receive every ban", || match seen(&record) {
        seen if seen.len() >= all => Ok(()),
        seen => Err(format!("{} of {all}", seen.len())),
    });
    let seen = seen(&record);
    // fail2ban may close the file while it logs a line during flushlogs; that line is never written.
    let written = read_all_rotations(&server.log_path());
    let seen: Vec<_> = seen.into_iter().filter(|line| is_written(&written, line)).collect();
    assert!(seen.len() + 5 > all, "fail2ban has lost {} lines", all - seen.len());
    until("every ban to be received", || match env.ledger() {
        ledger if ledger.received >= seen.len() as u64 => Ok(()),
        ledger => {
            let log = fs::read_to_string(env.path("tail.log")).unwrap();
            let delivered: BTreeSet<_> = env.webhook.arrived().iter().map(|message| message.shown()).collect();
            let missing: Vec<_> = seen.iter().filter(|line| !delivered.contains(*line)).collect();
            Err(format!("missing: {missing:?}; {ledger:?}\n{log}"))
        }
    });
    let ledger = env.wait_until_idle();
    drop(tail);

    // Every event was received exactly once. Only messages may be repeated, when the process is killed.
    let uncounted = |line: &str| line.rsplit_once(' ').unwrap().0.to_owned();
    let lost: BTreeSet<_> =
        seen.iter().filter(|line| !has_all_failures(&written, line)).map(|line| uncounted(line)).collect();
    assert!(lost.len() < 5, "fail2ban has lost failures of {lost:?}");
    let without = |line: String| if lost.contains(&uncounted(&line)) { uncounted(&line) } else { line };
    let expected: BTreeSet<_> = seen.iter().cloned().map(without).collect();
    assert_eq!(expected.len(), seen.len(), "each event is distinct: {seen:?}");
    let delivered: BTreeSet<_> = env.webhook.arrived().iter().map(|message| without(message.shown())).collect();
    let differences: Vec<_> = delivered.symmetric_difference(&expected).collect();
    assert!(differences.is_empty(), "{differences:?}");
    assert_eq!(ledger.received, seen.len() as u64);
    assert!(
        fs::exists(server.folder().join(format!("fail2ban.log.{ROTATIONS}.gz"))).unwrap(),
        "rotated and compressed"
    );
}

/// Causes bans of distinct addresses and users at a constant rate.
fn ban_until(is_over: &AtomicBool, bans: &AtomicUsize, server: &Fail2ban<'_>) {
    while !is_over.load(Ordering::Relaxed) {
        let n = bans.fetch_add(1, Ordering::Relaxed) + 1;
        if n.is_multiple_of(4) {
            for _ in 0..3 {
                server.append_to_log("sshd", &format!("auth fail user x from 198.51.{}.{}", n / 250, n % 250));
            }
        } else {
            server.append_to_log("logins", &format!("login fail of user-{n} end"));
        }
        std::thread::sleep(Duration::from_millis(15)); // not a wait: this is the rate
    }
}

/// Rotates the log `ROTATIONS` times with a reader that is killed around each rotation, and lifts a ban now and then.
/// Returns the last reader.
fn rotate_and_kill(env: &TestEnv, server: &Fail2ban<'_>, rotation: &Rotation, record: &Path) -> Option<Tail> {
    let log = server.log_path().display().to_string();
    let start_tail = || Some(Tail::spawn(env, &["--from-start", &log]));
    let tail_log = || fs::read_to_string(env.path("tail.log")).unwrap();
    let mut tail = start_tail();
    // A reader without a checkpoint begins with the current file.
    until("the first event to be received", || match env.ledger().received {
        0 => Err(tail_log()),
        _ => Ok(()),
    });
    for round in 0..ROTATIONS {
        let (before, received) = (seen(record).len(), env.ledger().received);
        until("more bans", || match seen(record).len() - before {
            0..3 => Err("few".into()),
            _ => Ok(()),
        });
        // The reader is killed before the rotation, after it, or does not run during it.
        if round % 3 != 1 {
            tail = None;
        }
        if round % 3 == 0 {
            tail = start_tail();
        }
        rotation.force(env);
        if round % 3 != 0 {
            drop(tail.take());
            tail = start_tail();
        }
        // The reader can miss only as many rotations as logrotate keeps files, so it reads something between them.
        until("another event to be received", || match env.ledger().received {
            now if now > received => Ok(()),
            now => Err(format!("{now}; {}", tail_log())),
        });
        if round % 5 == 4 {
            let banned = seen(record).into_iter().rev().find(|line| line.starts_with("ban logins")).unwrap();
            server.client(&format!("set logins unbanip {}", banned.split(' ').nth(2).unwrap())).ok();
        }
    }
    tail
}

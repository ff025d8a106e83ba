//! A real server's log through real rotations, read by somebody who is killed now and then: each line once.

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

/// How often the log is rotated under the reader.
const ROTATIONS: usize = 20;

/// The server's log, and what else is written there.
pub struct Rotation {
    pub config: PathBuf,
    pub state: PathBuf,
}

impl Rotation {
    /// As the package has it, for this server's log.
    fn of(env: &TestEnv, server: &Fail2ban<'_>) -> Self {
        require("logrotate", "logrotate");
        let packaged = fs::read_to_string("/etc/logrotate.d/fail2ban").expect("the package fail2ban brings it");
        let mut config = packaged
            .replace("/var/log/fail2ban.log", &server.log_path().display().to_string())
            .replace("fail2ban-client", &server.client_line())
            // So that at the end it can be seen what fail2ban has written.
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

/// What the action saw, as the messages say it.
fn seen(record: &Path) -> Vec<String> {
    let value = |line: &str, option: &str| {
        line.split(' ').find_map(|word| word.strip_prefix(option)).unwrap_or_default().to_owned()
    };
    let text = fs::read_to_string(record).unwrap_or_default();
    // A line that is being written is not there yet.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let say = |line: &str| {
        let what = line.split(' ').skip_while(|word| *word != "notify").nth(1).unwrap();
        let (jail, ip, failures) = (value(line, "--jail="), value(line, "--ip="), value(line, "--failures="));
        match what {
            "ban" => format!("ban {jail} {ip} {failures}"),
            "unban" => format!("unban {jail} {ip}"),
            other => format!("{other} {jail}"),
        }
    };
    whole.lines().map(say).collect()
}

/// What stands in a log and in all that became of it.
fn everything_in(log: &Path) -> String {
    let mut command = std::process::Command::new("sh");
    let output = command.args(["-c", "cat \"$0\" \"$0.1\"; zcat \"$0\".*.gz"]).arg(log).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Whether a log says what the action saw.
fn is_written(log: &str, seen: &str) -> bool {
    let mut words = seen.split(' ');
    let (what, jail, ip) = (words.next().unwrap(), words.next().unwrap(), words.next());
    match (what, ip) {
        ("ban", Some(ip)) => log.contains(&format!("[{jail}] Ban {ip}\n")),
        ("unban", Some(ip)) => log.contains(&format!("[{jail}] Unban {ip}\n")),
        _ => true,
    }
}

/// Whether all failures are written that the action was told of.
fn is_found(log: &str, seen: &str) -> bool {
    match seen.split(' ').collect::<Vec<_>>()[..] {
        ["ban", jail, ip, failures] => log.matches(&format!("[{jail}] Found {ip} - ")).count().to_string() == failures,
        _ => true,
    }
}

/// Ends the writer.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn tail_rotations_and_kills_deliver_every_line_once() {
    let env = TestEnv::with_route(PLAIN);
    let record = env.path("record");
    let recorder = env.write("recorder", format!("#!/bin/sh\necho \"$@\" >> {}\n", record.display()));
    fs::set_permissions(&recorder, fs::Permissions::from_mode(0o755)).unwrap();
    let server = Fail2ban::start_with(&env, &recorder);
    let rotation = Rotation::of(&env, &server);
    let log = server.log_path().display().to_string();
    let begin = || Some(Tail::spawn(&env, &["--from-start", &log]));

    let (over, bans) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // A pace, not a wait: what it is waited for is below.
            while !over.load(Ordering::Relaxed) {
                let n = bans.fetch_add(1, Ordering::Relaxed) + 1;
                if n.is_multiple_of(4) {
                    for _ in 0..3 {
                        server.append_to_log("sshd", &format!("auth fail user x from 198.51.{}.{}", n / 250, n % 250));
                    }
                } else {
                    server.append_to_log("logins", &format!("login fail of user-{n} end"));
                }
                std::thread::sleep(Duration::from_millis(15));
            }
        });
        // Also when something here fails.
        let writer = Over(&over);
        let mut tail = begin();
        // Whoever has never read the log begins with what it is then.
        until("the log to be taken up", || match env.ledger().received {
            0 => Err(fs::read_to_string(env.path("tail.log")).unwrap()),
            _ => Ok(()),
        });
        for round in 0..ROTATIONS {
            let (before, received) = (seen(&record).len(), env.ledger().received);
            until("some more bans", || match seen(&record).len() - before {
                0..3 => Err("few".into()),
                _ => Ok(()),
            });
            // Killed before, killed after, or not there while it happens.
            if round % 3 != 1 {
                tail = None;
            }
            if round % 3 == 0 {
                tail = begin();
            }
            rotation.force(&env);
            if round % 3 != 0 {
                drop(tail.take());
                tail = begin();
            }
            // It may miss as many rotations as logrotate keeps files; so it gets to read something in between.
            until("something to be taken in", || match env.ledger().received {
                now if now > received => Ok(()),
                now => Err(format!("{now}; {}", fs::read_to_string(env.path("tail.log")).unwrap())),
            });
            if round % 5 == 4 {
                let banned = seen(&record).into_iter().rev().find(|line| line.starts_with("ban logins")).unwrap();
                server.client(&format!("set logins unbanip {}", banned.split(' ').nth(2).unwrap())).ok();
            }
        }
        drop(writer);
        let unbans = ROTATIONS / 5;
        let all = 2 + unbans + bans.load(Ordering::Relaxed);
        until("every ban to be seen by the action", || match seen(&record) {
            seen if seen.len() >= all => Ok(()),
            seen => Err(format!("{} of {all}", seen.len())),
        });
        let seen = seen(&record);
        // Where a line meets a flushlogs, fail2ban closes the file under it, and the line is never written.
        let written = everything_in(&server.log_path());
        let seen: Vec<_> = seen.into_iter().filter(|line| is_written(&written, line)).collect();
        assert!(seen.len() + 5 > all, "fail2ban has lost {} lines", all - seen.len());
        until("every ban to be told of", || match env.ledger() {
            ledger if ledger.received >= seen.len() as u64 => Ok(()),
            ledger => {
                let said = fs::read_to_string(env.path("tail.log")).unwrap();
                let told: BTreeSet<_> = env.webhook.arrived().iter().map(|message| message.shown()).collect();
                let missing: Vec<_> = seen.iter().filter(|line| !told.contains(*line)).collect();
                Err(format!("not told of: {missing:?}; {ledger:?}\n{said}"))
            }
        });
        let ledger = env.wait_until_idle();
        drop(tail);

        // One for one: as many as there were, and each of them. A message may be sent twice by who is killed; none is
        // taken in twice.
        let uncounted = |line: &str| line.rsplit_once(' ').unwrap().0.to_owned();
        let lost: BTreeSet<_> =
            seen.iter().filter(|line| !is_found(&written, line)).map(|line| uncounted(line)).collect();
        assert!(lost.len() < 5, "fail2ban has lost failures of {lost:?}");
        let without = |line: String| if lost.contains(&uncounted(&line)) { uncounted(&line) } else { line };
        let expected: BTreeSet<_> = seen.iter().cloned().map(without).collect();
        assert_eq!(expected.len(), seen.len(), "what the action saw is told apart: {seen:?}");
        let told: BTreeSet<_> = env.webhook.arrived().iter().map(|message| without(message.shown())).collect();
        let differences: Vec<_> = told.symmetric_difference(&expected).collect();
        assert!(differences.is_empty(), "{differences:?}");
        assert_eq!(ledger.received, seen.len() as u64);
        assert!(
            fs::exists(server.folder().join(format!("fail2ban.log.{ROTATIONS}.gz"))).unwrap(),
            "rotated and packed"
        );
    });
}

//! fail2ban's log as a source: what a real server writes, through real rotations and kills, each line once.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::binary::{banhook, require, root};
use crate::fail2ban::Fail2ban;
use crate::outcome::Outcome;
use crate::place::{Place, terminate};
use crate::waiting::until;

/// How often the log is rotated under the reader.
const ROTATIONS: usize = 20;

/// Messages that say what an event says, and no more.
const PLAIN: &str = r#"[routes.settings]
start = "start {{ jail }}"
stop = "stop {{ jail }}"
flush = "flush {{ jail }}"
ban = "ban {{ jail }} {{ ip }} {{ failures }}"
unban = "unban {{ jail }} {{ ip }}"
"#;

/// A line of a log, of a ban in the jail `sshd`.
fn ban(subject: &str) -> String {
    format!("2026-11-22 11:56:55,601 fail2ban.actions        [2784]: NOTICE  [sshd] Ban {subject}\n")
}

/// `banhook tail` at work. Killed, as by a power failure, when it is let go of.
struct Tail(Child);

impl Tail {
    fn begin(place: &Place, arguments: &[&str]) -> Self {
        let stderr = OpenOptions::new().append(true).create(true).open(place.path("tail.log")).unwrap();
        let mut command = place.command(banhook());
        Self(command.arg("tail").args(arguments).stdin(Stdio::null()).stderr(stderr).spawn().unwrap())
    }

    fn until_ready(place: &Place, arguments: &[&str]) -> Self {
        let tail = Self::begin(place, arguments);
        until("the tailer to be ready", || {
            let said = fs::read_to_string(place.path("tail.log")).unwrap();
            if said.contains("ready") { Ok(()) } else { Err(said) }
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

fn append(path: &Path, text: &str) {
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

#[test]
fn recorded_logs_come_to_their_golden_events() {
    let place = Place::new();
    let folder = root().join("host/src/source/log/testdata");
    // The others have lines without a time, or without a year, which count from now.
    for name in ["fail2ban-1.0.2", "hostile", "increments", "fail2ban-0.8", "clocks-set-back"] {
        let log = folder.join(format!("{name}.log"));
        let golden = fs::read_to_string(folder.join(format!("{name}.jsonl"))).unwrap();
        let zone = "--timezone=Europe/Berlin";
        let read = place.banhook(["tail", "--once", "--dry-run", zone, &log.display().to_string()]).ok();
        assert_eq!(read.stdout, golden, "{name}");
        let mut piped = place.command(banhook());
        let piped = piped.args(["tail", "--dry-run", zone, "-"]).stdin(File::open(&log).unwrap()).output().unwrap();
        assert_eq!(String::from_utf8(piped.stdout).unwrap(), golden, "{name}, through a pipe");
    }
    assert!(!place.state().exists(), "a dry run stores nothing");
}

#[test]
fn once_delivers_what_is_new() {
    let place = Place::new();
    let log = place.write("f.log", ban("203.0.113.1") + &ban("203.0.113.2") + "2026-11-22 11:5");
    let once = || place.banhook(["tail", "--once", &log.display().to_string()]).ok();
    once();
    let told = place.webhook.wait_for(2);
    assert!(told[0].tells(&["203.0.113.1"]) && told[1].tells(&["203.0.113.2"]));
    once();
    assert_eq!(place.webhook.arrived().len(), 2);
    fs::write(&log, ban("203.0.113.1") + &ban("203.0.113.2") + &ban("203.0.113.3")).unwrap();
    once();
    assert!(place.webhook.wait_for(3)[2].tells(&["203.0.113.3"]));
    place.banhook(["tail", "--once", "no-such.log"]).exits(2).complains(&["no-such.log", "no such file"]);
}

#[test]
fn a_log_of_another_program_is_worth_a_warning() {
    let place = Place::new();
    place.write("auth.log", "Nov 22 11:56:55 web-1 sshd[1]: Failed password for root\nand more\n");
    place.write("f.log", ban("203.0.113.1") + "and more\n");
    place.write("empty.log", "");
    let once = |arguments: &[&str]| place.banhook(["tail", "--once"].iter().chain(arguments)).ok();
    for arguments in [&["--dry-run", "auth.log"][..], &["auth.log"]] {
        let told = once(arguments);
        let warning = told.stderr.lines().find(|line| line.contains("warning: of the 2 line(s)"));
        assert!(warning.is_some_and(|line| line.contains("auth.log none is fail2ban's")), "{told}");
    }
    // Nothing new in it, or some of it is, is no reason.
    for log in ["empty.log", "f.log", "f.log"] {
        let told = once(&[log]);
        assert!(!told.stderr.contains("warning"), "{told}");
    }
}

#[test]
fn what_logrotate_has_packed_meanwhile_is_unpacked() {
    require("logrotate", "logrotate");
    for (program, package, extension) in
        [("gzip", "gzip", "gz"), ("xz", "xz-utils", "xz"), ("zstd", "zstd", "zst"), ("bzip2", "bzip2", "bz2")]
    {
        require(program, package);
        let place = Place::with_route(PLAIN);
        let log = place.write("f.log", ban("203.0.113.1"));
        let path = std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .map(|folder| folder.join(program))
            .find(|path| path.is_file())
            .unwrap();
        // zstd keeps what it packs unless it is told not to.
        let options = if program == "zstd" { "--rm" } else { "" };
        let config = format!(
            "{} {{\nrotate 9\ncompress\ncompresscmd {}\ncompressext .{extension}\ncompressoptions {options} -5\n}}\n",
            log.display(),
            path.display(),
        );
        let rotation = Rotation { config: place.write("logrotate.conf", config), state: place.path("logrotate.state") };
        fs::set_permissions(&rotation.config, fs::Permissions::from_mode(0o644)).unwrap();
        fs::set_permissions(place.path(""), fs::Permissions::from_mode(0o755)).unwrap();
        let once = || place.banhook(["tail", "--once", &log.display().to_string()]).ok();
        once();
        // Into the midst of a file, and over one that nobody saw.
        append(&log, &ban("203.0.113.2"));
        rotation.force(&place);
        fs::write(&log, ban("203.0.113.3")).unwrap();
        rotation.force(&place);
        fs::write(&log, ban("203.0.113.4")).unwrap();
        assert!(place.path(&format!("f.log.2.{extension}")).is_file());
        let told = once();
        let shown: Vec<_> = place.webhook.arrived().iter().map(|message| message.shown().trim().to_owned()).collect();
        assert_eq!(shown, (1..=4).map(|n| format!("ban sshd 203.0.113.{n}")).collect::<Vec<_>>(), "{program}: {told}");
    }
}

#[test]
fn a_log_is_followed_from_its_end_and_from_where_it_was_left() {
    let place = Place::new();
    let log = place.write("f.log", ban("203.0.113.1"));
    let name = log.display().to_string();
    let mut tail = Tail::until_ready(&place, &[&name]);
    // Ready is said by the process, the log is taken up by a thread of it.
    until("the log to be taken up", || match place.banhook(["status"]).code {
        Some(0) if fs::read(place.state().join("inbox.sqlite3-wal")).is_ok_and(|wal| holds(&wal, &name)) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    append(&log, &ban("203.0.113.2"));
    assert!(place.webhook.wait_for(1)[0].tells(&["203.0.113.2"]));
    assert!(terminate(&mut tail.0).success());
    append(&log, &ban("203.0.113.3"));
    let _tail = Tail::until_ready(&place, &[&name]);
    assert!(place.webhook.wait_for(2)[1].tells(&["203.0.113.3"]));
    place.banhook(["run"]).exits(1).complains(&["another banhook is at work"]);
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

#[test]
fn a_pipe_is_read_to_its_end_and_delivered() {
    let place = Place::new();
    let mut command = place.command(banhook());
    let mut tail = command.args(["tail", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut pipe = tail.stdin.take().unwrap();
    pipe.write_all(b"[sshd] Ban 203.0.113.1\n").unwrap();
    // It arrives while the pipe is open.
    assert!(place.webhook.wait_for(1)[0].tells(&["203.0.113.1"]));
    pipe.write_all(b"[sshd] Ban 203.0.113.2\n[sshd] Ban 203.0.").unwrap();
    drop(pipe);
    assert!(tail.wait().unwrap().success());
    assert!(place.webhook.wait_for(2)[1].tells(&["203.0.113.2"]));
}

#[test]
fn the_daemon_reads_its_sources() {
    let place = Place::new();
    let log = place.path("later/f.log");
    place.configure(&format!("[[sources]]\nlog = \"{}\"\ntimezone = \"UTC\"", log.display()));
    let daemon = place.daemon();
    place.notify("ban --jail=sshd --ip=203.0.113.1");
    place.webhook.wait_for(1);
    fs::create_dir(log.parent().unwrap()).unwrap();
    append(&log, &ban("203.0.113.2"));
    assert!(place.webhook.wait_for(2)[1].tells(&["203.0.113.2"]));
    daemon.stop();
}

#[test]
fn what_both_the_action_and_the_log_tell_is_told_once() {
    let place = Place::new();
    let log = place.path("fail2ban/fail2ban.log");
    place.configure(&format!("{PLAIN}\n[[sources]]\nlog = \"{}\"\ntimezone = \"UTC\"", log.display()));
    let daemon = place.daemon();
    let server = Fail2ban::start(&place);
    assert_eq!(log, server.log_path());
    for n in 1..=3 {
        server.observe("logins", &format!("login fail of user-{n} end"));
    }
    until("three bans in the log", || match server.log().matches("] Ban ").count() {
        3 => Ok(()),
        other => Err(other.to_string()),
    });
    server.client("set logins unbanip user-2").ok();
    server.client("set sshd banip 203.0.113.7").ok();
    // The last line is told of from both sides when this is: the log is read in order.
    append(&log, &ban("203.0.113.99"));
    until("the last line to be told of", || {
        let arrived = place.webhook.arrived();
        let last = arrived.iter().any(|message| message.tells(&["203.0.113.99"]));
        if last { Ok(()) } else { Err(format!("{:?}", crate::webhook::shown(&arrived))) }
    });
    let ledger = place.settle();
    let mut told: Vec<_> = place.webhook.arrived().iter().map(|message| message.shown()).collect();
    told.sort();
    let bans = ["ban logins user-1 1", "ban logins user-2 1", "ban logins user-3 1"];
    let others = ["start logins", "start sshd", "unban logins user-2"];
    // Banned by hand: that there were no failures, the action knows. Unless the log was so much faster.
    let by_hand = told.remove(told.iter().position(|line| line.starts_with("ban sshd 203.0.113.7")).unwrap());
    assert!(["ban sshd 203.0.113.7 0", "ban sshd 203.0.113.7"].contains(&by_hand.trim()), "{by_hand}");
    let mut expected = [&bans[..], &["ban sshd 203.0.113.99"], &others[..]].concat();
    expected.sort_unstable();
    assert_eq!(told.iter().map(|line| line.trim()).collect::<Vec<_>>(), expected);
    assert_eq!(ledger.taken_in, 8, "{ledger:?}");
    daemon.stop();
}

/// The server's log, and what else is written there.
struct Rotation {
    config: PathBuf,
    state: PathBuf,
}

impl Rotation {
    /// As the package has it, for this server's log.
    fn of(place: &Place, server: &Fail2ban<'_>) -> Self {
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
        let config = place.write("logrotate.conf", config);
        fs::set_permissions(&config, fs::Permissions::from_mode(0o644)).unwrap();
        Self { config, state: place.path("logrotate.state") }
    }

    fn force(&self, place: &Place) {
        let mut command = place.command("logrotate");
        Outcome::of(command.arg("-f").arg("-s").arg(&self.state).arg(&self.config)).ok();
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
fn a_real_server_under_rotation_is_told_of_once_whoever_is_killed() {
    let place = Place::with_route(PLAIN);
    let record = place.path("record");
    let recorder = place.write("recorder", format!("#!/bin/sh\necho \"$@\" >> {}\n", record.display()));
    fs::set_permissions(&recorder, fs::Permissions::from_mode(0o755)).unwrap();
    let server = Fail2ban::start_with(&place, &recorder);
    let rotation = Rotation::of(&place, &server);
    let log = server.log_path().display().to_string();
    let begin = || Some(Tail::begin(&place, &["--from-start", &log]));

    let (over, bans) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // A pace, not a wait: what it is waited for is below.
            while !over.load(Ordering::Relaxed) {
                let n = bans.fetch_add(1, Ordering::Relaxed) + 1;
                if n.is_multiple_of(4) {
                    for _ in 0..3 {
                        server.observe("sshd", &format!("auth fail user x from 198.51.{}.{}", n / 250, n % 250));
                    }
                } else {
                    server.observe("logins", &format!("login fail of user-{n} end"));
                }
                std::thread::sleep(Duration::from_millis(15));
            }
        });
        // Also when something here fails.
        let writer = Over(&over);
        let mut tail = begin();
        // Whoever has never read the log begins with what it is then.
        until("the log to be taken up", || match place.ledger().taken_in {
            0 => Err(fs::read_to_string(place.path("tail.log")).unwrap()),
            _ => Ok(()),
        });
        for round in 0..ROTATIONS {
            let (before, taken_in) = (seen(&record).len(), place.ledger().taken_in);
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
            rotation.force(&place);
            if round % 3 != 0 {
                drop(tail.take());
                tail = begin();
            }
            // It may miss as many rotations as logrotate keeps files; so it gets to read something in between.
            until("something to be taken in", || match place.ledger().taken_in {
                now if now > taken_in => Ok(()),
                now => Err(format!("{now}; {}", fs::read_to_string(place.path("tail.log")).unwrap())),
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
        until("every ban to be told of", || match place.ledger() {
            ledger if ledger.taken_in >= seen.len() as u64 => Ok(()),
            ledger => {
                let said = fs::read_to_string(place.path("tail.log")).unwrap();
                let told: BTreeSet<_> = place.webhook.arrived().iter().map(|message| message.shown()).collect();
                let missing: Vec<_> = seen.iter().filter(|line| !told.contains(*line)).collect();
                Err(format!("not told of: {missing:?}; {ledger:?}\n{said}"))
            }
        });
        let ledger = place.settle();
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
        let told: BTreeSet<_> = place.webhook.arrived().iter().map(|message| without(message.shown())).collect();
        let differences: Vec<_> = told.symmetric_difference(&expected).collect();
        assert!(differences.is_empty(), "{differences:?}");
        assert_eq!(ledger.taken_in, seen.len() as u64);
        assert!(
            fs::exists(server.folder().join(format!("fail2ban.log.{ROTATIONS}.gz"))).unwrap(),
            "rotated and packed"
        );
    });
}

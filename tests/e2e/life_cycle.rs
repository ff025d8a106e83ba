//! A whole life of a real fail2ban, from its start to its stop, as it arrives at the webhook.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::fail2ban::{Fail2ban, Release};
use crate::message::Message;
use crate::test_env::{TestEnv, all_processes, content_of};
use crate::webhook::shown;

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn fail2ban_life_cycle_without_daemon_arrives_in_order() {
    let env = TestEnv::new();
    let watch = CommandLineWatch::start(&env);
    run_life_cycle(&env, &Release::installed());
    watch.assert_secret_never_seen();
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn fail2ban_life_cycle_with_daemon_arrives_in_order() {
    let env = TestEnv::new();
    let daemon = env.daemon();
    let watch = CommandLineWatch::start(&env);
    run_life_cycle(&env, &Release::installed());
    watch.assert_secret_never_seen();
    daemon.stop();
}

#[test]
#[ignore = "needs newer releases of fail2ban: cargo xtask test"]
fn life_cycle_of_each_newer_release_arrives_in_order() {
    let mut versions = BTreeSet::new();
    for release in Release::unpacked() {
        let env = TestEnv::new();
        versions.insert(release.version(&env));
        run_life_cycle(&env, &release);
    }
    assert_eq!(versions, ["1.1.0", "1.1.1"].map(str::to_owned).into());
}

/// Start, manual bans and by log lines, both address families, unban, reload, restart, stop.
fn run_life_cycle(env: &TestEnv, release: &Release) {
    let server = Fail2ban::start_release(env, release);
    let mut cursor = MessageCursor { env, seen: 0 };
    let mut starts = cursor.next(2);
    starts.sort_by_key(|message| message.contains(&["sshd"]));
    expect(&starts[0], &["Jail `logins` started"]);
    expect(&starts[1], &["Jail `sshd` started"]);

    server.client("set sshd banip 203.0.113.7").ok();
    expect_ban(&cursor.next(1)[0], "203.0.113.7", &["manual ban"]);

    for user in ["root", "admin", "Robert'); drop table bans;--"] {
        server.append_to_log("sshd", &format!("auth fail user {user} from 198.51.100.7"));
    }
    expect_ban(&cursor.next(1)[0], "198.51.100.7", &["3 failures"]);

    server.client("set sshd banip 2001:db8::7").ok();
    expect_ban(&cursor.next(1)[0], "2001:db8::7", &["manual ban"]);

    server.client("set sshd unbanip 203.0.113.7").ok();
    expect(&cursor.next(1)[0], &["`203.0.113.7` unbanned in `sshd`"]);

    server.client("reload").ok();
    cursor.expect_none();

    // With `actionflush`, a restart is one flush for a jail that has bans rather than an unban for each of them.
    server.client("restart").ok();
    let restart = cursor.next(7);
    let about_sshd: Vec<_> = restart.iter().filter(|message| message.contains(&["sshd"])).collect();
    let about_logins: Vec<_> = restart.iter().filter(|message| message.contains(&["logins"])).collect();
    assert_eq!((about_sshd.len(), about_logins.len()), (5, 2), "{:#?}", shown(&restart));
    expect(about_sshd[0], &["All bans lifted in `sshd`"]);
    let restarts = ["Jail `sshd` stopped", "Jail `sshd` started", "Jail `logins` stopped", "Jail `logins` started"];
    for (message, words) in about_sshd[1..3].iter().chain(&about_logins).zip(restarts) {
        expect(message, &[words]);
    }
    let restored: BTreeSet<_> = about_sshd[3..]
        .iter()
        .map(|message| {
            ["198.51.100.7", "2001:db8::7"]
                .into_iter()
                .find(|address| message.contains(&[&format!("`{address}` is still banned in `sshd`")]))
        })
        .collect();
    assert_eq!(restored, BTreeSet::from([Some("198.51.100.7"), Some("2001:db8::7")]), "{:#?}", shown(&restart));

    server.stop();
    let mut stops = cursor.next(3);
    stops.sort_by_key(|message| message.contains(&["sshd"]));
    let expected = ["Jail `logins` stopped", "All bans lifted in `sshd`", "Jail `sshd` stopped"];
    for (message, words) in stops.iter().zip(expected) {
        expect(message, &[words]);
    }

    let ledger = env.wait_until_idle();
    assert_eq!((ledger.received, ledger.all().posted), (16, 16), "{ledger:?}");
    assert_eq!(env.webhook.arrived().len(), 16);
    server.assert_no_errors();
    expect_in_log(env, &server);
    assert!(!server.log().contains(env.webhook.secret()), "the secret is in fail2ban's log");
    let state = content_of(&env.state());
    let secret = env.webhook.secret().as_bytes();
    assert!(!state.windows(secret.len()).any(|part| part == secret), "the secret is in the state directory");
}

/// Checks that the tailer finds the bans in fail2ban's log, and that each of them ends.
#[track_caller]
fn expect_in_log(env: &TestEnv, server: &Fail2ban<'_>) {
    let log = server.log_path();
    let read = env.banhook(["tail", "--dry-run", "--once", "--timezone", "UTC", log.to_str().unwrap()]).ok();
    let events: Vec<Value> = read.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let subjects = |action: &str| -> BTreeSet<_> {
        let of_action = events.iter().filter(|event| event["action"] == action);
        of_action.map(|event| event["subject"].as_str().unwrap()).collect()
    };
    let bans = BTreeSet::from(["203.0.113.7", "198.51.100.7", "2001:db8::7"]);
    assert_eq!((subjects("ban"), subjects("unban")), (bans.clone(), bans), "{read}");
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn fail2ban_hostile_id_arrives_as_harmless_text() {
    let env = TestEnv::new();
    let server = Fail2ban::start(&env);
    env.webhook.wait_for(2);
    server.append_to_log("logins", &format!("login fail of {HOSTILE} end"));
    let message = env.webhook.wait_for(3).pop().unwrap();
    assert!(message.contains(&["logins"]), "{}", message.shown());
    assert_harmless(&message);
    env.wait_until_idle();
    server.assert_no_errors();
}

#[test]
fn notify_hostile_id_arrives_as_harmless_text() {
    let env = TestEnv::new();
    env.banhook(["notify", "ban", "--jail=sshd", &format!("--ip={HOSTILE}")]).ok();
    assert_harmless(&env.webhook.wait_for(1)[0]);
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn ban_run_twice_by_fail2ban_is_delivered_once() {
    let env = TestEnv::new();
    // Succeeds but exits with an error: fail2ban runs a failed ban once more.
    let banhook = crate::binary::banhook_notify();
    let banhook = banhook.display();
    let calls = env.path("calls");
    let failing = env.write("failing", format!("#!/bin/sh\necho . >> {}\n{banhook} \"$@\"\nexit 1\n", calls.display()));
    fs::set_permissions(&failing, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let server = Fail2ban::start_with(&env, &failing);
    env.webhook.wait_for(2);
    server.client("set sshd banip 203.0.113.7").ok();
    env.webhook.wait_for(3);
    let ledger = env.wait_until_idle();
    let calls = fs::read_to_string(calls).unwrap().lines().count();
    assert_eq!((calls, ledger.received), (4, 3), "two starts, one ban run twice: {ledger:?}");
}

/// An ID as a filter may capture it: characters with a meaning to a shell, to JSON or to Slack.
const HOSTILE: &str = "abc 1.2.3.4] Ban 9.9.9.9 $(id) `x` \"q\" 'é' <!channel> *b*";

/// Checks that all of the hostile ID is readable and none of it has an effect.
#[track_caller]
fn assert_harmless(message: &Message) {
    let shown = crate::message::visible_only(&message.shown());
    for part in ["abc 1.2.3.4] Ban 9.9.9.9 $(id)", "x", "\"q\" 'é' <!channel>", "b"] {
        assert!(shown.contains(part), "{part:?} is missing in {shown}");
    }
    let live = message.live();
    assert!(!live.iter().any(|entity| entity.contains('!') && entity.contains("channel")), "{live:?}");
    assert!(!live.iter().any(|entity| entity.starts_with("rich")), "{live:?}");
    let formatted = message.formatted();
    assert!(!formatted.contains("*b*") && !formatted.contains("`x`"), "{formatted}");
}

/// Reads the messages of a webhook in order.
struct MessageCursor<'a> {
    env: &'a TestEnv,
    seen: usize,
}

impl MessageCursor<'_> {
    /// Waits for exactly this many further messages.
    #[track_caller]
    fn next(&mut self, count: usize) -> Vec<Message> {
        let all = self.env.webhook.wait_for(self.seen + count);
        let new = all[self.seen..].to_vec();
        self.seen = all.len();
        new
    }

    /// Fails if there are further messages, after everything was delivered.
    #[track_caller]
    fn expect_none(&self) {
        self.env.wait_until_idle();
        let arrived = self.env.webhook.arrived();
        assert_eq!(arrived.len(), self.seen, "{:#?}", shown(&arrived[self.seen..]));
    }
}

#[track_caller]
fn expect(message: &Message, words: &[&str]) {
    assert!(message.contains(words), "{words:?} in {}", message.shown());
}

/// Checks a ban in `sshd`, with these words in the small print.
#[track_caller]
fn expect_ban(message: &Message, subject: &str, small_print: &[&str]) {
    expect(message, &[&[&*format!("`{subject}` banned in `sshd`")], small_print].concat());
}

/// Searches the command lines of all processes of the machine for the webhook's secret, repeatedly.
struct CommandLineWatch {
    is_over: Arc<AtomicBool>,
    watcher: JoinHandle<(usize, Vec<String>)>,
}

impl CommandLineWatch {
    fn start(env: &TestEnv) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_over);
        let secret = env.webhook.secret().to_owned();
        let folder = env.path("");
        let watcher = std::thread::spawn(move || watch_until(&stop, &secret, &folder));
        Self { is_over, watcher }
    }

    #[track_caller]
    fn assert_secret_never_seen(self) {
        self.is_over.store(true, Ordering::Relaxed);
        let (seen, leaks) = self.watcher.join().unwrap();
        assert!(seen > 0, "the watch saw none of banhook's processes");
        assert!(leaks.is_empty(), "{leaks:?}");
    }
}

/// Shorter than the lifetime of any banhook process, without occupying a processor.
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// Returns how often a process that names `folder` was seen, and the command lines with the secret.
fn watch_until(stop: &AtomicBool, secret: &str, folder: &Path) -> (usize, Vec<String>) {
    let folder = folder.to_str().unwrap();
    let (mut seen, mut leaks) = (0, Vec::new());
    while !stop.load(Ordering::Relaxed) {
        for (_, path) in all_processes() {
            let line = String::from_utf8_lossy(&fs::read(path.join("cmdline")).unwrap_or_default()).into_owned();
            seen += usize::from(line.contains(folder));
            leaks.extend(line.contains(secret).then_some(line));
        }
        std::thread::sleep(POLL_INTERVAL);
    }
    (seen, leaks)
}

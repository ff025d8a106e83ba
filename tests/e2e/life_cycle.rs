//! From a real fail2ban to the webhook.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::fail2ban::Fail2ban;
use crate::message::Message;
use crate::test_env::{TestEnv, all_processes, content_of};
use crate::webhook::shown;

#[test]
fn fail2ban_life_cycle_without_daemon_arrives_in_order() {
    let env = TestEnv::new();
    let watch = CommandLines::watch(&env);
    whole_life(&env);
    watch.assert_secret_never_seen();
}

#[test]
fn fail2ban_life_cycle_with_daemon_arrives_in_order() {
    let env = TestEnv::new();
    let daemon = env.daemon();
    let watch = CommandLines::watch(&env);
    whole_life(&env);
    watch.assert_secret_never_seen();
    daemon.stop();
}

/// Start, bans by hand and by log lines, both families, unban, reload, restart, stop.
fn whole_life(env: &TestEnv) {
    let server = Fail2ban::start(env);
    let mut story = Story { env, told: 0 };
    let mut jails = story.next(2);
    jails.sort_by_key(|message| message.contains(&["sshd"]));
    expect(&jails[0], &["logins", "start"]);
    expect(&jails[1], &["sshd", "start"]);

    server.client("set sshd banip 203.0.113.7").ok();
    expect_ban(&story.next(1)[0], "203.0.113.7", &[]);

    for user in ["root", "admin", "Robert'); drop table bans;--"] {
        server.append_to_log("sshd", &format!("auth fail user {user} from 198.51.100.7"));
    }
    // Three failures are what it took.
    expect_ban(&story.next(1)[0], "198.51.100.7", &["3"]);

    server.client("set sshd banip 2001:db8::7").ok();
    expect_ban(&story.next(1)[0], "2001:db8::7", &[]);

    server.client("set sshd unbanip 203.0.113.7").ok();
    let unban = &story.next(1)[0];
    expect(unban, &["unban|lifted|released|ended|over"]);
    for word in ["203.0.113.7", "sshd"] {
        expect(unban, &[word]);
    }

    server.client("reload").ok();
    story.is_silent();

    // With `actionflush`, a restart is one flush for a jail that has bans rather than an unban for each of them.
    server.client("restart").ok();
    let restart = story.next(7);
    let about_sshd: Vec<_> = restart.iter().filter(|message| message.contains(&["sshd"])).collect();
    let about_logins: Vec<_> = restart.iter().filter(|message| message.contains(&["logins"])).collect();
    assert_eq!((about_sshd.len(), about_logins.len()), (5, 2), "{:#?}", shown(&restart));
    expect(about_sshd[0], &["flush|lifted|cleared"]);
    for (message, word) in about_sshd[1..3].iter().chain(&about_logins).zip(["stop", "start", "stop", "start"]) {
        expect(message, &[word]);
    }
    let restored: BTreeSet<_> = about_sshd[3..]
        .iter()
        .map(|message| {
            expect(message, &["restor|again|still"]);
            ["198.51.100.7", "2001:db8::7"].into_iter().find(|address| message.contains(&[address]))
        })
        .collect();
    assert_eq!(restored, BTreeSet::from([Some("198.51.100.7"), Some("2001:db8::7")]), "{:#?}", shown(&restart));

    server.stop();
    let mut end = story.next(3);
    end.sort_by_key(|message| message.contains(&["sshd"]));
    for (message, words) in end.iter().zip([["logins", "stop"], ["sshd", "flush|lifted|cleared"], ["sshd", "stop"]]) {
        words.iter().for_each(|word| expect(message, &[word]));
    }

    let ledger = env.wait_until_idle();
    assert_eq!((ledger.received, ledger.all().posted), (16, 16), "{ledger:?}");
    assert_eq!(env.webhook.arrived().len(), 16);
    server.assert_no_errors();
    assert!(!server.log().contains(env.webhook.secret()), "the secret is in fail2ban's log");
    let state = content_of(&env.state());
    let secret = env.webhook.secret().as_bytes();
    assert!(!state.windows(secret.len()).any(|part| part == secret), "the secret is in the state folder");
}

#[test]
fn fail2ban_hostile_id_arrives_as_harmless_text() {
    let env = TestEnv::new();
    let server = Fail2ban::start(&env);
    env.webhook.wait_for(2);
    server.append_to_log("logins", &format!("login fail of {HOSTILE} end"));
    let message = env.webhook.wait_for(3).pop().unwrap();
    assert!(message.contains(&["logins"]), "{}", message.shown());
    is_harmless(&message);
    env.wait_until_idle();
    server.assert_no_errors();
}

#[test]
fn notify_hostile_id_arrives_as_harmless_text() {
    let env = TestEnv::new();
    env.banhook(["notify", "ban", "--jail=sshd", &format!("--ip={HOSTILE}")]).ok();
    is_harmless(&env.webhook.wait_for(1)[0]);
}

#[test]
fn ban_run_twice_by_fail2ban_is_delivered_once() {
    let env = TestEnv::new();
    // Does its work, and says that it failed: fail2ban runs a failed ban once more.
    let banhook = crate::binary::banhook().display();
    let calls = env.path("calls");
    let liar = env.write("liar", format!("#!/bin/sh\necho . >> {}\n{banhook} \"$@\"\nexit 1\n", calls.display()));
    fs::set_permissions(&liar, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let server = Fail2ban::start_with(&env, &liar);
    env.webhook.wait_for(2);
    server.client("set sshd banip 203.0.113.7").ok();
    env.webhook.wait_for(3);
    let ledger = env.wait_until_idle();
    let calls = fs::read_to_string(calls).unwrap().lines().count();
    assert_eq!((calls, ledger.received), (4, 3), "two starts, one ban run twice: {ledger:?}");
}

/// What a filter may capture: everything that means something to a shell, to JSON or to Slack.
const HOSTILE: &str = "abc 1.2.3.4] Ban 9.9.9.9 $(id) `x` \"q\" 'é' <!channel> *b*";

/// It is all there to read, and none of it works.
#[track_caller]
fn is_harmless(message: &Message) {
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

/// What arrives, a chapter at a time.
struct Story<'a> {
    env: &'a TestEnv,
    told: usize,
}

impl Story<'_> {
    /// The next messages, exactly this many.
    #[track_caller]
    fn next(&mut self, count: usize) -> Vec<Message> {
        let all = self.env.webhook.wait_for(self.told + count);
        let new = all[self.told..].to_vec();
        self.told = all.len();
        new
    }

    /// Nothing new came, and nothing is under way.
    #[track_caller]
    fn is_silent(&self) {
        self.env.wait_until_idle();
        let arrived = self.env.webhook.arrived();
        assert_eq!(arrived.len(), self.told, "{:#?}", shown(&arrived[self.told..]));
    }
}

#[track_caller]
fn expect(message: &Message, words: &[&str]) {
    assert!(message.contains(words), "{words:?} in {}", message.shown());
}

/// A ban in `sshd`; the built-in texts are free in what comes first.
#[track_caller]
fn expect_ban(message: &Message, subject: &str, more: &[&str]) {
    for word in [subject, "sshd", "ban"].iter().chain(more) {
        expect(message, &[word]);
    }
    assert!(!message.contains(&["unban"]), "{}", message.shown());
}

/// Looks at the command line of every process of the machine, over and over, for the webhook's secret.
struct CommandLines {
    is_over: Arc<AtomicBool>,
    watcher: JoinHandle<(usize, Vec<String>)>,
}

impl CommandLines {
    fn watch(env: &TestEnv) -> Self {
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
        assert!(seen > 0, "the watcher saw none of the processes it was to watch");
        assert!(leaks.is_empty(), "{leaks:?}");
    }
}

/// Shorter than anything of ours runs, without taking the machine for itself.
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// How often a process at work in `folder` was seen, and the command lines with the secret.
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

//! Logs as sources: which files are read, and what is said of those that are not understood.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::polling::until;
use crate::tail::append;
use crate::test_env::TestEnv;

/// A log line of a ban at this minute.
fn ban(minute: u32, subject: &str) -> String {
    format!("2026-11-22 11:{minute:02}:00,000 fail2ban.actions        [2784]: NOTICE  [sshd] Ban {subject}\n")
}

/// The addresses in the messages that arrived, in their order.
fn addresses(env: &TestEnv) -> Vec<String> {
    let address = |shown: String| {
        let at = shown.find("192.0.2.").unwrap_or_else(|| panic!("no address: {shown}"));
        shown[at..].chars().take_while(|char| char.is_ascii_digit() || *char == '.').collect()
    };
    env.webhook.arrived().iter().map(|message| address(message.shown())).collect()
}

// cron: `banhook tail --once /var/log/fail2ban.log*`
#[test]
fn tail_once_of_all_rotated_files_sends_each_ban_once_in_the_order_of_time() {
    for names in [&["f.log", "f.log.1", "f.log.2"][..], &["f.log*"]] {
        let env = TestEnv::new();
        let once = || env.banhook(["tail", "--once"].iter().chain(names)).ok();
        // A shell sorts by name, so the newest comes first.
        for (name, minute) in [("f.log", 3), ("f.log.1", 2), ("f.log.2", 1)] {
            env.write(name, ban(minute, &format!("192.0.2.{minute}")));
        }
        once();
        for (from, to) in [("f.log.1", "f.log.2"), ("f.log", "f.log.1")] {
            fs::rename(env.path(from), env.path(to)).unwrap();
        }
        env.write("f.log", ban(4, "192.0.2.4"));
        once();
        assert_eq!(addresses(&env), ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"], "{names:?}");
    }
}

#[test]
fn daemon_follows_files_of_a_pattern_that_appear_later() {
    let env = TestEnv::new();
    fs::create_dir(env.path("hosts")).unwrap();
    env.configure(&format!("[[sources]]\nlog = \"{}\"\ntimezone = \"UTC\"", env.path("hosts/*/f.log").display()));
    env.banhook(["config", "check"]).ok().complains(&["warning", "no log matches", "hosts/*/f.log"]);
    let daemon = env.daemon();
    for n in 1..=2 {
        fs::create_dir(env.path(&format!("hosts/{n}"))).unwrap();
        env.write(&format!("hosts/{n}/f.log"), ban(n, &format!("192.0.2.{n}")));
        env.webhook.wait_for(n as usize);
    }
    until("both bans", || match addresses(&env) {
        seen if seen == ["192.0.2.1", "192.0.2.2"] => Ok(()),
        seen => Err(format!("{seen:?}")),
    });
    daemon.stop();
}

/// Waits until `status` has this problem of a log, and exits with 1.
fn wait_for_problem(env: &TestEnv, words: &[&str]) -> String {
    until("the problem of the log", || {
        let status = env.banhook(["status", "--quiet"]);
        let is_there = status.code == Some(1) && words.iter().all(|word| status.stdout.contains(word));
        if is_there { Ok(status.stdout.clone()) } else { Err(status.to_string()) }
    })
}

// journalctl -o short-monotonic; a line that begins with `[`; a file that logrotate compressed under another name
#[test]
fn log_that_is_not_understood_is_reported_everywhere() {
    let gzip: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03abc\ndef\n";
    for (content, words) in [
        (&b"[ 1234.567890] web-1 fail2ban[1]: [sshd] Ban 192.0.2.1\n"[..], &["no date", "short-iso", "[sshd] Ban"][..]),
        (b"[2026-11-22 11:56:55] NOTICE [sshd] Ban 192.0.2.1\n", &["begin with `[`"]),
        (gzip, &["compressed by gzip"]),
    ] {
        let env = TestEnv::new();
        let log = env.write("f.log", content);
        let source = format!("[[sources]]\nlog = \"{}\"\ntimezone = \"UTC\"\nfrom_start = true", log.display());
        env.configure(&source);
        let check = env.banhook(["config", "check"]).ok();
        let daemon = env.daemon();
        let status = wait_for_problem(&env, words);
        daemon.stop();
        for word in words {
            assert!(
                check.stderr.contains(word) && env.log().contains(word),
                "{word}: {check}\n{}\n{status}",
                env.log()
            );
        }
    }
}

#[test]
fn log_that_is_suddenly_not_understood_is_reported_until_it_is_again() {
    let env = TestEnv::new();
    let log = env.write("f.log", ban(1, "192.0.2.1"));
    env.configure(&format!("[[sources]]\nlog = \"{}\"\ntimezone = \"UTC\"\nfrom_start = true", log.display()));
    let daemon = env.daemon();
    env.webhook.wait_for(1);
    env.banhook(["status", "--quiet"]).ok();
    append(&log, &"something else\u{1b}[2J entirely\n".repeat(100));
    let status = wait_for_problem(&env, &["any more", "something else"]);
    assert!(status.lines().count() == 1 && !status.contains('\u{1b}'), "{status}");
    append(&log, &ban(2, "192.0.2.2"));
    env.webhook.wait_for(2);
    until("the problem to be gone", || match env.banhook(["status", "--quiet"]) {
        status if status.code == Some(0) && status.stdout.is_empty() => Ok(()),
        status => Err(status.to_string()),
    });
    daemon.stop();
}

/// A configuration's table of a source for this log, with more lines.
fn source(env: &TestEnv, log: &str, lines: &str) -> String {
    format!("[[sources]]\nlog = \"{}\"\ntimezone = \"UTC\"\n{lines}\n", env.path(log).display())
}

/// Waits until all lines up to this minute's have been read, and a moment longer for what must not arrive.
fn sent_once(env: &TestEnv, minutes: u32) {
    let expected: Vec<_> = (1..=minutes).map(|minute| format!("192.0.2.{minute}")).collect();
    env.webhook.wait_for(expected.len());
    env.wait_until_idle();
    let mut sent = addresses(env);
    sent.sort();
    assert_eq!(sent, expected);
}

#[test]
fn file_that_several_sources_name_is_sent_once() {
    for (first, second) in
        [("f.log", "link"), ("link", "f.log"), ("f.log", "hard"), ("*.log", "f.*"), ("f.log", "f.log*")]
    {
        for is_there_before in [true, false] {
            let env = TestEnv::new();
            symlink(env.path("f.log"), env.path("link")).unwrap();
            env.configure(&(source(&env, first, "from_start = true") + &source(&env, second, "from_start = true")));
            let mut daemon = (!is_there_before).then(|| env.daemon());
            env.write("f.log", ban(1, "192.0.2.1"));
            fs::hard_link(env.path("f.log"), env.path("hard")).unwrap();
            let daemon = daemon.take().unwrap_or_else(|| env.daemon());
            env.webhook.wait_for(1);
            // Through a rotation, while fail2ban still writes to the old file.
            fs::rename(env.path("f.log"), env.path("f.log.1")).unwrap();
            append(&env.path("f.log.1"), &ban(2, "192.0.2.2"));
            env.webhook.wait_for(2);
            env.write("f.log", ban(3, "192.0.2.3"));
            env.webhook.wait_for(3);
            sent_once(&env, 3);
            daemon.stop();
            env.banhook(["tail", "--once"]).ok();
            sent_once(&env, 3);
        }
    }
}

#[test]
fn tail_once_of_a_file_that_several_sources_name_sends_it_once() {
    for names in [&["f.log", "link"][..], &["link", "f.log"], &["hard", "f.log", "[fl]*"]] {
        let env = TestEnv::new();
        env.write("f.log", ban(1, "192.0.2.1"));
        symlink("f.log", env.path("link")).unwrap();
        fs::hard_link(env.path("f.log"), env.path("hard")).unwrap();
        env.configure(&names.iter().map(|name| source(&env, name, "")).collect::<String>());
        env.banhook(["tail", "--once"]).ok();
        sent_once(&env, 1);
        let events = env.banhook(["tail", "--once", "--dry-run"].iter().chain(names)).ok().stdout;
        assert_eq!(events.lines().count(), 1, "{events}");
    }
}

#[test]
fn sources_of_one_file_with_differing_settings_are_reported() {
    let env = TestEnv::new();
    env.write("f.log", ban(1, "192.0.2.1"));
    symlink("f.log", env.path("link")).unwrap();
    let first = source(&env, "f.log", "from_start = true\nhost = \"web-1\"");
    env.configure(&(first.clone() + &source(&env, "link", "from_start = true\nhost = \"web-2\"\ntag = \"x\"")));
    let words = ["/link", "it is read as", "/f.log", "with the host and tag of that source"];
    env.banhook(["config", "check"]).ok().complains(&words);
    let daemon = env.daemon();
    assert!(env.webhook.wait_for(1)[0].contains(&["web-1"]));
    wait_for_problem(&env, &words);
    // With the same settings all is well, and both names have a position.
    env.configure(&(first + &source(&env, "link", "from_start = true\nhost = \"web-1\"")));
    assert!(!env.banhook(["config", "check"]).ok().stderr.contains("link"));
    until("status without a problem", || match env.banhook(["status", "--format", "json"]) {
        status if status.stdout.matches("\"position\"").count() == 2 && !status.stdout.contains("read as") => Ok(()),
        status => Err(status.to_string()),
    });
    sent_once(&env, 1);
    daemon.stop();
}

#[test]
fn times_ahead_of_the_clock_are_reported_with_what_to_do() {
    let env = TestEnv::new();
    let at = |hours: u64| {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + hours * 3600;
        format!("{seconds}.000000 web-1 fail2ban[1]: [sshd] Ban 192.0.2.{}\n", 1 + hours)
    };
    let log = env.write("f.log", at(5));
    let hint = ["ahead of this host's clock", "timezone"];
    env.banhook(["tail", "--once", "--dry-run", "f.log"]).ok().complains(&hint);
    env.configure(&source(&env, "f.log", "from_start = true"));
    env.banhook(["config", "check"]).ok().complains(&hint);
    let daemon = env.daemon();
    wait_for_problem(&env, &hint);
    append(&log, &at(0));
    until("the problem to be gone", || match env.banhook(["status", "--quiet"]) {
        status if status.code == Some(0) => Ok(()),
        status => Err(status.to_string()),
    });
    daemon.stop();
    assert_eq!(env.log().matches(hint[0]).count(), 1, "{}", env.log());
}

#[test]
fn lines_that_are_damaged_or_too_long_are_counted_and_reported() {
    let docker = |text: &str| {
        format!("{{\"log\":\"{text}\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-22T11:00:00Z\"}}\n").into_bytes()
    };
    let whole = docker(ban(1, "192.0.2.1").trim_end());
    let (cut, _) = whole.split_at(60);
    let too_long = docker(&"x".repeat(1 << 20));
    // A byte that is not UTF-8 costs nothing.
    let mut not_utf8 = docker(ban(2, "192.0.2.2#").trim_end());
    let at = not_utf8.iter().position(|byte| *byte == b'#').unwrap();
    not_utf8[at] = 0xff;
    let log = [&whole, &too_long, cut, b"\n", &whole, &not_utf8].concat();
    let env = TestEnv::new();
    env.write("f.log", log);
    let words = ["2 lines damaged or not whole", "1 line too long"];
    let read = env.banhook(["tail", "--once", "--dry-run", "f.log"]).ok();
    read.complains(&words);
    assert!(read.stdout.lines().count() == 3 && read.stdout.contains("192.0.2.2"), "{read}");
    env.configure(&source(&env, "f.log", "from_start = true"));
    let daemon = env.daemon();
    wait_for_problem(&env, &words);
    daemon.stop();
    assert!(words.iter().all(|word| env.log().contains(word)), "{}", env.log());
}

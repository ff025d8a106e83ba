//! Logs as sources: which files are read, and what is said of those that are not understood.

use std::fs;

use crate::polling::until;
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

//! fail2ban's database: bans arrive with the log lines that led to them.

use std::os::unix::fs::PermissionsExt;

use crate::fail2ban::Fail2ban;
use crate::test_env::TestEnv;

const LINES: &str = "[routes.settings]\nstart = \"\"\nban = \"{{ ip }}: {{ matches | join(' / ') }}\"\n";

/// Delivered of by the action, or by the log alone.
fn bans_include_log_lines(by_action: bool) {
    let env = TestEnv::new();
    let folder = env.path("fail2ban");
    let sources = format!("[[sources]]\nlog = \"{}\"\ntimezone = \"UTC\"", folder.join("fail2ban.log").display());
    let database = format!("[fail2ban]\ndatabase = \"{}\"", folder.join("bans.sqlite3").display());
    env.configure(&format!("{LINES}\n{}\n{database}", if by_action { "" } else { &sources }));
    let daemon = env.daemon();
    let nothing = env.write("nothing", "#!/bin/sh\n");
    std::fs::set_permissions(&nothing, std::fs::Permissions::from_mode(0o755)).unwrap();
    let server = if by_action { Fail2ban::start(&env) } else { Fail2ban::start_with(&env, &nothing) };
    server.append_to_log("logins", "login fail of user-1 end");
    let shown = env.webhook.wait_for(1)[0].shown();
    assert!(shown.starts_with("user-1: ") && shown.contains("login fail of user-1 end"), "{shown}");
    for user in ["a", "b", "c"] {
        server.append_to_log("sshd", &format!("auth fail user {user} from 203.0.113.7"));
    }
    let shown = env.webhook.wait_for(2)[1].shown();
    let lines: Vec<_> = shown.split(" / ").collect();
    assert!(shown.starts_with("203.0.113.7: ") && lines.len() == 3, "{shown}");
    assert!(lines[2].ends_with("auth fail user c from 203.0.113.7"), "{shown}");
    server.client("set sshd banip 203.0.113.8").ok();
    assert_eq!(env.webhook.wait_for(3)[2].shown().trim(), "203.0.113.8:");
    server.assert_no_errors();
    daemon.stop();
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn bans_from_action_include_matched_log_lines() {
    bans_include_log_lines(true);
}

#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn bans_from_log_include_matched_log_lines() {
    bans_include_log_lines(false);
}

//! `mute`: for a while no messages of some events, which are counted as skipped.

use serde_json::{Value, json};

use crate::command_output::CommandOutput;
use crate::polling::until;
use crate::test_env::{Counts, TestEnv};

fn mute(env: &TestEnv, line: &str) -> CommandOutput {
    env.banhook(["mute", "--reason", "penetration test"].into_iter().chain(line.split_whitespace()))
}

fn ban(env: &TestEnv, jail: &str, ip: &str) {
    env.notify(&format!("ban --jail={jail} --ip={ip} --failures=5"));
}

fn listed(env: &TestEnv) -> Value {
    serde_json::from_str(&env.banhook(["mute", "list", "--format", "json"]).ok().stdout).unwrap()
}

fn counts(posted: u64, skipped: u64) -> Counts {
    Counts { matched: posted + skipped, posted, digested: 0, skipped, dead: 0, pending: 0 }
}

#[test]
fn mute_of_a_jail_skips_its_events_until_unmute_while_a_daemon_runs() {
    let env = TestEnv::new();
    let _daemon = env.daemon();
    ban(&env, "sshd", "203.0.113.1");
    env.webhook.wait_for(1);
    let muted = mute(&env, "--jail=sshd --for=2h").ok();
    assert!(muted.stdout.starts_with("mute 1: jail sshd until ") && muted.stdout.contains("(in 2 h)"), "{muted}");
    ban(&env, "sshd", "203.0.113.2");
    env.notify("unban --jail=sshd --ip=203.0.113.1");
    ban(&env, "nginx", "203.0.113.3");
    assert!(env.webhook.wait_for(2)[1].contains(&["203.0.113.3"]));
    assert_eq!(env.wait_until_idle().all(), counts(2, 2));

    let status = env.status(["status", "--check"]);
    assert!(status.stdout.contains("\nmute 1: jail sshd until "), "{status}");
    assert!(status.stdout.contains(": penetration test\n") && status.stdout.contains("accounted for"), "{status}");
    let found = &listed(&env)[0];
    assert_eq!((&found["jail"], &found["reason"]), (&json!("sshd"), &json!("penetration test")), "{found}");
    let report: Value = serde_json::from_str(&env.status(["status", "--format=json"]).stdout).unwrap();
    assert_eq!(report["mutes"][0], *found);
    assert!(env.status(["status", "--format=prometheus"]).stdout.contains("\nbanhook_mutes 1\n"));

    env.banhook(["unmute", "7"]).exits(1).complains(&["no mute has the id 7"]);
    assert_eq!(env.banhook(["unmute", "1"]).ok().stdout, "mute 1 ended\n");
    ban(&env, "sshd", "203.0.113.4");
    env.webhook.wait_for(3);
    assert_eq!(env.wait_until_idle().all(), counts(3, 2));
    assert_eq!(listed(&env), json!([]));
}

#[test]
fn mute_of_a_network_ends_by_itself_without_a_daemon() {
    let env = TestEnv::new();
    mute(&env, "--subject=203.0.113.0/24 --for=30s").ok();
    mute(&env, "--subject=198.51.100.1 --for=1s").ok();
    let odd = mute(&env, "--subject=office/lan --for=1s").ok();
    assert!(odd.stderr.contains("office/lan is no network"), "{odd}");
    ban(&env, "sshd", "203.0.113.9");
    assert_eq!(env.wait_until_idle().all(), counts(0, 1));
    until("a mute to end", || match listed(&env) {
        Value::Array(mutes) if mutes.len() == 1 => Ok(()),
        other => Err(other.to_string()),
    });
    ban(&env, "sshd", "198.51.100.1");
    assert!(env.webhook.wait_for(1)[0].contains(&["198.51.100.1"]));
    assert_eq!(env.wait_until_idle().all(), counts(1, 1));
    assert_eq!(env.banhook(["unmute", "--all"]).ok().stdout, "mute 1 ended\n");
}

#[test]
fn mute_without_selection_time_or_reason_is_refused() {
    let env = TestEnv::new();
    for line in [
        "--for=2h",
        "--all",
        "--all --jail=sshd --for=2h",
        "--all --for=0s",
        "--all --for=31d",
        "--all --for=soon",
        "--jail= --for=2h",
        "--subject=203.0.113.0/33 --for=2h",
    ] {
        mute(&env, line).exits(2);
    }
    env.banhook(["mute", "--all", "--for=2h"]).exits(2);
    env.banhook(["unmute"]).exits(2);
    assert_eq!(env.banhook(["mute", "list"]).ok().stdout, "Nothing is muted.\n");
    assert!(!env.state().exists(), "looking makes no files");
    mute(&env, "--all --for=2h").ok();
    ban(&env, "sshd", "203.0.113.9");
    assert_eq!(env.wait_until_idle().all(), counts(0, 1));
}

//! `demo`: runs without any setup.

use crate::binary::{banhook, require};
use crate::command_output::CommandOutput;
use crate::test_env::TestEnv;

#[test]
fn demo_without_setup_prints_ledger() {
    let env = TestEnv::new();
    let mut command = env.command(banhook());
    // As on a machine where banhook is not set up.
    command.arg("demo").env_remove("BANHOOK_CONFIG").env_remove("BANHOOK_STATE_DIR");
    let demo = CommandOutput::of(&mut command).ok();
    let stdout = demo.stdout.to_lowercase();
    for word in ["ban", "sshd", "posted", "pending"] {
        assert!(stdout.contains(word), "{word}: {demo}");
    }
    assert!(env.webhook.requests().is_empty());
    assert!(!env.state().exists(), "it left a state directory");
}

#[test]
fn demo_of_a_conversation_changes_messages_and_replies() {
    let env = TestEnv::new();
    let mut command = env.command(banhook());
    command.args(["demo", "--conversation"]).env_remove("BANHOOK_CONFIG").env_remove("BANHOOK_STATE_DIR");
    let demo = CommandOutput::of(&mut command).ok();
    for text in [
        "── message 1 changes ──",
        "── reply beneath message 1 ──",
        "53 more bans",
        "(changed 2 times)",
        "60 routed",
        "59 bans of 58 subjects on 2 hosts",
        "57 ████",
        "nginx-botsearch 19 ████",
    ] {
        assert!(demo.stdout.contains(text), "{text}: {demo}");
    }
    assert!(!demo.stdout.contains("late"), "{demo}");
    assert!(!env.state().exists(), "it left a state directory");
    let (_, page) = demo.stdout.split_once("with charts: ").unwrap();
    let html = std::fs::read_to_string(page.lines().next().unwrap()).unwrap();
    for text in ["changed once", "<div class=\"reply\">", "<polyline", "<circle", "59 bans of 58 subjects"] {
        assert!(html.contains(text), "{text}: {html}");
    }
    assert_eq!(html.matches("<article").count(), 8, "{html}");
}

#[test]
#[ignore = "needs strace: cargo xtask test"]
fn demo_connects_only_to_loopback() {
    require("strace", "strace");
    let env = TestEnv::new();
    let trace = env.path("trace");
    let mut command = env.command("strace");
    command.args(["-f", "-e", "trace=connect,sendto,sendmsg", "-o"]).arg(&trace).arg(banhook()).arg("demo");
    CommandOutput::of(&mut command).ok();
    let trace = std::fs::read_to_string(trace).unwrap();
    let calls: Vec<_> = trace.lines().filter(|line| line.contains("sa_family=AF_INET")).collect();
    assert!(!calls.is_empty(), "{trace}");
    for call in calls {
        assert!(call.contains("127.0.0.1") || call.contains("\"::1\""), "{call}");
    }
}

#[test]
fn demo_with_closed_pipe_ends() {
    let env = TestEnv::new();
    let mut command = env.command("bash");
    // `head` ends after the first messages; the others are delivered all the same.
    command.args(["-c", "set -o pipefail; timeout 60 \"$0\" demo | head -n 40"]).arg(banhook());
    let demo = CommandOutput::of(&mut command).ok();
    assert!(demo.stderr.is_empty() && demo.stdout.lines().count() == 40, "{demo}");
}

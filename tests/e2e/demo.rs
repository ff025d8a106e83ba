//! `demo`: runs without any setup.

use std::fs;
use std::path::Path;

use crate::binary::{banhook, require};
use crate::command_output::CommandOutput;
use crate::fleet::{nats_server, too_old_nats_server};
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
    let html = fs::read_to_string(page.lines().next().unwrap()).unwrap();
    for text in ["changed once", "<div class=\"reply\">", "<polyline", "<circle", "59 bans of 58 subjects"] {
        assert!(html.contains(text), "{text}: {html}");
    }
    assert_eq!(html.matches("<article").count(), 8, "{html}");
}

#[test]
#[ignore = "needs nats-server: cargo xtask test"]
fn demo_of_a_fleet_is_one_message_at_once_and_one_more_or_a_change() {
    let env = TestEnv::new();
    let temporary = env.path("temporary");
    fs::create_dir(&temporary).unwrap();
    let demo = |server: &Path| {
        let mut command = env.command(banhook());
        command.args(["demo", "--fleet", "--html"]).arg(env.path("page.html")).arg("--nats-server").arg(server);
        CommandOutput::of(
            command.env("TMPDIR", &temporary).env_remove("BANHOOK_CONFIG").env_remove("BANHOOK_STATE_DIR"),
        )
    };
    let shown = demo(&nats_server()).ok();
    for text in [
        "`203.0.113.7` banned in `sshd` on `web-01`",
        "`203.0.113.7` also banned on 49 hosts",
        "── message 1 changes ──",
        "`203.0.113.7` banned on 50 hosts",
        "(changed once)",
        "events: 50 received = 0 unrouted + 0 unmatched + 50 routed",
        "50 forwarded, 50 received, none lost. 2 messages in the webhook's channel, 1 in the app's.",
    ] {
        assert!(shown.stdout.contains(text), "{text}: {shown}");
    }
    assert!(shown.stderr.is_empty(), "{shown}");
    let html = fs::read_to_string(env.path("page.html")).unwrap();
    assert!(html.contains("banned on 50 hosts") && html.matches("<article").count() == 1, "{html}");
    // Nothing is left of it.
    let (_, rest) = shown.stdout.split_once("process ").unwrap();
    let process = rest.split(')').next().unwrap();
    assert!(!Path::new("/proc").join(process).exists(), "the broker {process} runs on");
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);

    demo(&too_old_nats_server()).exits(2).complains(&["nats-server 2.9.10", "needs 2.10 or later", "install"]);
    demo(Path::new("none")).exits(2).complains(&["cannot run none"]);
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
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
    let trace = fs::read_to_string(trace).unwrap();
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

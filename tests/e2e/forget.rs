//! `forget` leaves nothing of an address in any file of the state directory, and every count as it was.

use crate::polling::until;
use crate::test_env::{TestEnv, content_of};

const SUBJECT: &str = "203.0.113.77";

fn has(env: &TestEnv, text: &str) -> bool {
    content_of(&env.state()).windows(text.len()).any(|part| part == text.as_bytes())
}

#[test]
fn forget_leaves_nothing_in_any_file_and_the_ledger_as_it_was() {
    let env = TestEnv::new();
    for subject in [SUBJECT, "198.51.100.1"] {
        env.notify(&format!("ban --jail=sshd --ip={subject} --failures=5"));
        env.notify(&format!("unban --jail=sshd --ip={subject}"));
    }
    env.banhook(["mute", "--subject", SUBJECT, "--for", "1h", "--reason", "a test"]).ok();
    let before = env.wait_until_idle();
    assert!(has(&env, SUBJECT) && has(&env, "198.51.100.1"));
    let output = env.banhook(["forget", SUBJECT]).ok();
    assert!(output.stdout.contains("2 events blanked, 1 mute removed"), "{output}");
    env.end_runs();
    assert!(!has(&env, SUBJECT));
    assert!(has(&env, "198.51.100.1"));
    let after = env.ledger();
    assert_eq!((before.received, before.all()), (after.received, after.all()));
    env.status(["status", "--check"]);
    // All goes on, and the subject is a new one.
    env.notify(&format!("ban --jail=sshd --ip={SUBJECT}"));
    assert_eq!(env.wait_until_idle().received, before.received + 1);
    let nobody = env.banhook(["forget", "192.0.2.1"]).ok();
    assert!(nobody.stdout.contains("0 events blanked"), "{nobody}");
}

#[test]
fn forget_beside_a_daemon_leaves_only_the_spool_and_says_so() {
    let env = TestEnv::new();
    let daemon = env.daemon();
    env.notify(&format!("ban --jail=sshd --ip={SUBJECT} --failures=5"));
    let before = env.wait_until_idle();
    let output = env.banhook(["forget", SUBJECT]).exits(1);
    assert!(output.stderr.contains("until it removes them"), "{output}");
    for entry in std::fs::read_dir(env.state()).unwrap().flatten().filter(|entry| entry.path().is_file()) {
        let content = std::fs::read(entry.path()).unwrap();
        let is_found = content.windows(SUBJECT.len()).any(|part| part == SUBJECT.as_bytes());
        assert!(!is_found, "{}", entry.path().display());
    }
    // The daemon goes on with the new pages.
    env.notify("ban --jail=sshd --ip=198.51.100.1");
    assert_eq!(env.wait_until_idle().received, before.received + 1);
    daemon.stop();
    env.banhook(["forget", SUBJECT]).ok();
    assert!(!has(&env, SUBJECT));
    env.status(["status", "--check"]);
}

#[test]
fn forget_of_what_is_not_sent_loses_no_alert_without_drop() {
    let env = TestEnv::new();
    env.webhook.stop();
    let daemon = env.daemon();
    env.notify(&format!("ban --jail=sshd --ip={SUBJECT}"));
    until("an attempt", || if env.log().contains("not delivered") { Ok(()) } else { Err(env.log()) });
    let refused = env.banhook(["forget", SUBJECT]).exits(1);
    assert!(refused.stderr.contains("add --drop") && refused.stdout.is_empty(), "{refused}");
    assert_eq!(env.ledger().all().pending, 1);
    daemon.stop();
    env.end_runs();
    let dropped = env.banhook(["forget", "--drop", SUBJECT]).ok();
    assert!(dropped.stdout.contains("dropped the messages 1"), "{dropped}");
    let counts = env.ledger().all();
    assert_eq!((counts.dead, counts.pending), (1, 0));
    assert!(!has(&env, SUBJECT));
}

//! A backup as the documents make it, and what arrives after it was restored.

use std::fs;
use std::process::Command;

use crate::binary::require;
use crate::command_output::CommandOutput;
use crate::polling::until;
use crate::test_env::TestEnv;

#[test]
#[ignore = "needs sqlite3: cargo xtask test"]
fn restored_backup_repeats_only_what_was_pending_in_it() {
    require("sqlite3", "sqlite3");
    let env = TestEnv::new();
    let daemon = env.daemon();
    env.notify("ban --jail=sshd --ip=203.0.113.1");
    env.wait_until_idle();
    // Pending when the backup is made.
    env.webhook.stop();
    env.notify("ban --jail=sshd --ip=203.0.113.2");
    until("an attempt", || if env.log().contains("not delivered") { Ok(()) } else { Err(env.log()) });
    let (database, copy) = (env.state().join("banhook.sqlite3"), env.path("copy.sqlite3"));
    let vacuum = format!("VACUUM INTO '{}'", copy.display());
    CommandOutput::of(Command::new("sqlite3").arg(&database).arg(vacuum)).ok();
    env.webhook.start();
    env.wait_until_idle();
    env.notify("ban --jail=sshd --ip=203.0.113.3");
    let before = env.wait_until_idle();
    daemon.stop();

    fs::copy(&copy, &database).unwrap();
    for file in ["banhook.sqlite3-wal", "banhook.sqlite3-shm"] {
        fs::remove_file(env.state().join(file)).ok();
    }
    let daemon = env.daemon();
    until("the pending message to be sent again", || match arrived(&env, "203.0.113.2") {
        2 => Ok(()),
        other => Err(other.to_string()),
    });
    env.notify("ban --jail=sshd --ip=203.0.113.4");
    let after = env.wait_until_idle();
    daemon.stop();
    let counts = ["203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4"].map(|subject| arrived(&env, subject));
    assert_eq!(counts, [1, 2, 1, 1]);
    // The third is in the copy no more; the fourth is new.
    assert_eq!((before.received, after.received), (3, 3));
    env.status(["status", "--check"]);
    assert!(env.log().contains("the store has lost events that are settled"), "{}", env.log());
}

/// How many messages that the webhook accepted name a subject.
fn arrived(env: &TestEnv, subject: &str) -> usize {
    env.webhook.arrived().iter().filter(|message| message.shown().contains(subject)).count()
}

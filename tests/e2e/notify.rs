//! `notify`: stores one event durably before it exits, once, and quickly.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::sync::Barrier;
use std::time::Duration;

use crate::binary::require_root;
use crate::syscall_trace;
use crate::test_env::{NOBODY, TestEnv};

const BAN: &str =
    "ban --jail=sshd --ip=203.0.113.7 --failures=5 --time=1763809015.6 --bantime=600 --bancount=1 --restored=0";
const RESTORED: &str =
    "ban --jail=sshd --ip=203.0.113.7 --failures=5 --time=1763809015 --bantime=600 --bancount=2 --restored=1";

/// Concurrent processes, as when fail2ban restores a jail with many bans.
const CONCURRENT: usize = 50;
const SLOWEST: Duration = Duration::from_secs(1);

#[test]
fn notify_ban_message_contains_all_fields() {
    let env = TestEnv::new();
    env.notify(BAN);
    let message = &env.webhook.wait_for(1)[0];
    for word in ["203.0.113.7", "sshd", "5", "10"] {
        assert!(message.contains(&[word]), "{word}: {}", message.shown());
    }
    assert!(!message.text().trim().is_empty());
    let all = env.wait_until_idle().all();
    assert_eq!((all.matched, all.posted), (1, 1));
}

#[test]
fn notify_fifty_at_once_each_finish_within_a_second() {
    let env = TestEnv::exclusive();
    let _daemon = env.daemon();
    let slowest = notify_concurrently(&env, &[]);
    env.webhook.wait_for(CONCURRENT);
    let ledger = env.wait_until_idle();
    assert_eq!((ledger.received, ledger.all().posted), (50, 50), "{ledger:?}");
    assert!(slowest < SLOWEST, "the slowest took {slowest:?}");
}

#[test]
fn notify_fifty_at_once_without_daemon_all_delivered() {
    let env = TestEnv::new();
    notify_concurrently(&env, &[]);
    let ledger = env.wait_until_idle();
    assert_eq!((ledger.received, ledger.all().posted), (50, 50), "{ledger:?}");
    assert_eq!(env.webhook.arrived().len(), CONCURRENT);
}

/// Runs `CONCURRENT` processes, each for an address of its own. Returns how long the slowest took.
fn notify_concurrently(env: &TestEnv, options: &[&str]) -> Duration {
    let start = Barrier::new(CONCURRENT);
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..CONCURRENT)
            .map(|number| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    let line = format!("ban --jail=sshd --ip=203.0.113.{number} --time=1763809015.{number}");
                    env.banhook(["notify"].iter().chain(options).copied().chain(line.split(' '))).ok().took
                })
            })
            .collect();
        runs.into_iter().map(|run| run.join().unwrap()).max().unwrap()
    })
}

#[test]
#[ignore = "needs strace: cargo xtask test"]
fn notify_syncs_event_before_exit_with_at_most_two_syncs() {
    let env = TestEnv::new();
    let _daemon = env.daemon();
    env.notify("start --jail=sshd"); // everything that happens only once has happened
    env.webhook.wait_for(1);
    let trace = syscall_trace::of_notify(&env, BAN);
    let syncs = trace.syncs().len();
    assert!((1..=2).contains(&syncs), "{syncs} syncs\n{trace}");
    let written = trace.last_write_to(&env.state()).unwrap_or_else(|| panic!("no write\n{trace}"));
    let exit = trace.exit().unwrap_or_else(|| panic!("no exit\n{trace}"));
    assert!(
        trace.syncs().iter().any(|sync| (written..exit).contains(sync)),
        "not synced after its last write\n{trace}"
    );
    env.webhook.wait_for(2);
}

#[test]
#[ignore = "needs strace: cargo xtask test"]
fn notify_reads_no_configuration_and_uses_no_network() {
    let env = TestEnv::new();
    let _daemon = env.daemon();
    let trace = syscall_trace::of_notify(&env, BAN);
    for word in ["config.toml", "main.url", "AF_INET", ".wasm"] {
        assert!(!trace.mentions(word), "{word}\n{trace}");
    }
    env.webhook.wait_for(1);
}

#[test]
fn notify_with_broken_configuration_stores_event() {
    let env = TestEnv::new();
    env.configure("plugn = \"a typing mistake\"");
    env.notify(BAN);
    env.configure("");
    env.banhook(["drain", "--timeout", "20s"]).ok();
    assert_eq!(env.webhook.wait_for(1).len(), 1);
    assert_eq!(env.ledger().received, 1);
}

#[test]
fn notify_same_ban_twice_is_one_event() {
    let env = TestEnv::new();
    env.notify(&format!("--no-spawn {BAN}"));
    env.notify(&format!("--no-spawn {BAN}"));
    assert_eq!(env.ledger().received, 1);
    env.banhook(["drain", "--timeout", "20s"]).ok();
    env.notify(&format!("--no-spawn {BAN}"));
    assert_eq!(env.ledger().received, 1, "also after it was delivered");
    env.webhook.wait_for(1);
}

#[test]
fn notify_different_ban_is_another_event() {
    let env = TestEnv::new();
    env.notify(&format!("--no-spawn {BAN}"));
    env.notify(&format!("--no-spawn {}", BAN.replace("1763809015.6", "1763809999.1")));
    env.notify(&format!("--no-spawn {}", BAN.replace("203.0.113.7", "203.0.113.8")));
    env.notify(&format!("--no-spawn {}", BAN.replace("sshd", "nginx")));
    env.notify(&format!("--no-spawn {}", BAN.replace("ban --jail", "unban --jail")));
    assert_eq!(env.ledger().received, 5);
}

#[test]
fn notify_restored_ban_after_two_restarts_is_two_events() {
    let env = TestEnv::new();
    for _ in 0..2 {
        for line in ["flush --jail=sshd", "stop --jail=sshd", "start --jail=sshd", RESTORED] {
            env.notify(&format!("--no-spawn {line}"));
        }
    }
    assert_eq!(env.ledger().received, 8);
    env.banhook(["drain", "--timeout", "20s"]).ok();
    let restored = env.webhook.wait_for(8).iter().filter(|message| message.contains(&["203.0.113.7"])).count();
    assert_eq!(restored, 2);
}

#[test]
fn notify_no_spawn_leaves_event_unrouted() {
    let env = TestEnv::new();
    env.notify(&format!("--no-spawn {BAN}"));
    let ledger = env.ledger();
    assert_eq!((ledger.received, ledger.unrouted), (1, 1), "{ledger:?}");
    assert!(env.webhook.requests().is_empty());
    env.banhook(["run", "--until-idle"]).ok();
    env.webhook.wait_for(1);
    assert_eq!(env.ledger().unrouted, 0);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn notify_as_root_becomes_state_dir_owner() {
    require_root();
    let env = TestEnv::new();
    fs::create_dir(env.state()).unwrap();
    chown(env.state(), Some(NOBODY), Some(NOBODY)).unwrap();
    fs::set_permissions(env.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    env.notify(&format!("--no-spawn {BAN}"));
    let owners: Vec<_> = fs::read_dir(env.state())
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name(), entry.metadata().unwrap().uid()))
        .collect();
    assert!(!owners.is_empty());
    assert!(owners.iter().all(|(_, owner)| *owner == NOBODY), "{owners:?}");
}

//! `notify`: stores one event durably before it exits, once, and quickly.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::sync::Barrier;
use std::time::Duration;

use rustix::process::{Pid, Signal};

use crate::binary::{banhook, require, require_root};
use crate::syscall_trace;
use crate::test_env::{NOBODY, TestEnv};

const BAN: &str =
    "ban --jail=sshd --ip=203.0.113.7 --failures=5 --time=1763809015.6 --bantime=600 --bancount=1 --restored=0";
const RESTORED: &str =
    "ban --jail=sshd --ip=203.0.113.7 --failures=5 --time=1763809015 --bantime=600 --bancount=2 --restored=1";

/// Concurrent processes, as when fail2ban restores a jail with many bans.
const CONCURRENT: usize = 50;
const SLOWEST: Duration = Duration::from_secs(1);

/// The calls at which a daemon is frozen.
const FREEZE_AT: [&str; 5] = ["flock", "pwrite64", "fdatasync", "openat", "fcntl"];
/// How many moments of each; `BANHOOK_SOAK=20` reaches most.
const MOMENTS: u32 = 2;
/// The most events that make a daemon reach the call, and the time between them.
const STIRS: u32 = 30;
const STIR_INTERVAL: Duration = Duration::from_millis(50);

/// How often a daemon is frozen, each time at another moment.
const FREEZES: u32 = 20;
/// More than a `notify` takes on a busy machine, and far less than a frozen daemon would hold it.
const FROZEN_WITHIN: Duration = Duration::from_millis(500);

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
fn notify_syncs_event_before_exit_with_one_sync_and_waits_for_no_lock() {
    let env = TestEnv::new();
    let _daemon = env.daemon();
    env.notify("start --jail=sshd"); // everything that happens only once has happened
    env.webhook.wait_for(1);
    let trace = syscall_trace::of_notify(&env, BAN);
    let (syncs, written) = (trace.syncs(), trace.writes_to_spool(&env.state()));
    assert_eq!((syncs.len(), written.len()), (1, 1), "{trace}");
    let exit = trace.exit().unwrap_or_else(|| panic!("no exit\n{trace}"));
    assert!((written[0]..exit).contains(&syncs[0]), "not synced after its write\n{trace}");
    let waiting: Vec<_> = trace.locks().into_iter().filter(|call| !call.contains("LOCK_NB")).collect();
    assert!(waiting.is_empty() && !trace.locks().is_empty(), "{waiting:?}\n{trace}");
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
    // In both forms of the program.
    env.notify(&format!("--no-spawn {BAN}"));
    env.banhook(["notify", "--no-spawn"].into_iter().chain(BAN.split(' '))).ok();
    assert_eq!(env.ledger().unrouted, 2, "nobody has looked at them yet");
    env.banhook(["drain", "--timeout", "20s"]).ok();
    assert_eq!(env.ledger().received, 1);
    env.notify(&format!("--no-spawn {BAN}"));
    env.banhook(["drain", "--timeout", "20s"]).ok();
    assert_eq!(env.ledger().received, 1, "also after it was delivered");
    assert_eq!(env.webhook.arrived().len(), 1);
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

/// A daemon that is stopped at any moment, as by `systemctl freeze`, holds whatever it holds.
#[test]
fn notify_beside_a_frozen_daemon_does_not_wait() {
    let env = TestEnv::exclusive();
    let daemon = env.daemon();
    for freeze in 0..FREEZES {
        // Busy, so that it is in the middle of something.
        for number in 0..5 {
            env.notify(&format!("ban --jail=sshd --ip=10.1.{freeze}.{number}"));
        }
        daemon.signal(Signal::STOP);
        let took = env.notify(&format!("ban --jail=sshd --ip=10.2.0.{freeze}")).took;
        daemon.signal(Signal::CONT);
        assert!(took < FROZEN_WITHIN, "{took:?} in round {freeze}");
    }
    let expected = u64::from(FREEZES) * 6;
    let ledger = env.wait_until_idle();
    assert_eq!((ledger.received, ledger.all().posted), (expected, expected), "{ledger:?}");
}

/// Frozen by strace at the n-th of a call that uses what others may wait for.
#[test]
#[ignore = "needs strace: cargo xtask test"]
fn notify_beside_a_daemon_frozen_at_a_system_call_does_not_wait() {
    require("strace", "strace");
    let moments = std::env::var("BANHOOK_SOAK").map_or(MOMENTS, |text| text.parse().unwrap());
    let mut frozen = 0;
    for moment in 0..moments {
        for call in FREEZE_AT {
            let env = TestEnv::exclusive();
            let inject = format!("inject={call}:signal=SIGSTOP:when={}", 2 + 7 * moment);
            let mut strace = env.command("strace");
            strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject]);
            let tracer = env.spawn(strace.arg(banhook()).arg("run"));
            let stopped = || {
                let is_stopped = |pid: &Pid| {
                    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
                    // `t` while it is traced.
                    ["(banhook) T", "(banhook) t"].iter().any(|state| stat.contains(state))
                };
                env.processes().into_iter().find(is_stopped)
            };
            let mut daemon = None;
            for number in 0..STIRS {
                env.notify(&format!("--no-spawn ban --jail=sshd --ip=10.0.0.{number}"));
                daemon = stopped();
                if daemon.is_some() {
                    break;
                }
                std::thread::sleep(STIR_INTERVAL); // not a wait: something for the daemon to do
            }
            let took = env.notify("--no-spawn ban --jail=sshd --ip=203.0.113.7").took;
            assert!(took < FROZEN_WITHIN, "{took:?}, frozen at {call}");
            frozen += u32::from(daemon.is_some());
            drop(tracer);
        }
    }
    assert!(frozen >= moments * FREEZE_AT.len() as u32 / 2, "only {frozen} daemons were frozen");
}

/// A store that another process has locked for good, as a stalled disk does.
#[test]
fn notify_beside_a_held_lock_does_not_wait() {
    let env = TestEnv::exclusive();
    env.banhook(["drain"]).ok();
    let held = ["writer.lock", "work.lock"].map(|name| {
        let file =
            fs::OpenOptions::new().write(true).create(true).truncate(false).open(env.state().join(name)).unwrap();
        file.lock().unwrap();
        file
    });
    let took = env.notify("ban --jail=sshd --ip=203.0.113.7").took;
    assert!(took < FROZEN_WITHIN, "{took:?}");
    drop(held);
    env.banhook(["drain"]).ok();
    env.webhook.wait_for(1);
}

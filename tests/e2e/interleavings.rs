//! `notify` with the runs it starts, `run` and `drain`, all at the same time: nothing is delivered twice or left pending.

use std::fs;
use std::process::Stdio;
use std::sync::Barrier;
use std::time::Duration;

use crate::binary::banhook;
use crate::polling::until;
use crate::test_env::{TestEnv, terminate};
use crate::webhook::shown;

/// Finds a coarse mistake; `BANHOOK_SOAK=500` finds a rare race.
const ROUNDS: u32 = 8;
const NOTIFIERS: u32 = 3;
const BANS_EACH: u32 = 3;
/// The longest time, in ms, after which `run` is stopped, while the others are running.
const DAEMON_LIFETIME_MS: u32 = 400;

#[test]
fn notify_run_and_drain_concurrently_deliver_everything_once() {
    let rounds = std::env::var("BANHOOK_SOAK").map_or(ROUNDS, |text| text.parse().unwrap());
    for round in 0..rounds {
        one_round(round);
    }
}

fn one_round(round: u32) {
    let env = TestEnv::new();
    let start = Barrier::new(NOTIFIERS as usize + 2);
    std::thread::scope(|scope| {
        for notifier in 0..NOTIFIERS {
            let (env, start) = (&env, &start);
            scope.spawn(move || {
                start.wait();
                for ban in 0..BANS_EACH {
                    env.notify(&format!("ban --jail=sshd --ip=10.{notifier}.{ban}.1 --time=1763809015"));
                }
            });
        }
        scope.spawn(|| {
            let mut command = env.command(banhook());
            command.arg("run").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            start.wait();
            let mut daemon = command.spawn().unwrap();
            // Not a wait: a different moment in each round.
            std::thread::sleep(Duration::from_millis(scattered(round, DAEMON_LIFETIME_MS).into()));
            // It may have exited already, because another process was running.
            if daemon.try_wait().unwrap().is_none() {
                terminate(&mut daemon);
            }
        });
        scope.spawn(|| {
            start.wait();
            env.banhook(["drain", "--timeout", "20s"]).ok();
        });
    });

    // The runs that `notify` started deliver everything.
    let ledger = env.wait_until_idle();
    let expected = u64::from(NOTIFIERS * BANS_EACH);
    assert_eq!((ledger.received, ledger.all().posted), (expected, expected), "round {round}: {ledger:?}");
    let messages = env.webhook.arrived();
    for notifier in 0..NOTIFIERS {
        for ban in 0..BANS_EACH {
            let subject = format!("10.{notifier}.{ban}.1");
            let count = messages.iter().filter(|message| message.contains(&[&subject])).count();
            assert_eq!(count, 1, "round {round}, {subject}: {:#?}", shown(&messages));
        }
    }
}

/// A number below `below`, different in each round and the same in each run.
fn scattered(round: u32, below: u32) -> u32 {
    round.wrapping_mul(2_654_435_761).rotate_left(16) % below
}

#[test]
fn command_that_borrows_the_lock_of_a_short_run_leaves_no_alert_behind() {
    for (arguments, code) in [(&["forget", "192.0.2.1"][..], 1), (&["tail", "--once", "missing.log"], 2)] {
        let env = TestEnv::new();
        env.webhook.stop();
        env.notify("ban --jail=sshd --ip=203.0.113.7");
        let log = env.state().join("banhook.log");
        until("the short run to try", || match fs::read_to_string(&log).unwrap_or_default() {
            log if log.contains("not delivered") => Ok(()),
            log => Err(log),
        });
        env.banhook(arguments.iter().copied()).exits(code);
        env.webhook.start();
        env.webhook.wait_for(1);
    }
}

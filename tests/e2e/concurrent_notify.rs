//! Two hundred `notify` at the same moment, with a busy daemon: each event is stored and delivered once. `cargo xtask bench
//! concurrency` measures how long fail2ban waits for them.

use std::process::Stdio;
use std::sync::Barrier;

use crate::binary::banhook_notify;
use crate::polling::until;
use crate::test_env::TestEnv;

const AT_ONCE: usize = 200;

/// Events that the daemon has to format and deliver at the same time.
const BACKLOG: usize = 3_000;

#[test]
fn notify_two_hundred_at_once_with_busy_daemon_all_delivered() {
    let env = TestEnv::exclusive();
    env.configure("[[sources]]\nlog = \"fail2ban.log\"\ntimezone = \"UTC\"\nfrom_start = true");
    let lines: String = (0..BACKLOG)
        .map(|number| {
            let (high, low) = (number / 250, number % 250 + 1);
            format!("2026-11-22 11:56:55,601 fail2ban.actions        [2784]: NOTICE  [nginx] Ban 10.1.{high}.{low}\n")
        })
        .collect();
    env.write("fail2ban.log", lines);
    let daemon = env.daemon();
    until("the daemon to be busy", || match env.webhook.arrived().len() {
        0..50 => Err(String::new()),
        _ => Ok(()),
    });
    let before = env.webhook.arrived().len();
    run_concurrently(|number| {
        let mut command = env.command(banhook_notify());
        command.args(["ban", "--jail=sshd", &format!("--ip=10.2.{number}.1"), "--time=1763809015"]);
        command
    });
    let sent_meanwhile = env.webhook.arrived().len() - before;
    let ledger = env.wait_until_idle();
    let expected = (BACKLOG + AT_ONCE) as u64;
    assert_eq!((ledger.received, ledger.all().posted), (expected, expected), "{ledger:?}");
    assert_eq!(env.webhook.arrived().len() as u64, expected);
    assert!(
        (1..BACKLOG - before).contains(&sent_meanwhile),
        "{sent_meanwhile} sent meanwhile: the daemon was not busy"
    );
    daemon.stop();
}

/// Starts all commands at the same moment and waits for them.
fn run_concurrently(command: impl Fn(usize) -> std::process::Command + Sync) {
    let start = Barrier::new(AT_ONCE);
    std::thread::scope(|scope| {
        for number in 0..AT_ONCE {
            let (start, command) = (&start, &command);
            scope.spawn(move || {
                let mut command = command(number);
                command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
                start.wait();
                let status = command.status().unwrap();
                assert!(status.success(), "{command:?}: {status}");
            });
        }
    });
}

//! Two hundred `notify` at the same moment beside a daemon that has its hands full: how long fail2ban waits for each.

use std::fmt;
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use crate::binary::{banhook, require};
use crate::place::Place;
use crate::waiting::until;

const AT_ONCE: usize = 200;

/// As fast as they come in a jail full of bans that fail2ban works off.
const APART: Duration = Duration::from_millis(5);

/// What the daemon has to word and to deliver meanwhile.
const BUSY_WITH: usize = 3_000;

/// For an unoptimised build on a small machine. A release is measured by hand: `cargo xtask bench notify` has the costs of
/// one, and this test prints those of a crowd beside what the machine needs to start so many processes at all.
const SLOWEST: Duration = Duration::from_secs(10);

#[test]
fn two_hundred_at_once_beside_a_busy_daemon_are_all_taken_in_and_told() {
    require("dd", "coreutils");
    let place = Place::alone();
    place.configure("[[sources]]\nlog = \"fail2ban.log\"\ntimezone = \"UTC\"\nfrom_start = true");
    let lines: String = (0..BUSY_WITH)
        .map(|number| {
            let (high, low) = (number / 250, number % 250 + 1);
            format!("2026-11-22 11:56:55,601 fail2ban.actions        [2784]: NOTICE  [nginx] Ban 10.1.{high}.{low}\n")
        })
        .collect();

    let nothing = Times::of(|_| place.command("true"));
    let synced = Times::of(|number| {
        let mut command = place.command("dd");
        let file = format!("of={}", place.path(&format!("floor-{}", number % 2)).display());
        command.args(["if=/dev/zero", &file, "bs=200", "count=1", "conv=fsync,notrunc", "oflag=append"]);
        command
    });
    let ban = |place: &Place, number: usize| {
        let mut command = place.command(banhook());
        command.args(["notify", "ban", "--jail=sshd", &format!("--ip=10.2.{}.1", number), "--time=1763809015"]);
        command
    };
    let idle = Place::beside(&place);
    let daemon = idle.daemon();
    let beside_idle = Times::of(|number| ban(&idle, number));
    daemon.stop();
    drop(idle);

    place.write("fail2ban.log", lines);
    let daemon = place.daemon();
    until("the daemon to be busy", || match place.webhook.arrived().len() {
        0..50 => Err(String::new()),
        _ => Ok(()),
    });
    let before = place.webhook.arrived().len();
    let beside_busy = Times::of(|number| ban(&place, number));
    let meanwhile = place.webhook.arrived().len() - before;
    let one_by_one = Times::apart(APART, |number| ban(&place, AT_ONCE + number));
    let ledger = place.settle();
    let expected = (BUSY_WITH + 2 * AT_ONCE) as u64;
    eprintln!(
        "{AT_ONCE} at once, from start to exit:\n  true                  {nothing}\n  dd conv=fsync         {synced}\n  \
         notify, idle daemon   {beside_idle}\n  notify, busy daemon   {beside_busy} ({meanwhile} messages sent meanwhile)\n  \
         the same, one each 5 ms {one_by_one}"
    );
    assert_eq!((ledger.taken_in, ledger.all().posted), (expected, expected), "{ledger:?}");
    assert_eq!(place.webhook.arrived().len() as u64, expected);
    assert!(meanwhile > 0, "the daemon was not busy");
    assert!(beside_busy.slowest() < SLOWEST, "{beside_busy}");
    daemon.stop();
}

/// How long each process took, shortest first.
struct Times(Vec<Duration>);

impl Times {
    /// Of one of each of these, all started at the same moment.
    #[track_caller]
    fn of(command: impl Fn(usize) -> Command + Sync) -> Self {
        Self::apart(Duration::ZERO, command)
    }

    /// Of one of each of these, one after the other so far apart.
    #[track_caller]
    fn apart(apart: Duration, command: impl Fn(usize) -> Command + Sync) -> Self {
        let start = Barrier::new(AT_ONCE);
        let mut times: Vec<_> = std::thread::scope(|scope| {
            let runs: Vec<_> = (0..AT_ONCE)
                .map(|number| {
                    let (start, command) = (&start, &command);
                    scope.spawn(move || {
                        let mut command = command(number);
                        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
                        start.wait();
                        std::thread::sleep(apart * number as u32); // not waiting: this is how fast they come
                        let begun = Instant::now();
                        let status = command.status().unwrap();
                        assert!(status.success(), "{command:?}: {status}");
                        begun.elapsed()
                    })
                })
                .collect();
            runs.into_iter().map(|run| run.join().unwrap()).collect()
        });
        times.sort();
        Self(times)
    }

    fn at(&self, percent: usize) -> Duration {
        self.0[(self.0.len() * percent).div_ceil(100) - 1]
    }

    fn slowest(&self) -> Duration {
        self.at(100)
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |percent| self.at(percent).as_secs_f64() * 1_000.0;
        write!(f, "half {:.0} ms, 95 % {:.0} ms, 99 % {:.0} ms, all {:.0} ms", ms(50), ms(95), ms(99), ms(100))
    }
}

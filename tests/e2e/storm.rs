//! A storm with the default configuration: it is announced immediately, in few messages that count every ban, and the rate
//! limit of the webhook is never exceeded.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::time::{Duration, Instant};

use crate::delivered::events_of;
use crate::message::Message;
use crate::polling::within;
use crate::test_env::TestEnv;
use crate::webhook::shown;

/// Slack's rate limit, and the burst that it is known to tolerate.
const EVERY: Duration = Duration::from_secs(1);
const BURST: u32 = 4;

/// The most messages in the first minute of any storm.
const MESSAGES_PER_MINUTE: usize = 15;

/// One ban in ten comes from `notify`, the others from fail2ban's log: so many processes would need more of a small machine
/// than banhook does.
const NOTIFY_EVERY: usize = 10;

struct Size {
    bans: usize,
    duration: Duration,
    /// Measured from the first ban.
    delivered_within: Duration,
}

/// A tenth of the bans in a tenth of the time; `BANHOOK_SOAK=1` runs the full size.
const SMALL: Size = Size { bans: 1_000, duration: Duration::from_secs(6), delivered_within: Duration::from_secs(60) };
const FULL: Size = Size { bans: 10_000, duration: Duration::from_secs(60), delivered_within: Duration::from_secs(120) };

/// A log in the folder.
const SOURCE: &str = "[[sources]]\nlog = \"fail2ban.log\"\ntimezone = \"UTC\"";

#[test]
fn storm_is_few_messages_that_count_every_ban() {
    let env = TestEnv::as_shipped("", SOURCE);
    let messages = storm(&env, |env| env.webhook.arrived());
    assert_eq!(env.webhook.requests().len(), messages, "nothing was sent twice");
}

#[test]
fn storm_in_the_channel_of_an_app_is_one_message_that_counts_every_ban() {
    let env = TestEnv::with_app("");
    env.configure_app("", SOURCE);
    let messages = storm(&env, |env| env.webhook.channel().iter().map(|posted| posted.shown().clone()).collect());
    // Those of before the storm, one of it, and one each time that it is ten times as large.
    assert!(messages <= 8 + 4, "{messages} messages");
}

/// Has a storm go out. `newest`: what the messages say. Returns how many there are.
fn storm(env: &TestEnv, newest: impl Fn(&TestEnv) -> Vec<Message>) -> usize {
    let size = if std::env::var_os("BANHOOK_SOAK").is_some() { FULL } else { SMALL };
    env.webhook.limit_rate(EVERY, BURST);
    let log = env.write("fail2ban.log", "");
    let _daemon = env.daemon();
    // The log is followed from its end, which must be found before lines are added.
    within(Duration::from_secs(10), "the log to be opened", || {
        let wal = std::fs::read(env.state().join("banhook.sqlite3-wal")).unwrap_or_default();
        let name = log.to_str().unwrap().as_bytes();
        if wal.windows(name.len()).any(|part| part == name) { Ok(()) } else { Err(String::new()) }
    });

    let start = Instant::now();
    let first_after = std::thread::scope(|scope| {
        let bans = scope.spawn(|| send_bans(env, &size, OpenOptions::new().append(true).open(&log).unwrap()));
        let first = within(Duration::from_secs(5), "the first message", || {
            env.webhook.arrivals().first().map(|(at, _)| *at - start).ok_or_else(String::new)
        });
        bans.join().unwrap();
        first
    });
    let expected = size.bans as u64;
    let ledger = within(size.delivered_within - start.elapsed(), "every ban to be delivered", || {
        let ledger = env.ledger();
        let all = ledger.all();
        let done = ledger.received == expected && all.posted + all.digested == expected;
        if done { Ok(ledger) } else { Err(format!("{ledger:?}")) }
    });
    let took = start.elapsed();

    let (arrivals, messages) = (env.webhook.arrivals(), newest(env));
    let counted: usize = messages.iter().map(|message| events_of(message).unwrap_or(1)).sum();
    assert_eq!(counted, size.bans, "{:#?}", shown(&messages));
    let in_a_minute = arrivals.iter().filter(|(at, _)| *at - start <= Duration::from_secs(60)).count();
    eprintln!(
        "{} bans: the first message after {first_after:?}, {in_a_minute} messages within a minute, all {} within {took:?}; {:?}",
        size.bans,
        messages.len(),
        ledger.all(),
    );
    assert!(first_after < Duration::from_secs(1), "the first message after {first_after:?}");
    assert!(in_a_minute <= MESSAGES_PER_MINUTE, "{in_a_minute} messages: {:#?}", shown(&messages));
    assert_eq!(env.webhook.rate_limited(), 0, "the rate limit was exceeded");
    assert_eq!(arrivals.len(), messages.len(), "nothing was sent twice");
    messages.len()
}

/// Sends bans at a constant rate, some by `notify`, the others as lines of a log.
fn send_bans(env: &TestEnv, size: &Size, mut log: File) {
    let start = Instant::now();
    for number in 0..size.bans {
        let due = start + size.duration.mul_f64(number as f64 / size.bans as f64);
        std::thread::sleep(due.saturating_duration_since(Instant::now())); // not a wait: this is the rate
        let (high, low) = (number / 250, number % 250 + 1);
        if number.is_multiple_of(NOTIFY_EVERY) {
            env.notify(&format!("ban --jail=sshd --ip=10.1.{high}.{low} --failures=5 --time=1763809015"));
        } else {
            let line = format!(
                "2026-11-22 11:56:55,601 fail2ban.actions        [2784]: NOTICE  [sshd] Ban 10.1.{high}.{low}\n"
            );
            log.write_all(line.as_bytes()).unwrap();
        }
    }
}

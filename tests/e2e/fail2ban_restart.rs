//! Starts, restarts and stops of a real fail2ban, with banhook's default configuration: each is one digest, and new bans
//! arrive immediately in between.

use std::time::{Duration, Instant};

use crate::delivered::events_of;
use crate::fail2ban::Fail2ban;
use crate::message::Message;
use crate::polling::{DEFAULT_TIMEOUT, within};
use crate::test_env::TestEnv;
use crate::webhook::shown;

/// A new ban is sent immediately; this includes the start of a short run of an unoptimised build.
const IMMEDIATELY: Duration = Duration::from_secs(4);

/// The setups run concurrently: mostly they wait for digests to close.
#[test]
#[ignore = "needs fail2ban: cargo xtask test"]
fn fail2ban_restart_is_one_digest_in_every_setup() {
    let setups: [fn(); 3] = [with_daemon, with_daemon_and_without_flush, without_daemon];
    std::thread::scope(|scope| setups.map(|setup| scope.spawn(setup)).map(|setup| setup.join().unwrap()));
}

fn with_daemon() {
    let env = TestEnv::as_shipped("", "");
    let daemon = env.daemon();
    whole_life(&env, &Fail2ban::start(&env), true);
    daemon.stop();
}

fn with_daemon_and_without_flush() {
    let env = TestEnv::as_shipped("", "");
    let daemon = env.daemon();
    whole_life(&env, &Fail2ban::start_without_flush(&env), false);
    daemon.stop();
}

fn without_daemon() {
    let env = TestEnv::as_shipped("", "");
    whole_life(&env, &Fail2ban::start(&env), true);
}

/// Start, bans, restart with a ban right after it, the restart of a jail, stop.
fn whole_life(env: &TestEnv, server: &Fail2ban<'_>, flushes: bool) {
    let mut cursor = MessageCursor { env, seen: 0, events: 0 };
    // A flush is one event instead of one unban per ban.
    let lifted = |bans: usize| if flushes { 1 } else { bans };

    cursor.next_digest(2, &["🟢 fail2ban started on", "2 jails"]);

    for number in 1..=3 {
        cursor.ban(server, number);
    }

    server.client("restart").ok();
    cursor.ban(server, 4);
    let restart = cursor.next_digest(lifted(3) + 4 + 3, &["🔁 fail2ban restarted on", "2 jails, 3 bans restored"]);
    assert!(restart.contains(&["sshd 3 restored", "logins"]), "{}", restart.shown());

    server.client("reload --restart sshd").ok();
    let reload = cursor.next_digest(lifted(4) + 2 + 4, &["🔁 Jail sshd restarted on", "4 bans restored"]);
    assert!(!reload.contains(&["logins"]), "{}", reload.shown());

    server.stop();
    let stop = cursor.next_digest(lifted(4) + 2, &["🟠 fail2ban stopped on", "2 jails"]);
    assert!(stop.contains(&["sshd", "logins"]) || stop.contains(&["logins", "sshd"]), "{}", stop.shown());

    let ledger = env.wait_until_idle();
    let all = ledger.all();
    assert_eq!((all.posted, all.digested), (4, cursor.events as u64), "{ledger:?}");
    assert_eq!(ledger.received, all.posted + all.digested, "{ledger:?}");
    let messages = env.webhook.arrived();
    assert_eq!(messages.len(), cursor.seen, "{:#?}", shown(&messages));
    server.assert_no_errors();
}

/// Reads the messages of a webhook in order.
struct MessageCursor<'a> {
    env: &'a TestEnv,
    seen: usize,
    /// Events in digests so far.
    events: usize,
}

impl MessageCursor<'_> {
    /// Waits for the next message, which must be a digest of that many events with these words.
    #[track_caller]
    fn next_digest(&mut self, events: usize, words: &[&str]) -> Message {
        let message = self.next(DEFAULT_TIMEOUT);
        assert_eq!(events_of(&message), Some(events), "{}", message.shown());
        assert!(message.contains(words), "{words:?} in {}", message.shown());
        self.events += events;
        message
    }

    /// Bans an address and waits for the message, which must be of this ban alone.
    #[track_caller]
    fn ban(&mut self, server: &Fail2ban<'_>, number: u32) {
        let subject = format!("203.0.113.{number}");
        let start = Instant::now();
        server.client(&format!("set sshd banip {subject}")).ok();
        let message = self.next(IMMEDIATELY);
        assert!(message.contains(&[&subject, "banned"]) && events_of(&message).is_none(), "{}", message.shown());
        eprintln!("the message of a ban arrived {:?} after the command", start.elapsed());
    }

    #[track_caller]
    fn next(&mut self, timeout: Duration) -> Message {
        self.seen += 1;
        within(timeout, "the next message", || {
            let arrived = self.env.webhook.arrived();
            arrived.get(self.seen - 1).cloned().ok_or_else(|| format!("{:#?}", shown(&arrived)))
        })
    }
}

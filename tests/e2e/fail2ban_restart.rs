//! Starts, restarts and stops of a real fail2ban as banhook tells them as it is shipped: one message each, whatever they
//! consist of, and new bans at once meanwhile.

use std::time::{Duration, Instant};

use crate::delivered::events_of;
use crate::fail2ban::Fail2ban;
use crate::message::Message;
use crate::polling::{DEFAULT_TIMEOUT, within};
use crate::test_env::TestEnv;
use crate::webhook::shown;

/// A new ban waits for nothing; what it takes to start a short run of an unoptimised build is in it.
const AT_ONCE: Duration = Duration::from_secs(4);

/// Side by side: mostly they wait for quiet.
#[test]
fn fail2ban_restart_is_one_digest_in_every_setup() {
    let lives: [fn(); 3] = [with_daemon, with_daemon_and_without_flush, without_daemon];
    std::thread::scope(|scope| lives.map(|life| scope.spawn(life)).map(|life| life.join().unwrap()));
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
    let mut story = Story { env, told: 0, events: 0 };
    // What takes the place of an unban for each ban.
    let lifted = |bans: usize| if flushes { 1 } else { bans };

    story.next_digest(2, &["2 events: fail2ban was started"]);

    for number in 1..=3 {
        story.ban_at_once(server, number);
    }

    server.client("restart").ok();
    story.ban_at_once(server, 4);
    let restart = story.next_digest(lifted(3) + 4 + 3, &["fail2ban was restarted"]);
    let counts = if flushes {
        "3 restored bans, 1 flush, 2 stops, 2 starts"
    } else {
        "3 restored bans, 3 unbans, 2 stops, 2 starts"
    };
    assert!(restart.contains(&[counts]), "{}", restart.shown());
    let by_jail = if flushes { "sshd 3 restored" } else { "sshd 3 restored, 3 unbans" };
    assert!(restart.contains(&[by_jail, "logins"]), "{}", restart.shown());

    server.client("reload --restart sshd").ok();
    let reload = story.next_digest(lifted(4) + 2 + 4, &["jail sshd was restarted", "4 restored bans"]);
    assert!(!reload.contains(&["logins"]), "{}", reload.shown());

    server.stop();
    let stop = story.next_digest(lifted(4) + 2, &["fail2ban was stopped"]);
    assert!(stop.contains(&["sshd", "logins"]) || stop.contains(&["logins", "sshd"]), "{}", stop.shown());

    let ledger = env.wait_until_idle();
    let all = ledger.all();
    assert_eq!((all.posted, all.digested), (4, story.events as u64), "{ledger:?}");
    assert_eq!(ledger.received, all.posted + all.digested, "{ledger:?}");
    let messages = env.webhook.arrived();
    assert_eq!(messages.len(), story.told, "{:#?}", shown(&messages));
    server.assert_no_errors();
}

/// What arrives, a chapter at a time.
struct Story<'a> {
    env: &'a TestEnv,
    told: usize,
    /// In digests, so far.
    events: usize,
}

impl Story<'_> {
    /// The next message is a digest of that many events, with these words in it.
    #[track_caller]
    fn next_digest(&mut self, events: usize, words: &[&str]) -> Message {
        let message = self.next(DEFAULT_TIMEOUT);
        assert_eq!(events_of(&message), Some(events), "{}", message.shown());
        assert!(message.contains(words), "{words:?} in {}", message.shown());
        self.events += events;
        message
    }

    /// A new ban, which is told by itself.
    #[track_caller]
    fn ban_at_once(&mut self, server: &Fail2ban<'_>, number: u32) {
        let subject = format!("203.0.113.{number}");
        let begun = Instant::now();
        server.client(&format!("set sshd banip {subject}")).ok();
        let message = self.next(AT_ONCE);
        assert!(message.contains(&[&subject, "banned"]) && events_of(&message).is_none(), "{}", message.shown());
        eprintln!("a ban was told {:?} after it was asked for", begun.elapsed());
    }

    #[track_caller]
    fn next(&mut self, patience: Duration) -> Message {
        self.told += 1;
        within(patience, "the next message", || {
            let arrived = self.env.webhook.arrived();
            arrived.get(self.told - 1).cloned().ok_or_else(|| format!("{:#?}", shown(&arrived)))
        })
    }
}

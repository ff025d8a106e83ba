//! A state folder in which rounds of crashes follow each other, what happens in one, and what must have come of it.

use std::collections::BTreeSet;
use std::fs;
use std::ops::AddAssign;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};

use crate::binary::banhook;
use crate::delivered::{Delivered, jail};
use crate::seeded_random::SeededRandom;
use crate::test_env::{QUICK, TestEnv};
use crate::webhook::{Fault, Webhook, shown};

/// From the first byte of a request until its answer is recorded, however busy the machine.
const SENDING: Duration = Duration::from_millis(400);

const NOTIFIERS: u32 = 3;
/// As many in all as a digest names jails.
const EVENTS_EACH: u32 = 6;

/// Every event goes to both: one by one, and folded with others.
const ROUTES: &str = r#"
[[routes]]
name = "alone"
webhook = "main"
storm = false
restart = false

[[routes]]
name = "folded"
webhook = "folded"
storm = { threshold = 2, within = "2s" }
digest_window = "1s"
restart = "1s"
"#;

/// Becomes true also where a panic passes: else who waits for it would hide that.
struct OnDrop<'a>(&'a AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What the rounds came to.
#[derive(Debug, Default)]
pub struct Sum {
    acknowledged: usize,
    /// Of these it is not known whether they are in: `notify` was killed.
    notifies_killed: usize,
    of_these_in: usize,
    /// Of processes that route and deliver.
    kills: usize,
    /// Of these, at which a message may have been under way; for each of the two webhooks.
    kills_while_sending: usize,
    looks: u64,
    messages: usize,
    answers_lost: usize,
    repeated: usize,
}

impl AddAssign for Sum {
    fn add_assign(&mut self, other: Self) {
        self.acknowledged += other.acknowledged;
        self.notifies_killed += other.notifies_killed;
        self.of_these_in += other.of_these_in;
        self.kills += other.kills;
        self.kills_while_sending += other.kills_while_sending;
        self.looks += other.looks;
        self.messages += other.messages;
        self.answers_lost += other.answers_lost;
        self.repeated += other.repeated;
    }
}

/// A state folder in which one round follows the other, and what must have come of it.
pub struct Scenario {
    env: TestEnv,
    folded: Webhook,
    /// Events so far; each has a jail of its own, by which it is found again.
    events: u32,
    acknowledged: BTreeSet<String>,
    in_doubt: BTreeSet<String>,
    /// When somebody was killed who routes and delivers.
    kills: Vec<Instant>,
    looks: u64,
}

impl Scenario {
    pub fn set_up(compiled: &Path) -> Self {
        let (env, folded) = (TestEnv::new(), Webhook::open());
        env.write_url("folded.url", &folded);
        let webhooks = format!(
            "host = \"web-1\"\n[webhooks.main]\nurl_file = \"main.url\"\n{QUICK}\n\
             [webhooks.folded]\nurl_file = \"folded.url\"\n{QUICK}\n"
        );
        env.write("config.toml", webhooks + ROUTES);
        env.copy_plugin_cache(compiled);
        Self {
            env,
            folded,
            events: 0,
            acknowledged: BTreeSet::new(),
            in_doubt: BTreeSet::new(),
            kills: Vec::new(),
            looks: 0,
        }
    }

    fn webhooks(&self) -> [&Webhook; 2] {
        [&self.env.webhook, &self.folded]
    }

    pub fn round(&mut self, mut random: SeededRandom) {
        for webhook in self.webhooks() {
            let faults: Vec<_> = (0..random.below(4)).map(|_| fault(&mut random)).collect();
            webhook.inject(&faults);
        }
        let with_daemon = !random.one_in(3);
        let (first, over) = (self.events, AtomicBool::new(false));
        self.events += NOTIFIERS * EVENTS_EACH;
        let acknowledged = AtomicU64::new(self.acknowledged.len() as u64);
        let scenario = &*self;
        let (told, kills, looks) = thread::scope(|scope| {
            let acknowledged = &acknowledged;
            let notifiers: Vec<_> = (0..NOTIFIERS)
                .map(|notifier| {
                    let (first, random) = (first + notifier * EVENTS_EACH, random.another());
                    scope.spawn(move || scenario.notify(first, acknowledged, random))
                })
                .collect();
            let for_looks = random.another();
            let over = &over;
            let watcher = scope.spawn(move || scenario.look_until(over, acknowledged, for_looks));
            let ends_watching = OnDrop(over);
            let kills = scenario.kill_now_and_then(with_daemon, &mut random);
            let told: Vec<_> = notifiers.into_iter().map(|notifier| notifier.join().unwrap()).collect();
            drop(ends_watching);
            (told, kills, watcher.join().unwrap())
        });
        for (acknowledged, in_doubt) in told {
            self.acknowledged.extend(acknowledged);
            self.in_doubt.extend(in_doubt);
        }
        self.kills.extend(kills);
        self.looks += looks;
        self.bring_to_an_end(&mut random);
        self.check();
    }

    /// Has events happen. Those that were acknowledged, and those of which nobody can know.
    fn notify(&self, first: u32, acknowledged: &AtomicU64, mut random: SeededRandom) -> (Vec<String>, Vec<String>) {
        let (mut known, mut in_doubt) = (Vec::new(), Vec::new());
        for number in first..first + EVENTS_EACH {
            thread::sleep(random.time(15)); // not waiting for anything: another moment each time
            let jail = jail(number);
            let mut command = self.env.command(banhook());
            command.arg("notify").args(event(number, &mut random)).arg(format!("--jail={jail}"));
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            if random.one_in(4) {
                thread::sleep(random.time(50)); // the same
                child.kill().unwrap();
            }
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            match output.status.code() {
                Some(0) => {
                    acknowledged.fetch_add(1, Ordering::SeqCst);
                    known.push(jail);
                }
                None => in_doubt.push(jail),
                Some(code) => panic!("notify exits {code}: {said}"),
            }
        }
        (known, in_doubt)
    }

    /// Looks at the sums again and again. How often.
    fn look_until(&self, over: &AtomicBool, acknowledged: &AtomicU64, mut random: SeededRandom) -> u64 {
        let (mut looks, mut before) = (0, 0);
        while !over.load(Ordering::Relaxed) {
            let acknowledged = acknowledged.load(Ordering::SeqCst);
            let received = self.env.ledger().received;
            assert!(
                received >= acknowledged.max(before),
                "{received}, of {acknowledged} acknowledged, {before} before"
            );
            before = received;
            looks += 1;
            thread::sleep(random.time(60)); // not waiting for anything: another moment each time
        }
        looks
    }

    /// Kills whoever works, some times. When.
    fn kill_now_and_then(&self, with_daemon: bool, random: &mut SeededRandom) -> Vec<Instant> {
        let mut kills = Vec::new();
        for _ in 0..=random.below(3) {
            if !with_daemon {
                self.wait_for_an_instant(random);
                let killed = self.kill_runs();
                kills.extend(std::iter::repeat_n(Instant::now(), killed));
                continue;
            }
            let drains = random.one_in(4);
            let mut command = self.env.command(banhook());
            command.args(if drains { &["drain", "--timeout", "20s"][..] } else { &["run"] });
            let process = self.env.spawn(&mut command);
            self.wait_for_an_instant(random);
            match process.kill() {
                None => kills.push(Instant::now()),
                Some(status) => assert!(drains && status.success(), "it ended by itself: {status}\n{}", self.log()),
            }
        }
        kills
    }

    /// Any moment, or one at which something is being sent.
    fn wait_for_an_instant(&self, random: &mut SeededRandom) {
        let tries = || self.webhooks().iter().map(|webhook| webhook.requests().len()).sum::<usize>();
        if random.one_in(2) {
            let (before, deadline) = (tries() + random.below(3) as usize, Instant::now() + Duration::from_millis(600));
            while tries() <= before && Instant::now() < deadline {
                thread::sleep(Duration::from_micros(200));
            }
            thread::sleep(random.time(6));
        } else {
            thread::sleep(random.time(400));
        }
    }

    /// Kills what `notify` has started.
    fn kill_runs(&self) -> usize {
        let is_run = |line: Vec<u8>| String::from_utf8_lossy(&line).contains("--lock-on-stdin");
        self.env
            .processes()
            .into_iter()
            .filter(|pid| fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).is_ok_and(is_run))
            .filter(|pid| kill_process(*pid, Signal::KILL).is_ok())
            .count()
    }

    /// A fresh process of one kind or the other, until nothing is left.
    fn bring_to_an_end(&self, random: &mut SeededRandom) {
        if random.one_in(2) {
            self.env.banhook(["drain", "--timeout", "50s"]).ok();
        } else {
            let mut command = self.env.command(banhook());
            // Before it listens, SIGTERM ends it as a crash would.
            let daemon = self.env.ready(command.arg("run"));
            self.env.wait_until_idle();
            if random.one_in(2) {
                daemon.stop();
            } else {
                assert!(daemon.kill().is_none(), "it ended by itself: {}", self.log());
            }
        }
    }

    fn check(&self) {
        let ledger = self.env.wait_until_idle();
        let received = ledger.received as usize;
        let (known, in_doubt) = (self.acknowledged.len(), self.in_doubt.len());
        assert!((known..=known + in_doubt).contains(&received), "{known} and {in_doubt} in doubt: {ledger:?}");
        let [alone, folded] = ["alone", "folded"].map(|route| ledger.routes[route]);
        let all = ledger.received;
        assert_eq!((ledger.routed, alone.matched, alone.posted), (all, all, all), "{ledger:?}");
        assert_eq!((folded.matched, folded.posted + folded.digested), (all, all), "{ledger:?}");
        for (webhook, digested) in self.webhooks().into_iter().zip([0, folded.digested]) {
            let told = Delivered::of(&webhook.arrived());
            let missing: Vec<_> = self.acknowledged.iter().filter(|jail| !told.jails.contains(*jail)).collect();
            assert!(
                missing.is_empty(),
                "nobody was told of {missing:?}: {ledger:?}\n{:#?}\n{}",
                shown(&webhook.arrived()),
                self.log()
            );
            let invented: Vec<_> = told
                .jails
                .iter()
                .filter(|jail| !self.acknowledged.contains(*jail) && !self.in_doubt.contains(*jail))
                .collect();
            assert!(invented.is_empty(), "{invented:?}");
            assert_eq!((told.jails.len(), told.digested), (received, digested as usize), "{ledger:?}");
            let may_repeat = self.kills_while_sending(webhook) + webhook.unanswered();
            assert!(told.repeated <= may_repeat, "{} repeated, {may_repeat} may be", told.repeated);
        }
        for word in ["panicked", "damaged", "BALANCE"] {
            assert!(!self.log().contains(word), "{}", self.log());
        }
    }

    /// At how many kills a message to this webhook may have been under way, or its answer.
    fn kills_while_sending(&self, webhook: &Webhook) -> usize {
        let tries = webhook.requests();
        let near = |kill: &&Instant| tries.iter().any(|begun| *begun < **kill + SENDING && **kill < *begun + SENDING);
        self.kills.iter().filter(near).count()
    }

    /// What those said that were started here, and by `notify`.
    fn log(&self) -> String {
        self.env.log() + &fs::read_to_string(self.env.state().join("banhook.log")).unwrap_or_default()
    }

    pub fn sum(&self) -> Sum {
        let told = self.webhooks().map(|webhook| Delivered::of(&webhook.arrived()));
        let jails = &told[0].jails;
        Sum {
            acknowledged: self.acknowledged.len(),
            notifies_killed: self.in_doubt.len(),
            of_these_in: self.in_doubt.iter().filter(|jail| jails.contains(*jail)).count(),
            kills: self.kills.len(),
            kills_while_sending: self.webhooks().map(|webhook| self.kills_while_sending(webhook)).iter().sum(),
            looks: self.looks,
            messages: self.webhooks().iter().map(|webhook| webhook.arrived().len()).sum(),
            answers_lost: self.webhooks().iter().map(|webhook| webhook.unanswered()).sum(),
            repeated: told.iter().map(|told| told.repeated).sum(),
        }
    }
}

/// What happens, without the jail.
fn event(number: u32, random: &mut SeededRandom) -> Vec<String> {
    let kind = match random.below(10) {
        0 => return vec![["start", "stop", "flush"][random.below(3) as usize].to_owned()],
        1 | 2 => "unban",
        _ => "ban",
    };
    let restored = u32::from(random.one_in(10));
    let [high, low] = [number / 250, number % 250 + 1];
    format!("{kind} --ip=10.7.{high}.{low} --failures=3 --time=1763809015 --bantime=600 --restored={restored}")
        .split(' ')
        .map(str::to_owned)
        .collect()
}

/// Any of what webhooks do to us, the harmless more often: rounds are to be short.
fn fault(random: &mut SeededRandom) -> Fault {
    match random.below(20) {
        0 => Fault::RateLimited(1),
        1..4 => Fault::ServerError,
        4..7 => Fault::ResetBeforeReading,
        7..12 => Fault::ResetAfterAccepting,
        _ => Fault::Slow(random.time(60)),
    }
}

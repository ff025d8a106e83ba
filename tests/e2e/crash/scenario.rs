//! A state directory on which rounds of crashes run, the random events of a round, and the checks after it.

use std::collections::BTreeSet;
use std::fs;
use std::ops::AddAssign;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};

use crate::binary::banhook;
use crate::delivered::{Delivered, jail, jails_of};
use crate::reliability::FaultRow;
use crate::seeded_random::SeededRandom;
use crate::slack_app;
use crate::test_env::{QUICK, TestEnv};
use crate::webhook::{Fault, Webhook, shown};

/// The longest time from the first byte of a request until its result is recorded, also on a busy machine.
const SENDING: Duration = Duration::from_millis(400);

const NOTIFIERS: u32 = 3;
/// With `NOTIFIERS`, as many in all as a digest lists jails.
const EVENTS_EACH: u32 = 6;

/// The chats that messages are sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chat {
    /// Incoming webhooks.
    Webhooks,
    /// Apps, whose messages are changed while a storm lasts.
    Apps,
}

/// Longer than a storm lasts without an event: a digest of more events than those of a round would not list all jails.
const AFTER_A_STORM: Duration = Duration::from_millis(1_200);

/// Faults after which a message may be overtaken.
const FAILURES_IN_ORDER: usize = 3;

/// Every event goes to both routes: to one as a message of its own, to the other in digests.
const ROUTES: &str = r#"
[[routes]]
name = "single"
webhook = "main"
storm = false
restart = false

[[routes]]
name = "digests"
webhook = "digests"
storm = { threshold = 2, within = "WITHIN" }
digest_window = "1s"
restart = "1s"
"#;

/// Sets a flag on drop, also during a panic: otherwise the thread that waits for it would hide the panic.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The totals of all rounds.
#[derive(Debug, Default)]
pub struct Totals {
    acknowledged: usize,
    /// `notify` processes that were killed: their events may or may not be stored.
    notifies_killed: usize,
    stored_despite_kill: usize,
    /// Kills of processes that route and deliver.
    kills: usize,
    /// Those of them during which a request may have been running, per webhook.
    kills_while_sending: usize,
    ledger_checks: u64,
    messages: usize,
    changes: usize,
    responses_lost: usize,
    repeated: usize,
}

impl Totals {
    /// The rows of the table of faults.
    pub fn rows(&self, chat: Chat) -> Vec<FaultRow> {
        let (of, webhook) = match chat {
            Chat::Webhooks => ("", "webhook"),
            Chat::Apps => ("app: ", "channel"),
        };
        let row = |fault: &str, count: usize, result: String| FaultRow {
            fault: format!("{of}{fault}"),
            count: count as u64,
            result,
        };
        let Self { acknowledged, notifies_killed, stored_despite_kill, kills, responses_lost, repeated, .. } = self;
        let messages = match chat {
            Chat::Webhooks => format!("{} messages", self.messages),
            Chat::Apps => format!("{} messages with {} changes", self.messages, self.changes),
        };
        vec![
            row(
                "`kill -9` of a process that routes and delivers, at a random moment",
                *kills,
                format!("{acknowledged} acknowledged events, none lost; {messages}, {repeated} sent twice"),
            ),
            row(
                "`kill -9` of `notify` before it ends",
                *notifies_killed,
                format!("{stored_despite_kill} of these events were stored, and delivered"),
            ),
            row(
                &format!("the {webhook} accepts, and its answer is lost"),
                *responses_lost,
                "sent again, at most once for each".to_owned(),
            ),
        ]
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.acknowledged += other.acknowledged;
        self.notifies_killed += other.notifies_killed;
        self.stored_despite_kill += other.stored_despite_kill;
        self.kills += other.kills;
        self.kills_while_sending += other.kills_while_sending;
        self.ledger_checks += other.ledger_checks;
        self.messages += other.messages;
        self.changes += other.changes;
        self.responses_lost += other.responses_lost;
        self.repeated += other.repeated;
    }
}

/// A state directory on which one round runs after the other, and what must be delivered.
pub struct Scenario {
    chat: Chat,
    env: TestEnv,
    digests: Webhook,
    /// Events so far; each has a jail of its own, which identifies it.
    events: u32,
    acknowledged: BTreeSet<String>,
    in_doubt: BTreeSet<String>,
    /// Whether a message may have failed so often that later ones went before it.
    may_overtake: bool,
    /// When a process that routes and delivers was killed.
    kills: Vec<Instant>,
    ledger_checks: u64,
}

impl Scenario {
    pub fn set_up(chat: Chat) -> Self {
        let mut env = TestEnv::new();
        let (webhooks, within) = match chat {
            Chat::Webhooks => ([Webhook::open(), Webhook::open()], "2s"),
            Chat::Apps => ([Webhook::open_app(), Webhook::open_app()], "1s"),
        };
        let mut text = "host = \"web-1\"\n".to_owned();
        for (name, webhook) in ["main", "digests"].into_iter().zip(&webhooks) {
            let settings = match chat {
                Chat::Webhooks => {
                    env.write_url(&format!("{name}.url"), webhook);
                    format!("url_file = \"{name}.url\"")
                }
                Chat::Apps => {
                    env.write_secret(&format!("{name}.token"), &slack_app::token(webhook.secret()));
                    let (api_url, channel) = (webhook.api_url(), slack_app::CHANNEL);
                    format!(
                        "target = \"slack-app\"\napi_url = \"{api_url}\"\ntoken_file = \"{name}.token\"\nchannel = \"{channel}\""
                    )
                }
            };
            text += &format!("[webhooks.{name}]\n{settings}\n{QUICK}\n");
        }
        env.write("config.toml", text + &ROUTES.replace("WITHIN", within));
        let [main, digests] = webhooks;
        env.webhook = main;
        env.copy_plugin_cache();
        Self {
            chat,
            env,
            digests,
            events: 0,
            acknowledged: BTreeSet::new(),
            in_doubt: BTreeSet::new(),
            may_overtake: false,
            kills: Vec::new(),
            ledger_checks: 0,
        }
    }

    fn webhooks(&self) -> [&Webhook; 2] {
        [&self.env.webhook, &self.digests]
    }

    pub fn round(&mut self, mut random: SeededRandom) {
        if self.chat == Chat::Apps {
            thread::sleep(AFTER_A_STORM); // not a wait: the storm is to be over
        }
        for webhook in [&self.env.webhook, &self.digests] {
            let faults: Vec<_> = (0..random.below(4)).map(|_| fault(&mut random)).collect();
            webhook.inject(&faults);
            self.may_overtake |= faults.len() >= FAILURES_IN_ORDER;
        }
        let with_daemon = !random.one_in(3);
        let (first, is_over) = (self.events, AtomicBool::new(false));
        self.events += NOTIFIERS * EVENTS_EACH;
        let acknowledged = AtomicU64::new(self.acknowledged.len() as u64);
        let scenario = &*self;
        let (results, kills, checks) = thread::scope(|scope| {
            let acknowledged = &acknowledged;
            let notifiers: Vec<_> = (0..NOTIFIERS)
                .map(|notifier| {
                    let (first, random) = (first + notifier * EVENTS_EACH, random.fork());
                    scope.spawn(move || scenario.notify(first, acknowledged, random))
                })
                .collect();
            let for_checks = random.fork();
            let is_over = &is_over;
            let watcher = scope.spawn(move || scenario.check_ledger_until(is_over, acknowledged, for_checks));
            let stop_watcher = SetOnDrop(is_over);
            let kills = scenario.kill_repeatedly(with_daemon, &mut random);
            let results: Vec<_> = notifiers.into_iter().map(|notifier| notifier.join().unwrap()).collect();
            drop(stop_watcher);
            (results, kills, watcher.join().unwrap())
        });
        for (acknowledged, in_doubt) in results {
            self.acknowledged.extend(acknowledged);
            self.in_doubt.extend(in_doubt);
        }
        self.kills.extend(kills);
        self.ledger_checks += checks;
        self.finish(&mut random);
        self.check();
    }

    /// Reports events. Returns those that were acknowledged, and those that may or may not be stored.
    fn notify(&self, first: u32, acknowledged: &AtomicU64, mut random: SeededRandom) -> (Vec<String>, Vec<String>) {
        let (mut known, mut in_doubt) = (Vec::new(), Vec::new());
        for number in first..first + EVENTS_EACH {
            thread::sleep(random.duration(15)); // not a wait: a different moment each time
            let jail = jail(number);
            let mut command = self.env.command(banhook());
            command.arg("notify").args(event(number, &mut random)).arg(format!("--jail={jail}"));
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            if random.one_in(4) {
                thread::sleep(random.duration(50)); // not a wait either
                child.kill().unwrap();
            }
            let output = child.wait_with_output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            match output.status.code() {
                Some(0) => {
                    acknowledged.fetch_add(1, Ordering::SeqCst);
                    known.push(jail);
                }
                None => in_doubt.push(jail),
                Some(code) => panic!("notify exits with {code}: {stderr}"),
            }
        }
        (known, in_doubt)
    }

    /// Checks the ledger repeatedly; returns how often.
    fn check_ledger_until(&self, is_over: &AtomicBool, acknowledged: &AtomicU64, mut random: SeededRandom) -> u64 {
        let (mut checks, mut before) = (0, 0);
        while !is_over.load(Ordering::Relaxed) {
            let acknowledged = acknowledged.load(Ordering::SeqCst);
            let received = self.env.ledger().received;
            assert!(
                received >= acknowledged.max(before),
                "{received} received, {acknowledged} acknowledged, {before} received before"
            );
            before = received;
            checks += 1;
            thread::sleep(random.duration(60)); // not a wait: a different moment each time
        }
        checks
    }

    /// Kills the processes that deliver, up to three times; returns when.
    fn kill_repeatedly(&self, with_daemon: bool, random: &mut SeededRandom) -> Vec<Instant> {
        let mut kills = Vec::new();
        for _ in 0..=random.below(3) {
            if !with_daemon {
                self.wait_for_a_moment(random);
                let killed = self.kill_runs();
                kills.extend(std::iter::repeat_n(Instant::now(), killed));
                continue;
            }
            let drains = random.one_in(4);
            let mut command = self.env.command(banhook());
            command.args(if drains { &["drain", "--timeout", "20s"][..] } else { &["run"] });
            let process = self.env.spawn(&mut command);
            self.wait_for_a_moment(random);
            match process.kill() {
                None => kills.push(Instant::now()),
                Some(status) => assert!(drains && status.success(), "it exited by itself: {status}\n{}", self.log()),
            }
        }
        kills
    }

    /// Waits for a random moment, or for one during a request.
    fn wait_for_a_moment(&self, random: &mut SeededRandom) {
        let requests = || self.webhooks().iter().map(|webhook| webhook.requests().len()).sum::<usize>();
        if random.one_in(2) {
            let (before, deadline) =
                (requests() + random.below(3) as usize, Instant::now() + Duration::from_millis(600));
            while requests() <= before && Instant::now() < deadline {
                thread::sleep(Duration::from_micros(200));
            }
            thread::sleep(random.duration(6));
        } else {
            thread::sleep(random.duration(400));
        }
    }

    /// Kills the runs that `notify` has started.
    fn kill_runs(&self) -> usize {
        let is_run = |line: Vec<u8>| String::from_utf8_lossy(&line).contains("--lock-on-stdin");
        self.env
            .processes()
            .into_iter()
            .filter(|pid| fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).is_ok_and(is_run))
            .filter(|pid| kill_process(*pid, Signal::KILL).is_ok())
            .count()
    }

    /// Delivers everything, by `drain` or by a daemon.
    fn finish(&self, random: &mut SeededRandom) {
        if random.one_in(2) {
            self.env.banhook(["drain", "--timeout", "50s"]).ok();
        } else {
            let mut command = self.env.command(banhook());
            // Waits until it is ready: before it handles SIGTERM, the signal would end it like a crash.
            let daemon = self.env.daemon_of(command.arg("run"));
            self.env.wait_until_idle();
            if random.one_in(2) {
                daemon.stop();
            } else {
                assert!(daemon.kill().is_none(), "it exited by itself: {}", self.log());
            }
        }
    }

    fn check(&self) {
        let ledger = self.env.wait_until_idle();
        let received = ledger.received as usize;
        let (known, in_doubt) = (self.acknowledged.len(), self.in_doubt.len());
        assert!((known..=known + in_doubt).contains(&received), "{known} and {in_doubt} in doubt: {ledger:?}");
        let [single, digests] = ["single", "digests"].map(|route| ledger.routes[route]);
        let all = ledger.received;
        assert_eq!((ledger.routed, single.matched, single.posted), (all, all, all), "{ledger:?}");
        assert_eq!((digests.matched, digests.posted + digests.digested), (all, all), "{ledger:?}");
        for (webhook, digested) in self.webhooks().into_iter().zip([0, digests.digested]) {
            let delivered = self.delivered(webhook);
            let missing: Vec<_> = self.acknowledged.iter().filter(|jail| !delivered.jails.contains(*jail)).collect();
            assert!(
                missing.is_empty(),
                "not delivered: {missing:?}: {ledger:?}\n{:#?}\n{}",
                shown(&webhook.arrived()),
                self.log()
            );
            let invented: Vec<_> = delivered
                .jails
                .iter()
                .filter(|jail| !self.acknowledged.contains(*jail) && !self.in_doubt.contains(*jail))
                .collect();
            assert!(invented.is_empty(), "{invented:?}");
            assert_eq!((delivered.jails.len(), delivered.digested), (received, digested as usize), "{ledger:?}");
            let may_repeat = self.kills_while_sending(webhook) + webhook.lost_responses();
            assert!(delivered.repeated <= may_repeat, "{} repeated, at most {may_repeat} allowed", delivered.repeated);
        }
        self.check_order();
        for word in ["panicked", "damaged", "BALANCE"] {
            assert!(!self.log().contains(word), "{}", self.log());
        }
    }

    fn delivered(&self, webhook: &Webhook) -> Delivered {
        match self.chat {
            Chat::Webhooks => Delivered::of(&webhook.arrived()),
            Chat::Apps => Delivered::of_channel(&webhook.channel()),
        }
    }

    /// Checks that the messages of single events are in the order in which one `notify` after the other reported them.
    fn check_order(&self) {
        if self.may_overtake {
            return;
        }
        let mut seen = BTreeSet::new();
        for message in self.env.webhook.arrived() {
            for jail in jails_of(&message) {
                let number: u32 = jail[1..7].parse().unwrap();
                let notifier = number - number % EVENTS_EACH;
                let later: Vec<_> = seen.range(number + 1..notifier + EVENTS_EACH).copied().collect();
                let is_known = !seen.insert(number);
                assert!(
                    is_known || later.is_empty(),
                    "{jail} after {later:?}: {:#?}",
                    shown(&self.env.webhook.arrived())
                );
            }
        }
    }

    /// The number of kills during which a request to this webhook may have been running.
    fn kills_while_sending(&self, webhook: &Webhook) -> usize {
        let requests = webhook.requests();
        let near =
            |kill: &&Instant| requests.iter().any(|started| *started < **kill + SENDING && **kill < *started + SENDING);
        self.kills.iter().filter(near).count()
    }

    /// The logs of the processes that were started here, and by `notify`.
    fn log(&self) -> String {
        self.env.log() + &fs::read_to_string(self.env.state().join("banhook.log")).unwrap_or_default()
    }

    pub fn totals(&self) -> Totals {
        let delivered = self.webhooks().map(|webhook| self.delivered(webhook));
        let changes = |webhook: &Webhook| match self.chat {
            Chat::Webhooks => 0,
            Chat::Apps => webhook.channel().iter().map(|posted| posted.versions.len() - 1).sum(),
        };
        let jails = &delivered[0].jails;
        Totals {
            acknowledged: self.acknowledged.len(),
            notifies_killed: self.in_doubt.len(),
            stored_despite_kill: self.in_doubt.iter().filter(|jail| jails.contains(*jail)).count(),
            kills: self.kills.len(),
            kills_while_sending: self.webhooks().map(|webhook| self.kills_while_sending(webhook)).iter().sum(),
            ledger_checks: self.ledger_checks,
            changes: self.webhooks().map(changes).iter().sum(),
            messages: self.webhooks().iter().map(|webhook| webhook.arrived().len()).sum(),
            responses_lost: self.webhooks().iter().map(|webhook| webhook.lost_responses()).sum(),
            repeated: delivered.iter().map(|delivered| delivered.repeated).sum(),
        }
    }
}

/// The arguments of a random event, without the jail.
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

/// A random fault. Faults that cost little time are more frequent, to keep rounds short.
fn fault(random: &mut SeededRandom) -> Fault {
    match random.below(20) {
        0 => Fault::RateLimited(1),
        1..4 => Fault::ServerError,
        4..7 => Fault::ResetBeforeReading,
        7..12 => Fault::ResetAfterAccepting,
        _ => Fault::Slow(random.duration(60)),
    }
}

//! Crashes: whoever is killed at whatever instant, and whatever the webhook does meanwhile, each event that `notify`
//! acknowledged is told, once but for what a crash or a lost answer repeats, and the sums balance all the while.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::AddAssign;
use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};
use tempfile::TempDir;

use crate::binary::banhook;
use crate::chance::{Chance, seed};
use crate::component;
use crate::message::Message;
use crate::place::{Place, QUICK};
use crate::waiting::until;
use crate::webhook::{Fault, Webhook, shown};

/// A minute of CI's; `BANHOOK_SOAK=2000` looks for what happens once in a thousand times.
const ROUNDS: u32 = 100;
/// Rounds that go on side by side: mostly they wait for a webhook.
const SIDE_BY_SIDE: u32 = 4;
/// Rounds on the same state folder: what one leaves behind, the next one finds.
const ROUNDS_OF_A_FOLDER: u32 = 10;

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
storm = { over = 2, within = "2s" }
digest_window = "1s"
restart = "1s"
"#;

#[test]
fn whoever_is_killed_every_acknowledged_event_is_told() {
    let rounds = std::env::var("BANHOOK_SOAK").map_or(ROUNDS, |text| text.parse().unwrap());
    let (seed, begun) = (seed(), Instant::now());
    let compiled = compiled();
    let (next, sum) = (AtomicU32::new(0), Mutex::new(Sum::default()));
    thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                loop {
                    let first = next.fetch_add(ROUNDS_OF_A_FOLDER, Ordering::Relaxed);
                    if first >= rounds {
                        break;
                    }
                    let mut stand = Stand::set_up(compiled.path());
                    for number in first..rounds.min(first + ROUNDS_OF_A_FOLDER) {
                        stand.round(Chance::of("round", seed, number));
                    }
                    *sum.lock().unwrap() += stand.sum();
                }
            });
        }
    });
    eprintln!("{rounds} rounds in {:?}, seed {seed}: {:?}", begun.elapsed(), sum.lock().unwrap());
}

/// A folder with the compiled plugins that all stands begin with. No place: a thread has one at a time.
fn compiled() -> TempDir {
    let place = Place::new();
    place.daemon().stop();
    let folder = tempfile::Builder::new().prefix("banhook-").tempdir().unwrap();
    fs::rename(place.state().join("cache"), folder.path().join("cache")).unwrap();
    folder
}

/// Becomes true also where a panic passes: else who waits for it would hide that.
struct OnDrop<'a>(&'a AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What the rounds came to.
#[derive(Debug, Default)]
struct Sum {
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
struct Stand {
    place: Place,
    folded: Webhook,
    /// Events so far; each has a jail of its own, by which it is found again.
    events: u32,
    acknowledged: BTreeSet<String>,
    in_doubt: BTreeSet<String>,
    /// When somebody was killed who routes and delivers.
    kills: Vec<Instant>,
    looks: u64,
}

impl Stand {
    fn set_up(compiled: &Path) -> Self {
        let (place, folded) = (Place::new(), Webhook::open());
        place.write_url("folded.url", &folded);
        let webhooks = format!(
            "host = \"web-1\"\n[webhooks.main]\nurl_file = \"main.url\"\n{QUICK}\n\
             [webhooks.folded]\nurl_file = \"folded.url\"\n{QUICK}\n"
        );
        place.write("config.toml", webhooks + ROUTES);
        place.take_plugins_of(compiled);
        Self {
            place,
            folded,
            events: 0,
            acknowledged: BTreeSet::new(),
            in_doubt: BTreeSet::new(),
            kills: Vec::new(),
            looks: 0,
        }
    }

    fn webhooks(&self) -> [&Webhook; 2] {
        [&self.place.webhook, &self.folded]
    }

    fn round(&mut self, mut chance: Chance) {
        for webhook in self.webhooks() {
            let faults: Vec<_> = (0..chance.below(4)).map(|_| fault(&mut chance)).collect();
            webhook.will(&faults);
        }
        let with_daemon = !chance.one_in(3);
        let (first, over) = (self.events, AtomicBool::new(false));
        self.events += NOTIFIERS * EVENTS_EACH;
        let acknowledged = AtomicU64::new(self.acknowledged.len() as u64);
        let stand = &*self;
        let (told, kills, looks) = thread::scope(|scope| {
            let acknowledged = &acknowledged;
            let notifiers: Vec<_> = (0..NOTIFIERS)
                .map(|notifier| {
                    let (first, chance) = (first + notifier * EVENTS_EACH, chance.another());
                    scope.spawn(move || stand.notify(first, acknowledged, chance))
                })
                .collect();
            let for_looks = chance.another();
            let over = &over;
            let watcher = scope.spawn(move || stand.look_until(over, acknowledged, for_looks));
            let ends_watching = OnDrop(over);
            let kills = stand.kill_now_and_then(with_daemon, &mut chance);
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
        self.bring_to_an_end(&mut chance);
        self.check();
    }

    /// Has events happen. Those that were acknowledged, and those of which nobody can know.
    fn notify(&self, first: u32, acknowledged: &AtomicU64, mut chance: Chance) -> (Vec<String>, Vec<String>) {
        let (mut known, mut in_doubt) = (Vec::new(), Vec::new());
        for number in first..first + EVENTS_EACH {
            thread::sleep(chance.time(15)); // not waiting for anything: another moment each time
            let jail = jail(number);
            let mut command = self.place.command(banhook());
            command.arg("notify").args(event(number, &mut chance)).arg(format!("--jail={jail}"));
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            if chance.one_in(4) {
                thread::sleep(chance.time(50)); // the same
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
    fn look_until(&self, over: &AtomicBool, acknowledged: &AtomicU64, mut chance: Chance) -> u64 {
        let (mut looks, mut before) = (0, 0);
        while !over.load(Ordering::Relaxed) {
            let acknowledged = acknowledged.load(Ordering::SeqCst);
            let taken_in = self.place.ledger().taken_in;
            assert!(
                taken_in >= acknowledged.max(before),
                "{taken_in}, of {acknowledged} acknowledged, {before} before"
            );
            before = taken_in;
            looks += 1;
            thread::sleep(chance.time(60)); // not waiting for anything: another moment each time
        }
        looks
    }

    /// Kills whoever works, some times. When.
    fn kill_now_and_then(&self, with_daemon: bool, chance: &mut Chance) -> Vec<Instant> {
        let mut kills = Vec::new();
        for _ in 0..=chance.below(3) {
            if !with_daemon {
                self.wait_for_an_instant(chance);
                let killed = self.kill_runs();
                kills.extend(std::iter::repeat_n(Instant::now(), killed));
                continue;
            }
            let drains = chance.one_in(4);
            let mut command = self.place.command(banhook());
            command.args(if drains { &["drain", "--timeout", "20s"][..] } else { &["run"] });
            let process = self.place.begin(&mut command);
            self.wait_for_an_instant(chance);
            match process.kill() {
                None => kills.push(Instant::now()),
                Some(status) => assert!(drains && status.success(), "it ended by itself: {status}\n{}", self.said()),
            }
        }
        kills
    }

    /// Any moment, or one at which something is being sent.
    fn wait_for_an_instant(&self, chance: &mut Chance) {
        let tries = || self.webhooks().iter().map(|webhook| webhook.tries().len()).sum::<usize>();
        if chance.one_in(2) {
            let (before, deadline) = (tries() + chance.below(3) as usize, Instant::now() + Duration::from_millis(600));
            while tries() <= before && Instant::now() < deadline {
                thread::sleep(Duration::from_micros(200));
            }
            thread::sleep(chance.time(6));
        } else {
            thread::sleep(chance.time(400));
        }
    }

    /// Kills what `notify` has started.
    fn kill_runs(&self) -> usize {
        let is_run = |line: Vec<u8>| String::from_utf8_lossy(&line).contains("--handed-over");
        self.place
            .processes()
            .into_iter()
            .filter(|pid| fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).is_ok_and(is_run))
            .filter(|pid| kill_process(*pid, Signal::KILL).is_ok())
            .count()
    }

    /// A fresh process of one kind or the other, until nothing is left.
    fn bring_to_an_end(&self, chance: &mut Chance) {
        if chance.one_in(2) {
            self.place.banhook(["drain", "--timeout", "50s"]).ok();
        } else {
            let mut command = self.place.command(banhook());
            // Before it listens, SIGTERM ends it as a crash would.
            let daemon = self.place.ready(command.arg("run"));
            self.place.settle();
            if chance.one_in(2) {
                daemon.stop();
            } else {
                assert!(daemon.kill().is_none(), "it ended by itself: {}", self.said());
            }
        }
    }

    fn check(&self) {
        let ledger = self.place.settle();
        let taken_in = ledger.taken_in as usize;
        let (known, in_doubt) = (self.acknowledged.len(), self.in_doubt.len());
        assert!((known..=known + in_doubt).contains(&taken_in), "{known} and {in_doubt} in doubt: {ledger:?}");
        let [alone, folded] = ["alone", "folded"].map(|route| ledger.routes[route]);
        let all = ledger.taken_in;
        assert_eq!((ledger.routed, alone.matched, alone.posted), (all, all, all), "{ledger:?}");
        assert_eq!((folded.matched, folded.posted + folded.digested), (all, all), "{ledger:?}");
        for (webhook, digested) in self.webhooks().into_iter().zip([0, folded.digested]) {
            let told = Told::of(&webhook.arrived());
            let missing: Vec<_> = self.acknowledged.iter().filter(|jail| !told.jails.contains(*jail)).collect();
            assert!(
                missing.is_empty(),
                "nobody was told of {missing:?}: {ledger:?}\n{:#?}\n{}",
                shown(&webhook.arrived()),
                self.said()
            );
            let invented: Vec<_> = told
                .jails
                .iter()
                .filter(|jail| !self.acknowledged.contains(*jail) && !self.in_doubt.contains(*jail))
                .collect();
            assert!(invented.is_empty(), "{invented:?}");
            assert_eq!((told.jails.len(), told.digested), (taken_in, digested as usize), "{ledger:?}");
            let may_repeat = self.kills_while_sending(webhook) + webhook.unanswered();
            assert!(told.repeated <= may_repeat, "{} repeated, {may_repeat} may be", told.repeated);
        }
        for word in ["panicked", "damaged", "BALANCE"] {
            assert!(!self.said().contains(word), "{}", self.said());
        }
    }

    /// At how many kills a message to this webhook may have been under way, or its answer.
    fn kills_while_sending(&self, webhook: &Webhook) -> usize {
        let tries = webhook.tries();
        let near = |kill: &&Instant| tries.iter().any(|begun| *begun < **kill + SENDING && **kill < *begun + SENDING);
        self.kills.iter().filter(near).count()
    }

    /// What those said that were started here, and by `notify`.
    fn said(&self) -> String {
        self.place.said() + &fs::read_to_string(self.place.state().join("banhook.log")).unwrap_or_default()
    }

    fn sum(&self) -> Sum {
        let told = self.webhooks().map(|webhook| Told::of(&webhook.arrived()));
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

/// What somebody was told by all messages together.
struct Told {
    jails: BTreeSet<String>,
    /// How many of these in digests.
    digested: usize,
    /// Messages that came once more.
    repeated: usize,
}

impl Told {
    /// Fails if an event is part of two messages, or a digest does not count what it names.
    #[track_caller]
    fn of(messages: &[Message]) -> Self {
        let (mut told, mut bodies) = (Self { jails: BTreeSet::new(), digested: 0, repeated: 0 }, BTreeMap::new());
        for message in messages {
            *bodies.entry(message.body()).or_insert(0) += 1;
            if bodies[message.body()] > 1 {
                told.repeated += 1;
                continue;
            }
            let jails = jails_of(message);
            match events_of(message) {
                Some(events) => {
                    assert_eq!(events, jails.len(), "{}", message.shown());
                    told.digested += events;
                }
                None => assert_eq!(jails.len(), 1, "{}", message.shown()),
            }
            for jail in jails {
                assert!(!told.jails.contains(&jail), "{jail} is in two messages: {:#?}", shown(messages));
                told.jails.insert(jail);
            }
        }
        told
    }
}

/// The number that a digest begins with; `None`: it is none.
pub fn events_of(message: &Message) -> Option<usize> {
    let (number, rest) = message.text().split_once(' ')?;
    rest.starts_with("event").then(|| number.parse().ok())?
}

/// A name that is found again.
fn jail(number: u32) -> String {
    format!("c{number:06}z")
}

/// All such names in a message.
fn jails_of(message: &Message) -> BTreeSet<String> {
    let shown = message.shown();
    let is_name = |piece: &&str| {
        piece.len() == 8 && piece.starts_with('c') && piece.ends_with('z') && piece[1..7].parse::<u32>().is_ok()
    };
    shown.split(|c: char| !c.is_ascii_alphanumeric()).filter(is_name).map(str::to_owned).collect()
}

/// What happens, without the jail.
fn event(number: u32, chance: &mut Chance) -> Vec<String> {
    let kind = match chance.below(10) {
        0 => return vec![["start", "stop", "flush"][chance.below(3) as usize].to_owned()],
        1 | 2 => "unban",
        _ => "ban",
    };
    let restored = u32::from(chance.one_in(10));
    let [high, low] = [number / 250, number % 250 + 1];
    format!("{kind} --ip=10.7.{high}.{low} --failures=3 --time=1763809015 --bantime=600 --restored={restored}")
        .split(' ')
        .map(str::to_owned)
        .collect()
}

/// Any of what webhooks do to us, the harmless more often: rounds are to be short.
fn fault(chance: &mut Chance) -> Fault {
    match chance.below(20) {
        0 => Fault::RateLimited(1),
        1..4 => Fault::ServerError,
        4..7 => Fault::ResetBeforeReading,
        7..12 => Fault::ResetAfterAccepting,
        _ => Fault::Slow(chance.time(60)),
    }
}

/// Time enough for a daemon to be killed and another one to be started before a digest closes.
const WINDOW: &str = "digest_window = \"6s\"\nrestart = false";

/// How many events are held, as `status` has it.
fn held(place: &Place) -> u64 {
    let status = place.banhook(["status", "--format", "json"]).ok();
    let json: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    json["webhooks"]["main"]["held_events"].as_u64().unwrap_or(0)
}

#[track_caller]
fn wait_until_held(place: &Place, events: u64) {
    until("events to be held", || match held(place) {
        held if held == events => Ok(()),
        held => Err(format!("{held}")),
    });
}

#[test]
fn an_open_storm_digest_survives_kills_and_is_told_once() {
    let place = Place::new();
    place.configure_both(QUICK, &format!("storm = {{ over = 1, within = \"60s\" }}\n{WINDOW}"));
    let ban = |number: u32| place.notify(&format!("--no-spawn ban --jail={} --ip=203.0.113.{number}", jail(number)));
    let daemon = place.daemon();
    ban(1);
    place.webhook.wait_for(1);
    (2..=4).for_each(|number| drop(ban(number)));
    wait_until_held(&place, 3);
    drop(daemon);
    ban(5);
    let daemon = place.daemon();
    wait_until_held(&place, 4);
    drop(daemon);
    ban(6);
    let _daemon = place.daemon();
    let messages = place.webhook.wait_for(2);
    assert_eq!(events_of(&messages[1]), Some(5), "{:#?}", shown(&messages));
    assert_eq!(jails_of(&messages[1]), (2..=6).map(jail).collect(), "{:#?}", shown(&messages));
    let all = place.settle().all();
    assert_eq!((all.matched, all.posted, all.digested), (6, 1, 5), "{all:?}");
    assert_eq!(place.webhook.arrived().len(), 2);
}

#[test]
fn what_a_plugin_holds_survives_kills_and_is_told_once() {
    let place = Place::new();
    place.write("digests.wasm", component::digests());
    place.configure_both(QUICK, &format!("plugin = \"digests.wasm\"\nstorm = false\n{WINDOW}"));
    let ban = |jail: &str, number: u32| {
        place.notify(&format!("--no-spawn ban --jail={jail} --ip=203.0.113.{number}"));
    };
    let daemon = place.daemon();
    ban("sshd", 1);
    assert!(place.webhook.wait_for(1)[0].tells(&["told 203.0.113.1 in sshd"]));
    (2..=4).for_each(|number| ban("~hold", number));
    // For nine seconds, each its own.
    (5..=6).for_each(|number| ban("~hold-9", number));
    wait_until_held(&place, 5);
    drop(daemon);
    let daemon = place.daemon();
    ban("~hold", 7);
    ban("~hold-9", 8);
    wait_until_held(&place, 7);
    drop(daemon);
    let _daemon = place.daemon();
    let messages = place.webhook.wait_for(3);
    for (message, text) in messages[1..]
        .iter()
        .zip(["4 events (held, ~hold), 4 listed, 4 bans", "3 events (held, ~hold-9), 3 listed, 3 bans"])
    {
        assert!(message.tells(&[text]), "{text:?} in {:#?}", shown(&messages));
    }
    let all = place.settle().all();
    assert_eq!((all.matched, all.posted, all.digested), (8, 1, 7), "{all:?}");
    assert_eq!(place.webhook.arrived().len(), 3);
}

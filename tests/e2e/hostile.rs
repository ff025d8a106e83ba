//! Plugins that attack: whatever one does, its alert arrives, it stays within its limits, and no other route notices.
//!
//! `corpus` has the attackers and how each may end. Here they are let loose, all in one daemon, beside one route that is
//! well-behaved and sees every event: the witness.

pub mod compiler_bombs;
mod corpus;
mod generated;
mod process;
mod soak;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::time::{Duration, Instant};

use self::corpus::{CASES, Case, End, MEMORY};
use self::process::Process;
use crate::binary::root;
use crate::message::{Message, visible_only};
use crate::polling::until;
use crate::test_env::{QUICK, TestEnv, content_of};
use crate::webhook::Webhook;

/// How long an attacker may take for an event.
const TIME: Duration = Duration::from_millis(500);

/// An attack is over, its alert delivered, within twice its limits, and what any message takes on this machine.
const CONTAINED: u32 = 2;

/// The witness is late if its message took so much longer than it does in peace: it waited for an attacker then.
const LATE: Duration = Duration::from_millis(250);

/// As `LATE`, where all attack at once and few processors are shared by a dozen endless loops: what the witness waits
/// for then is a processor, not the end of an attacker, and it is still less than one of them takes.
const LATE_AMONG_MANY: Duration = TIME;

/// What the daemon may hold beside a plugin's memory while it handles one event (the event, the answer, the message).
const BESIDE_MEMORY: u64 = 16 << 20;

/// Lines that a plugin may log for one event: LOG_LINES of the host.
const LOG_LINES: usize = 50;

/// What the daemon may have logged in all: two events for each attacker, fifty lines of a kilobyte at the very most.
const LOG_BYTES: u64 = 1 << 20;

/// A daemon with the witness and all attackers.
struct AttackEnv {
    env: TestEnv,
    attacked: Webhook,
}

impl AttackEnv {
    fn new(env: TestEnv) -> Self {
        let arena = Self { env, attacked: Webhook::open() };
        arena.env.write_url("attacked.url", &arena.attacked);
        arena
    }

    /// Only the witness.
    fn configure_peace(&self) {
        self.configure("", [].into_iter());
    }

    /// A route for each attacker, with `jails` of its own and `limits`.
    fn configure<'a>(&self, jails: &str, attackers: impl Iterator<Item = (&'a Case, Duration)>) {
        // Each event is told by itself and at once, on all routes.
        let mut text = format!(
            "host = \"web-1\"\n\
            [webhooks.main]\nurl_file = \"main.url\"\n{QUICK}\n\
            [webhooks.attacked]\nurl_file = \"attacked.url\"\n{QUICK}\n\
            [[routes]]\nname = \"witness\"\nwebhook = \"main\"\nstorm = false\nrestart = false\n\
            # Without the time, which is another one in each run.\n\
            settings = {{ ban = \"*{{{{ ip }}}}* banned in {{{{ jail }}}} on {{{{ host }}}} after {{{{ failures }}}} failures\" }}\n"
        );
        for (case, time) in attackers {
            let jails = if jails.is_empty() { format!("{:?}", case.jail()) } else { jails.to_owned() };
            let (name, file, memory, time) = (case.name, case.file(), case.memory, time.as_millis());
            write!(
                text,
                "[[routes]]\nname = \"{name}\"\nwebhook = \"attacked\"\njails = [{jails}]\nplugin = \"{file}\"\n\
                storm = false\nrestart = false\nlimits = {{ time = \"{time}ms\", memory = \"{memory}MiB\" }}\n"
            )
            .unwrap();
        }
        self.env.write("config.toml", text);
    }

    /// One attack in its jail, by `subject`. Returns when `notify` had it on disk.
    fn ban(&self, case: &Case, subject: &str) -> Instant {
        self.env.notify(&format!("ban --jail={} --ip={subject} --failures=5", case.jail()));
        Instant::now()
    }
}

/// What went wrong, case by case; told together at the end.
#[derive(Default)]
struct Findings(Vec<String>);

impl Findings {
    fn expect(&mut self, holds: bool, case: &str, what: impl FnOnce() -> String) {
        if !holds {
            self.0.push(format!("{case}: {}", what()));
        }
    }

    #[track_caller]
    fn none(self) {
        assert!(self.0.is_empty(), "{} findings:\n{}", self.0.len(), self.0.join("\n"));
    }
}

#[test]
fn attacks_are_contained_and_leave_other_routes_unaffected() {
    let arena = AttackEnv::new(TestEnv::exclusive());
    let env = &arena.env;
    let mut findings = Findings::default();

    // What the witness says when it is alone.
    arena.configure_peace();
    let daemon = env.daemon();
    let mut calm = Duration::ZERO;
    for subject in ["203.0.113.7", "203.0.113.8"] {
        for case in CASES {
            let before = env.webhook.arrivals().len();
            let sent = arena.ban(case, subject);
            calm = calm.max(nth_arrival(&env.webhook, before).0.saturating_duration_since(sent));
        }
    }
    env.wait_until_idle();
    let alone: Vec<Vec<u8>> = bodies(&env.webhook);
    daemon.stop();

    // One after the other.
    CASES.iter().for_each(|case| case.write_into(&env.path("")));
    arena.configure("", CASES.iter().map(|case| (case, TIME)));
    let loading = Instant::now();
    let daemon = env.daemon();
    let loading = loading.elapsed();
    let process = Process(daemon.pid());
    let mut latest = Duration::ZERO;
    for case in CASES {
        let told = arena.attacked.arrivals().len();
        let witnessed = env.webhook.arrivals().len();
        process.forget_peak();
        let memory = process.memory();
        let sent = arena.ban(case, "203.0.113.7");
        let late = nth_arrival(&env.webhook, witnessed).0.saturating_duration_since(sent);
        latest = latest.max(late);
        let ledger = env.wait_until_idle();
        let held = process.peak().saturating_sub(memory);
        let arrivals = arena.attacked.arrivals().split_off(told);

        let counts = ledger.routes[case.name];
        findings.expect(counts.matched == counts.posted + counts.digested + counts.skipped, case.name, || {
            format!("{counts:?}")
        });
        let (ended, how) = end_of(case, &arrivals);
        findings.expect(ended, case.name, || format!("ended otherwise: {how}"));
        for (at, message) in &arrivals {
            let took = at.saturating_duration_since(sent);
            findings.expect(took < TIME * CONTAINED + calm, case.name, || format!("took {took:?}"));
            is_harmless(message, case.name, &mut findings);
        }
        let allowed = u64::from(CONTAINED) * (case.memory.max(MEMORY) << 20) + BESIDE_MEMORY;
        findings.expect(held < allowed, case.name, || format!("held {} MiB", held >> 20));
        findings.expect(late < LATE + calm, case.name, || format!("the witness was {late:?} late"));
        let took = arrivals.first().map(|(at, _)| at.saturating_duration_since(sent));
        eprintln!("{:24} took {took:8.0?}, held {:3} MiB, witness {late:4.0?}, {how}", case.name, held >> 20);
    }

    // All at once.
    let (told, witnessed) = (arena.attacked.arrivals().len(), env.webhook.arrivals().len());
    let sent: Vec<Instant> = CASES.iter().map(|case| arena.ban(case, "203.0.113.8")).collect();
    let ledger = env.wait_until_idle();
    let at_once = env.webhook.arrivals().split_off(witnessed);
    assert_eq!(at_once.len(), CASES.len());
    let lateness = sent.iter().zip(&at_once).map(|(sent, (at, _))| at.saturating_duration_since(*sent));
    let latest_among_many = lateness.max().unwrap();
    findings.expect(latest_among_many < LATE_AMONG_MANY + calm, "all at once", || {
        format!("the witness was {latest_among_many:?} late")
    });
    for (_, message) in &arena.attacked.arrivals()[told..] {
        is_harmless(message, "all at once", &mut findings);
    }
    for case in CASES {
        let counts = ledger.routes[case.name];
        let all_ended = counts.matched == 2 && counts.posted + counts.digested + counts.skipped == 2;
        findings.expect(all_ended, case.name, || format!("all at once: {counts:?}"));
    }

    // The witness said what it says when it is alone, byte by byte and in the same order.
    let beside = bodies(&env.webhook).split_off(alone.len());
    for (beside, alone) in beside.iter().zip(&alone) {
        let [beside, alone] = [beside, alone].map(|body| String::from_utf8_lossy(body));
        findings.expect(beside == alone, "witness", || format!("said {beside} and not {alone}"));
    }
    is_a_sound_log(&arena, &mut findings);
    findings.expect(!process.has_ended(), "daemon", || "ended before it was told to".to_owned());
    eprintln!(
        "loaded in {loading:?}; the witness took {calm:?} alone, {latest:?} beside one attacker, \
        {latest_among_many:?} beside all"
    );
    daemon.stop();
    findings.none();
}

#[test]
fn corpus_every_wat_file_is_a_case() {
    let names: BTreeSet<String> = CASES.iter().map(|case| format!("{}.wat", case.name)).collect();
    for entry in fs::read_dir(corpus::folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_attacker = name.ends_with(".wat") && name != "prelude.wat";
        assert!(!is_attacker || names.contains(&name), "{name} is in no case");
    }
}

#[test]
fn security_md_names_existing_tests() {
    let text = fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let mut sources = String::new();
    for folder in ["host/src", "tests/e2e"] {
        sources.push_str(&String::from_utf8_lossy(&content_of(&root().join(folder))));
    }
    // Names in backticks: of a test if they have underscores, of an attack in a line of the corpus.
    for line in text.lines() {
        for name in line.split('`').skip(1).step_by(2) {
            let is_test = name.contains('_') && !name.contains(['/', ' ', '=']);
            assert!(
                !is_test || sources.contains(&format!("fn {name}(")) || sources.contains(&format!("mod {name};")),
                "{name}"
            );
            let is_attack = line.contains("| hostile: ") && !name.contains(['_', ' ']);
            let is_named = |case: &Case| match name.split_once('…') {
                Some((begin, end)) => case.name.starts_with(begin) && case.name.ends_with(end),
                None => case.name == name,
            };
            assert!(!is_attack || CASES.iter().any(is_named), "{name}");
        }
    }
}

/// Message `index`, from 0, with its moment.
fn nth_arrival(webhook: &Webhook, index: usize) -> (Instant, Message) {
    until("the witness to be told", || {
        webhook.arrivals().get(index).cloned().ok_or_else(|| "it is not there".to_owned())
    })
}

fn bodies(webhook: &Webhook) -> Vec<Vec<u8>> {
    webhook.arrived().iter().map(|message| message.body().to_owned()).collect()
}

/// Whether an attack ended as it should, and how it ended.
fn end_of(case: &Case, arrivals: &[(Instant, Message)]) -> (bool, String) {
    let Some((_, message)) = arrivals.first() else {
        return (case.ends.iter().any(|end| matches!(end, End::Skipped)), "it was skipped".to_owned());
    };
    let (jail, file) = (case.jail(), case.file());
    // In a digest the jail comes first.
    let is_plain = ["203.0.113.7", &jail, &file].iter().all(|word| message.contains(&[word]));
    // Refused when it was loaded, so the attack itself was not tried.
    let is_refused = message.contains(&["does not offer"]);
    let is_as = |end: &End| match *end {
        End::Fallback(how) => is_plain && message.contains(&[&file, how]) && (!is_refused || how.contains("import")),
        End::OwnMessage(words) => !is_plain && message.contains(&[words]),
        End::Skipped => false,
    };
    let shown: String = message.shown().chars().take(300).collect();
    (arrivals.len() == 1 && case.ends.iter().any(is_as), format!("{} messages, {shown:?}", arrivals.len()))
}

/// Nothing in it acts on whoever reads it, and nothing that was not to be had is in it.
fn is_harmless(message: &Message, case: &str, findings: &mut Findings) {
    let shown = message.shown();
    findings.expect(!shown.contains("BREACH"), case, || shown.clone());
    let live: Vec<_> = message.live().into_iter().filter(|entity| !entity.starts_with("!date^")).collect();
    findings.expect(live.is_empty(), case, || format!("alive: {live:?}"));
    findings.expect(!shown.chars().any(is_control) && !message.text().chars().any(is_control), case, || {
        format!("control characters: {:?}", shown.chars().take(300).collect::<String>())
    });
    findings.expect(visible_only(&shown) == shown, case, || "invisible characters".to_owned());
}

fn is_control(c: char) -> bool {
    (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The log is bounded, holds no secret, and nobody but the daemon wrote lines of it.
fn is_a_sound_log(arena: &AttackEnv, findings: &mut Findings) {
    let log = fs::read_to_string(arena.env.path("run.log")).unwrap();
    findings.expect(log.len() as u64 <= LOG_BYTES, "log", || format!("{} bytes", log.len()));
    findings.expect(!log.chars().any(is_control), "log", || {
        let bad = log.lines().find(|line| line.chars().any(is_control)).unwrap_or_default();
        format!("control characters in {:?}", bad.chars().take(300).collect::<String>())
    });
    // What forges a line says that it is of 2026-01-01.
    findings.expect(!log.lines().any(|line| line.starts_with("2026-01-01T00")), "log", || "a forged line".to_owned());
    for webhook in [&arena.env.webhook, &arena.attacked] {
        findings.expect(!log.contains(webhook.secret()), "log", || "a secret".to_owned());
    }
    let flood = log.lines().filter(|line| line.contains("fffffffff")).count();
    findings.expect(flood > 0 && flood <= 2 * LOG_LINES, "log-flood", || format!("{flood} lines"));
    let drops = log.lines().any(|line| line.contains("log-flood") && line.contains("dropped"));
    findings.expect(drops, "log-flood", || "nothing is said of what was dropped".to_owned());
}

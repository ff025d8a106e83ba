//! Hostile plugins: whatever one does, its alert is delivered, it stays within its limits, and other routes are unaffected.
//!
//! `corpus` has the attackers and the end of each attack. All of them run in one daemon, together with the witness: a route
//! with a well-behaved plugin that receives every event.

pub mod compiler_bombs;
mod corpus;
mod generated;
mod process;
mod soak;

use std::collections::{BTreeMap, BTreeSet};
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

/// The time limit of an attacker for one event.
const TIME: Duration = Duration::from_millis(500);

/// An attack may take this multiple of its limits, plus the time of any message on this machine.
const CONTAINED: u32 = 2;

/// The witness must not take this much longer than without attackers: it would have waited for one of them.
const LATE: Duration = Duration::from_millis(250);

/// The same while all attack at once and a dozen endless loops share few processors: the witness then waits for a
/// processor, not for the end of an attacker, and still for less than one of them takes.
const LATE_DURING_ALL: Duration = TIME;

/// An attack that took too long is made again, at most this often in all: a busy machine or a slow disk delays one attack,
/// an attacker that is waited for delays each.
const ATTACKS: u8 = 3;

/// Bytes that the daemon may use in addition to the plugin's memory for one event (the event, the decision, the message).
const HOST_MEMORY: u64 = 16 << 20;

/// Lines that a plugin may log for one event: the host's LOG_LINES.
const LOG_LINES: u64 = 50;

/// The size limit of the daemon's log for each time that all attack, with at most fifty lines of a kilobyte each.
const LOG_BYTES: u64 = 512 << 10;

/// The environment of a daemon with the witness and all attackers.
struct AttackEnv {
    env: TestEnv,
    attacked: Webhook,
}

impl AttackEnv {
    fn new(env: TestEnv) -> Self {
        let attack = Self { env, attacked: Webhook::open() };
        attack.env.write_url("attacked.url", &attack.attacked);
        attack
    }

    /// Configures only the witness.
    fn configure_witness(&self) {
        self.configure("", [].into_iter());
    }

    /// Configures the witness, and a route for each attacker with its time limit. Empty `jails`: each has a jail of its own.
    fn configure<'a>(&self, jails: &str, attackers: impl Iterator<Item = (&'a Case, Duration)>) {
        // On all routes each event becomes a message of its own immediately.
        let mut text = format!(
            "host = \"web-1\"\n\
            [webhooks.main]\nurl_file = \"main.url\"\n{QUICK}\n\
            [webhooks.attacked]\nurl_file = \"attacked.url\"\n{QUICK}\n\
            [[routes]]\nname = \"witness\"\nwebhook = \"main\"\nstorm = false\nrestart = false\n\
            # Without the time, which differs between runs.\n\
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

    /// Triggers one attack by a ban of `subject` in its jail. Returns the time at which `notify` finished.
    fn ban(&self, case: &Case, subject: &str) -> Instant {
        self.env.notify(&format!("ban --jail={} --ip={subject} --failures=5", case.jail()));
        Instant::now()
    }
}

/// Failed checks, by case; reported together at the end.
#[derive(Default)]
struct Findings(Vec<String>);

impl Findings {
    fn expect(&mut self, holds: bool, case: &str, description: impl FnOnce() -> String) {
        if !holds {
            self.0.push(format!("{case}: {}", description()));
        }
    }

    #[track_caller]
    fn none(self) {
        assert!(self.0.is_empty(), "{} findings:\n{}", self.0.len(), self.0.join("\n"));
    }
}

#[test]
fn attacks_are_contained_and_leave_other_routes_unaffected() {
    let attack = AttackEnv::new(TestEnv::exclusive());
    let env = &attack.env;
    let mut findings = Findings::default();
    let (calm, alone) = run_witness_alone(&attack);

    CASES.iter().for_each(|case| case.write_into(&env.path("")));
    attack.configure("", CASES.iter().map(|case| (case, TIME)));
    let loading = Instant::now();
    let daemon = env.daemon();
    let loading = loading.elapsed();
    let process = Process(daemon.pid());
    let mut attacks = CASES.iter().map(|case| (case.name, 0)).collect();
    let late_during_one =
        CASES.iter().map(|case| run_one(&attack, &process, case, calm, &mut attacks, &mut findings)).max().unwrap();
    let late_during_all = run_all_at_once(&attack, calm, &mut attacks, &mut findings);

    // The witness sent the same messages as without attackers, byte by byte and in the same order.
    let first = [subject_of(ONE, 0), subject_of(ALL, 0)].map(|subject| format!("*{subject}*"));
    let is_first = |body: &Vec<u8>| {
        let body = String::from_utf8_lossy(body);
        first.iter().any(|subject| body.contains(subject))
    };
    let attacked: Vec<_> = bodies(&env.webhook).split_off(alone.len()).into_iter().filter(is_first).collect();
    findings.expect(attacked.len() == alone.len(), "witness", || format!("sent {} messages", attacked.len()));
    for (attacked, alone) in attacked.iter().zip(&alone) {
        let [attacked, alone] = [attacked, alone].map(|body| String::from_utf8_lossy(body));
        findings.expect(attacked == alone, "witness", || format!("sent {attacked} instead of {alone}"));
    }
    check_log(&attack, &attacks, &mut findings);
    findings.expect(!process.has_ended(), "daemon", || "exited by itself".to_owned());
    eprintln!(
        "loaded in {loading:?}; the witness took {calm:?} without attackers, {late_during_one:?} during one attack, \
        {late_during_all:?} during all"
    );
    daemon.stop();
    findings.none();
}

/// Sends all events without attackers. Returns the longest time that the witness takes, and its messages.
fn run_witness_alone(attack: &AttackEnv) -> (Duration, Vec<Vec<u8>>) {
    let env = &attack.env;
    attack.configure_witness();
    let daemon = env.daemon();
    let mut calm = Duration::ZERO;
    for subject in [ONE, ALL].map(|network| subject_of(network, 0)) {
        for case in CASES {
            let before = env.webhook.arrivals().len();
            let sent = attack.ban(case, &subject);
            calm = calm.max(nth_arrival(&env.webhook, before).0.saturating_duration_since(sent));
        }
    }
    env.wait_until_idle();
    daemon.stop();
    (calm, bodies(&env.webhook))
}

/// How often each case attacked.
type Attacks = BTreeMap<&'static str, u64>;

/// The networks of the addresses that are banned: in attacks one by one, and in those at the same time.
const ONE: &str = "203.0.113";
const ALL: &str = "198.51.100";

/// The address that is banned in the n-th attack, from 0.
fn subject_of(network: &str, nth: u8) -> String {
    format!("{network}.{}", 7 + nth)
}

/// Makes an attack until it is in time, at most [`ATTACKS`] times. Checks the end and the memory of each. Returns the time
/// that the witness took.
fn run_one(
    attack: &AttackEnv,
    process: &Process,
    case: &Case,
    calm: Duration,
    attacks: &mut Attacks,
    findings: &mut Findings,
) -> Duration {
    let (mut late, mut took) = (Duration::MAX, Duration::MAX);
    for nth in 0..ATTACKS {
        let times = attack_once(attack, process, case, &subject_of(ONE, nth), findings);
        *attacks.get_mut(case.name).unwrap() += 1;
        (late, took) = (late.min(times.0), took.min(times.1));
        if late < LATE + calm && took < TIME * CONTAINED + calm {
            return late;
        }
    }
    findings.expect(took < TIME * CONTAINED + calm, case.name, || format!("took {took:?}"));
    findings.expect(late < LATE + calm, case.name, || format!("the witness was {late:?} late"));
    late
}

/// Makes one attack and checks its end and its memory. Returns the times that the witness and the attacker took.
fn attack_once(
    attack: &AttackEnv,
    process: &Process,
    case: &Case,
    subject: &str,
    findings: &mut Findings,
) -> (Duration, Duration) {
    let env = &attack.env;
    let (attacked, witnessed) = (attack.attacked.arrivals().len(), env.webhook.arrivals().len());
    process.reset_peak();
    let memory = process.memory();
    let sent = attack.ban(case, subject);
    let late = nth_arrival(&env.webhook, witnessed).0.saturating_duration_since(sent);
    let counts = env.wait_until_idle().routes[case.name];
    let used = process.peak().saturating_sub(memory);
    let arrivals = attack.attacked.arrivals().split_off(attacked);

    findings.expect(counts.matched == counts.posted + counts.digested + counts.skipped, case.name, || {
        format!("{counts:?}")
    });
    let (is_expected, end) = end_of(case, subject, &arrivals);
    findings.expect(is_expected, case.name, || format!("unexpected end: {end}"));
    arrivals.iter().for_each(|(_, message)| check_harmless(message, case.name, findings));
    let allowed = u64::from(CONTAINED) * (case.memory.max(MEMORY) << 20) + HOST_MEMORY;
    findings.expect(used < allowed, case.name, || format!("used {} MiB", used >> 20));
    let took = arrivals.iter().map(|(at, _)| at.saturating_duration_since(sent)).max().unwrap_or_default();
    eprintln!("{:24} took {took:8.0?}, used {:3} MiB, witness {late:4.0?}, {end}", case.name, used >> 20);
    (late, took)
}

/// Makes all attacks at the same time until the witness is in time, at most [`ATTACKS`] times. Returns the longest time that
/// the witness took.
fn run_all_at_once(attack: &AttackEnv, calm: Duration, attacks: &mut Attacks, findings: &mut Findings) -> Duration {
    let mut late = Duration::MAX;
    for nth in 0..ATTACKS {
        late = late.min(attack_all_once(attack, &subject_of(ALL, nth), attacks, findings));
        if late < LATE_DURING_ALL + calm {
            return late;
        }
    }
    findings.expect(false, "all at once", || format!("the witness was {late:?} late"));
    late
}

/// Makes all attacks at the same time. Returns the longest time that the witness took.
fn attack_all_once(attack: &AttackEnv, subject: &str, attacks: &mut Attacks, findings: &mut Findings) -> Duration {
    let env = &attack.env;
    let (attacked, witnessed) = (attack.attacked.arrivals().len(), env.webhook.arrivals().len());
    let sent: Vec<Instant> = CASES.iter().map(|case| attack.ban(case, subject)).collect();
    attacks.values_mut().for_each(|count| *count += 1);
    let ledger = env.wait_until_idle();
    let arrivals = env.webhook.arrivals().split_off(witnessed);
    assert_eq!(arrivals.len(), CASES.len());
    for (_, message) in &attack.attacked.arrivals()[attacked..] {
        check_harmless(message, "all at once", findings);
    }
    for case in CASES {
        let (counts, count) = (ledger.routes[case.name], attacks[case.name]);
        let all_ended = counts.matched == count && counts.posted + counts.digested + counts.skipped == count;
        findings.expect(all_ended, case.name, || format!("all at once: {counts:?}"));
    }
    sent.iter().zip(&arrivals).map(|(sent, (at, _))| at.saturating_duration_since(*sent)).max().unwrap()
}

#[test]
fn corpus_every_wat_file_is_a_case() {
    let names: BTreeSet<String> = CASES.iter().map(|case| format!("{}.wat", case.name)).collect();
    for entry in fs::read_dir(corpus::folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_attacker = name.ends_with(".wat") && name != "prelude.wat";
        assert!(!is_attacker || names.contains(&name), "{name} is not in a case");
    }
}

#[test]
fn security_md_names_existing_tests() {
    let text = fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let mut sources = String::new();
    for folder in ["host/src", "host/notify/src", "host/spool/src", "plugins/template/src", "tests/e2e"] {
        sources.push_str(&String::from_utf8_lossy(&content_of(&root().join(folder))));
    }
    // Names in backticks: with underscores those of tests, in lines with `hostile:` those of attacks.
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

/// Waits for message `index`, from 0; returns it with its time.
fn nth_arrival(webhook: &Webhook, index: usize) -> (Instant, Message) {
    until("the witness's message", || webhook.arrivals().get(index).cloned().ok_or_else(|| "not there".to_owned()))
}

fn bodies(webhook: &Webhook) -> Vec<Vec<u8>> {
    webhook.arrived().iter().map(|message| message.body().to_owned()).collect()
}

/// Whether an attack ended as expected, and how it ended.
fn end_of(case: &Case, subject: &str, arrivals: &[(Instant, Message)]) -> (bool, String) {
    let Some((_, message)) = arrivals.first() else {
        return (false, "no message".to_owned());
    };
    let (jail, file) = (case.jail(), case.file());
    // Checked one by one, since a digest names the jail first.
    let is_fallback = [subject, &jail, &file].iter().all(|word| message.contains(&[word]));
    let is_expected = match case.end {
        End::Fallback(reason) => is_fallback && message.contains(&[&file, reason]),
        End::OwnMessage(words) => !is_fallback && message.contains(&[words]),
    };
    let shown: String = message.shown().chars().take(300).collect();
    (arrivals.len() == 1 && is_expected, format!("{} messages, {shown:?}", arrivals.len()))
}

/// Checks that nothing in a message acts on its reader, and that it contains nothing that the attacker must not see.
fn check_harmless(message: &Message, case: &str, findings: &mut Findings) {
    let shown = message.shown();
    findings.expect(!shown.contains("BREACH"), case, || shown.clone());
    let live: Vec<_> = message.live().into_iter().filter(|entity| !entity.starts_with("!date^")).collect();
    findings.expect(live.is_empty(), case, || format!("live markup: {live:?}"));
    findings.expect(!shown.chars().any(is_control) && !message.text().chars().any(is_control), case, || {
        format!("control characters: {:?}", shown.chars().take(300).collect::<String>())
    });
    findings.expect(visible_only(&shown) == shown, case, || "invisible characters".to_owned());
}

fn is_control(c: char) -> bool {
    (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Checks that the log is bounded, contains no secret, and that every line of it is the daemon's.
fn check_log(attack: &AttackEnv, attacks: &Attacks, findings: &mut Findings) {
    let log = fs::read_to_string(attack.env.path("run.log")).unwrap();
    findings.expect(log.len() as u64 <= LOG_BYTES * attacks.values().max().unwrap(), "log", || {
        format!("{} bytes", log.len())
    });
    findings.expect(!log.chars().any(is_control), "log", || {
        let bad = log.lines().find(|line| line.chars().any(is_control)).unwrap_or_default();
        format!("control characters in {:?}", bad.chars().take(300).collect::<String>())
    });
    // Forged lines have the date 2026-01-01.
    findings.expect(!log.lines().any(|line| line.starts_with("2026-01-01T00")), "log", || "a forged line".to_owned());
    for webhook in [&attack.env.webhook, &attack.attacked] {
        findings.expect(!log.contains(webhook.secret()), "log", || "a secret".to_owned());
    }
    let flood = log.lines().filter(|line| line.contains("fffffffff")).count() as u64;
    findings.expect(flood > 0 && flood <= attacks["log-flood"] * LOG_LINES, "log-flood", || format!("{flood} lines"));
    let drops = log.lines().any(|line| line.contains("log-flood") && line.contains("dropped"));
    findings.expect(drops, "log-flood", || "dropped lines are not reported".to_owned());
}

//! Every system call fails once: no acknowledged event is lost, the sums balance, nothing panics, and an error names what
//! failed.
//!
//! strace lists the calls of a clean run; then the command runs again and again, and each time one of them fails. All calls
//! of `banhook-notify` take their turn, those of the large program by random choice. The table of what was injected and what
//! came of it is printed at the end.

mod fault_table;
mod injection;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use fault_table::{FaultTable, Outcome};
use injection::{CallTrace, Injection};

use crate::binary::{banhook, banhook_notify};
use crate::command_output::CommandOutput;
use crate::delivered::{Delivered, jail, jails_of};
use crate::reliability::report;
use crate::seeded_random::{SeededRandom, seed};
use crate::test_env::{QUICK, TestEnv};
use crate::webhook::Fault;

/// Failures of the large program; `BANHOOK_SOAK=1000` takes a quarter of an hour.
const FAILURES: u32 = 24;
const THREADS: u32 = 2;

/// How long a command may take that strace slows down.
const COMMAND_WITHIN: Duration = Duration::from_secs(60);

/// Events that are in the spool when the large program begins.
const EVENTS: u32 = 3;

/// Makes messages of single events as well as digests.
const ROUTE: &str = "storm = { threshold = 2, within = \"1s\" }\ndigest_window = \"1s\"\nrestart = false";

/// The commands of the large program that change the store or send.
const COMMANDS: [&[&str]; 4] = [
    &["drain", "--timeout", "30s"],
    &["run", "--until-idle"],
    &["tail", "--once", "--timezone", "UTC", "fail2ban.log"],
    &["queue", "retry", "--all"],
];

#[test]
#[ignore = "needs strace: cargo xtask test"]
fn notify_with_any_call_failing_loses_no_acknowledged_event() {
    let env = TestEnv::new();
    let mut table = FaultTable::default();
    let notify = |state: &Path, number: u32, wrap: &mut dyn FnMut(&mut Command)| {
        let mut command = env.command("strace");
        wrap(&mut command);
        command.arg(banhook_notify()).env("BANHOOK_STATE_DIR", state);
        command.args(["--no-spawn", "ban", &format!("--jail={}", jail(number)), "--ip=203.0.113.7"]);
        CommandOutput::of(&mut command)
    };
    // The first event makes the folders; each later one only appends.
    for is_first in [true, false] {
        let trace = {
            let (state, file) = (env.path(&format!("clean-{is_first}")), env.path("trace"));
            if !is_first {
                plain(&env, &state, 0);
            }
            notify(&state, 1, &mut |strace| CallTrace::record(strace, &file)).ok();
            CallTrace::read(&file)
        };
        let injections = trace.injections();
        assert!(injections.len() > 10, "{injections:?}");
        let common = env.path("common");
        if !is_first {
            plain(&env, &common, 0);
        }
        let mut acknowledged = BTreeSet::from([jail(0)]);
        for (injection, number) in injections.iter().zip(1..) {
            let state = if is_first { env.path(&format!("first-{number}")) } else { common.clone() };
            let output = notify(&state, number, &mut |strace| injection.apply(strace, &env.path("")));
            table.add("notify", injection, outcome(&output, injection));
            if output.code == Some(0) {
                acknowledged.insert(jail(number));
            }
            if is_first {
                // The next event finds whatever was left.
                plain(&env, &state, 0);
                let stored = exported(&env, &state);
                assert!(acknowledged.is_subset(&stored), "{injection}: {acknowledged:?}, stored {stored:?}: {output}");
                acknowledged.remove(&jail(number));
            }
        }
        if !is_first {
            let stored = exported(&env, &common);
            assert!(acknowledged.is_subset(&stored), "{acknowledged:?}, stored {stored:?}");
        }
    }
    table.print();
    report("failing_calls::notify", &table.rows());
}

#[test]
#[ignore = "needs strace: cargo xtask test"]
fn any_command_with_any_call_failing_loses_no_acknowledged_event() {
    let failures = std::env::var("BANHOOK_SOAK").map_or(FAILURES, |text| text.parse().unwrap());
    let seed = seed();
    let traces: Vec<_> = COMMANDS.iter().map(|command| clean_run(command)).collect();
    let (next, table) = (AtomicU32::new(0), Mutex::new(FaultTable::default()));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= failures {
                        break;
                    }
                    let mut random = SeededRandom::new("failing call", seed, number);
                    let which = number as usize % COMMANDS.len();
                    let injection = traces[which].random(&mut random);
                    let outcome = fail_once(COMMANDS[which], &injection);
                    table.lock().unwrap().add(COMMANDS[which][0], &injection, outcome);
                }
            });
        }
    });
    let table = table.lock().unwrap();
    eprintln!("{failures} failures, seed {seed}");
    table.print();
    table.assert_most_were_made();
    report("failing_calls::any_command", &table.rows());
}

/// An environment with events in the spool, in a log, and for `queue` a dead message.
fn prepared(command: &[&str]) -> TestEnv {
    let env = TestEnv::new();
    env.configure_both(QUICK, ROUTE);
    env.copy_plugin_cache();
    let line = |number| {
        format!(
            "2026-11-22 11:00:{number:02},601 fail2ban.actions        [27]: NOTICE  [{}] Ban 203.0.113.9\n",
            jail(number)
        )
    };
    env.write("fail2ban.log", (EVENTS..2 * EVENTS).map(line).collect::<String>());
    for number in 0..EVENTS {
        env.notify(&format!("--no-spawn ban --jail={} --ip=203.0.113.7", jail(number)));
        if number == 0 && command[0] == "queue" {
            // The message, and its plain form.
            env.webhook.inject(&[Fault::Rejected; 2]);
            env.banhook(["drain", "--timeout", "30s"]);
        }
    }
    env
}

/// Records the calls of a command that nothing disturbs.
fn clean_run(command: &[&str]) -> CallTrace {
    let env = prepared(command);
    let file = env.path("trace");
    let mut strace = env.command("strace");
    CallTrace::record(&mut strace, &file);
    CommandOutput::within(strace.arg(banhook()).args(command), COMMAND_WITHIN).ok();
    env.end_runs();
    CallTrace::read_in(&file, &env.path(""))
}

/// Runs a command of which one call fails, then another that nothing disturbs, and checks what arrived.
fn fail_once(command: &[&str], injection: &Injection) -> Outcome {
    let env = prepared(command);
    let mut strace = env.command("strace");
    injection.apply(&mut strace, &env.path(""));
    let output = CommandOutput::within(strace.arg(banhook()).args(command), COMMAND_WITHIN);
    let failure = format!("{} with {injection}: {output}\n{}", command.join(" "), env.log());
    let outcome = match Injection::was_injected(&env.path("")) {
        true => outcome(&output, injection),
        false => Outcome::NotMade,
    };
    env.end_runs();

    let from_log = command[0] == "tail";
    if from_log {
        env.banhook(["tail", "--once", "--timezone", "UTC", "fail2ban.log"]).ok();
    }
    if command[0] == "queue" {
        env.banhook(["queue", "retry", "--all"]).ok();
    }
    env.banhook(["drain", "--timeout", "50s"]).ok();
    env.end_runs();
    let checked = env.banhook(["status", "--check"]);
    assert!(!checked.stdout.contains("discrepancy: ") && checked.stderr.is_empty(), "{failure}: {checked}");
    let ledger = env.ledger();
    let expected: BTreeSet<_> = (0..if from_log { 2 * EVENTS } else { EVENTS }).map(jail).collect();
    assert_eq!(ledger.received, expected.len() as u64, "{failure}: {ledger:?}");
    let messages = env.webhook.arrived();
    let delivered: BTreeSet<_> = messages.iter().flat_map(jails_of).collect();
    assert!(expected.is_subset(&delivered), "{failure}: {ledger:?}, delivered {delivered:?}");
    // Only a message whose answer was lost is sent again.
    let repeated = Delivered::of(&messages).repeated;
    assert!(repeated <= 1, "{failure}: {repeated} messages were repeated");
    outcome
}

/// Stores an event that nothing disturbs.
fn plain(env: &TestEnv, state: &Path, number: u32) {
    let mut command = env.command(banhook_notify());
    command.env("BANHOOK_STATE_DIR", state).args(["--no-spawn", "ban", "--ip=203.0.113.7"]);
    CommandOutput::of(command.arg(format!("--jail={}", jail(number)))).ok();
}

/// The jails of all events in a state directory.
fn exported(env: &TestEnv, state: &Path) -> BTreeSet<String> {
    let mut command = env.command(banhook());
    let output =
        CommandOutput::of(command.env("BANHOOK_STATE_DIR", state).args(["queue", "export", "--last", "10000"]));
    let event = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
    output.ok().stdout.lines().map(|line| event(line)["jail"].as_str().unwrap().to_owned()).collect()
}

/// What came of a failure. Fails if it is none of what it may be.
#[track_caller]
fn outcome(output: &CommandOutput, injection: &Injection) -> Outcome {
    let said = &output.stderr;
    // Rust, C and the loader end a process that gets no memory, each in its way.
    if injection.is_of_memory() && !matches!(output.code, Some(0..=2)) {
        return Outcome::OutOfMemory;
    }
    assert!(!said.contains("panicked") && !said.contains("stack backtrace"), "{injection}: {output}");
    match output.code {
        Some(0) => Outcome::Done,
        Some(1 | 2) => {
            assert!(said.lines().any(|line| line.len() > 20), "an error says what failed: {injection}: {output}");
            Outcome::Error
        }
        // The loader of shared libraries, before the program begins.
        Some(127) if said.contains("error while loading shared libraries") => Outcome::NotStarted,
        _ => panic!("{injection}: {output}"),
    }
}

//! Power failures: whatever the disk kept of the writes that were not synced, each event that `notify` acknowledged is
//! delivered, only a message that was being sent is sent twice, and the ledger balances.
//!
//! Nothing is switched off. strace records once which system calls the processes make on the store. Each simulated failure
//! then creates the files as they may be found if the power fails after one of these calls, and runs banhook on them.

mod disk;
mod recording;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use disk::{SimulatedDisk, Unsynced};
use recording::{Call, Step};

use crate::binary::{banhook, banhook_notify};
use crate::delivered::{Delivered, jail, jails_of};
use crate::message::Message;
use crate::polling::until;
use crate::reliability::{FaultRow, report};
use crate::seeded_random::{SeededRandom, seed};
use crate::test_env::{QUICK, TestEnv};
use crate::webhook::shown;

/// Takes some seconds; `BANHOOK_SOAK=1200` takes a minute and reaches nearly every call.
const FAILURES: u32 = 100;
/// Few: they use the processor all the time.
const THREADS: u32 = 2;

/// Makes messages of single events as well as digests.
const ROUTE: &str = "storm = { threshold = 2, within = \"1s\" }\ndigest_window = \"1s\"\nrestart = false";

/// Events delivered by runs that `notify` starts, by a daemon, and by `drain`.
const BY_SHORT_RUN: std::ops::Range<u32> = 0..3;
const BY_DAEMON: std::ops::Range<u32> = 3..15;
const BY_DRAIN: std::ops::Range<u32> = 15..18;
/// The event after the power failure.
const AFTERWARDS: u32 = 18;

#[test]
#[ignore = "needs strace: cargo xtask test"]
fn power_failure_at_any_call_delivers_every_acknowledged_event() {
    let failures = std::env::var("BANHOOK_SOAK").map_or(FAILURES, |text| text.parse().unwrap());
    let (seed, start) = (seed(), Instant::now());
    let recording = Recording::new();
    let (next, repeated) = (AtomicU32::new(0), Mutex::new(0));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= failures {
                        break;
                    }
                    let again = recording.simulate_failure(SeededRandom::new("failure", seed, number));
                    *repeated.lock().unwrap() += again;
                }
            });
        }
    });
    let (steps, repeated) = (recording.steps.len(), repeated.lock().unwrap());
    eprintln!(
        "{failures} failures in {steps} recorded calls, {:?}, seed {seed}: {repeated} messages repeated",
        start.elapsed()
    );
    let fault = "power failure after a random system call; what was not synced is kept, lost or in part".to_owned();
    let result = format!("of {steps} recorded calls; no acknowledged event lost; {repeated} messages sent twice");
    report("power_failure", &[FaultRow { fault, count: failures.into(), result }]);
}

/// The run without a power failure.
struct Recording {
    folder: PathBuf,
    steps: Vec<Step>,
    /// The messages, each with its time in seconds since 1970.
    messages: Vec<(f64, Message)>,
}

impl Recording {
    fn new() -> Self {
        let env = TestEnv::new();
        env.configure_both(QUICK, ROUTE);
        let (now, clock) = (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64());
        let mut steps = Vec::new();
        let all = |events: std::ops::Range<u32>, how: &str, then: &str| -> String {
            events.map(|number| format!("\"$BANHOOK_NOTIFY\" {how} {} || exit 91{then}\n", ban(number))).collect()
        };
        let succeeded = record(&env, &all(BY_SHORT_RUN, "", ""), &mut steps, |_| {});
        assert!(succeeded, "{}", env.log());
        let by_daemon = all(BY_DAEMON, "", " & jobs=\"$jobs $!\"");
        let script = format!(
            "\"$BANHOOK\" run & run=$!; jobs=\n{by_daemon}for job in $jobs; do wait \"$job\" || exit 92; done\n\
             read -r delivered; kill -TERM $run; wait $run"
        );
        let succeeded = record(&env, &script, &mut steps, |env| {
            // A short run may have delivered everything before the daemon listens to signals.
            until("the daemon to be ready", || {
                let log = env.log();
                if log.contains(" ready ") { Ok(()) } else { Err(log) }
            });
            until("everything to be delivered", || {
                let ledger = env.ledger();
                let all = u64::from(BY_DAEMON.end);
                if ledger.received == all && ledger.all().pending == 0 { Ok(()) } else { Err(format!("{ledger:?}")) }
            });
        });
        assert!(succeeded, "{}", env.log());
        let drained = all(BY_DRAIN, "--no-spawn", "") + "\"$BANHOOK\" drain --timeout 30s";
        let succeeded = record(&env, &drained, &mut steps, |_| {});
        assert!(succeeded, "{}", env.log());
        assert_eq!(env.wait_until_idle().received, u64::from(AFTERWARDS));
        let at = |moment: Instant| clock + moment.duration_since(now).as_secs_f64();
        let messages = env.webhook.arrivals().into_iter().map(|(moment, message)| (at(moment), message)).collect();
        Self { folder: env.path(""), steps, messages }
    }

    /// Simulates a power failure after a random call, and checks what is delivered. Returns how many messages were repeated.
    fn simulate_failure(&self, mut random: SeededRandom) -> usize {
        let unsynced = Unsynced::random(&mut random);
        let done = random.below(u32::try_from(self.steps.len()).unwrap()) as usize + 1;
        let (before, failed_at) = (&self.steps[..done], self.steps[done - 1].at);
        let env = TestEnv::new();
        env.configure_both(QUICK, ROUTE);
        for (names, content) in SimulatedDisk::after(before).files(unsynced, &mut random) {
            let mut paths = names.iter().map(|name| env.path("").join(name.strip_prefix(&self.folder).unwrap()));
            let path = paths.next().unwrap();
            fs::DirBuilder::new().recursive(true).mode(0o700).create(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
            paths.for_each(|other| fs::hard_link(&path, other).unwrap());
        }
        env.copy_plugin_cache();
        let failure = format!("after call {done} ({}), unsynced: {unsynced:?}", before[done - 1].call);

        env.notify(&format!("--no-spawn {}", ban(AFTERWARDS)));
        let ledger = env.ledger();
        check(&env);
        env.banhook(["drain", "--timeout", "50s"]).ok();
        let after = env.ledger();
        check(&env);
        // What `notify` was writing, and has not acknowledged.
        assert!(after.quarantined <= BY_DAEMON.len() as u64, "{failure}: {after:?}");

        let acknowledged: BTreeSet<_> = before.iter().filter_map(acknowledged).chain([jail(AFTERWARDS)]).collect();
        let received = exported(&env);
        assert!(
            acknowledged.is_subset(&received),
            "{failure}: acknowledged {acknowledged:?}, stored only {received:?}"
        );
        assert_eq!(
            (after.all().matched, after.all().matched + after.quarantined),
            (received.len() as u64, after.received),
            "{failure}: {after:?}"
        );
        let messages = env.webhook.arrived();
        let delivered = Delivered::of(&messages);
        let done_before = ledger.all().posted + ledger.all().digested;
        let done_after = after.all().posted + after.all().digested;
        assert_eq!(done_after, after.all().matched, "{failure}: {after:?}");
        assert_eq!(done_before + delivered.jails.len() as u64, done_after, "{failure}: {:#?}", shown(&messages));
        // What is not delivered now was delivered before the failure.
        let delivered_before: Vec<_> =
            self.messages.iter().take_while(|(at, _)| *at < failed_at).map(|(_, message)| jails_of(message)).collect();
        for jail in received.difference(&delivered.jails) {
            assert!(delivered_before.iter().any(|jails| jails.contains(jail)), "{failure}: {jail} was never delivered");
        }
        let repeated = messages
            .iter()
            .map(jails_of)
            .filter(|jails| delivered_before.iter().any(|before| before.intersection(jails).next().is_some()));
        let repeated = repeated.count();
        assert!(repeated <= 1, "{failure}: {repeated} messages were repeated: {:#?}", shown(&messages));
        repeated
    }
}

/// Checks that the ledger equals the rows. A record of the spool that was cut off may be damaged.
fn check(env: &TestEnv) {
    let output = env.banhook(["status", "--check"]);
    assert!(!output.stdout.contains("discrepancy: ") && output.stderr.is_empty(), "{output}");
}

/// Records a shell script until it and every process that it started have exited. `meanwhile` runs before the script reads
/// a line from stdin. Returns whether it succeeded.
fn record(env: &TestEnv, script: &str, steps: &mut Vec<Step>, meanwhile: impl FnOnce(&TestEnv)) -> bool {
    let file = env.path("recording");
    let mut command: Command = recording::strace_command(env.command("strace"), &file);
    command
        .args(["sh", "-c", script])
        .env("BANHOOK", banhook())
        .env("BANHOOK_NOTIFY", banhook_notify())
        .stdin(Stdio::piped());
    let log = fs::File::create(env.path("run.log")).unwrap();
    let mut child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
    meanwhile(env);
    child.stdin.take().unwrap().write_all(b"delivered\n").ok();
    let succeeded = child.wait().unwrap().success();
    recording::read(&file, steps);
    succeeded
}

fn ban(number: u32) -> String {
    format!("ban --jail={} --ip=203.0.113.{}", jail(number), number + 1)
}

/// The jail of the event if this step is a `notify` that succeeded.
fn acknowledged(step: &Step) -> Option<String> {
    let Call::Exited(program) = &step.call else { return None };
    let jail = program.iter().find_map(|argument| argument.strip_prefix("--jail="))?;
    program.first()?.ends_with("banhook-notify").then(|| jail.to_owned())
}

/// The jails of all stored events.
fn exported(env: &TestEnv) -> BTreeSet<String> {
    let exported = env.banhook(["queue", "export", "--last", "100"]);
    let jail = |line: &str| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        event["jail"].as_str().unwrap().to_owned()
    };
    exported.stdout.lines().map(jail).collect()
}

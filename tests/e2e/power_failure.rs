//! Power failures: whatever a disk has kept of what was not synced, each event that `notify` acknowledged is told, once but
//! for what was being sent, and the sums balance.
//!
//! Nothing is switched off. What the processes do to the store is recorded once, call by call; the disk is then made as it
//! may be found if the power fails after any of these calls, and banhook goes on with that.

mod disk;
mod recording;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use disk::{Disk, Luck};
use recording::{Call, Step};

use crate::binary::banhook;
use crate::crash::compiled;
use crate::delivered::{Delivered, jail, jails_of};
use crate::message::Message;
use crate::polling::until;
use crate::seeded_random::{SeededRandom, seed};
use crate::test_env::{QUICK, TestEnv};
use crate::webhook::shown;

/// Some seconds; `BANHOOK_SOAK=1200` takes a minute, and comes by nearly every call.
const FAILURES: u32 = 100;
/// Mostly they compute.
const SIDE_BY_SIDE: u32 = 2;

/// Some messages are of one event, and some are digests.
const ROUTE: &str = "storm = { threshold = 2, within = \"1s\" }\ndigest_window = \"1s\"\nrestart = false";

/// Events that runs tell which `notify` starts, that a daemon tells, and that `drain` tells.
const ALONE: std::ops::Range<u32> = 0..3;
const BESIDE_A_DAEMON: std::ops::Range<u32> = 3..15;
const DRAINED: std::ops::Range<u32> = 15..18;
/// What happens after the power failure.
const AFTERWARDS: u32 = 18;

#[test]
fn power_failure_at_any_call_delivers_every_acknowledged_event() {
    let failures = std::env::var("BANHOOK_SOAK").map_or(FAILURES, |text| text.parse().unwrap());
    let (seed, begun) = (seed(), Instant::now());
    let (original, compiled) = (Original::record(), compiled());
    let (next, repeated) = (AtomicU32::new(0), Mutex::new(0));
    thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= failures {
                        break;
                    }
                    let again = original.fail(SeededRandom::of("failure", seed, number), compiled.path());
                    *repeated.lock().unwrap() += again;
                }
            });
        }
    });
    let (steps, repeated) = (original.steps.len(), repeated.lock().unwrap());
    eprintln!(
        "{failures} failures of {steps} steps in {:?}, seed {seed}: {repeated} messages repeated",
        begun.elapsed()
    );
}

/// What happened while there was power.
struct Original {
    folder: PathBuf,
    steps: Vec<Step>,
    /// When, in seconds since 1970, and what.
    told: Vec<(f64, Message)>,
}

impl Original {
    fn record() -> Self {
        let env = TestEnv::new();
        env.configure_both(QUICK, ROUTE);
        let (now, clock) = (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64());
        let mut steps = Vec::new();
        let all = |events: std::ops::Range<u32>, how: &str, then: &str| -> String {
            events.map(|number| format!("\"$BANHOOK\" notify {how} {} || exit 91{then}\n", ban(number))).collect()
        };
        let ends = record(&env, &all(ALONE, "", ""), &mut steps, |_| {});
        assert!(ends, "{}", env.log());
        let beside = all(BESIDE_A_DAEMON, "", " & jobs=\"$jobs $!\"");
        let script = format!(
            "\"$BANHOOK\" run & run=$!; jobs=\n{beside}for job in $jobs; do wait \"$job\" || exit 92; done\n\
             read -r told; kill -TERM $run; wait $run"
        );
        let ends = record(&env, &script, &mut steps, |env| {
            until("all to be told", || {
                let ledger = env.ledger();
                let all = u64::from(BESIDE_A_DAEMON.end);
                if ledger.received == all && ledger.all().pending == 0 { Ok(()) } else { Err(format!("{ledger:?}")) }
            });
        });
        assert!(ends, "{}", env.log());
        let drained = all(DRAINED, "--no-spawn", "") + "\"$BANHOOK\" drain --timeout 30s";
        let ends = record(&env, &drained, &mut steps, |_| {});
        assert!(ends, "{}", env.log());
        assert_eq!(env.wait_until_idle().received, u64::from(AFTERWARDS));
        let at = |moment: Instant| clock + moment.duration_since(now).as_secs_f64();
        let told = env.webhook.arrivals().into_iter().map(|(moment, message)| (at(moment), message)).collect();
        Self { folder: env.path(""), steps, told }
    }

    /// What becomes of it all if the power fails somewhen. How many messages came once more.
    fn fail(&self, mut random: SeededRandom, compiled: &Path) -> usize {
        let luck = Luck::any(&mut random);
        let done = random.below(u32::try_from(self.steps.len()).unwrap()) as usize + 1;
        let (before, failed_at) = (&self.steps[..done], self.steps[done - 1].at);
        let env = TestEnv::new();
        env.configure_both(QUICK, ROUTE);
        for (path, content) in Disk::after(before).left(luck, &mut random) {
            let path = env.path("").join(path.strip_prefix(&self.folder).unwrap());
            fs::DirBuilder::new().recursive(true).mode(0o700).create(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        env.copy_plugin_cache(compiled);
        let what = format!("after step {done} ({}), {luck:?}", before[done - 1].call);

        env.notify(&format!("--no-spawn {}", ban(AFTERWARDS)));
        let ledger = env.ledger();
        env.banhook(["status", "--check"]).ok();
        env.banhook(["drain", "--timeout", "50s"]).ok();
        let after = env.ledger();
        env.banhook(["status", "--check"]).ok();

        let acknowledged: BTreeSet<_> = before.iter().filter_map(acknowledged).chain([jail(AFTERWARDS)]).collect();
        let received = exported(&env);
        assert!(acknowledged.is_subset(&received), "{what}: of {acknowledged:?} only {received:?} are there");
        assert_eq!((after.received, after.all().matched), (received.len() as u64, after.received), "{what}: {after:?}");
        let messages = env.webhook.arrived();
        let told = Delivered::of(&messages);
        let ended_before = ledger.all().posted + ledger.all().digested;
        let ended = after.all().posted + after.all().digested;
        assert_eq!(ended, after.received, "{what}: {after:?}");
        assert_eq!(ended_before + told.jails.len() as u64, ended, "{what}: {:#?}", shown(&messages));
        // What is not told now was told before.
        let told_before: Vec<_> =
            self.told.iter().take_while(|(at, _)| *at < failed_at).map(|(_, message)| jails_of(message)).collect();
        for jail in received.difference(&told.jails) {
            assert!(told_before.iter().any(|jails| jails.contains(jail)), "{what}: nobody was told of {jail}");
        }
        let repeated = messages
            .iter()
            .map(jails_of)
            .filter(|jails| told_before.iter().any(|before| before.intersection(jails).next().is_some()));
        let repeated = repeated.count();
        assert!(repeated <= 1, "{what}: {repeated} came once more: {:#?}", shown(&messages));
        repeated
    }
}

/// Runs a shell script until it and all that it started have ended. `meanwhile` is done before the script reads a line.
/// Whether it ended well.
fn record(env: &TestEnv, script: &str, steps: &mut Vec<Step>, meanwhile: impl FnOnce(&TestEnv)) -> bool {
    let file = env.path("recording");
    let mut command: Command = recording::recorded(env.command("strace"), &file);
    command.args(["sh", "-c", script]).env("BANHOOK", banhook()).stdin(Stdio::piped());
    let said = fs::File::create(env.path("run.log")).unwrap();
    let mut child = command.stdout(Stdio::null()).stderr(said).spawn().unwrap();
    meanwhile(env);
    child.stdin.take().unwrap().write_all(b"told\n").ok();
    let ends = child.wait().unwrap().success();
    recording::read(&file, steps);
    ends
}

fn ban(number: u32) -> String {
    format!("ban --jail={} --ip=203.0.113.{}", jail(number), number + 1)
}

/// The jail of an event that a `notify` acknowledged in this step.
fn acknowledged(step: &Step) -> Option<String> {
    let Call::Done(program) = &step.call else { return None };
    let jail = program.iter().find_map(|argument| argument.strip_prefix("--jail="))?;
    program.contains(&"notify".to_owned()).then(|| jail.to_owned())
}

/// The jails of all events.
fn exported(env: &TestEnv) -> BTreeSet<String> {
    let exported = env.banhook(["queue", "export", "--last", "100"]).ok();
    let jail = |line: &str| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        event["jail"].as_str().unwrap().to_owned()
    };
    exported.stdout.lines().map(jail).collect()
}

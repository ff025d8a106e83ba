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
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use disk::{SimulatedDisk, Unsynced};
use recording::{Call, Step};

use crate::binary::{banhook, banhook_notify};
use crate::delivered::{Delivered, events_of, jail, jails_of};
use crate::message::Message;
use crate::polling::until;
use crate::reliability::{FaultRow, report};
use crate::seeded_random::{SeededRandom, seed};
use crate::slack_app::{self, Posted};
use crate::test_env::{QUICK, TestEnv};
use crate::webhook::{Webhook, shown};

/// Takes some seconds; `BANHOOK_SOAK=1200` takes a minute and reaches nearly every call.
const FAILURES: u32 = 100;
/// Few: they use the processor all the time.
const THREADS: u32 = 2;

/// The same for an app: its message is to be changed before and after a failure.
const FAILURES_OF_APP: u32 = 40;

/// Makes messages of single events as well as digests.
const ROUTE: &str = "storm = { threshold = 2, within = \"1s\" }\ndigest_window = \"1s\"\nrestart = false";

/// Makes a storm that lasts for most of the run, with all of its events listed.
const ROUTE_OF_APP: &str = "storm = { threshold = 2, within = \"4s\" }\ndigest_window = \"1s\"\nrestart = false";

/// Events delivered by runs that `notify` starts, by a daemon, and by `drain`.
const BY_SHORT_RUN: std::ops::Range<u32> = 0..3;
const BY_DAEMON: std::ops::Range<u32> = 3..15;
const BY_DRAIN: std::ops::Range<u32> = 15..18;
/// The event after the power failure.
const AFTERWARDS: u32 = 18;

/// The chat that messages are sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chat {
    /// An incoming webhook.
    Webhook,
    /// An app, whose message about a storm is changed while that lasts.
    App,
}

#[test]
#[ignore = "needs strace: cargo xtask test"]
fn power_failure_at_any_call_delivers_every_acknowledged_event() {
    let failures = std::env::var("BANHOOK_SOAK").map_or(FAILURES, |text| text.parse().unwrap());
    fail_power(Chat::Webhook, failures, "power_failure");
}

#[test]
#[ignore = "needs strace: cargo xtask test"]
fn power_failure_at_any_call_shows_every_acknowledged_event_in_the_channel_of_an_app() {
    let failures = std::env::var("BANHOOK_SOAK").map_or(FAILURES_OF_APP, |text| text.parse().unwrap());
    fail_power(Chat::App, failures, "power_failure::app");
}

fn fail_power(chat: Chat, failures: u32, name: &str) {
    let (seed, start) = (seed(), Instant::now());
    let recording = Recording::new(chat);
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
    let (of, changes) = match chat {
        Chat::Webhook => ("", String::new()),
        Chat::App => {
            let changes: usize = recording.channel.iter().map(|posted| posted.versions.len() - 1).sum();
            assert!(changes > 0, "no message was changed: {:#?}", recording.channel);
            ("app: ", format!(" with {changes} changes"))
        }
    };
    let fault = format!("{of}power failure after a random system call; what was not synced is kept, lost or in part");
    let result =
        format!("of {steps} recorded calls{changes}; no acknowledged event lost; {repeated} messages sent twice");
    report(name, &[FaultRow { fault, count: failures.into(), result }]);
}

/// Returns an environment with a chat; an app's channel has these messages.
fn set_up(chat: Chat, posted: Vec<Posted>) -> TestEnv {
    let mut env = TestEnv::new();
    match chat {
        Chat::Webhook => env.configure_both(QUICK, ROUTE),
        Chat::App => {
            env.webhook = Webhook::open_app_with(posted);
            env.write_secret("slack.token", &slack_app::token(env.webhook.secret()));
            // The channel is the same as before the failure, so it has the same address.
            let (origin, api, proxy) = (slack_app::ORIGIN, crate::webhook::API, env.webhook.proxy());
            let channel = slack_app::CHANNEL;
            let webhook = format!(
                "target = \"slack-app\"\napi_url = \"{origin}{api}\"\nproxy = \"{proxy}\"\n\
                 token_file = \"slack.token\"\nchannel = \"{channel}\"\n{QUICK}"
            );
            let text = format!(
                "[webhooks.main]\n{webhook}\n\n[[routes]]\nname = \"all\"\nwebhook = \"main\"\n{ROUTE_OF_APP}\n"
            );
            fs::write(env.config(), text).unwrap();
        }
    }
    env
}

/// The run without a power failure.
struct Recording {
    chat: Chat,
    folder: PathBuf,
    steps: Vec<Step>,
    /// The messages, each with its time in seconds since 1970.
    messages: Vec<(f64, Message)>,
    /// Of an app, what its channel shows in the end.
    channel: Vec<Posted>,
    /// A moment, and the same in seconds since 1970.
    clock: (Instant, f64),
}

impl Recording {
    fn new(chat: Chat) -> Self {
        let env = set_up(chat, Vec::new());
        let (now, clock) = (Instant::now(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64());
        let mut steps = Vec::new();
        let all = |events: std::ops::Range<u32>, how: &str, then: &str| -> String {
            events.map(|number| format!("\"$BANHOOK_NOTIFY\" {how} {} || exit 91{then}\n", ban(number))).collect()
        };
        let succeeded = record(&env, &all(BY_SHORT_RUN, "", ""), &mut steps, |_| {});
        assert!(succeeded, "{}", env.log());
        let half = BY_DAEMON.start.midpoint(BY_DAEMON.end);
        let pause = match chat {
            Chat::Webhook => "",
            // Until the first digest is closed.
            Chat::App => "sleep 1.5\n",
        };
        let by_daemon =
            [BY_DAEMON.start..half, half..BY_DAEMON.end].map(|events| all(events, "", " & jobs=\"$jobs $!\""));
        let by_daemon = by_daemon.join(pause);
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
        let channel = match chat {
            Chat::Webhook => Vec::new(),
            Chat::App => env.webhook.channel(),
        };
        Self { chat, folder: env.path(""), steps, messages, channel, clock: (now, clock) }
    }

    /// Returns what the channel of an app showed at a time in seconds since 1970.
    fn channel_at(&self, time: f64) -> Vec<Posted> {
        let (moment, clock) = self.clock;
        let then = moment + Duration::from_secs_f64(time - clock);
        self.channel.iter().filter_map(|posted| posted.before(then)).collect()
    }

    /// Simulates a power failure after a random call, and checks what is delivered. Returns how many messages were repeated.
    fn simulate_failure(&self, mut random: SeededRandom) -> usize {
        let unsynced = Unsynced::random(&mut random);
        let done = random.below(u32::try_from(self.steps.len()).unwrap()) as usize + 1;
        let (before, failed_at) = (&self.steps[..done], self.steps[done - 1].at);
        let env = set_up(self.chat, self.channel_at(failed_at));
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
        let done_before = ledger.all().posted + ledger.all().digested;
        let done_after = after.all().posted + after.all().digested;
        assert_eq!(done_after, after.all().matched, "{failure}: {after:?}");
        let repeated = match self.chat {
            Chat::Webhook => {
                self.check_messages(&env.webhook, &received, (done_before, done_after), failed_at, &failure)
            }
            Chat::App => self.check_channel(&env.webhook, &received, failed_at, &failure),
        };
        assert!(repeated <= 1, "{failure}: {repeated} messages were repeated");
        repeated
    }

    /// Checks the messages of a webhook that arrived after a failure. Returns how many were repeated.
    fn check_messages(
        &self,
        webhook: &Webhook,
        received: &BTreeSet<String>,
        (done_before, done_after): (u64, u64),
        failed_at: f64,
        failure: &str,
    ) -> usize {
        let messages = webhook.arrived();
        let delivered = Delivered::of(&messages);
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
        repeated.count()
    }

    /// Checks what the channel of an app shows after a failure. Returns how many of its messages are of events that another one
    /// shows as well.
    fn check_channel(&self, webhook: &Webhook, received: &BTreeSet<String>, failed_at: f64, failure: &str) -> usize {
        let (before, channel) = (self.channel_at(failed_at).len(), webhook.channel());
        let jails: Vec<_> = channel.iter().map(|posted| jails_of(posted.shown())).collect();
        let all: BTreeSet<_> = jails.iter().flatten().cloned().collect();
        let missing: Vec<_> = received.difference(&all).collect();
        assert!(missing.is_empty(), "{failure}: {missing:?} are not in {channel:#?}");
        for (posted, jails) in channel.iter().zip(&jails) {
            let events = events_of(posted.shown()).unwrap_or(1);
            assert_eq!(events, jails.len(), "{failure}: {posted:?}");
        }
        let is_shown = |found: &BTreeSet<String>| jails[..before].iter().any(|jails| !jails.is_disjoint(found));
        jails[before..].iter().filter(|jails| is_shown(jails)).count()
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

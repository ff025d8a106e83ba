//! `--send`: a marked ban goes end to end, from the action's command to the answer of the webhook.
//!
//! fail2ban is asked for the command and does not run it: nobody is banned, and no other action runs. The mark is the
//! subject, since that is what every command passes on unchanged and every message shows. Jail and kind are real, so the
//! routes match by their own rules, and the plugins decide as ever. The event counts in the ledger, as any that was received,
//! and not in the history.

use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::action;
use super::fail2ban::{Fail2banState, JailAction};
use super::finding::{Finding, Level};
use crate::cli::global_options::GlobalOptions;
use crate::config::Config;
use crate::event::{Kind, TEST_SUBJECT, Timestamp};
use crate::phrase::without_error_numbers;
use crate::receive::bounded_command::run_bounded;
use crate::store::{RouteProgress, Stage};
use banhook_notify::{CONFIG_VARIABLE, STATE_DIR_VARIABLE};

const CHECK: &str = "send";

/// How long fail2ban lets an action run.
const ACTION_LIMIT: Duration = Duration::from_secs(60);

/// How long the webhooks may take to accept the message.
const DELIVERY_LIMIT: Duration = Duration::from_secs(60);

/// How often the store is asked meanwhile.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Sends the event and follows it.
pub(super) fn send(global: &GlobalOptions, config: Option<&Config>, fail2ban: &Fail2banState) -> Vec<Finding> {
    let Some(action) = chosen(config, fail2ban) else {
        let text = "no event is sent: fail2ban names no jail with banhook's action";
        return vec![Finding::fail(CHECK, text, "see the findings above; banhook send-test tries the webhooks alone")];
    };
    let now = Timestamp::now();
    let id = uuid::Uuid::now_v7().simple().to_string();
    let subject = format!("{TEST_SUBJECT}{}", id.get(24..).unwrap_or(&id));
    if let Err(finding) = run(action, &subject, now) {
        return vec![finding];
    }
    let (sender, receiver) = mpsc::channel();
    let deadline = Instant::now() + DELIVERY_LIMIT;
    let (options, jail, wanted) = (global.clone(), action.jail.clone(), subject.clone());
    // A thread of its own: it becomes the owner of the state directory, and may hang with its disk.
    let watch = move || {
        while sender.send(progress(&options, &jail, &wanted)).is_ok() {
            thread::sleep(POLL_INTERVAL);
        }
    };
    let mut last = Ok(None);
    if thread::Builder::new().spawn(watch).is_ok() {
        while let Ok(progress) = receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            let is_settled = |routes: &Vec<RouteProgress>| {
                routes.iter().all(|route| !matches!(route.stage, Stage::Unsent | Stage::Open))
            };
            let is_over = progress.as_ref().is_ok_and(|routes| routes.as_ref().is_some_and(is_settled));
            last = progress;
            if is_over || Instant::now() >= deadline {
                break;
            }
        }
    }
    let is_forwarded = config.is_some_and(Config::is_fleet_host);
    results(last, &action.jail, global, is_forwarded)
}

/// Returns the action that is tested: the first one of a jail whose bans a route matches, or else the first.
fn chosen<'a>(config: Option<&Config>, fail2ban: &'a Fail2banState) -> Option<&'a JailAction> {
    let is_routed = |action: &&JailAction| {
        config.is_some_and(|config| config.routes.iter().any(|route| route.mismatch(&action.jail, Kind::Ban).is_none()))
    };
    let mut ours = fail2ban.actions.iter().filter(|action| action.is_ours());
    ours.clone().find(is_routed).or_else(|| ours.next())
}

/// Runs the command as fail2ban runs it.
fn run(action: &JailAction, subject: &str, now: Timestamp) -> Result<(), Finding> {
    let time = format!("{}.{:03}", now.0.div_euclid(1_000), now.0.rem_euclid(1_000));
    // No failures: banned by hand, so no log lines are looked for.
    let values =
        [("ip", subject), ("failures", "0"), ("time", &time), ("bantime", "600"), ("bancount", "1"), ("restored", "0")];
    let line = action::with_values(&action.ban, &values);
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &line]).current_dir("/").env_remove(CONFIG_VARIABLE).env_remove(STATE_DIR_VARIABLE);
    let failed = |text: String| {
        Err(Finding::fail(
            CHECK,
            format!("the command of the action {} in the jail {} {text}", action.name, action.jail),
            "correct the action file, or options= in jail.local, then restart fail2ban",
        ))
    };
    match run_bounded(&mut command, ACTION_LIMIT) {
        Ok(Some(answer)) if answer.status.success() => Ok(()),
        Ok(Some(answer)) => {
            failed(format!("failed: {}: {}", answer.status, answer.stderr.lines().next_back().unwrap_or_default()))
        }
        Ok(None) => failed(format!("did not end within {} s", ACTION_LIMIT.as_secs())),
        Err(error) => failed(format!("cannot be run: {}", without_error_numbers(&error.to_string()))),
    }
}

/// Returns how far the event has come; `None` until it is routed.
fn progress(global: &GlobalOptions, jail: &str, subject: &str) -> Result<Option<Vec<RouteProgress>>, String> {
    let store = global.existing_store().map_err(|error| error.text())?;
    store.map_or(Ok(None), |(_, store)| store.event_progress(jail, subject).map_err(|error| error.to_string()))
}

/// `is_forwarded`: the event goes to the broker of a fleet instead of routes.
fn results(
    last: Result<Option<Vec<RouteProgress>>, String>,
    jail: &str,
    global: &GlobalOptions,
    is_forwarded: bool,
) -> Vec<Finding> {
    let seconds = DELIVERY_LIMIT.as_secs();
    let routes = match last {
        Ok(Some(routes)) => routes,
        Ok(None) => {
            let text = format!(
                "the action ran, and its event is not {} in {} after {seconds} s",
                if is_forwarded { "forwarded" } else { "routed" },
                global.state_dir.display()
            );
            return vec![Finding::fail(
                CHECK,
                text,
                "see that the action runs banhook with this --state-dir, and banhook's log",
            )];
        }
        Err(error) => return vec![Finding::of_error(CHECK, Level::Fail, &error, "run `banhook status`")],
    };
    if is_forwarded {
        let text =
            format!("a marked ban in the jail {jail} went from the action to the broker, for the worker of the fleet");
        return vec![Finding::ok(CHECK, text)];
    }
    if routes.is_empty() {
        let text = format!("no route matches a ban in the jail {jail}");
        return vec![Finding::fail(CHECK, text, format!("run `banhook config explain ban --jail {jail}`"))];
    }
    routes.into_iter().map(|route| result(route, jail)).collect()
}

fn result(progress: RouteProgress, jail: &str) -> Finding {
    let RouteProgress { route, webhook, stage, detail } = progress;
    let detail = detail.map(|detail| format!(": {detail}")).unwrap_or_default();
    let of = |text: &str| format!("the test event in the jail {jail}, on the route {route}, {text}{detail}");
    match stage {
        Stage::Accepted => Finding::ok(
            CHECK,
            format!(
                "a marked ban in the jail {jail} went from the action by the route {route} to the webhook {webhook}, which accepted it"
            ),
        ),
        Stage::Unsent => Finding::fail(
            CHECK,
            of(&format!("is still pending for the webhook {webhook}")),
            "correct what the answer says; banhook queue list shows the message",
        ),
        Stage::Open => {
            Finding::warn(CHECK, of("is in a digest that is still open"), "wait until it closes: banhook queue list")
        }
        Stage::Skipped => {
            Finding::warn(CHECK, of("was skipped by the plugin"), "see that the plugin skips nothing else")
        }
        Stage::Dead => Finding::fail(CHECK, of("is dead"), "banhook queue list --dead shows why"),
    }
}

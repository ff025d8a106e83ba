//! `banhook doctor`: checks everything from fail2ban's action to the webhook, and names the remedy of what is wrong. It
//! changes nothing. Everything that it asks has a deadline.

mod action;
mod fail2ban;
mod finding;
mod fleet;
mod heartbeat;
mod installation;
mod network;
mod send;
mod system;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use banhook_notify::StateDir;
use clap::Args;
use serde_json::json;

pub(super) use action::is_ours;
pub(super) use fail2ban::{configuration_error, configured_action};
pub(super) use system::start_enabled_unit;

use super::command_error::Outcome;
use super::global_options::{GlobalOptions, OutputFormat};
use crate::event::Timestamp;
use crate::receive::heartbeat::Heartbeat;
use fail2ban::Fail2banState;
use finding::{Finding, Level, worst};

/// How long one group of checks may take: plugins are compiled, and a disk may be slow.
const GROUP_LIMIT: Duration = Duration::from_secs(60);

/// Check everything from fail2ban's action to the webhook; exit code 1 if a check fails
///
/// Checks fail2ban and the actions that it runs, the configuration with its plugins, the state directory, the disk, the
/// servers of the webhooks, the clock and the unit. Each line is ok, warn or FAIL; after a warn or FAIL the next line names
/// the remedy. The exit code is 0 if no line is FAIL, also with warnings, and 1 if one is. Run it as root: only root may ask
/// fail2ban. Without --send it changes nothing and sends nothing. Each check has a time limit.
#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Also send a marked test event end to end, and wait until the webhooks accept it
    ///
    /// Runs the command that fail2ban's action has for a ban. Nobody is banned. The event is that of a ban of
    /// "banhook-doctor-test-…" in the first jail with the action; it counts in the ledger, and not in the history.
    #[arg(long)]
    pub(super) send: bool,
    /// Output format
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    pub(super) format: OutputFormat,
}

/// Runs all checks; `Ok(false)` if one fails.
pub(super) fn doctor(global: &GlobalOptions, arguments: &DoctorArgs) -> Outcome {
    let fail2ban = Fail2banState::ask();
    let (jails, options) = (fail2ban.jails.clone(), global.clone());
    let (config, of_config) = within("configuration", move || installation::configuration(&options, jails))
        .unwrap_or_else(|late| (None, vec![late]));
    let mut findings = fail2ban.findings(global, config.as_ref(), &is_program);
    findings.extend(of_config);
    let options = global.clone();
    findings.extend(within("state", move || installation::state(&options)).unwrap_or_else(|late| vec![late]));
    let state = global.state_dir.clone();
    findings.extend(within("disk", move || installation::disk(&state)).unwrap_or_else(|late| vec![late]));
    if let Some(config) = config.clone() {
        findings.extend(within("webhook", move || network::findings(&config)).unwrap_or_else(|late| vec![late]));
    }
    if let Some((config, fleet)) = config.clone().and_then(|config| config.fleet.clone().map(|fleet| (config, fleet))) {
        let asked = within("fleet", move || fleet::findings(&config, &fleet));
        findings.extend(asked.unwrap_or_else(|late| vec![late]));
    }
    findings.extend(system::findings());
    if let Some(config) = &config {
        let answer = Heartbeat::read(&StateDir::new(&global.state_dir));
        findings.extend(heartbeat::finding(config, answer.as_ref(), Timestamp::now()));
    }
    if arguments.send {
        findings.extend(send::send(global, config.as_ref(), &fail2ban));
    }
    print(&findings, arguments.format)?;
    Ok(worst(&findings) < Level::Fail)
}

/// Runs checks on a thread of their own, which may become another user, and waits no longer than the limit for them.
fn within<T: Send + 'static>(check: &'static str, checks: impl FnOnce() -> T + Send + 'static) -> Result<T, Finding> {
    let (sender, receiver) = mpsc::channel();
    let late = |_| {
        let text = format!("not checked: no result within {} s", GROUP_LIMIT.as_secs());
        Finding::fail(check, text, "see whether a disk or a network file system hangs (dmesg)")
    };
    let run = move || {
        // Nobody waits after the deadline.
        let _ = sender.send(checks());
    };
    // Not joined: it may hang.
    let started = thread::Builder::new().spawn(run);
    started.map_err(|error| Finding::fail(check, format!("not checked: {error}"), "run doctor again"))?;
    receiver.recv_timeout(GROUP_LIMIT).map_err(late)
}

/// Returns whether a path, or a name that a shell would look for, is a program.
fn is_program(program: &Path) -> bool {
    let is_executable =
        |path: &Path| fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0);
    if program.components().count() > 1 {
        return is_executable(program);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| is_executable(&folder.join(program)))
}

fn print(findings: &[Finding], format: OutputFormat) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    if format == OutputFormat::Json {
        return writeln!(out, "{}", json!({ "worst": worst(findings), "findings": findings }));
    }
    findings.iter().try_for_each(|finding| write!(out, "{}", finding.lines()))
}

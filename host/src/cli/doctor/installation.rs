//! The configuration and the state directory, in the words of `config check` and `status`, and the room on their disk.

use std::path::Path;

use super::finding::{Finding, Level};
use crate::cli::config::check::{ConfigFindings, examine, summary};
use crate::cli::config::known_jails::KnownJails;
use crate::cli::global_options::GlobalOptions;
use crate::cli::status::read_status;
use crate::config::Config;
use crate::message::one_line;
use crate::phrase::counted;
use crate::receive::fail2ban_client::NoAnswer;

const CONFIGURATION: &str = "configuration";
const STATE: &str = "state";
const DISK: &str = "disk";

/// Free bytes and inodes below which something is soon lost, and below which it is now.
const FEW_BYTES: u64 = 100 << 20;
const NO_BYTES: u64 = 1 << 20;
const FEW_INODES: u64 = 1_000;
const NO_INODES: u64 = 10;

const SHOW_CONFIG: &str = "run `banhook config check`";
const SHOW_STATUS: &str = "run `banhook status`";

/// Checks the configuration and its plugins. `jails`: fail2ban's.
pub(super) fn configuration(
    global: &GlobalOptions,
    jails: Result<Vec<String>, NoAnswer>,
) -> (Option<Config>, Vec<Finding>) {
    let of_error = |level, error: &str| Finding::of_error(CONFIGURATION, level, error, SHOW_CONFIG);
    let config = match global.config() {
        Ok(config) => config,
        Err(errors) => {
            let errors = errors.text();
            return (
                None,
                errors.lines().filter(|line| !line.is_empty()).map(|line| of_error(Level::Fail, line)).collect(),
            );
        }
    };
    let ConfigFindings { faults, mut warnings, unread_database } = match examine(global, &config) {
        Ok(findings) => findings,
        Err(error) => ConfigFindings { faults: vec![error.text()], ..ConfigFindings::default() },
    };
    warnings.extend(KnownJails::new(jails, &global.state_dir).warnings(&config));
    let mut found: Vec<_> = faults.iter().map(|fault| of_error(Level::Fail, fault)).collect();
    if found.is_empty() {
        found.push(Finding::ok(CONFIGURATION, format!("{} is valid: {}", global.config.display(), summary(&config))));
    }
    found.extend(warnings.iter().map(|warning| of_error(Level::Warn, warning)));
    // Not as it could be, and as the package leaves it.
    found.extend(unread_database.map(|why| of_error(Level::Ok, &why)));
    (Some(config), found)
}

/// Checks the store. The thread becomes the owner of the state directory.
pub(super) fn state(global: &GlobalOptions) -> Vec<Finding> {
    let status = match read_status(global, false) {
        Ok(status) => status,
        Err(error) => return vec![Finding::of_error(STATE, Level::Fail, &error.text(), SHOW_STATUS)],
    };
    let directory = global.state_dir.display();
    let mut found = Vec::new();
    // The configuration has a check of its own.
    for attention in status.needs_attention.iter().filter(|_| status.configuration_error.is_none()) {
        let remedy = if attention.contains("is suspended") {
            "put a working URL into the webhook's URL file, then run `banhook drain`"
        } else if attention.contains("dead message") {
            "banhook queue list --dead shows why; then banhook queue retry --all, or drop"
        } else {
            SHOW_STATUS
        };
        found.push(Finding::fail(STATE, attention, remedy));
    }
    for (webhook, queue) in &status.webhooks {
        if let Some(error) = queue.last_error.as_ref().filter(|_| queue.pending > 0 && queue.suspended_at.is_none()) {
            let pending = counted(queue.pending, "message");
            let text = format!("{pending} of webhook {webhook} pending; the last answer: {}", one_line(error));
            found.push(Finding::warn(STATE, text, "correct what the answer says; they are sent by themselves then"));
        }
    }
    let pending = status.ledger.unrouted + status.ledger.routes.values().map(|route| route.pending).sum::<u64>();
    if pending > 0 && !status.running {
        let text = format!("{} pending, and no daemon is running", counted(pending, "event"));
        found.push(Finding::warn(STATE, text, "run `banhook drain`, or start the daemon: systemctl start banhook"));
    }
    if found.is_empty() {
        let runs = if status.running { "a daemon is running" } else { "no daemon is running: events start short runs" };
        let holds = if status.is_new { "holds nothing yet" } else { "is whole, and the ledger balances" };
        found.push(Finding::ok(STATE, format!("{directory} {holds}; {runs}")));
    }
    found
}

/// Checks the room on the disk of the state directory.
pub(super) fn disk(state: &Path) -> Vec<Finding> {
    let Ok(state) = std::path::absolute(state) else { return Vec::new() };
    let Some((path, space)) = state.ancestors().find_map(|path| Some((path, rustix::fs::statvfs(path).ok()?))) else {
        return vec![Finding::warn(DISK, "the free space is not known", "run `df -h`")];
    };
    let bytes = space.f_bavail.saturating_mul(space.f_frsize);
    // File systems that make inodes as they need them say 0.
    let inodes = if space.f_files == 0 { u64::MAX } else { space.f_favail };
    vec![room(&path.display().to_string(), bytes, inodes)]
}

fn room(path: &str, bytes: u64, inodes: u64) -> Finding {
    let (text, remedy) = if bytes < FEW_BYTES {
        (
            format!("{} MiB are free in {path}", bytes >> 20),
            format!("remove files there (df -h {path}), or move the state directory"),
        )
    } else if inodes < FEW_INODES {
        (format!("{inodes} inodes are free in {path}"), format!("remove files there (df -i {path})"))
    } else {
        return Finding::ok(DISK, format!("{path} has room"));
    };
    match bytes < NO_BYTES || inodes < NO_INODES {
        true => Finding::fail(DISK, format!("{text}: events may be lost"), remedy),
        false => Finding::warn(DISK, text, remedy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_bytes_and_inodes() {
        for (bytes, inodes, level) in [
            (1 << 30, 1 << 20, Level::Ok),
            (50 << 20, 1 << 20, Level::Warn),
            (0, 1 << 20, Level::Fail),
            (1 << 30, 500, Level::Warn),
            (1 << 30, 0, Level::Fail),
        ] {
            assert_eq!(room("/", bytes, inodes).level, level, "{bytes} {inodes}");
        }
    }
}

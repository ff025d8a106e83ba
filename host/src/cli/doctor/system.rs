//! What the system says: the unit of the daemon, and SELinux.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::finding::Finding;
use crate::receive::bounded_command::run_bounded;

const UNIT: &str = "unit";

/// Exists where systemd runs.
const SYSTEMD: &str = "/run/systemd/system";
/// Holds `1` where SELinux denies what it does not allow.
const SELINUX: &str = "/sys/fs/selinux/enforce";

/// How long the daemon may take to be ready.
const START_LIMIT: Duration = Duration::from_secs(60);

/// How long systemd may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Checks the unit, where systemd runs, and names SELinux where it may deny something.
pub(super) fn findings() -> Vec<Finding> {
    let mut found = Vec::new();
    if Path::new(SYSTEMD).exists() {
        let properties = ["show", "banhook.service", "-p", "LoadState,ActiveState,Result,NRestarts,UnitFileState"];
        match run_bounded(Command::new("systemctl").args(properties), ANSWER_LIMIT) {
            Ok(Some(answer)) => found.push(unit(&answer.stdout)),
            _ => found.push(Finding::warn(UNIT, "systemd did not answer", "run `systemctl status banhook`")),
        }
    }
    if fs::read_to_string(SELINUX).is_ok_and(|mode| mode.trim() == "1") {
        let text = "SELinux is enforcing, and may deny fail2ban's actions the program or the state directory";
        found.push(Finding::warn("selinux", text, "look for denials: ausearch -m avc -ts recent"));
    }
    found
}

/// Starts the daemon where its unit is enabled and does not run: it waits for a configuration. Returns whether it runs now;
/// `None` if there was nothing to start.
pub(crate) fn start_enabled_unit() -> Option<bool> {
    let systemctl = |verb: &str| {
        let command = &mut Command::new("systemctl");
        let answer = run_bounded(command.args([verb, "--quiet", "banhook.service"]), START_LIMIT);
        matches!(answer, Ok(Some(answer)) if answer.status.success())
    };
    let is_waiting = Path::new(SYSTEMD).exists() && systemctl("is-enabled") && !systemctl("is-active");
    is_waiting.then(|| systemctl("start"))
}

/// Judges the unit by its properties, `NAME=VALUE` a line.
fn unit(properties: &str) -> Finding {
    let value =
        |name: &str| properties.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default();
    let log = "journalctl -u banhook shows why; then systemctl restart banhook";
    match (value("LoadState"), value("ActiveState")) {
        ("loaded", "active") => {
            let restarts = value("NRestarts").parse::<u64>().unwrap_or(0);
            match restarts {
                0 => Finding::ok(UNIT, "banhook.service is active"),
                _ => Finding::warn(
                    UNIT,
                    format!("banhook.service is active, and was restarted {restarts} times after failures"),
                    log,
                ),
            }
        }
        ("loaded", "failed" | "activating") => {
            Finding::fail(UNIT, format!("banhook.service does not run: {}", value("Result")), log)
        }
        ("loaded", _) if value("UnitFileState") == "enabled" => {
            Finding::fail(UNIT, "banhook.service is enabled and does not run", "systemctl start banhook")
        }
        ("loaded", _) => Finding::ok(UNIT, "banhook.service is not enabled; events start short runs"),
        _ => Finding::ok(UNIT, "there is no banhook.service; events start short runs"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn unit_is_judged_by_its_state() {
        for (load, active, restarts, file, level) in [
            ("loaded", "active", 0, "enabled", Level::Ok),
            ("loaded", "active", 3, "enabled", Level::Warn),
            ("loaded", "failed", 5, "enabled", Level::Fail),
            ("loaded", "activating", 5, "disabled", Level::Fail),
            ("loaded", "inactive", 0, "enabled", Level::Fail),
            ("loaded", "inactive", 0, "disabled", Level::Ok),
            ("not-found", "inactive", 0, "", Level::Ok),
        ] {
            let shown = format!(
                "NRestarts={restarts}\nResult=exit-code\nLoadState={load}\nActiveState={active}\nUnitFileState={file}\n"
            );
            assert_eq!(unit(&shown).level, level, "{shown}");
        }
    }
}

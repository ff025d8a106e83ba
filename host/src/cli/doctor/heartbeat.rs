//! Whether fail2ban is asked if it runs, which routes with `quiet` want to know.

use super::finding::Finding;
use crate::config::Config;
use crate::event::Timestamp;
use crate::phrase::{counted, printable};
use crate::receive::heartbeat::Heartbeat;

const CHECK: &str = "heartbeat";

/// After how long an answer is out of date, in minutes: the timer asks every five.
const STALE_MINUTES: u64 = 15;

/// Judges the last answer; `None`: no route wants to know.
pub(super) fn finding(config: &Config, heartbeat: Option<&Heartbeat>, now: Timestamp) -> Option<Finding> {
    let wants_to_know = config.fleet.is_none() && config.routes.iter().any(|route| route.quiet.is_some());
    if !wants_to_know {
        return None;
    }
    let minutes = heartbeat.map(|heartbeat| now.0.saturating_sub(heartbeat.at).unsigned_abs() / 60_000);
    let ago = minutes.map(|minutes| format!("{} ago", counted(minutes, "minute")));
    if minutes.is_some_and(|minutes| minutes < STALE_MINUTES) {
        if let Some(problem) = heartbeat.and_then(|heartbeat| heartbeat.problem.as_deref()) {
            let text = format!("fail2ban did not answer {}: {}", ago.unwrap_or_default(), printable(problem));
            return Some(Finding::warn(CHECK, text, "see whether it runs: systemctl status fail2ban"));
        }
        return Some(Finding::ok(CHECK, format!("fail2ban was asked {}", ago.unwrap_or_default())));
    }
    let ago = ago.map_or_else(|| "was never asked".to_owned(), |ago| format!("was last asked {ago}"));
    Some(Finding::warn(
        CHECK,
        format!("routes with quiet cannot say whether fail2ban runs: it {ago}"),
        "systemctl enable --now banhook-heartbeat.timer; without systemd, run `banhook heartbeat` as root every 5 minutes",
    ))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn heartbeat_matters_where_a_route_has_quiet() {
        let found = |quiet: &str, at: Option<i64>| {
            let text = format!("[webhooks.main]\nurl = 'http://127.0.0.1:1/x'\n[[routes]]\n{quiet}");
            let config = Config::parse(&text, Path::new("config.toml"), &|_| None).unwrap();
            let heartbeat = at.map(|at| Heartbeat { at, jails: None, banned: None, problem: None, log_grew_at: None });
            finding(&config, heartbeat.as_ref(), Timestamp(100 * 60_000)).map(|found| found.lines())
        };
        assert_eq!(found("", None), None);
        let never = found("quiet = '1d'", None).unwrap();
        assert!(never.contains("warn") && never.contains("it was never asked"), "{never}");
        assert!(found("quiet = '1d'", Some(0)).unwrap().contains("last asked 100 minutes ago"));
        assert!(found("quiet = '1d'", Some(99 * 60_000)).unwrap().contains("fail2ban was asked 1 minute ago"));
    }
}

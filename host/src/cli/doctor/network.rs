//! Whether each webhook's server can be reached: its name, its certificate, the proxy; and whether its clock agrees. Nothing
//! is posted, and no URL is sent.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::finding::Finding;
use crate::cli::global_options::host_name;
use crate::config::Config;
use crate::deliver::{Client, Endpoints};
use crate::event::Timestamp;
use crate::phrase::without_error_numbers;

const CHECK: &str = "webhook";
const CLOCK: &str = "clock";

/// How long a server may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// How far the clocks may differ, in ms.
const MAX_CLOCK_DIFFERENCE_MS: i64 = 120_000;

/// A time that has passed: a clock before it was never set.
const PAST: Timestamp = Timestamp(1_735_689_600_000);

/// Reaches all servers at once.
pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return vec![Finding::warn(CHECK, format!("not checked: {error}"), "run doctor again")],
    };
    let mut answers = runtime.block_on(async {
        let client = Client::new();
        let mut probes = JoinSet::new();
        for (name, (endpoint, _)) in Endpoints::new(config, &host_name()).webhooks {
            let client = client.clone();
            probes.spawn(async move {
                let answer = timeout(ANSWER_LIMIT, client.reach(&endpoint)).await;
                let late = || Err(format!("no answer within {} s", ANSWER_LIMIT.as_secs()));
                (name, answer.unwrap_or_else(|_| late()))
            });
        }
        probes.join_all().await
    });
    // A name that the system still looks up would hold the runtime.
    runtime.shutdown_background();
    answers.sort();
    let mut found: Vec<_> = answers.iter().map(|(name, answer)| reached(name, answer)).collect();
    let theirs = answers.into_iter().find_map(|(_, answer)| answer.ok().flatten());
    found.push(clock(Timestamp::now(), theirs));
    found
}

fn reached(name: &str, answer: &Result<Option<Timestamp>, String>) -> Finding {
    match answer {
        Ok(_) => Finding::ok(
            CHECK,
            format!("the server of \"{name}\" answers; `banhook send-test` shows whether it takes messages"),
        ),
        Err(error) => Finding::fail(
            CHECK,
            format!("the server of \"{name}\" cannot be reached: {}", without_error_numbers(error)),
            remedy(error),
        ),
    }
}

fn remedy(error: &str) -> &'static str {
    let error = error.to_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| error.contains(part));
    if has(&["certificate", "tls", "https"]) {
        "install the package ca-certificates, or name the authority of a private server in ca_file of the webhook"
    } else if has(&["proxy"]) {
        "correct proxy of the webhook, or the variable https_proxy, and see that the proxy runs"
    } else if has(&["dns", "lookup", "name or service", "resolution"]) {
        "see that this host resolves names (getent hosts NAME, /etc/resolv.conf), and correct the URL"
    } else {
        "see that the server runs, and that a firewall lets this host reach it, or set proxy of the webhook"
    }
}

fn clock(ours: Timestamp, theirs: Option<Timestamp>) -> Finding {
    const REMEDY: &str = "set the clock, and keep it right: timedatectl set-ntp true";
    let ahead = theirs.map_or(0, |theirs| ours.0.saturating_sub(theirs.0));
    if ours < PAST {
        return Finding::fail(CLOCK, "the clock was never set: messages show wrong times, and TLS fails", REMEDY);
    }
    if ahead.abs() > MAX_CLOCK_DIFFERENCE_MS {
        let (minutes, which) = (ahead.abs() / 60_000, if ahead > 0 { "ahead of" } else { "behind" });
        return Finding::warn(
            CLOCK,
            format!("the clock is {minutes} minutes {which} that of a webhook's server"),
            REMEDY,
        );
    }
    Finding::ok(CLOCK, if theirs.is_some() { "the clock agrees with a webhook's server" } else { "the clock is set" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remedy_follows_the_error() {
        for (error, word) in [
            ("no connection: failed to lookup address information: Name or service not known", "getent"),
            ("no connection: invalid peer certificate: UnknownIssuer", "ca_file"),
            ("no connection through the proxy: Connection refused", "proxy of the webhook, or"),
            ("no connection: Connection refused (os error 111)", "firewall"),
        ] {
            assert!(remedy(error).contains(word), "{error}");
        }
    }
}

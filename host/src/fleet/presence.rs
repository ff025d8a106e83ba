//! What a host says of itself at regular times, so that the worker notices when it is not heard any more.
//!
//! It is the last message under a subject of the host's own, as JSON. Everything in it comes from outside.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::subjects::host_token;
use crate::message::{cut, one_line};

/// How often a host is heard by default, and at least.
pub(super) const INTERVAL: Duration = Duration::from_secs(60);

/// Characters of a release that are kept.
const VERSION_MAX: usize = 40;

/// What a host says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Presence {
    /// Its name.
    pub host: String,
    /// Its release of banhook.
    pub version: String,
    /// Events that the broker does not have.
    pub waiting: u64,
    /// For how long the oldest of them is there, in s.
    #[serde(default)]
    pub oldest_s: u64,
    /// After what time it says the next one, in ms.
    pub every_ms: u64,
}

impl Presence {
    /// Reads what a host sent under its subject; `None`: nonsense, or of another host.
    pub(super) fn parse(token: &str, body: &[u8]) -> Option<Self> {
        let found: Self = serde_json::from_slice(body).ok().filter(|found: &Self| host_token(&found.host) == token)?;
        let version = one_line(&cut(&found.version, VERSION_MAX));
        Some(Self { host: one_line(&found.host), version, ..found })
    }

    /// Writes it.
    pub(super) fn to_json(&self) -> String {
        // Serializing strings and numbers into memory cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// How often hosts are asked to be heard, if one is silent after this time: several may be lost.
pub(super) fn interval(silent: Option<Duration>) -> Duration {
    silent.map_or(INTERVAL, |silent| (silent / 5).clamp(Duration::from_secs(1), INTERVAL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presence_is_that_of_the_host_of_its_subject() {
        let sent = Presence {
            host: "web-1.example".to_owned(),
            version: "0.1.0".to_owned(),
            waiting: 2,
            oldest_s: 9,
            every_ms: 60_000,
        };
        assert_eq!(Presence::parse("web-1_example", sent.to_json().as_bytes()), Some(sent.clone()));
        assert_eq!(Presence::parse("web-2", sent.to_json().as_bytes()), None);
        for junk in [&b""[..], b"{}", b"\xff", br#"{"host":"web-1_example"}"#] {
            assert_eq!(Presence::parse("web-1_example", junk), None);
        }
        let long = Presence { version: "x".repeat(9_999), ..sent };
        assert!(Presence::parse("web-1_example", long.to_json().as_bytes()).unwrap().version.len() < 50);
    }

    #[test]
    fn interval_is_a_fifth_of_the_time_after_which_a_host_is_silent() {
        for (silent, expected) in [(None, 60), (Some(900), 60), (Some(60), 12), (Some(2), 1)] {
            assert_eq!(interval(silent.map(Duration::from_secs)), Duration::from_secs(expected));
        }
    }
}

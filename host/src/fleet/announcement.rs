//! What a worker says of itself with the broker, and which workers are alive by that: each judges by its own clock when it has
//! seen a change.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a worker says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Announcement {
    /// Its part of the subject: no other worker has it, and it has the same one after a restart.
    pub token: String,
    /// The host's name.
    pub name: String,
    /// A text that no other process has.
    pub process: String,
    /// Its release of banhook.
    pub version: String,
    /// The time of its lease, in ms: it is heard at least four times as often.
    pub lease_ms: u64,
    /// Whether shards may move to it: it has been there for a while, and has read the whole stream.
    pub is_ready: bool,
    /// Its shards, by name, with the fingerprint of each.
    pub shards: BTreeMap<String, String>,
}

impl Announcement {
    /// Reads it; `None`: nonsense, or of another worker.
    pub(super) fn parse(token: &str, body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok().filter(|found: &Self| found.token == token)
    }

    /// Writes it.
    pub(super) fn to_json(&self) -> String {
        // Serializing strings and numbers into memory cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The workers that are known, by their tokens.
#[derive(Debug, Default)]
pub(super) struct Workers(BTreeMap<String, Heard>);

#[derive(Debug)]
struct Heard {
    said: Announcement,
    revision: u64,
    /// When another revision was found last.
    changed_at: Duration,
    /// Whether it was ever found to change: until then it may be of a worker that was stopped long ago.
    has_changed: bool,
}

impl Workers {
    /// Notes all that was found, each with its revision.
    pub(super) fn hear(&mut self, found: Vec<(Announcement, u64)>, at: Duration) {
        let tokens: Vec<_> = found.iter().map(|(said, _)| said.token.clone()).collect();
        self.0.retain(|token, _| tokens.contains(token));
        for (said, revision) in found {
            match self.0.get_mut(&said.token) {
                Some(heard) if heard.revision == revision => {}
                Some(heard) => *heard = Heard { said, revision, changed_at: at, has_changed: true },
                None => {
                    let heard = Heard { said, revision, changed_at: at, has_changed: false };
                    self.0.insert(heard.said.token.clone(), heard);
                }
            }
        }
    }

    /// Returns those that are alive: heard within the time of the longer lease of both.
    pub(super) fn alive(&self, lease: Duration, at: Duration) -> impl Iterator<Item = &Announcement> {
        self.0.values().filter(move |heard| heard.is_alive(lease, at)).map(|heard| &heard.said)
    }

    /// The tokens of those that were not heard for that long.
    pub(super) fn silent_for(&self, time: Duration, at: Duration) -> impl Iterator<Item = &String> {
        self.0.iter().filter(move |(_, heard)| at.saturating_sub(heard.changed_at) >= time).map(|(token, _)| token)
    }
}

impl Heard {
    fn is_alive(&self, lease: Duration, at: Duration) -> bool {
        let lease = lease.max(Duration::from_millis(self.said.lease_ms));
        self.has_changed && at.saturating_sub(self.changed_at) < lease
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(1);

    fn said(token: &str, lease_ms: u64) -> Announcement {
        Announcement { token: token.to_owned(), lease_ms, ..Announcement::default() }
    }

    #[test]
    fn worker_is_alive_for_the_longer_lease_after_each_change() {
        let mut workers = Workers::default();
        let alive = |workers: &Workers, ms| {
            let found = workers.alive(LEASE, Duration::from_millis(ms));
            found.map(|worker| worker.token.clone()).collect::<Vec<_>>()
        };
        let at = Duration::from_millis;
        workers.hear(vec![(said("a", 1_000), 1), (said("b", 3_000), 2), (said("c", 1_000), 3)], at(0));
        assert!(alive(&workers, 1).is_empty(), "they may have stopped long ago");
        workers.hear(vec![(said("a", 1_000), 4), (said("b", 3_000), 5), (said("c", 1_000), 3)], at(100));
        assert_eq!(alive(&workers, 1_099), ["a", "b"]);
        assert_eq!(alive(&workers, 1_100), ["b"]);
        assert_eq!(workers.silent_for(LEASE, at(1_000)).collect::<Vec<_>>(), ["c"]);
        workers.hear(vec![(said("a", 1_000), 6)], at(2_000));
        assert_eq!(alive(&workers, 2_500), ["a"], "one that stopped is no longer there");
    }

    #[test]
    fn announcement_is_that_of_the_worker_of_its_subject() {
        let worker = Announcement { shards: [("main".to_owned(), "f".to_owned())].into(), ..said("w-1", 9) };
        assert_eq!(Announcement::parse("w-1", worker.to_json().as_bytes()), Some(worker.clone()));
        assert_eq!(Announcement::parse("w-2", worker.to_json().as_bytes()), None);
        assert_eq!(Announcement::parse("w-1", b"{"), None);
    }
}

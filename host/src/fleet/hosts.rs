//! Which hosts of a fleet are heard, and what is to be reported of them, without clock or network: what was read is passed in.
//!
//! That a host was reported as silent is a mark with the broker, next to what the host said last. So it is reported once,
//! whichever worker is running, and so is that it is heard again: what it says then comes after the mark. Whatever is read counts
//! as heard when it is read. So a worker that starts, or was cut off, gives every host the whole time.

use std::collections::BTreeMap;
use std::time::Duration;

use super::presence::Presence;

/// Hosts that are known at most: more than a broker has.
const MAX_HOSTS: usize = 50_000;

/// How many of its own intervals a host may miss, whatever the setting says: it learns of another one late.
const MISSED_AT_MOST: u32 = 3;

/// How long a host may take to be heard again after a broker was down, whatever the setting says: the longest pause after a
/// failure, and an attempt to connect that ends late. The worker may be back long before.
pub(super) const BACK_WITHIN: Duration = Duration::from_secs(15);

/// The hosts that are known, by their tokens.
#[derive(Debug, Default)]
pub(super) struct Hosts(BTreeMap<String, Host>);

#[derive(Debug, Default)]
struct Host {
    /// What it said last, and the message's sequence; `None`: nothing that can be read.
    presence: Option<Presence>,
    said_at: u64,
    /// When that was read.
    heard_at: Duration,
    /// The sequence of the mark that says that it is silent; 0: there is none.
    marked_at: u64,
}

/// What is to be reported: names of hosts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct HostChanges {
    /// Nothing is heard of these any more.
    pub silent: Vec<String>,
    /// These are heard again.
    pub back: Vec<String>,
}

/// How many hosts there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct HostCounts {
    /// Those that are heard.
    pub heard: u64,
    /// Those that were reported as silent.
    pub silent: u64,
    /// Those of the first that have events for longer than a minute which the broker does not have.
    pub with_backlog: u64,
}

/// For how long an event may wait on a host before it is a backlog, in s.
const BACKLOG_S: u64 = 60;

impl Hosts {
    /// Notes what a host said, in the message with this sequence.
    pub(super) fn hear(&mut self, token: &str, presence: Option<Presence>, sequence: u64, at: Duration) {
        if let Some(host) = self.host(token) {
            (host.said_at, host.heard_at) = (sequence, at);
            host.presence = presence.or(host.presence.take());
        }
    }

    /// Notes the mark of a host: that it was reported as silent, or is heard again.
    pub(super) fn mark(&mut self, token: &str, is_silent: bool, sequence: u64) {
        if let Some(host) = self.host(token) {
            host.marked_at = if is_silent { sequence } else { 0 };
        }
    }

    fn host(&mut self, token: &str) -> Option<&mut Host> {
        if self.0.len() >= MAX_HOSTS && !self.0.contains_key(token) {
            return None;
        }
        Some(self.0.entry(token.to_owned()).or_default())
    }

    /// Returns the hosts that have become silent, and those that are heard again, each with its token. `silent`: after what time
    /// a host is; `None`: none ever is, and those that were are so no more, without a word.
    pub(super) fn changes(&self, silent: Option<Duration>, at: Duration) -> (HostChanges, Vec<(String, bool)>) {
        let (mut changes, mut marks) = (HostChanges::default(), Vec::new());
        let Some(silent) = silent else {
            let marked = self.0.iter().filter(|(_, host)| host.is_silent());
            return (changes, marked.map(|(token, _)| (token.clone(), false)).collect());
        };
        for (token, host) in &self.0 {
            let names = match (host.is_silent(), host.said_at > host.marked_at) {
                (true, true) => &mut changes.back,
                (false, _) if host.is_overdue(silent, at) => &mut changes.silent,
                _ => continue,
            };
            names.push(host.name(token).to_owned());
            marks.push((token.clone(), !host.is_silent()));
        }
        (changes, marks)
    }

    pub(super) fn counts(&self) -> HostCounts {
        let silent = self.0.values().filter(|host| host.is_silent()).count() as u64;
        let with_backlog = self.with_backlog().count() as u64;
        HostCounts { heard: self.0.len() as u64 - silent, silent, with_backlog }
    }

    /// The names of the hosts that were reported as silent.
    pub(super) fn silent(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, host)| host.is_silent()).map(|(token, host)| host.name(token))
    }

    /// What hosts said that have a backlog.
    pub(super) fn with_backlog(&self) -> impl Iterator<Item = &Presence> {
        let heard = self.0.values().filter(|host| !host.is_silent());
        heard.filter_map(|host| host.presence.as_ref()).filter(|said| said.waiting > 0 && said.oldest_s >= BACKLOG_S)
    }
}

impl Host {
    const fn is_silent(&self) -> bool {
        self.marked_at > 0
    }

    fn is_overdue(&self, silent: Duration, at: Duration) -> bool {
        let every = self.presence.as_ref().map_or(Duration::ZERO, |said| Duration::from_millis(said.every_ms));
        at >= BACK_WITHIN && at.saturating_sub(self.heard_at) >= silent.max(every.saturating_mul(MISSED_AT_MOST))
    }

    fn name<'h>(&'h self, token: &'h str) -> &'h str {
        self.presence.as_ref().map_or(token, |said| &said.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENT: Duration = Duration::from_secs(900);

    fn said(host: &str, waiting: u64, oldest_s: u64) -> Option<Presence> {
        let (host, version) = (host.to_owned(), "0.1.0".to_owned());
        Some(Presence { host, version, waiting, oldest_s, every_ms: 60_000 })
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// What a worker does: it reports, and marks.
    fn report(hosts: &mut Hosts, seconds: u64, sequence: u64) -> (Vec<String>, Vec<String>) {
        let (changes, marks) = hosts.changes(Some(SILENT), at(seconds));
        marks.iter().for_each(|(token, is_silent)| hosts.mark(token, *is_silent, sequence));
        (changes.silent, changes.back)
    }

    #[test]
    fn silent_host_is_reported_once_and_once_when_it_is_back() {
        let mut hosts = Hosts::default();
        hosts.hear("web-1_x", said("web-1.x", 0, 0), 1, at(0));
        hosts.hear("web-2", None, 2, at(500));
        let none = (Vec::new(), Vec::new());
        assert_eq!(report(&mut hosts, 899, 3), none);
        assert_eq!(report(&mut hosts, 900, 3), (vec!["web-1.x".to_owned()], Vec::new()));
        assert_eq!(hosts.counts(), HostCounts { heard: 1, silent: 1, with_backlog: 0 });
        assert_eq!(report(&mut hosts, 1_000, 4), none);
        // By its token, since it said nothing that can be read.
        assert_eq!(report(&mut hosts, 9_999, 5), (vec!["web-2".to_owned()], Vec::new()));
        hosts.hear("web-1_x", said("web-1.x", 0, 0), 6, at(10_000));
        assert_eq!(report(&mut hosts, 10_000, 7), (Vec::new(), vec!["web-1.x".to_owned()]));
        assert_eq!(report(&mut hosts, 10_001, 8), none);
    }

    #[test]
    fn worker_that_starts_gives_every_host_the_time_and_repeats_no_report() {
        let mut hosts = Hosts::default();
        // What the broker has: web-2 was reported, and has been heard since; web-3 was reported, and has not.
        for (token, sequence) in [("web-1", 1), ("web-3", 2), ("web-2", 9)] {
            hosts.hear(token, said(token, 0, 0), sequence, at(0));
        }
        hosts.mark("web-2", true, 8);
        hosts.mark("web-3", true, 7);
        assert_eq!(report(&mut hosts, 0, 10), (Vec::new(), vec!["web-2".to_owned()]));
        assert_eq!(report(&mut hosts, 899, 11), (Vec::new(), Vec::new()));
        assert_eq!(report(&mut hosts, 900, 12).0, ["web-1", "web-2"]);
    }

    #[test]
    fn host_that_is_heard_rarely_is_not_silent_before_its_own_time() {
        let mut hosts = Hosts::default();
        hosts.hear("web-1", said("web-1", 0, 0), 1, at(0));
        let (changes, _) = hosts.changes(Some(at(5)), at(179));
        assert_eq!(changes, HostChanges::default());
        assert_eq!(hosts.changes(Some(at(5)), at(180)).0.silent, ["web-1"]);
    }

    #[test]
    fn host_has_time_to_come_back_after_a_broker_was_down_however_short_the_setting() {
        let mut hosts = Hosts::default();
        let often = |host: &str| Some(Presence { every_ms: 1_000, ..said(host, 0, 0).unwrap() });
        hosts.hear("web-1", often("web-1"), 1, at(0));
        hosts.hear("web-2", often("web-2"), 2, at(0));
        assert_eq!(hosts.changes(Some(at(5)), at(14)), (HostChanges::default(), Vec::new()));
        hosts.hear("web-1", often("web-1"), 3, at(14));
        assert_eq!(hosts.changes(Some(at(5)), at(15)).0.silent, ["web-2"]);
        assert_eq!(hosts.changes(Some(at(5)), at(19)).0.silent, ["web-1", "web-2"]);
    }

    #[test]
    fn no_host_stays_silent_once_none_is_to_be_reported() {
        let mut hosts = Hosts::default();
        for (token, sequence) in [("web-1", 1), ("web-2", 2), ("web-3", 9)] {
            hosts.hear(token, said(token, 0, 0), sequence, at(0));
        }
        hosts.mark("web-2", true, 7);
        hosts.mark("web-3", true, 8);
        let (changes, marks) = hosts.changes(None, at(99_999));
        assert_eq!(changes, HostChanges::default());
        assert_eq!(marks, [("web-2".to_owned(), false), ("web-3".to_owned(), false)]);
        marks.iter().for_each(|(token, is_silent)| hosts.mark(token, *is_silent, 10));
        assert_eq!((hosts.counts().silent, hosts.changes(None, at(99_999)).1), (0, Vec::new()));
    }

    #[test]
    fn backlog_is_what_waits_on_a_host_that_is_heard() {
        let mut hosts = Hosts::default();
        hosts.hear("a", said("a", 5, 61), 1, at(0));
        hosts.hear("b", said("b", 5, 1), 2, at(0));
        hosts.hear("c", said("c", 5, 99), 3, at(0));
        hosts.mark("c", true, 4);
        assert_eq!(hosts.with_backlog().map(|said| said.host.as_str()).collect::<Vec<_>>(), ["a"]);
        assert_eq!((hosts.silent().collect::<Vec<_>>(), hosts.counts().with_backlog), (vec!["c"], 1));
    }
}

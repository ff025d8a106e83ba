//! Past bans: queries about them, and summaries that answer the queries.
//!
//! The store keeps them and plugins query them, both with these types. Only new bans count: one that fail2ban
//! restored after a restart was counted when it was new.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use super::event::{Event, EventDetails};
use super::timestamp::Timestamp;

/// How many jails a summary lists at most.
pub const JAILS_LISTED: usize = 20;

/// A ban that was new when it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastBan {
    /// When the event happened.
    pub at: Timestamp,
    /// The host.
    pub host: String,
    /// The jail.
    pub jail: String,
    /// Who was banned; empty: unknown.
    pub subject: String,
}

/// Selects past bans.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BanQuery {
    /// The subject; `None`: any.
    pub subject: Option<String>,
    /// The jail; `None`: any.
    pub jail: Option<String>,
    /// The host; `None`: any.
    pub host: Option<String>,
    /// The earliest time. `None`: any.
    pub since: Option<Timestamp>,
    /// The latest time.
    pub until: Timestamp,
}

/// Counts over past bans.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BanSummary {
    /// The number of bans.
    pub bans: u32,
    /// The number of different subjects.
    pub subjects: u32,
    /// The number of different hosts.
    pub hosts: u32,
    /// The time of the earliest ban.
    pub first: Option<Timestamp>,
    /// The time of the latest ban.
    pub last: Option<Timestamp>,
    /// Bans by jail, most first, then by name; at most [`JAILS_LISTED`].
    pub by_jail: Vec<(String, u32)>,
}

impl PastBan {
    /// Returns what history keeps of an event; `None` unless it is a new ban.
    #[must_use]
    pub fn of(event: &Event) -> Option<Self> {
        match &event.details {
            EventDetails::Ban(ban) if !ban.restored => Some(Self {
                at: event.at,
                host: event.host.clone(),
                jail: event.jail.clone(),
                subject: ban.subject.clone(),
            }),
            _ => None,
        }
    }
}

impl BanQuery {
    /// Returns whether it asks for this ban.
    #[must_use]
    pub fn matches(&self, ban: &PastBan) -> bool {
        let is = |asked: &Option<String>, found: &str| asked.as_deref().is_none_or(|asked| asked == found);
        is(&self.subject, &ban.subject)
            && is(&self.jail, &ban.jail)
            && is(&self.host, &ban.host)
            && self.since.is_none_or(|since| since <= ban.at)
            && ban.at <= self.until
    }
}

/// Counts bans into a summary.
#[derive(Debug, Default)]
pub struct Tally {
    summary: BanSummary,
    /// Keyed hashes of the different subjects: 16 bytes each, and a collision among a million in one of tens of millions of
    /// cases.
    subjects: HashSet<u64>,
    hosts: HashSet<u64>,
    by_jail: HashMap<String, u32>,
    hash: RandomState,
}

impl Tally {
    /// Counts one ban.
    pub fn add(&mut self, at: Timestamp, host: &str, jail: &str, subject: &str) {
        let Self { summary, subjects, hosts, by_jail, hash } = self;
        summary.bans = summary.bans.saturating_add(1);
        subjects.insert(hash.hash_one(subject));
        hosts.insert(hash.hash_one(host));
        summary.first = Some(summary.first.map_or(at, |first| first.min(at)));
        summary.last = Some(summary.last.map_or(at, |last| last.max(at)));
        match by_jail.get_mut(jail) {
            Some(bans) => *bans = bans.saturating_add(1),
            None => {
                by_jail.insert(jail.to_owned(), 1);
            }
        }
    }

    /// Returns the summary of the counted bans.
    #[must_use]
    pub fn finish(self) -> BanSummary {
        let count = |set: &HashSet<u64>| u32::try_from(set.len()).unwrap_or(u32::MAX);
        let (subjects, hosts) = (count(&self.subjects), count(&self.hosts));
        let mut by_jail: Vec<_> = self.by_jail.into_iter().collect();
        by_jail.sort_by(|(a, more), (b, fewer)| fewer.cmp(more).then_with(|| a.cmp(b)));
        by_jail.truncate(JAILS_LISTED);
        BanSummary { subjects, hosts, by_jail, ..self.summary }
    }
}

impl BanSummary {
    /// Summarizes the bans that match a query.
    #[must_use]
    pub fn of<'a>(bans: impl IntoIterator<Item = &'a PastBan>, query: &BanQuery) -> Self {
        let mut tally = Tally::default();
        for ban in bans.into_iter().filter(|ban| query.matches(ban)) {
            tally.add(ban.at, &ban.host, &ban.jail, &ban.subject);
        }
        tally.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ban(at: i64, host: &str, jail: &str, subject: &str) -> PastBan {
        PastBan { at: Timestamp(at), host: host.to_owned(), jail: jail.to_owned(), subject: subject.to_owned() }
    }

    #[test]
    fn of_counts_the_bans_that_match() {
        let bans = [
            ban(30, "a", "sshd", "x"),
            ban(10, "b", "sshd", "y"),
            ban(20, "a", "nginx", "x"),
            ban(40, "a", "web", "x"),
        ];
        let up_to = |until| BanQuery { until: Timestamp(until), ..BanQuery::default() };
        let listed = |jails: &[(&str, u32)]| jails.iter().map(|(jail, n)| ((*jail).to_owned(), *n)).collect::<Vec<_>>();
        let summary = BanSummary {
            bans: 3,
            subjects: 2,
            hosts: 2,
            first: Some(Timestamp(10)),
            last: Some(Timestamp(30)),
            by_jail: listed(&[("sshd", 2), ("nginx", 1)]),
        };
        assert_eq!(BanSummary::of(&bans, &up_to(30)), summary);
        for (query, found) in [
            (BanQuery { subject: Some("x".into()), ..up_to(100) }, 3),
            (BanQuery { jail: Some("sshd".into()), ..up_to(100) }, 2),
            (BanQuery { host: Some("b".into()), ..up_to(100) }, 1),
            (BanQuery { since: Some(Timestamp(20)), ..up_to(30) }, 2),
            (BanQuery { subject: Some("x".into()), jail: Some("sshd".into()), host: Some("a".into()), ..up_to(30) }, 1),
            (BanQuery { subject: Some(String::new()), ..up_to(100) }, 0),
        ] {
            assert_eq!(BanSummary::of(&bans, &query).bans, found, "{query:?}");
        }
        assert_eq!(BanSummary::of(&bans, &up_to(9)), BanSummary::default());
    }

    #[test]
    fn of_lists_a_bounded_number_of_jails() {
        let bans: Vec<_> = (0..50).map(|n| ban(n, "a", &format!("jail-{n:02}"), "x")).collect();
        let summary = BanSummary::of(&bans, &BanQuery { until: Timestamp(100), ..BanQuery::default() });
        assert_eq!((summary.bans, summary.by_jail.len()), (50, JAILS_LISTED));
        assert_eq!(summary.by_jail[0], ("jail-00".to_owned(), 1));
    }
}

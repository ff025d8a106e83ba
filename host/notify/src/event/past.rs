//! Past bans: queries about them, and summaries that answer the queries.
//!
//! The store keeps them and plugins query them, both with these types. Only new bans count: one that fail2ban
//! restored after a restart was counted when it was new.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;

use ipnet::IpNet;

use super::event::{Event, EventDetails};
use super::timestamp::Timestamp;

/// How many jails, and how many hosts, a summary lists at most.
pub const LISTED: usize = 20;

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
    pub subject: Option<SubjectQuery>,
    /// The jail; `None`: any.
    pub jail: Option<String>,
    /// The host; `None`: any.
    pub host: Option<String>,
    /// The earliest time. `None`: any.
    pub since: Option<Timestamp>,
    /// The latest time.
    pub until: Timestamp,
}

/// Selects subjects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectQuery {
    /// Exactly this one.
    Exact(String),
    /// Addresses and networks in this network.
    Network(IpNet),
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
    /// The number of different jails.
    pub jails: u32,
    /// Bans by jail, most first, then by name; at most `LISTED`.
    pub by_jail: Vec<(String, u32)>,
    /// Bans by host, in the same way.
    pub by_host: Vec<(String, u32)>,
}

impl PastBan {
    /// Returns what history keeps of an event; `None` unless it is a new ban, and no test.
    #[must_use]
    pub fn of(event: &Event) -> Option<Self> {
        match &event.details {
            EventDetails::Ban(ban) if !ban.restored && !ban.is_test() => Some(Self {
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
        self.subject.as_ref().is_none_or(|subject| subject.matches(&ban.subject))
            && is(&self.jail, &ban.jail)
            && is(&self.host, &ban.host)
            && self.since.is_none_or(|since| since <= ban.at)
            && ban.at <= self.until
    }
}

impl SubjectQuery {
    /// Returns whether a subject is asked for.
    #[must_use]
    pub fn matches(&self, subject: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == subject,
            Self::Network(network) => {
                let found = subject.parse().or_else(|_| subject.parse::<IpAddr>().map(IpNet::from));
                found.is_ok_and(|found| network.contains(&found))
            }
        }
    }

    /// Returns a range of texts in which all subjects are that are asked for, the second one excluded. `None`: anywhere.
    ///
    /// That of a network begins with the groups that all of its addresses have, up to a group that text may leave out.
    #[must_use]
    pub fn text_range(&self) -> Option<(String, String)> {
        let groups: Vec<String> = match self {
            Self::Exact(_) => return None,
            Self::Network(IpNet::V4(network)) => {
                let whole = usize::from(network.prefix_len() / 8);
                network.network().octets().iter().take(whole.min(3)).map(ToString::to_string).collect()
            }
            Self::Network(IpNet::V6(network)) => {
                let whole = usize::from(network.prefix_len() / 16);
                let groups = network.network().segments();
                let written = groups.iter().take(whole.min(7)).take_while(|group| **group != 0);
                written.map(|group| format!("{group:x}")).collect()
            }
        };
        let (separator, next) = if matches!(self, Self::Network(IpNet::V4(_))) { (".", "/") } else { (":", ";") };
        let prefix = groups.join(separator);
        (!prefix.is_empty()).then(|| (format!("{prefix}{separator}"), format!("{prefix}{next}")))
    }
}

/// Counts bans into a summary.
#[derive(Debug, Default)]
pub struct Tally {
    summary: BanSummary,
    /// Keyed hashes of the different subjects: 16 bytes each, and a collision among a million in one of tens of millions of
    /// cases.
    subjects: HashSet<u64>,
    by_jail: HashMap<String, u32>,
    by_host: HashMap<String, u32>,
    hash: RandomState,
}

impl Tally {
    /// Counts one ban.
    pub fn add(&mut self, at: Timestamp, host: &str, jail: &str, subject: &str) {
        let Self { summary, subjects, by_jail, by_host, hash } = self;
        summary.bans = summary.bans.saturating_add(1);
        subjects.insert(hash.hash_one(subject));
        summary.first = Some(summary.first.map_or(at, |first| first.min(at)));
        summary.last = Some(summary.last.map_or(at, |last| last.max(at)));
        count(by_jail, jail);
        count(by_host, host);
    }

    /// Returns the summary of the counted bans.
    #[must_use]
    pub fn finish(self) -> BanSummary {
        let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        BanSummary {
            subjects: number(self.subjects.len()),
            hosts: number(self.by_host.len()),
            jails: number(self.by_jail.len()),
            by_jail: ranked(self.by_jail),
            by_host: ranked(self.by_host),
            ..self.summary
        }
    }
}

fn count(bans_by_name: &mut HashMap<String, u32>, name: &str) {
    match bans_by_name.get_mut(name) {
        Some(bans) => *bans = bans.saturating_add(1),
        None => {
            bans_by_name.insert(name.to_owned(), 1);
        }
    }
}

/// Returns the names with most bans.
fn ranked(bans_by_name: HashMap<String, u32>) -> Vec<(String, u32)> {
    let mut ranked: Vec<_> = bans_by_name.into_iter().collect();
    ranked.sort_by(|(a, more), (b, fewer)| fewer.cmp(more).then_with(|| a.cmp(b)));
    ranked.truncate(LISTED);
    ranked
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
    use crate::event::{Ban, TEST_SUBJECT};

    fn ban(at: i64, host: &str, jail: &str, subject: &str) -> PastBan {
        PastBan { at: Timestamp(at), host: host.to_owned(), jail: jail.to_owned(), subject: subject.to_owned() }
    }

    #[test]
    fn of_keeps_new_bans_that_are_no_test() {
        let event = |subject: &str, restored| Event {
            id: String::new(),
            at: Timestamp(1),
            host: "a".to_owned(),
            jail: "sshd".to_owned(),
            details: EventDetails::Ban(Ban { subject: subject.to_owned(), restored, ..Ban::default() }),
            labels: std::collections::BTreeMap::new(),
        };
        assert_eq!(PastBan::of(&event("x", false)), Some(ban(1, "a", "sshd", "x")));
        assert_eq!(PastBan::of(&event("x", true)), None);
        assert_eq!(PastBan::of(&event(&format!("{TEST_SUBJECT}1"), false)), None);
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
            jails: 2,
            by_jail: listed(&[("sshd", 2), ("nginx", 1)]),
            by_host: listed(&[("a", 2), ("b", 1)]),
        };
        assert_eq!(BanSummary::of(&bans, &up_to(30)), summary);
        for (query, found) in [
            (BanQuery { subject: Some(SubjectQuery::Exact("x".into())), ..up_to(100) }, 3),
            (BanQuery { jail: Some("sshd".into()), ..up_to(100) }, 2),
            (BanQuery { host: Some("b".into()), ..up_to(100) }, 1),
            (BanQuery { since: Some(Timestamp(20)), ..up_to(30) }, 2),
            (
                BanQuery {
                    subject: Some(SubjectQuery::Exact("x".into())),
                    jail: Some("sshd".into()),
                    host: Some("a".into()),
                    ..up_to(30)
                },
                1,
            ),
            (BanQuery { subject: Some(SubjectQuery::Exact(String::new())), ..up_to(100) }, 0),
        ] {
            assert_eq!(BanSummary::of(&bans, &query).bans, found, "{query:?}");
        }
        assert_eq!(BanSummary::of(&bans, &up_to(9)), BanSummary::default());
    }

    #[test]
    fn subject_query_of_a_network_matches_what_is_in_it_and_in_its_range() {
        for (network, range, inside, outside) in [
            (
                "203.0.113.0/24",
                Some("203.0.113."),
                &["203.0.113.7", "203.0.113.64/26", "203.0.113.0/24"][..],
                &["203.0.112.7", "203.0.0.0/16", "::ffff:203.0.113.7", "203.0.113.7.example", "user bob", ""][..],
            ),
            ("203.0.112.0/20", Some("203.0."), &["203.0.113.7", "203.0.127.255"], &["203.0.128.0"]),
            ("0.0.0.0/0", None, &["203.0.113.7"], &["::1"]),
            ("203.0.113.7/32", Some("203.0.113."), &["203.0.113.7"], &["203.0.113.8"]),
            ("2001:db8::/32", Some("2001:db8:"), &["2001:db8::7", "2001:db8:1::/48"], &["2001:db9::7"]),
            ("2001:0:0:1::/64", Some("2001:"), &["2001:0:0:1::7", "2001::1:a:b:c:d"], &["2001::7"]),
            ("::/0", None, &["2001:db8::7"], &["203.0.113.7"]),
        ] {
            let query = SubjectQuery::Network(network.parse().unwrap());
            let found = query.text_range();
            assert_eq!(found.as_ref().map(|(from, _)| from.as_str()), range, "{network}");
            for subject in inside {
                assert!(query.matches(subject), "{network} {subject}");
                let in_range = |(from, to): &(String, String)| from.as_str() <= *subject && *subject < to.as_str();
                assert!(found.as_ref().is_none_or(in_range), "{network} {subject} {found:?}");
            }
            assert!(outside.iter().all(|subject| !query.matches(subject)), "{network}");
        }
    }

    #[test]
    fn of_lists_a_bounded_number_of_jails() {
        let bans: Vec<_> = (0..50).map(|n| ban(n, "a", &format!("jail-{n:02}"), "x")).collect();
        let summary = BanSummary::of(&bans, &BanQuery { until: Timestamp(100), ..BanQuery::default() });
        assert_eq!((summary.bans, summary.jails, summary.by_jail.len()), (50, 50, LISTED));
        assert_eq!(summary.by_jail[0], ("jail-00".to_owned(), 1));
    }
}

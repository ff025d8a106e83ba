//! Batches: the events of a digest, with totals.
//!
//! The store reads batches; plugins and the built-in digest format them. Totals count all events of a batch, however many
//! there are, the unlisted ones included.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::event::{Event, Kind};
use super::timestamp::Timestamp;

/// How many events a batch lists at most: its first and its last ones, as `wit/exports.wit` promises.
pub const LISTED_FIRST: usize = 50;
/// See [`LISTED_FIRST`].
pub const LISTED_LAST: usize = 50;

/// The most rows of a tally.
pub const ROWS: usize = 20;

/// The label by which plugins know the digest of a storm that is over.
pub const STORM_LABEL: &str = "storm";
/// Its value.
pub const STORM_OVER: &str = "over";

/// Why events are grouped into a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DigestCause {
    /// The plugin decided to hold them.
    Held,
    /// More messages than the route's `storm` lets through one by one.
    Storm,
    /// More pending messages than the webhook takes in a minute.
    Backlog,
    /// Starts, stops, flushes and restored bans, as a restart of fail2ban or of a jail causes them.
    Restart,
    /// fail2ban, or a jail, was stopped.
    Stop,
    /// Bans, or unbans, of one subject, on several hosts or in several jails.
    SameSubject,
    /// What [`DigestCause::Restart`] groups, of several hosts. Only the host's: in a batch they are one of its causes.
    #[serde(skip)]
    Restarts,
    /// Unbans that are held in case a stop follows. Only the host's: in a batch they are [`DigestCause::Other`].
    #[serde(skip)]
    Unbans,
    /// None of these.
    Other,
}

impl DigestCause {
    const ALL: [Self; 9] = [
        Self::Held,
        Self::Storm,
        Self::Backlog,
        Self::Restart,
        Self::Stop,
        Self::SameSubject,
        Self::Restarts,
        Self::Unbans,
        Self::Other,
    ];

    /// Returns the word for it in the store and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Storm => "storm",
            Self::Backlog => "backlog",
            Self::Restart => "restart",
            Self::Stop => "stop",
            Self::SameSubject => "same_subject",
            Self::Restarts => "restarts",
            Self::Unbans => "unbans",
            Self::Other => "other",
        }
    }

    /// Returns the cause that a word stands for.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == word)
    }
}

/// The events of a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The key that the plugin chose. `None`: the host grouped the events.
    pub key: Option<String>,
    /// Why the events are grouped.
    pub cause: DigestCause,
    /// Whether an earlier message is about the first events of this kind, which are not in the batch.
    pub continues: bool,
    /// Time of the earliest event.
    pub first: Timestamp,
    /// Time of the latest event.
    pub last: Timestamp,
    /// Over all of them.
    pub totals: Totals,
    /// The first [`LISTED_FIRST`] and the last [`LISTED_LAST`], in order.
    pub events: Vec<Event>,
    /// Whether these are all events of a storm that is over; always false where its message cannot be changed.
    pub over: bool,
    /// Facts without a field of their own.
    pub labels: BTreeMap<String, String>,
}

/// Counts over a batch. Tallies: most events first, then by name, numbers in it as numbers; at most [`ROWS`] each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Totals {
    /// All events.
    pub events: u32,
    /// Jails started.
    pub starts: u32,
    /// Jails stopped.
    pub stops: u32,
    /// Jails flushed.
    pub flushes: u32,
    /// Bans, restored ones included.
    pub bans: u32,
    /// Of these, the restored ones.
    pub restored: u32,
    /// Unbans.
    pub unbans: u32,
    /// Bans that were made longer.
    pub prolongs: u32,
    /// How many different subjects.
    pub subjects: u32,
    /// How many different jails.
    pub jails: u32,
    /// How many different hosts.
    pub hosts: u32,
    /// By jail.
    pub by_jail: Vec<Row>,
    /// By host.
    pub by_host: Vec<Row>,
    /// By subject; those without one are not listed.
    pub by_subject: Vec<Row>,
    /// How many different tags.
    pub tags: u32,
    /// By tag; an event counts for each of its tags.
    pub by_tag: Vec<Row>,
}

/// One row of a tally. Plugins are given the first three.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    /// The jail, host, subject or tag.
    pub name: String,
    /// Its events.
    pub events: u32,
    /// Of these, bans, restored ones included.
    pub bans: u32,
    /// Of these, the restored ones.
    pub restored: u32,
    /// Of the events, unbans.
    pub unbans: u32,
}

/// What is counted of an event.
#[derive(Debug, Clone, Copy)]
pub struct Counted<'a> {
    /// Its kind.
    pub kind: Kind,
    /// Whether it is an old ban, restored after a restart.
    pub restored: bool,
    /// The host.
    pub host: &'a str,
    /// The jail.
    pub jail: &'a str,
    /// Who was banned; empty: nobody, or unknown.
    pub subject: &'a str,
    /// The tags that the plugin gave it.
    pub tags: &'a [String],
}

impl<'a> From<&'a Event> for Counted<'a> {
    fn from(event: &'a Event) -> Self {
        let ban = event.ban();
        Self {
            kind: event.kind(),
            restored: ban.is_some_and(|ban| ban.restored),
            host: &event.host,
            jail: &event.jail,
            subject: ban.map_or("", |ban| &ban.subject),
            tags: &[],
        }
    }
}

/// Counts events into [`Totals`]. Memory grows with the different jails, hosts and subjects.
#[derive(Debug, Default)]
pub struct Counter {
    totals: Totals,
    by_jail: Counts,
    by_host: Counts,
    by_subject: Counts,
    by_tag: Counts,
}

/// The rows of a tally, whose names stay empty until the end.
type Counts = HashMap<String, Row>;

impl Counter {
    /// Counts one event.
    pub fn add(&mut self, event: Counted<'_>) {
        let totals = &mut self.totals;
        totals.events = totals.events.saturating_add(1);
        let of_kind = match event.kind {
            Kind::Start => &mut totals.starts,
            Kind::Stop => &mut totals.stops,
            Kind::Flush => &mut totals.flushes,
            Kind::Ban => &mut totals.bans,
            Kind::Unban => &mut totals.unbans,
            Kind::Prolong => &mut totals.prolongs,
        };
        *of_kind = of_kind.saturating_add(1);
        if event.kind == Kind::Ban && event.restored {
            totals.restored = totals.restored.saturating_add(1);
        }
        count(&mut self.by_jail, event.jail, &event);
        count(&mut self.by_host, event.host, &event);
        if !event.subject.is_empty() {
            count(&mut self.by_subject, event.subject, &event);
        }
        for (index, tag) in event.tags.iter().enumerate() {
            if event.tags.iter().take(index).all(|before| before != tag) {
                count(&mut self.by_tag, tag, &event);
            }
        }
    }

    /// Returns the counts.
    #[must_use]
    pub fn finish(self) -> Totals {
        let different = |counts: &Counts| u32::try_from(counts.len()).unwrap_or(u32::MAX);
        Totals {
            subjects: different(&self.by_subject),
            jails: different(&self.by_jail),
            hosts: different(&self.by_host),
            by_jail: rows(self.by_jail),
            by_host: rows(self.by_host),
            by_subject: rows(self.by_subject),
            tags: different(&self.by_tag),
            by_tag: rows(self.by_tag),
            ..self.totals
        }
    }
}

fn count(counts: &mut Counts, name: &str, event: &Counted<'_>) {
    if !counts.contains_key(name) {
        counts.insert(name.to_owned(), Row::default());
    }
    let Some(row) = counts.get_mut(name) else { return };
    let ban = event.kind == Kind::Ban;
    for (number, counted) in [
        (&mut row.events, true),
        (&mut row.bans, ban),
        (&mut row.restored, ban && event.restored),
        (&mut row.unbans, event.kind == Kind::Unban),
    ] {
        *number = number.saturating_add(u32::from(counted));
    }
}

fn rows(counts: Counts) -> Vec<Row> {
    let mut rows: Vec<Row> = counts.into_iter().map(|(name, row)| Row { name, ..row }).collect();
    let order = |a: &Row, b: &Row| b.events.cmp(&a.events).then_with(|| natural(&a.name, &b.name));
    if rows.len() > ROWS {
        rows.select_nth_unstable_by(ROWS, order);
        rows.truncate(ROWS);
    }
    rows.sort_unstable_by(order);
    rows
}

/// Compares names as a reader orders them: `jail-7` before `jail-10`.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.as_bytes(), b.as_bytes());
    loop {
        match (number(left), number(right)) {
            (Some((one, rest)), Some((other, other_rest))) => match one.len().cmp(&other.len()).then(one.cmp(other)) {
                Ordering::Equal => (left, right) = (rest, other_rest),
                different => return different,
            },
            _ => match (left.split_first(), right.split_first()) {
                (Some((one, rest)), Some((other, other_rest))) if one == other => (left, right) = (rest, other_rest),
                // `01` and `1` are the same number, and not the same name.
                (None, None) => return a.cmp(b),
                _ => return left.cmp(right),
            },
        }
    }
}

/// Splits off the digits at the beginning, without leading zeros.
fn number(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (digits, rest) = text.split_at_checked(text.iter().take_while(|byte| byte.is_ascii_digit()).count())?;
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    Some((digits.get(zeros..)?, rest)).filter(|_| !digits.is_empty())
}

impl Batch {
    /// Returns the batch of these events, in the order in which they were received.
    #[must_use]
    pub fn of(events: &[Event], cause: DigestCause, key: Option<String>) -> Self {
        Self::tagged(events, &[], cause, key)
    }

    /// Returns the same without what says whom it is about: subjects, log lines, and the key, which a plugin may have made of
    /// them. Counts stay.
    #[must_use]
    pub fn redacted(&self) -> Self {
        let totals = Totals { by_subject: Vec::new(), by_tag: Vec::new(), ..self.totals.clone() };
        let events = self.events.iter().map(Event::redacted).collect();
        Self { key: None, totals, events, ..self.clone() }
    }

    /// Returns the same with tags, those of the first event first.
    #[must_use]
    pub fn tagged(events: &[Event], tags: &[Vec<String>], cause: DigestCause, key: Option<String>) -> Self {
        let mut counter = Counter::default();
        for (index, event) in events.iter().enumerate() {
            counter.add(Counted { tags: tags.get(index).map_or(&[], Vec::as_slice), ..event.into() });
        }
        let times = || events.iter().map(|event| event.at);
        let listed = if events.len() <= LISTED_FIRST + LISTED_LAST {
            events.to_vec()
        } else {
            let (first, last) = (events.iter().take(LISTED_FIRST), events.iter().skip(events.len() - LISTED_LAST));
            first.chain(last).cloned().collect()
        };
        Self {
            key,
            cause,
            continues: false,
            first: times().min().unwrap_or_default(),
            last: times().max().unwrap_or_default(),
            totals: counter.finish(),
            events: listed,
            over: false,
            labels: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Ban, EventDetails};

    fn event(n: usize, jail: &str, details: EventDetails) -> Event {
        Event {
            id: n.to_string(),
            at: Timestamp(i64::try_from(n).unwrap()),
            host: "web-1".into(),
            jail: jail.into(),
            details,
            labels: BTreeMap::new(),
        }
    }

    fn ban(subject: &str, restored: bool) -> EventDetails {
        EventDetails::Ban(Ban { subject: subject.into(), restored, ..Ban::default() })
    }

    #[test]
    fn totals_count_every_kind_and_rank_by_number() {
        let events = [
            event(5, "nginx", EventDetails::Start),
            event(3, "sshd", EventDetails::Stop),
            event(4, "sshd", ban("b", false)),
            event(7, "sshd", ban("a", true)),
            event(6, "sshd", EventDetails::Unban(Ban { subject: "a".into(), ..Ban::default() })),
            event(8, "nginx", EventDetails::Flush),
            event(9, "web", ban("", false)),
        ];
        let batch = Batch::of(&events, DigestCause::Restart, None);
        assert_eq!((batch.first, batch.last), (Timestamp(3), Timestamp(9)));
        let totals = batch.totals;
        assert_eq!(
            (totals.events, totals.starts, totals.stops, totals.flushes, totals.bans, totals.restored, totals.unbans),
            (7, 1, 1, 1, 3, 1, 1)
        );
        assert_eq!((totals.subjects, totals.jails, totals.hosts), (2, 3, 1));
        let row =
            |name: &str, events, bans, restored, unbans| Row { name: name.into(), events, bans, restored, unbans };
        assert_eq!(totals.by_jail, [row("sshd", 4, 2, 1, 1), row("nginx", 2, 0, 0, 0), row("web", 1, 1, 0, 0)]);
        assert_eq!(totals.by_subject, [row("a", 2, 1, 1, 1), row("b", 1, 1, 0, 0)]);
        assert_eq!(totals.by_host, [row("web-1", 7, 3, 1, 1)]);
    }

    #[test]
    fn tags_of_an_event_count_once_each() {
        let events = [event(1, "sshd", ban("a", false)), event(2, "sshd", ban("b", true))];
        let tags = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>();
        let tags = [tags(&["DE", "ops", "DE"]), tags(&["DE"])];
        let totals = Batch::tagged(&events, &tags, DigestCause::Held, None).totals;
        let row = |name: &str, events, restored| Row { name: name.into(), events, bans: events, restored, unbans: 0 };
        assert_eq!((totals.tags, totals.by_tag), (2, vec![row("DE", 2, 1), row("ops", 1, 0)]));
    }

    #[test]
    fn natural_order_compares_numbers_by_value() {
        let mut names = [
            "jail-10",
            "jail-7",
            "jail-07",
            "a",
            "",
            "jail-7b",
            "203.0.113.9",
            "203.0.113.10",
            "jail",
            "99999999999999999999",
            "é",
        ];
        names.sort_unstable_by(|a, b| natural(a, b));
        assert_eq!(
            names,
            [
                "",
                "203.0.113.9",
                "203.0.113.10",
                "99999999999999999999",
                "a",
                "jail",
                "jail-07",
                "jail-7",
                "jail-7b",
                "jail-10",
                "é"
            ]
        );
    }

    #[test]
    fn tally_of_ties_is_in_natural_order() {
        let events: Vec<_> =
            (0..30).map(|n| event(n, &format!("jail-{n}"), ban(&format!("203.0.113.{n}"), false))).collect();
        let totals = Batch::of(&events, DigestCause::Storm, None).totals;
        let names = |rows: &[Row]| rows.iter().map(|row| row.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&totals.by_jail), (0..20).map(|n| format!("jail-{n}")).collect::<Vec<_>>());
        assert_eq!(names(&totals.by_subject), (0..20).map(|n| format!("203.0.113.{n}")).collect::<Vec<_>>());
    }

    #[test]
    fn many_events_are_counted_in_full_and_listed_in_part() {
        let events: Vec<_> = (0..250).map(|n| event(n, &format!("jail-{n}"), ban(&n.to_string(), false))).collect();
        let batch = Batch::of(&events, DigestCause::Storm, None);
        assert_eq!((batch.totals.events, batch.totals.jails, batch.totals.by_jail.len()), (250, 250, ROWS));
        let ids: Vec<_> = batch.events.iter().map(|event| event.id.as_str()).collect();
        assert_eq!((ids.len(), ids[0], ids[49], ids[50], ids[99]), (100, "0", "49", "200", "249"));
    }
}

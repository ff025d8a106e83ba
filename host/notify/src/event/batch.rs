//! Batches: the events of a digest, with totals.
//!
//! The store reads batches; plugins and the built-in digest format them. Totals count all events of a batch, however many
//! there are, the unlisted ones included.

use std::collections::BTreeMap;

use super::digest_cause::DigestCause;
use super::event::Event;
use super::timestamp::Timestamp;
use super::totals::{Counted, Counter, Totals};

/// How many events a batch lists at most: its first and its last ones, as `wit/exports.wit` promises.
pub const LISTED_FIRST: usize = 50;
/// See [`LISTED_FIRST`].
pub const LISTED_LAST: usize = 50;

/// The label by which plugins know the digest of a storm that is over.
pub const STORM_LABEL: &str = "storm";
/// Its value.
pub const STORM_OVER: &str = "over";

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
            totals: counter.totals(),
            events: listed,
            over: false,
            labels: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Ban, EventDetails, ROWS, Row};

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

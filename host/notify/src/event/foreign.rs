//! The values of events and batches that an attacker may have written.
//!
//! A message shows them as text, never as markup; `message` looks for them in what a plugin wrote. Both functions take
//! their type apart without `..`: a new field does not compile before somebody decides here whether it is foreign.

use super::ban::Ban;
use super::batch::Batch;
use super::event::{Event, EventDetails};
use super::totals::{Row, Totals};

impl Event {
    /// Returns every foreign value of the event, without empty ones.
    pub fn foreign_values(&self) -> impl Iterator<Item = &str> {
        // banhook makes the id; the administrator names labels, but not all that stands in them.
        let Self { id: _, at: _, host, jail, details, labels } = self;
        let ban = match details {
            EventDetails::Ban(ban) | EventDetails::Unban(ban) | EventDetails::Prolong(ban) => Some(ban),
            EventDetails::Start | EventDetails::Stop | EventDetails::Flush => None,
        };
        [jail.as_str(), host.as_str()]
            .into_iter()
            .chain(ban.into_iter().flat_map(Ban::foreign_values))
            .chain(labels.values().map(String::as_str))
            .filter(|value| !value.is_empty())
    }
}

impl Ban {
    fn foreign_values(&self) -> impl Iterator<Item = &str> {
        let Self { subject, failures: _, count: _, duration: _, restored: _, ticket_at: _, matches } = self;
        std::iter::once(subject.as_str()).chain(matches.iter().map(String::as_str))
    }
}

impl Batch {
    /// Returns every foreign value of the batch, without empty ones: those of the listed events, the names in the
    /// tallies, which belong to unlisted events as well, and the key and the tags, which a plugin usually makes of such
    /// names.
    pub fn foreign_values(&self) -> impl Iterator<Item = &str> {
        let Self { key, cause: _, continues: _, first: _, last: _, totals, events, over: _, labels } = self;
        let rest = totals.foreign_values().chain(key.as_deref()).chain(labels.values().map(String::as_str));
        events.iter().flat_map(Event::foreign_values).chain(rest.filter(|value| !value.is_empty()))
    }
}

impl Totals {
    fn foreign_values(&self) -> impl Iterator<Item = &str> {
        let Self {
            events: _,
            starts: _,
            stops: _,
            flushes: _,
            bans: _,
            restored: _,
            unbans: _,
            prolongs: _,
            subjects: _,
            jails: _,
            hosts: _,
            by_jail,
            by_host,
            by_subject,
            tags: _,
            by_tag,
        } = self;
        [by_jail, by_host, by_subject, by_tag].into_iter().flatten().map(Row::foreign_value)
    }
}

impl Row {
    fn foreign_value(&self) -> &str {
        let Self { name, events: _, bans: _, restored: _, unbans: _ } = self;
        name
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::event::{Ban, Batch, DigestCause, Event, EventDetails, Timestamp};

    fn event(details: EventDetails) -> Event {
        let labels = BTreeMap::from([("name".to_owned(), "label".to_owned()), ("none".to_owned(), String::new())]);
        let (id, host, jail) = ("id".to_owned(), "host".to_owned(), "jail".to_owned());
        Event { id, at: Timestamp(0), host, jail, details, labels }
    }

    fn ban() -> Ban {
        Ban { subject: "subject".to_owned(), matches: vec!["match".to_owned(), String::new()], ..Ban::default() }
    }

    fn sorted<'v>(values: impl Iterator<Item = &'v str>) -> Vec<&'v str> {
        let mut values: Vec<_> = values.collect();
        values.sort_unstable();
        values.dedup();
        values
    }

    #[test]
    fn event_values_are_all_texts_but_the_id() {
        for (details, expected) in [
            (EventDetails::Flush, &["host", "jail", "label"][..]),
            (EventDetails::Ban(ban()), &["host", "jail", "label", "match", "subject"]),
            (EventDetails::Unban(ban()), &["host", "jail", "label", "match", "subject"]),
        ] {
            assert_eq!(sorted(event(details).foreign_values()), expected);
        }
    }

    #[test]
    fn batch_values_include_unlisted_names_the_key_and_labels() {
        let (events, tags) = ([event(EventDetails::Ban(ban()))], [vec!["tag".to_owned()]]);
        let mut batch = Batch::tagged(&events, &tags, DigestCause::Held, Some("key".to_owned()));
        batch.events.clear();
        batch.labels.insert("name".to_owned(), "batch label".to_owned());
        assert_eq!(sorted(batch.foreign_values()), ["batch label", "host", "jail", "key", "subject", "tag"]);
    }
}

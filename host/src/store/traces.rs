//! What is to be forgotten, an address or another text, and where it is in texts and events.

use std::net::IpAddr;

use rusqlite::Transaction;
use rusqlite::types::{Value, ValueRef};

use crate::event::{Event, EventDetails};

/// What stands in place of what was forgotten.
pub(super) const FORGOTTEN: &str = "[forgotten]";

/// What is to be forgotten, wherever it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Traces {
    /// An address, in every form.
    Address(IpAddr),
    /// Another text: a user, a host name.
    Text(String),
}

impl Traces {
    /// Returns what a person named.
    pub(crate) fn parse(text: &str) -> Self {
        text.parse::<IpAddr>()
            .map_or_else(|_| Self::Text(text.to_owned()), |address| Self::Address(address.to_canonical()))
    }

    /// Returns whether a subject is this one.
    fn is(&self, subject: &str) -> bool {
        Self::parse(subject) == *self
    }

    /// Returns whether a text has it.
    pub(crate) fn are_in(&self, text: &str) -> bool {
        self.next_in(text).is_some()
    }

    /// Returns a text without it.
    fn removed_from(&self, mut text: &str) -> String {
        let mut without = String::with_capacity(text.len());
        while let Some((begin, end)) = self.next_in(text) {
            without.push_str(text.get(..begin).unwrap_or_default());
            without.push_str(FORGOTTEN);
            text = text.get(end..).unwrap_or_default();
        }
        without + text
    }

    /// Returns where it is next: not within a longer word or address.
    fn next_in(&self, text: &str) -> Option<(usize, usize)> {
        match self {
            Self::Address(address) => next_address(text, *address),
            Self::Text(word) if word.is_empty() => None,
            Self::Text(word) => {
                text.match_indices(word.as_str()).map(|(at, _)| (at, at + word.len())).find(|(begin, end)| {
                    let before = text.get(..*begin).and_then(|before| before.chars().next_back());
                    let after = text.get(*end..).and_then(|after| after.chars().next());
                    let [first, last] = [word.chars().next(), word.chars().next_back()];
                    let joins = |a: Option<char>, b: Option<char>| {
                        [a, b].iter().all(|char| char.is_some_and(char::is_alphanumeric))
                    };
                    !joins(before, first) && !joins(last, after)
                })
            }
        }
    }

    /// Returns an event without it; `None`: the event has nothing of it. Of the subject's own events, all that was written
    /// about it goes. A jail or a host is no person.
    pub(super) fn blanked(&self, event: &Event) -> Option<Event> {
        let mut blanked = event.clone();
        if let EventDetails::Ban(ban) | EventDetails::Unban(ban) | EventDetails::Prolong(ban) = &mut blanked.details {
            if self.is(&ban.subject) || self.are_in(&ban.subject) {
                FORGOTTEN.clone_into(&mut ban.subject);
                ban.matches.clear();
            }
            ban.matches.iter_mut().for_each(|line| *line = self.removed_from(line));
        }
        blanked.labels.values_mut().for_each(|value| *value = self.removed_from(value));
        (blanked != *event).then_some(blanked)
    }
}

/// Returns where an address is next, in whatever form; a port or a full stop may follow.
fn next_address(text: &str, address: IpAddr) -> Option<(usize, usize)> {
    let is_part = |char: char| char.is_ascii_hexdigit() || matches!(char, '.' | ':');
    let mut at = 0;
    while let Some(begin) = text.get(at..)?.find(is_part).map(|offset| at + offset) {
        let length = text.get(begin..)?.find(|char| !is_part(char));
        at = length.map_or(text.len(), |length| begin + length);
        // Letters may touch it: `a203.0.113.7`.
        let is_after_alphabetic = |start: &usize| text.as_bytes().get(start - 1).is_some_and(u8::is_ascii_alphabetic);
        for start in (begin..at).filter(|start| *start == begin || is_after_alphabetic(start)) {
            let bare = text.get(start..at)?.trim_end_matches(['.', ':']);
            let host = bare.rsplit_once(':').map_or(bare, |(host, _)| host);
            let is_it = |form: &&&str| form.parse::<IpAddr>().is_ok_and(|found| found.to_canonical() == address);
            if let Some(form) = [&bare, &host].into_iter().find(is_it) {
                return Some((start, start + form.len()));
            }
        }
    }
    None
}

/// An event that has what is to be forgotten.
pub(super) struct Traced {
    pub seq: i64,
    pub jail: String,
    pub at: i64,
    /// What is left of it; `None`: it is damaged.
    pub blanked: Option<Event>,
}

/// Replaces the texts that `has` accepts. `select` reads the keys of rows and their texts, `update` changes the row with a key.
/// Returns how many rows these were.
pub(super) fn blank_texts(
    transaction: &Transaction<'_>,
    (select, update): (&str, &str),
    has: impl Fn(&str) -> bool,
) -> rusqlite::Result<usize> {
    let mut found: Vec<Value> = Vec::new();
    let mut statement = transaction.prepare(select)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (ValueRef::Text(text) | ValueRef::Blob(text)) = row.get_ref(1)? else { continue };
        if has(&String::from_utf8_lossy(text)) {
            found.push(row.get(0)?);
        }
    }
    let mut update = transaction.prepare(update)?;
    found.iter().try_for_each(|key| update.execute([key]).map(drop))?;
    Ok(found.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_of_an_address_are_found_in_every_form_and_in_no_other_address() {
        for (subject, text, expected) in [
            ("203.0.113.7", "from 203.0.113.7 port 22", "from [forgotten] port 22"),
            ("203.0.113.7", "203.0.113.7:22, 203.0.113.7.", "[forgotten]:22, [forgotten]."),
            ("203.0.113.7", "203.0.113.70 1203.0.113.7 203.0.113.7.8", "203.0.113.70 1203.0.113.7 203.0.113.7.8"),
            ("203.0.113.7", "::ffff:203.0.113.7 a203.0.113.7-x", "[forgotten] a[forgotten]-x"),
            ("::ffff:203.0.113.7", "rhost=203.0.113.7", "rhost=[forgotten]"),
            ("2001:db8::1", "[2001:DB8:0:0:0:0:0:1]:443 2001:db8::12", "[[forgotten]]:443 2001:db8::12"),
            ("bob", "user bob from; bobby; bob@x, robob", "user [forgotten] from; bobby; [forgotten]@x, robob"),
            ("é", "é éa", "[forgotten] éa"),
            ("a b", "xa b a b", "xa b [forgotten]"),
        ] {
            let traces = Traces::parse(subject);
            assert_eq!(traces.removed_from(text), expected);
            assert_eq!(traces.are_in(text), text != expected);
        }
        assert!(!Traces::parse("").are_in("any"));
    }
}

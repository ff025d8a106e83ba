//! Totals: what is counted over the events of a batch, and how it is counted.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::event::{Event, Kind};

/// The most rows of a tally.
pub const ROWS: usize = 20;

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

    /// Returns the counts so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let different = |counts: &Counts| u32::try_from(counts.len()).unwrap_or(u32::MAX);
        Totals {
            subjects: different(&self.by_subject),
            jails: different(&self.by_jail),
            hosts: different(&self.by_host),
            by_jail: rows(&self.by_jail),
            by_host: rows(&self.by_host),
            by_subject: rows(&self.by_subject),
            tags: different(&self.by_tag),
            by_tag: rows(&self.by_tag),
            ..self.totals.clone()
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

fn rows(counts: &Counts) -> Vec<Row> {
    let mut rows: Vec<(&String, &Row)> = counts.iter().collect();
    let order = |a: &(&String, &Row), b: &(&String, &Row)| b.1.events.cmp(&a.1.events).then_with(|| natural(a.0, b.0));
    if rows.len() > ROWS {
        rows.select_nth_unstable_by(ROWS, order);
        rows.truncate(ROWS);
    }
    rows.sort_unstable_by(order);
    rows.into_iter().map(|(name, row)| Row { name: name.clone(), ..row.clone() }).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

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
}

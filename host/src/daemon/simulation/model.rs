//! What must hold, from what was reported and what arrived alone.
//!
//! Each event has a mark of its own, which is in the text of its message. A digest says how many events it has, and its route
//! says of which they can be. So on each route, what has no message of its own has to be in digests.
//!
//! The text of an unban also has the mark of the ban that it lifts, before its own. In the channel of an app it changes the
//! message of that ban, or stands for both, and each digest of a storm changes the one before it to all that they are of.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::chats::Arrived;
use super::setup::{ROUTES, Setup};

/// The number of an event: its mark is `e17x`.
pub(super) type Number = u32;

#[derive(Default)]
pub(super) struct Model {
    /// The jails of what was acknowledged and is not routed yet.
    unrouted: BTreeMap<Number, String>,
    pub acknowledged: u64,
    /// By route, the events that it matched when they were routed.
    matched: BTreeMap<&'static str, BTreeSet<Number>>,
    /// Those that the plugin skips if it can.
    skippable: BTreeSet<Number>,
    /// The routes whose messages may have gone to where a ban and its end can be one message.
    conversing: BTreeSet<&'static str>,
}

/// What a message that arrived is.
#[derive(Debug, PartialEq, Eq)]
enum Content {
    /// About one event; and which others have marks in it.
    Event(Number, BTreeSet<Number>),
    /// Of so many events.
    Digest(usize),
}

impl Model {
    /// An event was acknowledged.
    pub(super) fn acknowledge(&mut self, number: Number, jail: &str) {
        self.acknowledged += 1;
        self.unrouted.insert(number, jail.to_owned());
        if jail.starts_with("~skip") {
            self.skippable.insert(number);
        }
    }

    /// All of them were routed, with this configuration.
    pub(super) fn route(&mut self, setup: &Setup) {
        self.conversing.extend(setup.routes_with_conversations());
        for (number, jail) in std::mem::take(&mut self.unrouted) {
            for ((name, patterns), _) in ROUTES.iter().zip(&setup.routes).filter(|(_, route)| route.exists) {
                let matches = |pattern: &&str| match pattern.strip_suffix('*') {
                    Some(prefix) => jail.starts_with(prefix),
                    None => jail == **pattern,
                };
                if patterns.iter().any(matches) {
                    self.matched.entry(name).or_default().insert(number);
                }
            }
        }
    }

    /// Checks that everything has arrived, on each route, and nothing more often than answers were lost. `detached`: messages
    /// that could not be changed may be of events of which there is another message. `counts`: how many events a route
    /// matched and its plugin skipped, as the ledger has it.
    pub(super) fn check(&self, arrived: &[Arrived], detached: bool, counts: impl Fn(&str) -> (u64, u64)) {
        assert_eq!(self.unrouted, BTreeMap::new());
        for (route, _) in ROUTES {
            let expected = self.matched.get(route).cloned().unwrap_or_default();
            // An event of which the sender does not know that it arrived may be sent again, alone or in a digest.
            let (mut single, mut digested, mut again) = (BTreeMap::new(), BTreeMap::new(), 0);
            let (mut own, mut named) = (BTreeSet::new(), BTreeSet::new());
            let mut shown = BTreeMap::new();
            for (place, message) in arrived.iter().enumerate().filter(|(_, message)| message.route == route) {
                let events = match content(&message.body) {
                    Content::Event(number, others) => {
                        assert!(expected.contains(&number), "{route} did not match e{number}x");
                        own.insert(number);
                        named.extend(others);
                        if message.changes.is_none() {
                            *single.entry(number).or_insert(0) += 1;
                        }
                        1
                    }
                    Content::Digest(events) => {
                        match message.changes {
                            None => digested.entry(message.id).or_insert((events, Vec::new())).1.push(events),
                            // Of all that the message has said, and of more.
                            Some(changed) => digested.entry(arrived[changed].id).or_default().0 = events,
                        }
                        events
                    }
                };
                let before = shown.insert(message.changes.unwrap_or(place), events);
                assert!(before.is_none_or(|before| before <= events), "{route}: {events} events after {before:?}");
                again += if message.known { 0 } else { events };
            }
            // What an unban says of its ban is all that there is of that if they were one message from the first.
            let may_merge = self.conversing.contains(route);
            let seen: BTreeSet<_> = match may_merge {
                true => own.union(&named).copied().filter(|number| expected.contains(number)).collect(),
                false => own.clone(),
            };
            let missing: BTreeSet<_> = expected.difference(&seen).copied().collect();
            let must = missing.difference(&self.skippable).count();
            let in_digests: usize = digested.values().map(|(events, _)| events).sum();
            assert!(
                in_digests >= must,
                "{route}: {must} events have no message, digests have {in_digests}: {missing:?}"
            );
            let repeated: usize = single.values().map(|count| count - 1).sum::<usize>()
                + digested.values().map(|(_, posted)| posted.iter().skip(1).sum::<usize>()).sum::<usize>();
            let (matched, skipped) = counts(route);
            let [matched, skipped] = [matched, skipped].map(|count| usize::try_from(count).unwrap());
            assert!(
                skipped <= expected.intersection(&self.skippable).count(),
                "{route}: {skipped} events were skipped"
            );
            if may_merge && detached {
                continue;
            }
            // The counts of a route that was removed go when its events do.
            if again == 0 && matched == expected.len() {
                let ends = own.len() + in_digests + skipped..=seen.len() + in_digests + skipped;
                assert!(ends.contains(&matched), "{route}: each event has one end: {matched} events, {ends:?}");
            }
            let without_own = expected.difference(&own).count();
            let too_many = (in_digests + repeated).saturating_sub(without_own);
            assert!(too_many <= again, "{route}: {too_many} events arrived twice, and of {again} no answer came");
        }
    }
}

/// The kinds of events in the headline of a digest, as `3 bans and 1 jail start`.
const KINDS: [&str; 6] = ["ban", "unban", "prolonged ban", "flush", "jail stop", "jail start"];

/// Reads a message as people do.
fn content(body: &str) -> Content {
    let mut text = String::new();
    read(&serde_json::from_str(body).unwrap(), &mut text);
    let text = text.replace(['*', '`'], "");
    // The plugin's, and the small print of those about fail2ban itself.
    for word in [" events (", " event (", " events · "] {
        if let Some(events) = number_before(&text, word) {
            return Content::Digest(events);
        }
    }
    let headline = text.split(" in ").next().unwrap().split(" on ").next().unwrap();
    let counts = headline.split([',', ':', '(']).flat_map(|part| part.split(" and "));
    let events: usize = counts.filter_map(|part| KINDS.iter().find_map(|kind| counted(part, kind))).sum();
    if events > 0 {
        return Content::Digest(events);
    }
    let numbers: BTreeSet<_> = marks(&text).collect();
    match numbers.iter().collect::<Vec<_>>()[..] {
        [number] | [_, number] => Content::Event(*number, numbers),
        _ => panic!("neither of one event nor a digest: {body}"),
    }
}

/// Collects the texts of a message.
fn read(value: &Value, text: &mut String) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| read(value, text)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str() {
                    // Two numbers are not one.
                    Some(value) if name == "text" => text.extend([value, "|"]),
                    _ => read(value, text),
                }
            }
        }
        _ => {}
    }
}

fn marks(text: &str) -> impl Iterator<Item = Number> {
    text.match_indices('e').filter_map(|(at, _)| text[at + 1..].split_once('x')?.0.parse().ok())
}

/// `12` of `…12 events…`
fn number_before(text: &str, word: &str) -> Option<usize> {
    let (before, _) = text.split_once(word)?;
    let digits = before.len() - before.bytes().rev().take_while(u8::is_ascii_digit).count();
    before[digits..].parse().ok()
}

/// `12` of `⛔ 12 more bans`
fn counted(part: &str, kind: &str) -> Option<usize> {
    let part = part.trim_start_matches(|c: char| !c.is_ascii_digit());
    let (number, noun) = part.trim_end_matches([' ', '|']).split_once(' ')?;
    let noun = noun.trim_start_matches("more ").trim_start_matches("restored ");
    let plural = ["", "s", "es"].iter().any(|ending| noun == format!("{kind}{ending}"));
    number.parse().ok().filter(|_| plural)
}

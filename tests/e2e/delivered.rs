//! Which events a list of messages contains. Each event has a jail of its own, which identifies it.

use std::collections::{BTreeMap, BTreeSet};

use crate::message::Message;
use crate::slack_app::Posted;
use crate::webhook::shown;

/// The events of all messages together.
pub struct Delivered {
    pub jails: BTreeSet<String>,
    /// How many of them are in digests.
    pub digested: usize,
    /// Messages that arrived again.
    pub repeated: usize,
}

impl Delivered {
    /// Fails if an event is in two messages, or if the count of a digest is not the number of its jails.
    #[track_caller]
    pub fn of(messages: &[Message]) -> Self {
        let (mut delivered, mut bodies) = (Self { jails: BTreeSet::new(), digested: 0, repeated: 0 }, BTreeMap::new());
        for message in messages {
            *bodies.entry(message.body()).or_insert(0) += 1;
            if bodies[message.body()] > 1 {
                delivered.repeated += 1;
                continue;
            }
            let jails = jails_of(message);
            match events_of(message) {
                Some(events) => {
                    assert_eq!(events, jails.len(), "{}", message.shown());
                    delivered.digested += events;
                }
                None => assert_eq!(jails.len(), 1, "{}", message.shown()),
            }
            for jail in jails {
                assert!(!delivered.jails.contains(&jail), "{jail} is in two messages: {:#?}", shown(messages));
                delivered.jails.insert(jail);
            }
        }
        delivered
    }

    /// The same of an app's channel: what its messages show now. One that arrived again is left as it was.
    #[track_caller]
    pub fn of_channel(channel: &[Posted]) -> Self {
        let first = |posted: &Posted| posted.versions[0].body().to_owned();
        let is_last =
            |(at, posted): &(usize, &Posted)| channel[at + 1..].iter().all(|later| first(later) != first(posted));
        let shown: Vec<_> =
            channel.iter().enumerate().filter(is_last).map(|(_, posted)| posted.shown().clone()).collect();
        Self { repeated: channel.len() - shown.len(), ..Self::of(&shown) }
    }
}

/// The number of events in a digest; `None` if the message is not a digest. A restart's is in its small print, any other's
/// is the sum of the headline: `⛔ 46 more bans (3 restored), 2 unbans and 1 jail start on …`, or `✅ Storm over: 46 more …`.
pub fn events_of(message: &Message) -> Option<usize> {
    let shown = message.shown();
    let count = |line: &str| -> Option<usize> {
        let (number, rest) = line.split_once(' ')?;
        rest.starts_with("event").then(|| number.parse().ok())?
    };
    if let Some(events) = shown.lines().find_map(count) {
        return Some(events);
    }
    let headline = shown.lines().next()?.replace("Storm over: ", "");
    let words: Vec<&str> = headline.split(' ').take_while(|word| *word != "on").collect();
    let events: Vec<usize> = words.iter().filter_map(|word| word.parse().ok()).collect();
    let is_digest = words.get(1)?.parse::<usize>().is_ok();
    is_digest.then(|| events.iter().sum())
}

/// The jail of an event.
pub fn jail(number: u32) -> String {
    format!("c{number:06}z")
}

/// All such jails in a message.
pub fn jails_of(message: &Message) -> BTreeSet<String> {
    let shown = message.shown();
    let is_name = |piece: &&str| {
        piece.len() == 8 && piece.starts_with('c') && piece.ends_with('z') && piece[1..7].parse::<u32>().is_ok()
    };
    shown.split(|c: char| !c.is_ascii_alphanumeric()).filter(is_name).map(str::to_owned).collect()
}

//! Which events messages tell: each has a jail of its own, by which it is found again.

use std::collections::{BTreeMap, BTreeSet};

use crate::message::Message;
use crate::webhook::shown;

/// What somebody was told by all messages together.
pub struct Delivered {
    pub jails: BTreeSet<String>,
    /// How many of these in digests.
    pub digested: usize,
    /// Messages that came once more.
    pub repeated: usize,
}

impl Delivered {
    /// Fails if an event is part of two messages, or a digest does not count what it names.
    #[track_caller]
    pub fn of(messages: &[Message]) -> Self {
        let (mut told, mut bodies) = (Self { jails: BTreeSet::new(), digested: 0, repeated: 0 }, BTreeMap::new());
        for message in messages {
            *bodies.entry(message.body()).or_insert(0) += 1;
            if bodies[message.body()] > 1 {
                told.repeated += 1;
                continue;
            }
            let jails = jails_of(message);
            match events_of(message) {
                Some(events) => {
                    assert_eq!(events, jails.len(), "{}", message.shown());
                    told.digested += events;
                }
                None => assert_eq!(jails.len(), 1, "{}", message.shown()),
            }
            for jail in jails {
                assert!(!told.jails.contains(&jail), "{jail} is in two messages: {:#?}", shown(messages));
                told.jails.insert(jail);
            }
        }
        told
    }
}

/// The number that a digest begins with; `None`: it is none.
pub fn events_of(message: &Message) -> Option<usize> {
    let (number, rest) = message.text().split_once(' ')?;
    rest.starts_with("event").then(|| number.parse().ok())?
}

/// A name that is found again.
pub fn jail(number: u32) -> String {
    format!("c{number:06}z")
}

/// All such names in a message.
pub fn jails_of(message: &Message) -> BTreeSet<String> {
    let shown = message.shown();
    let is_name = |piece: &&str| {
        piece.len() == 8 && piece.starts_with('c') && piece.ends_with('z') && piece[1..7].parse::<u32>().is_ok()
    };
    shown.split(|c: char| !c.is_ascii_alphanumeric()).filter(is_name).map(str::to_owned).collect()
}

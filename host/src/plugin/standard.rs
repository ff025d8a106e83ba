//! One standard event of each kind, for the smoke test of a plugin that is loaded: a plugin of the wrong shape is found
//! then, and not at the first ban. A plugin that formats digests also gets all of them as a batch.

use std::collections::BTreeMap;

use crate::event::{Ban, BanDuration, Event, EventDetails, Timestamp};

/// When the standard events happened: 2026-01-01T00:00:00Z.
const AT: Timestamp = Timestamp(1_767_225_600_000);

/// The key of the digest of all of them.
pub(super) const KEY: &str = "standard";

/// The standard events; addresses and names are those that RFC 5737 and RFC 2606 reserve for examples.
pub(crate) fn events() -> [Event; 6] {
    let ban = Ban {
        subject: "203.0.113.7".to_owned(),
        failures: Some(5),
        count: Some(1),
        duration: Some(BanDuration::Seconds(600)),
        restored: false,
        ticket_at: Some(AT),
        matches: Vec::new(),
    };
    [
        EventDetails::Start,
        EventDetails::Stop,
        EventDetails::Flush,
        EventDetails::Ban(ban.clone()),
        EventDetails::Unban(ban.clone()),
        EventDetails::Prolong(ban),
    ]
    .map(|details| {
        let mut event = Event {
            id: String::new(),
            at: AT,
            host: "host.example".to_owned(),
            jail: "standard".to_owned(),
            details,
            labels: BTreeMap::new(),
        };
        event.id = format!("standard-{}", event.kind().as_str());
        event
    })
}

//! The events of a history, and how two routes format them: each message says which events it has.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{Ban, DigestCause, Event, EventDetails, Timestamp};
use crate::fleet::shards::Shard;
use crate::message::{Target, fallback};
use crate::store::{Closes, DigestKey, Disposition, FormattedEvent, Store, StreamPosition};

/// Each has a webhook of its own. Some events of the second join digests.
pub(super) const ROUTES: [&str; 2] = ["a", "b"];

/// The stream's id.
pub(super) const STREAM: &str = "a stream";

/// Messages that a worker reads, and events that a route formats, in a turn.
pub(super) const AT_MOST: usize = 3;

/// Both are one shard: they may fall back to each other.
pub(super) fn shard() -> Shard {
    let names: BTreeSet<_> = ROUTES.iter().map(|name| (*name).to_owned()).collect();
    Shard { webhooks: names.clone(), routes: names, fingerprint: "f".to_owned() }
}

pub(super) fn place(sequence: u64) -> StreamPosition {
    StreamPosition { sequence, message_id: format!("id-{sequence}") }
}

pub(super) fn event(sequence: u64, routes: [bool; 2]) -> Event {
    let jail: String = (0..2).filter(|route| routes[*route]).map(|route| ROUTES[route]).collect();
    // The letters of the rest are in no route's name.
    let jail = format!("s{jail}");
    let ban = Ban { subject: format!("subject-{sequence}"), ..Ban::default() };
    Event {
        id: format!("id-{sequence}"),
        at: Timestamp(1),
        host: "web-1".to_owned(),
        jail,
        details: EventDetails::Ban(ban),
        labels: BTreeMap::new(),
    }
}

/// The routes and webhooks of an event.
pub(super) fn matched(event: &Event) -> Vec<(String, String)> {
    ROUTES.iter().filter(|route| event.jail.contains(**route)).map(|route| ((*route).into(), (*route).into())).collect()
}

/// What an event's message says: which one it is.
fn text(events: &[Event]) -> String {
    events.iter().map(|event| format!("number {} end ", event.id.trim_start_matches("id-"))).collect()
}

pub(super) fn numbers(body: &str) -> BTreeSet<u64> {
    body.split("number ").skip(1).filter_map(|rest| rest.split_once(" end")?.0.parse().ok()).collect()
}

/// A route formats some events. Every third one of the second route joins a digest.
pub(super) fn format(store: &mut Store, route: usize) {
    let unformatted = store.unformatted(ROUTES[route], AT_MOST).unwrap();
    let formatted: Vec<_> = unformatted
        .into_iter()
        .map(|unformatted| {
            let event = unformatted.event.unwrap();
            let number: u64 = event.id.trim_start_matches("id-").parse().unwrap();
            let body = fallback(&event, &text(std::slice::from_ref(&event)), Target::SLACK);
            let disposition = if route == 1 && number.is_multiple_of(3) {
                let (cause, closes) = (DigestCause::Storm, Closes::At(Timestamp(1)));
                Disposition::Digest(DigestKey { cause, key: String::new(), closes, merge_unbans: None })
            } else {
                Disposition::Send(body)
            };
            FormattedEvent::new(unformatted.seq, disposition)
        })
        .collect();
    store.record_formatted(ROUTES[route], None, &formatted, None, Timestamp(1)).unwrap();
}

/// Closes the digests of the second route.
pub(super) fn close(store: &mut Store) {
    for digest in store.digests_to_close(ROUTES[1], Timestamp(1), true).unwrap() {
        let batch = store.digest_batch(&digest, None, "web-1", |event| event).unwrap();
        let Some(first) = batch.events.first() else { continue };
        let body = fallback(first, &text(&batch.events), Target::SLACK);
        store.close_digest(digest.id, &body, true, Timestamp(1)).unwrap();
    }
}

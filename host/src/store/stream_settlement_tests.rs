//! What the store says is settled of a stream, and what it does by another worker's record.

use crate::event::{EventDetails, Timestamp};
use crate::store::fixture::{Fixture, accept, ban, event, fixture, join_storm, message, next_message, sec_ledger};
use crate::store::*;

/// Receives messages with these sequences, each an event of its own.
fn receive(store: &mut Store, sequences: &[u64]) {
    let message = |sequence: &u64| StreamMessage {
        position: StreamPosition { sequence: *sequence, message_id: format!("id-{sequence}") },
        event: Ok(crate::event::Event {
            id: format!("id-{sequence}"),
            ..event("sshd", EventDetails::Ban(ban(&format!("192.0.2.{sequence}"), None, false)))
        }),
    };
    store.append_stream("a", sequences.iter().map(message).collect(), Timestamp(2)).unwrap();
}

fn to(seq: i64, routes: &[&str]) -> RoutedTo {
    let to = routes.iter().map(|route| ((*route).to_owned(), "hook".to_owned())).collect();
    RoutedTo { seq, ban: None, to, quarantined: false }
}

fn format(store: &mut Store, route: &str, events: Vec<(i64, Disposition)>) {
    let formatted: Vec<_> =
        events.into_iter().map(|(seq, disposition)| FormattedEvent::new(seq, disposition)).collect();
    store.record_formatted(route, None, &formatted, None, Timestamp(3)).unwrap();
}

fn on(through: u64, pending: &[u64]) -> SettledOnRoute {
    SettledOnRoute { through, pending: pending.iter().copied().collect() }
}

fn progress(routed: u64, routes: &[(&str, SettledOnRoute)]) -> StreamProgress {
    let routes = routes.iter().map(|(name, route)| ((*name).to_owned(), route.clone())).collect();
    StreamProgress { routed, routes }
}

#[test]
fn settled_here_says_what_is_pending_on_each_route() {
    let mut fixture = fixture();
    let Fixture { store, inbox, .. } = &mut fixture;
    assert_eq!(store.settled_here("a").unwrap(), SettledHere::default());
    receive(inbox, &[10, 11, 13, 14, 15, 16, 20]);
    // An event of the worker's own fail2ban is in no stream.
    inbox.append(&event("sshd", EventDetails::Start), Timestamp(2)).unwrap();
    receive(inbox, &[21]);
    store
        .route_events(&[
            to(1, &["sec"]),
            to(2, &["sec", "ops"]),
            to(3, &["sec"]),
            to(4, &["ops"]),
            to(5, &["sec"]),
            to(6, &[]),
            to(7, &["sec"]),
            to(8, &["sec"]),
        ])
        .unwrap();
    // Posted, ready, skipped, in an open digest, not formatted; and on the other route, not formatted.
    let dispositions =
        vec![(1, Disposition::Send(message())), (2, Disposition::Send(message())), (3, Disposition::Skip("x".into()))];
    format(store, "sec", dispositions);
    accept(store, 1);
    format(store, "sec", vec![(5, join_storm(9))]);
    let SettledHere { progress: found, to_forget } = store.settled_here("a").unwrap();
    assert_eq!(found, progress(20, &[("ops", on(20, &[11, 14])), ("sec", on(20, &[11, 15, 20]))]));
    assert_eq!(to_forget, [10, 13, 16]);
    store.forget_receipts("a", &to_forget).unwrap();
    let again = store.settled_here("a").unwrap();
    assert_eq!((again.progress, again.to_forget), (found, vec![]), "receipts are forgotten once");
    let first = store.settled_among("a", 2).unwrap();
    assert_eq!(first.progress, progress(14, &[("ops", on(14, &[11, 14])), ("sec", on(14, &[11]))]));
    // A message that is published again is the event that is stored.
    receive(inbox, &[22]);
    inbox
        .append_stream(
            "a",
            vec![StreamMessage {
                position: StreamPosition { sequence: 23, message_id: String::new() },
                event: Ok(crate::event::Event {
                    id: "id-20".to_owned(),
                    ..event("sshd", EventDetails::Ban(ban("192.0.2.20", None, false)))
                }),
            }],
            Timestamp(3),
        )
        .unwrap();
    store.route_events(&[to(9, &[]), to(10, &[])]).unwrap();
    let found = store.settled_here("a").unwrap().progress;
    assert_eq!(found, progress(23, &[("ops", on(23, &[11, 14])), ("sec", on(23, &[11, 15, 20, 23]))]));
}

#[test]
fn settle_by_record_skips_what_it_says_and_nothing_else() {
    let mut fixture = fixture();
    let Fixture { store, inbox, .. } = &mut fixture;
    receive(inbox, &[1, 2, 3, 4, 5, 6, 7]);
    let all: Vec<_> = (1..=5).map(|seq| to(seq, &["sec"])).collect();
    store.route_events(&all).unwrap();
    // A message of its own, three in a digest that is closed, one that is not formatted, two that are not routed.
    let events = vec![(1, Disposition::Send(message())), (2, join_storm(9)), (3, join_storm(9)), (4, join_storm(9))];
    format(store, "sec", events);
    let digest = store.digests_to_close("sec", Timestamp(9), true).unwrap().remove(0);
    store.close_digest(digest.id, &message(), true, Timestamp(9)).unwrap();
    // It has settled all but 3 and 7, and knows nothing of another route.
    let record = progress(6, &[("sec", on(6, &[3]))]);
    assert_eq!(store.settle_by_record("a", &record).unwrap(), 4);
    assert_eq!(next_message(store), None, "what is left of the digest is formatted again");
    let counted = sec_ledger(store);
    assert_eq!((counted.matched, counted.skipped, counted.pending), (5, 4, 1));
    assert_eq!(store.unformatted("sec", 9).unwrap().iter().map(|event| event.seq).collect::<Vec<_>>(), [3]);
    assert_eq!(store.settle_by_record("a", &record).unwrap(), 0, "once");

    let mut before = SettledBefore::new("a".to_owned(), record);
    store.route_events_after(&[to(6, &["sec", "new"])], &mut before).unwrap();
    store.route_events_after(&[to(7, &["sec"])], &mut before).unwrap();
    let counted = sec_ledger(store);
    assert_eq!((counted.matched, counted.skipped, counted.pending), (7, 5, 2));
    assert_eq!(store.ledger().unwrap().routes["new"].pending, 1, "nothing is known of that route");
    let found = store.settled_here("a").unwrap().progress;
    assert_eq!(found, progress(7, &[("new", on(7, &[6])), ("sec", on(7, &[3, 7]))]));

    // There a message was rejected, and is to be sent after all.
    let revived = progress(7, &[("sec", on(7, &[2, 3]))]);
    assert_eq!(store.settle_by_record("a", &revived).unwrap(), 1);
    let found = store.settled_here("a").unwrap().progress;
    assert_eq!(found.routes["sec"], on(7, &[2, 3]));
    let counted = sec_ledger(store);
    assert_eq!((counted.matched, counted.skipped, counted.pending), (7, 5, 2));
}

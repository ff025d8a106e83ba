//! Retention: what is removed, what stays, and that the totals never change.

use std::time::{Duration, Instant};

use crate::event::{BanQuery, EventDetails, PastBan, Timestamp};
use crate::store::fixture::{
    Fixture, accept, append, ban, fixture, join_storm, message, receive_and_format, sec_ledger,
};
use crate::store::retention::Pruned;
use crate::store::*;

#[test]
fn prune_past_the_limits_removes_rows_and_keeps_totals() {
    let mut fixture = fixture();
    receive_and_format(&mut fixture, 10, (0..4).map(|_| Disposition::Send(message())).collect());
    receive_and_format(&mut fixture, 10, vec![join_storm(20), join_storm(20), Disposition::Skip("dull".into())]);
    append(&mut fixture.inbox, EventDetails::Ban(ban("1.2.3.4", Some(10), false)));
    let Fixture { store, inbox, .. } = &mut fixture;
    let unrouted = store.unrouted(1).unwrap().remove(0);
    let ban = PastBan::of(&unrouted.event.unwrap());
    store.route_events(&[RoutedTo { seq: unrouted.seq, ban, to: vec![], quarantined: false }]).unwrap();
    append(inbox, EventDetails::Stop);
    // Posted, dead, dropped, pending; digested twice; skipped; unmatched; unrouted.
    accept(store, 1);
    store.mark_dead(2, ("hook", &WebhookState::default()), (DeadReason::Rejected, "400"), None, Timestamp(30)).unwrap();
    store.drop_messages(&MessageSelector::Ids(vec![3]), Timestamp(30)).unwrap();
    let digest = store.digests_to_close("sec", Timestamp(20), false).unwrap().remove(0);
    store.close_digest(digest.id, &message(), true, Timestamp(21)).unwrap();
    accept(store, digest.id);
    let before = (store.ledger().unwrap(), sec_ledger(store));
    let keep = |events_since, max_events, dead_since, max_dead| RetentionLimits {
        events_since: Timestamp(events_since),
        max_events,
        dead_since: Timestamp(dead_since),
        max_dead,
    };
    let stored = |store: &Store| {
        let mut ids = Vec::new();
        store
            .export_events::<StoreError>(None, 99, |event| {
                ids.push(event.map(|event| event.id));
                Ok(())
            })
            .unwrap();
        ids.len()
    };
    assert_eq!(store.prune(&keep(2, 100, 30, 9), 0).unwrap(), Pruned::default(), "nothing is old");
    assert_eq!(stored(store), 9);
    // By age: pending, dead and unrouted events stay.
    assert_eq!(store.prune(&keep(3, 100, 30, 9), 0).unwrap().events, 6);
    assert_eq!((stored(store), (store.ledger().unwrap(), sec_ledger(store))), (3, before.clone()));
    assert_eq!(store.message(1).unwrap(), None);
    let everything = BanQuery { until: Timestamp(i64::MAX), ..BanQuery::default() };
    let scope = HistoryScope { may_see: &|_| true, before: 99, deadline: Instant::now() + Duration::from_secs(9) };
    assert_eq!(store.bans(&everything, &scope).unwrap().unwrap().bans, 0);
    // Dead messages have a limit of their own; once dropped, their events are removed like others.
    assert_eq!(store.prune(&keep(3, 100, 31, 9), 0).unwrap(), Pruned { events: 1, dead: 1, next_after: 0 });
    assert_eq!((stored(store), (store.ledger().unwrap(), sec_ledger(store))), (2, before.clone()));
    // By number; the newest stays, so that the inbox counts on.
    accept(store, 4);
    assert_eq!(store.prune(&keep(0, 1, 31, 9), 0).unwrap().events, 1);
    append(inbox, EventDetails::Flush);
    assert_eq!(store.ledger().unwrap().received, 10);
    assert_eq!(store.check_ledger().unwrap(), []);
}

#[test]
fn prune_unconfigured_removes_the_state_of_other_names() {
    let mut fixture = fixture();
    let store = &mut fixture.store;
    let state = |failures| PluginState {
        plugin: "sec.wasm".into(),
        sha256: Some("00".repeat(32)),
        version: Some("1.2.3".into()),
        since: Timestamp(5),
        failures,
        error: (failures > 0).then(|| "trapped".into()),
        paused_until: (failures > 1).then_some(Timestamp(7)),
    };
    for (route, failures) in [("sec", 0), ("ops", 1), ("sec", 2)] {
        store.record_plugin(route, &state(failures)).unwrap();
    }
    assert_eq!(store.plugins().unwrap(), [("ops".into(), state(1)), ("sec".into(), state(2))].into());
    let suspended = Some(Suspended { error: "404".into(), since: Timestamp(6), url_hash: "hash".into() });
    let state_of_a_suspended = WebhookState { suspended, ..WebhookState::default() };
    store.record_webhook("old", &state_of_a_suspended).unwrap();
    store.record_webhook("hook", &state_of_a_suspended).unwrap();
    store.prune_unconfigured(&["sec"], &["hook"]).unwrap();
    assert_eq!(store.plugins().unwrap(), [("sec".into(), state(2))].into());
    assert_eq!(store.suspended_webhooks().unwrap().into_keys().collect::<Vec<_>>(), ["hook"]);
}

#[test]
fn prune_unconfigured_removes_the_counts_of_a_route_after_its_last_event() {
    let mut fixture = fixture();
    receive_and_format(&mut fixture, 10, (0..3).map(|_| Disposition::Skip("dull".into())).collect());
    append(&mut fixture.inbox, EventDetails::Stop);
    let store = &mut fixture.store;
    store.route_events(&[RoutedTo { seq: 4, ban: None, to: vec![], quarantined: false }]).unwrap();
    let routes = |store: &Store| store.ledger().unwrap().routes.into_keys().collect::<Vec<_>>();
    store.prune_unconfigured(&["other"], &["hook"]).unwrap();
    assert_eq!(routes(store), ["sec"], "its events are stored");
    let keep = RetentionLimits { events_since: Timestamp(99), max_events: 99, dead_since: Timestamp(99), max_dead: 9 };
    assert_eq!(store.prune(&keep, 0).unwrap().events, 3);
    store.prune_unconfigured(&["sec"], &["hook"]).unwrap();
    assert_eq!(routes(store), ["sec"], "it is configured");
    store.prune_unconfigured(&["other"], &["hook"]).unwrap();
    assert_eq!(routes(store), [] as [&str; 0]);
    let ledger = store.ledger().unwrap();
    assert!(ledger.balances(), "{ledger:?}");
    assert_eq!((ledger.received, ledger.routed, store.check_ledger().unwrap()), (4, 3, vec![]));
}

//! Attempts that fail, messages that expire, and webhooks that are suspended.

use std::collections::BTreeMap;

use crate::event::Timestamp;
use crate::store::fixture::{begin_attempt, fixture, message, next_message, receive_and_format, sec_ledger};
use crate::store::*;

#[test]
fn record_failure_expired_messages_die_with_the_answer_and_can_be_retried() {
    let mut fixture = fixture();
    receive_and_format(&mut fixture, 10, (0..2).map(|_| Disposition::Send(message())).collect());
    let store = &mut fixture.store;
    let first = next_message(store).unwrap();
    assert!(begin_attempt(store, first.id));
    let fail = |store: &mut Store, before| {
        let expire_before = BTreeMap::from([("sec".to_owned(), Timestamp(before))]);
        let state = WebhookState { failures: 7, ..WebhookState::default() };
        let failure = FailedAttempt { failures: 1, expire_before, ..FailedAttempt::new(&state, "503") };
        store.record_failure(first.id, "hook", &failure, Timestamp(50)).unwrap().len()
    };
    assert_eq!(fail(store, 2), 0);
    assert_eq!((store.webhook("hook").unwrap().failures, next_message(store).unwrap().failures), (7, 1));
    assert_eq!(fail(store, 3), 2);
    assert_eq!(sec_ledger(store), RouteLedger { matched: 2, dead: 2, ..RouteLedger::default() });
    let messages = store.list_messages(false, true, 9).unwrap();
    assert_eq!(messages[0].error.as_deref(), Some("older than max_age; the webhook's last answer: 503"));
    assert_eq!(store.retry(&MessageSelector::Dead(Some("hook".into())), None, Timestamp(60)).unwrap().resent.len(), 2);
    assert_eq!(next_message(store).unwrap().age_starts_at, Timestamp(60), "or it would be too old at once");
    let (info, body) = store.message(first.id).unwrap().unwrap();
    assert_eq!((info.state, info.attempts, body), (MessageState::Ready, 1, Some(message().to_json_string())));
}

#[test]
fn remaining_of_a_suspended_webhook_is_work_once_it_is_probed_or_reassigned() {
    let mut fixture = fixture();
    receive_and_format(&mut fixture, 10, vec![Disposition::Send(message())]);
    let store = &mut fixture.store;
    let suspended = Suspended { error: "404 no_service".into(), since: Timestamp(20), url_hash: "hash".into() };
    let state = WebhookState { backoff_until: Timestamp(100), suspended: Some(suspended), ..WebhookState::default() };
    assert_eq!(store.remaining(Timestamp(50)).unwrap(), Remaining::Work);
    store.record_webhook("hook", &state).unwrap();
    assert_eq!(store.webhook("hook").unwrap(), state);
    assert_eq!(store.remaining(Timestamp(50)).unwrap(), Remaining::Suspended);
    assert_eq!(store.remaining(Timestamp(100)).unwrap(), Remaining::Work);
    assert!(!store.is_drained().unwrap());
    assert_eq!(store.reassign("sec", ("hook", "other"), None).unwrap(), 1);
    assert_eq!(store.pending_webhooks().unwrap(), ["other"]);
    assert_eq!(store.remaining(Timestamp(50)).unwrap(), Remaining::Work);
    assert_eq!(store.queues(Timestamp(50)).unwrap()["hook"].suspended_error.as_deref(), Some("404 no_service"));
}

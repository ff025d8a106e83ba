//! A damaged record is quarantined, the others go on, and no changed bit is silent.

use std::fs;
use std::ops::Range;

use crate::event::{Event, EventDetails, Timestamp};
use crate::store::fixture::{Fixture, append, ban, event, fixture, join_storm, message, receive_and_format, route_one};
use crate::store::*;

/// What a failing disk, or somebody with an editor, makes of a text.
const DAMAGES: [&str; 5] = ["CAST(X'7bff7d' AS TEXT)", "7", "1.5", "X'00'", "'{}'"];

fn execute(fixture: &Fixture, statement: &str) {
    rusqlite::Connection::open(fixture.folder.database()).unwrap().execute_batch(statement).unwrap();
}

fn send() -> Disposition {
    Disposition::Send(message())
}

#[test]
fn unrouted_damaged_event_is_quarantined_and_the_others_are_routed() {
    for damage in DAMAGES {
        for column in ["body", "subject", "at", "received_at", "kind", "counterpart", "checksum"] {
            let mut fixture = fixture();
            for number in 1..=3 {
                append(&mut fixture.inbox, EventDetails::Ban(ban(&format!("192.0.2.{number}"), Some(number), false)));
            }
            execute(&fixture, &format!("UPDATE events SET {column} = {damage} WHERE seq = 2"));
            let Fixture { store, inbox, .. } = &mut fixture;
            let unrouted = store.unrouted(9).unwrap();
            let quarantined: Vec<_> = unrouted.iter().map(|unrouted| unrouted.event.is_err()).collect();
            assert_eq!(quarantined, [false, true, false], "{column} = {damage}");
            let routed: Vec<_> = unrouted
                .iter()
                .map(|UnroutedEvent { seq, event, .. }| {
                    let to = event.iter().map(|_| ("sec".to_owned(), "hook".to_owned())).collect();
                    RoutedTo { seq: *seq, ban: None, to, quarantined: event.is_err() }
                })
                .collect();
            store.route_events(&routed).unwrap();
            let ledger = store.ledger().unwrap();
            assert!(ledger.balances(), "{ledger:?}");
            assert_eq!((ledger.quarantined, ledger.unmatched, ledger.routed, ledger.unrouted), (1, 0, 2, 0));
            assert_eq!(store.check_ledger().unwrap(), []);
            assert_eq!(store.damaged_records().unwrap(), ["event 2"]);
            // The next one of the same subject is stored.
            append(inbox, EventDetails::Ban(ban("192.0.2.2", Some(9), false)));
            assert_eq!(store.unrouted(9).unwrap().len(), 1);
        }
    }
}

#[test]
fn unformatted_damaged_event_says_so_and_leaves_a_digest() {
    for damage in DAMAGES {
        let mut fixture = fixture();
        receive_and_format(&mut fixture, 10, vec![join_storm(50), join_storm(50), join_storm(50)]);
        append(&mut fixture.inbox, EventDetails::Stop);
        let to = vec![("sec".to_owned(), "hook".to_owned())];
        fixture.store.route_events(&[RoutedTo { seq: 4, ban: None, to, quarantined: false }]).unwrap();
        execute(&fixture, &format!("UPDATE events SET body = {damage} WHERE seq IN (2, 4)"));
        execute(&fixture, &format!("UPDATE events SET jail = {damage} WHERE seq = 3"));
        let store = &mut fixture.store;
        assert!(store.unformatted("sec", 9).unwrap()[0].event.is_err(), "{damage}");
        let digest = store.digests_to_close("sec", Timestamp(50), false).unwrap().remove(0);
        let batch = store.digest_batch(&digest, None, "web-1", |event| event).unwrap();
        assert_eq!((batch.events.len(), batch.totals.starts), (1, 1), "{damage}");
        store.close_digest(digest.id, &message(), true, Timestamp(51)).unwrap();
        let ledger = store.ledger().unwrap();
        let sec = RouteLedger { matched: 4, dead: 2, pending: 2, ..RouteLedger::default() };
        assert_eq!(ledger.routes["sec"], sec, "{damage}");
        assert_eq!(store.check_ledger().unwrap(), []);
        assert!(store.next_in_order("hook", 0).unwrap().is_some(), "the digest of the other one");
    }
}

#[test]
fn next_in_order_damaged_message_is_dead_and_the_others_go_on() {
    for damage in DAMAGES {
        for column in ["body", "target", "route", "events", "attempts", "age_starts_at", "checksum"] {
            let mut fixture = fixture();
            receive_and_format(&mut fixture, 10, vec![send(), send(), send()]);
            execute(&fixture, &format!("UPDATE messages SET {column} = {damage} WHERE id = 2"));
            let store = &mut fixture.store;
            let sent: Vec<_> = (0..3).filter_map(|skip| store.next_in_order("hook", skip).unwrap()).collect();
            assert_eq!(sent.iter().map(|message| message.id).collect::<Vec<_>>()[..1], [1], "{column} = {damage}");
            let mut pending = vec![];
            while let Some(next) = store.next_in_order("hook", u32::try_from(pending.len()).unwrap()).unwrap() {
                pending.push(next.id);
            }
            if pending.len() == 3 {
                // SQLite has made a number of it that may be there.
                assert!(["attempts", "age_starts_at"].contains(&column), "{column} = {damage}");
                continue;
            }
            assert_eq!(pending, [1, 3], "{column} = {damage}");
            let dead = store.list_messages(false, true, 9).unwrap();
            let (found, reason) = (dead[0].id, dead[0].dead_reason);
            assert_eq!((dead.len(), found, reason), (1, 2, Some(DeadReason::Damaged)));
            assert!(dead[0].error.as_ref().unwrap().contains("checksum"));
            assert!(store.message(2).unwrap().is_some());
            let ledger = store.ledger().unwrap();
            let sec = RouteLedger { matched: 3, dead: 1, pending: 2, ..RouteLedger::default() };
            assert_eq!(ledger.routes["sec"], sec, "{column} = {damage}");
            assert_eq!(store.check_ledger().unwrap(), []);
            assert_eq!(store.damaged_records().unwrap(), ["message 2"]);
            let retried = store.retry(&MessageSelector::Dead(None), None, Timestamp(20)).unwrap();
            assert_eq!(retried.reformatted, [2], "its event is formatted again");
            assert_eq!(store.check_ledger().unwrap(), []);
            assert_eq!(store.damaged_records().unwrap(), [] as [&str; 0]);
        }
    }
}

#[test]
fn damaged_state_of_routes_and_webhooks_is_no_error() {
    for damage in DAMAGES {
        let mut fixture = fixture();
        receive_and_format(&mut fixture, 10, vec![join_storm(50), send()]);
        let suspended = Suspended { error: "404".into(), since: Timestamp(6), url_hash: "hash".into() };
        let state = WebhookState { suspended: Some(suspended), ..WebhookState::default() };
        fixture.store.record_webhook("hook", &state).unwrap();
        for change in [
            "recent_posts SET posts",
            "webhooks SET suspended_error",
            "webhooks SET backoff_until",
            "webhooks SET rejected",
            "messages SET key",
            "messages SET cause",
            "messages SET error",
        ] {
            execute(&fixture, "INSERT OR REPLACE INTO recent_posts VALUES ('sec', '{}')");
            execute(&fixture, &format!("UPDATE {change} = {damage}"));
            let store = &fixture.store;
            store.recent_posts("sec").unwrap();
            store.webhook("hook").unwrap();
            store.suspended_webhooks().unwrap();
            store.queues(Timestamp(9)).unwrap();
            assert_eq!(store.digests_to_close("sec", Timestamp(50), true).unwrap().len(), 1, "{change} = {damage}");
        }
    }
}

/// The bits of a file to change: those around a text, from `before` bytes before it to `after` bytes after it.
fn bits(bytes: &[u8], text: &str, before: usize, after: usize) -> Range<usize> {
    let at = bytes.windows(text.len()).position(|part| part == text.as_bytes()).unwrap();
    (at - before) * 8..(at + text.len() + after) * 8
}

/// Opens the store with each of these bits changed, and returns those after which `is_loud` is false.
fn silent(fixture: Fixture, text: &str, is_loud: impl Fn(&mut Store) -> Result<bool, StoreError>) -> Vec<usize> {
    let Fixture { folder, mut store, inbox, lock, temp } = fixture;
    store.wal_checkpoint_and_truncate().unwrap();
    drop((store, inbox, lock));
    let whole = fs::read(folder.database()).unwrap();
    let mut silent = Vec::new();
    // Some 250 bits; 11 is prime to 8, so that each bit of a byte has its turn.
    for bit in bits(&whole, text, 70, 24).step_by(11) {
        let mut content = whole.clone();
        content[bit / 8] ^= 1 << (bit % 8);
        fs::write(folder.database(), content).unwrap();
        for suffix in ["-wal", "-shm"] {
            fs::remove_file(folder.path().join(format!("banhook.sqlite3{suffix}"))).ok();
        }
        // An error names the file, and nothing goes on.
        let Ok(mut store) = Store::open(&folder) else { continue };
        if !is_loud(&mut store).unwrap_or(true) {
            silent.push(bit);
        }
    }
    drop(temp);
    silent
}

/// Whether `status --check` finds something.
fn is_found(store: &Store) -> Result<bool, StoreError> {
    Ok(!store.damaged_records()?.is_empty() || !store.check_ledger()?.is_empty() || !store.ledger()?.balances())
}

#[test]
fn unrouted_event_with_any_bit_changed_is_the_same_or_reported() {
    let mut fixture = fixture();
    let details = EventDetails::Ban(ban("192.0.2.1", Some(1_763_809_015_000), false));
    let original = Event { host: "web-1".to_owned(), ..event("sshd", details) };
    fixture.inbox.append(&original, Timestamp(1_763_809_015_601)).unwrap();
    let text = original.to_json();
    let silent = silent(fixture, &text, |store| {
        let found = store.unrouted(9)?;
        let same = matches!(&found[..], [one] if one.event.as_ref() == Ok(&original) && one.seq == 1);
        let quarantined = found.iter().any(|unrouted| unrouted.event.is_err());
        Ok(same || quarantined || is_found(store)?)
    });
    assert_eq!(silent, [] as [usize; 0]);
}

#[test]
fn message_with_any_bit_changed_is_the_same_or_reported() {
    let mut fixture = fixture();
    append(&mut fixture.inbox, EventDetails::Start);
    route_one(&mut fixture.store, vec![("sec", send())]);
    let original = fixture.store.next_in_order("hook", 0).unwrap().unwrap();
    let text = original.body.clone();
    let silent = silent(fixture, &text, |store| {
        let found = store.next_in_order("hook", 0)?;
        let same = found.is_some_and(|found| {
            (found.id, &found.route, &found.body, found.target)
                == (original.id, &original.route, &original.body, original.target)
        });
        let dead = !store.list_messages(false, true, 9)?.is_empty();
        // Messages of a webhook that is not configured become dead, and are reported.
        let other_webhook = store.pending_webhooks()?.iter().any(|webhook| webhook != "hook");
        Ok(same || dead || other_webhook || is_found(store)?)
    });
    assert_eq!(silent, [] as [usize; 0]);
}

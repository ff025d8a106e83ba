//! What `notify` leaves in the spool is received once, and again from where it is settled if the database is lost.

use std::fs;
use std::io::Write;

use spool::{Directory, SegmentId, record};

use super::*;
use crate::event::EventDetails;
use crate::store::fixture::{Fixture, accept, ban, event, fixture, message, sec_ledger};
use crate::store::{Disposition, FormattedEvent, RoutedTo};

const DAY_MS: i64 = 86_400_000;

/// A time at which segments with the ID 1 are new.
const NOW: Timestamp = Timestamp(1_000);

fn put(folder: &StateDir, subject: &str) {
    put_at(folder, subject, Some(7));
}

/// A ban with the time of its ticket, without which no ban is a repeat of another.
fn put_at(folder: &StateDir, subject: &str, ticket_at: Option<i64>) {
    let mut event = event("sshd", EventDetails::Ban(ban(subject, ticket_at, false)));
    event.id = format!("id of {subject}");
    let event = SpooledEvent { event, received_at: Timestamp(5), restored_is_unknown: false };
    write(folder, &record::encode(VERSION, event.to_payload().as_bytes()).unwrap());
}

fn write(folder: &StateDir, bytes: &[u8]) {
    folder.create_spool().unwrap();
    let mut number = 0;
    let new_id = || {
        number += 1;
        SegmentId(number + fs::read_dir(folder.spool()).unwrap().count() as u128)
    };
    spool::append(&Directory::open(&folder.spool()).unwrap(), bytes, new_id).unwrap();
}

fn receive(store: &mut Store) -> usize {
    store.receive(NOW).unwrap().records
}

fn counts(store: &Store) -> (u64, u64, u64) {
    let ledger = store.ledger().unwrap();
    assert!(ledger.balances(), "{ledger:?}");
    (ledger.received, ledger.unrouted, ledger.quarantined)
}

/// Routes all events to `sec`, skips them, and settles what that settles.
fn skip_all(store: &mut Store) {
    let seqs: Vec<_> = store.unrouted(99).unwrap().iter().map(|unrouted| unrouted.seq).collect();
    let to = |seq: &i64| RoutedTo { seq: *seq, ban: None, to: vec![("sec".into(), "hook".into())], quarantined: false };
    store.route_events(&seqs.iter().map(to).collect::<Vec<_>>()).unwrap();
    let skip = |seq| FormattedEvent::new(seq, Disposition::Skip("dull".into()));
    let formatted: Vec<_> = seqs.into_iter().map(skip).collect();
    store.record_formatted("sec", None, &formatted, None, NOW).unwrap();
}

fn segments(folder: &StateDir) -> usize {
    Receiver::new(Directory::open(&folder.spool()).unwrap()).segments().unwrap().len()
}

fn receipts(store: &Store) -> Vec<Receipt> {
    store.database.read("read the receipts", |connection| receipts::last(connection, false)).unwrap()
}

#[test]
fn receive_takes_each_record_once_and_counts_it_as_unrouted_before() {
    let mut fixture = fixture();
    let Fixture { store, folder, .. } = &mut fixture;
    assert_eq!((receive(store), counts(store)), (0, (0, 0, 0)), "without a spool");
    put(folder, "203.0.113.1");
    put(folder, "203.0.113.2");
    assert_eq!(counts(store), (2, 2, 0));
    assert_eq!((receive(store), receive(store)), (2, 0));
    assert_eq!(counts(store), (2, 2, 0));
    put(folder, "203.0.113.3");
    assert_eq!((receive(store), counts(store)), (1, (3, 3, 0)));
    let subjects: Vec<_> =
        store.unrouted(9).unwrap().into_iter().map(|it| it.event.unwrap().ban().unwrap().subject.clone()).collect();
    assert_eq!(subjects, ["203.0.113.1", "203.0.113.2", "203.0.113.3"]);
}

#[test]
fn receive_action_that_was_run_again_is_one_event() {
    let mut fixture = fixture();
    let Fixture { store, folder, .. } = &mut fixture;
    put(folder, "203.0.113.1");
    put(folder, "203.0.113.1");
    assert_eq!((receive(store), counts(store)), (2, (1, 1, 0)));
    put(folder, "203.0.113.1");
    assert_eq!((receive(store), counts(store)), (1, (1, 1, 0)));
}

#[test]
fn receive_damaged_record_is_quarantined_with_its_bytes_and_the_rest_goes_on() {
    let mut fixture = fixture();
    let Fixture { store, folder, .. } = &mut fixture;
    write(folder, b"\n1 9 00000000 half a rec");
    put(folder, "203.0.113.1");
    write(folder, &record::encode(VERSION, b"{\"no\": \"event\"}").unwrap());
    assert_eq!(receive(store), 3);
    let unrouted = store.unrouted(9).unwrap();
    assert_eq!(unrouted.iter().map(|unrouted| unrouted.event.is_ok()).collect::<Vec<_>>(), [false, true, false]);
    let body: Vec<u8> = store
        .database
        .read("read", |connection| connection.query_row("SELECT body FROM events WHERE seq = 1", [], |row| row.get(0)))
        .unwrap();
    assert_eq!(body, b"1 9 00000000 half a rec");
    assert_eq!(store.damaged_records().unwrap(), ["event 1", "event 3"]);
    assert_eq!(store.known_jails().unwrap(), [""; 0]);
}

#[test]
fn receive_record_of_a_newer_version_waits_with_all_after_it() {
    let mut fixture = fixture();
    let Fixture { store, folder, .. } = &mut fixture;
    put(folder, "203.0.113.1");
    write(folder, &record::encode(VERSION + 1, b"{}").unwrap());
    put(folder, "203.0.113.2");
    for records in [1, 0] {
        let received = store.receive(NOW).unwrap();
        assert_eq!((received.records, received.problems.len()), (records, 1));
        assert!(received.problems[0].contains("upgraded"), "{:?}", received.problems);
    }
    assert_eq!(counts(store), (3, 3, 0));
    assert_eq!(store.spool_problems().unwrap().len(), 1);
    skip_all(store);
    assert_eq!(store.remaining(NOW).unwrap(), crate::store::Remaining::Nothing, "nothing that this version can do");
}

#[test]
fn prune_spool_removes_a_segment_a_day_after_all_is_settled() {
    let mut fixture = fixture();
    let Fixture { store, folder, .. } = &mut fixture;
    put(folder, "203.0.113.1");
    assert_eq!(receive(store), 1);
    let days = |days: i64| Timestamp(NOW.0 + days * DAY_MS + 1);
    store.prune_spool(days(1)).unwrap();
    assert!(!folder.spool().join("active").exists(), "retired by its age");
    store.prune_spool(days(3)).unwrap();
    assert_eq!(segments(folder), 1, "its event is not settled");
    skip_all(store);
    store.prune_spool(Timestamp(NOW.0 + 1)).unwrap();
    assert_eq!(segments(folder), 1, "it was received just now");
    put(folder, "203.0.113.2");
    assert_eq!((segments(folder), receive(store)), (2, 1));
    store.prune_spool(days(3)).unwrap();
    assert_eq!(segments(folder), 1, "the other one is not settled");
    skip_all(store);
    for _ in 0..2 {
        store.prune_spool(days(3)).unwrap();
    }
    assert_eq!(segments(folder), 0);
    assert_eq!(receipts(store), []);
    assert_eq!(sec_ledger(store).skipped, 2);
}

#[test]
fn prune_spool_receives_what_a_late_writer_appended_to_a_retired_segment() {
    let mut fixture = fixture();
    let Fixture { store, folder, .. } = &mut fixture;
    put(folder, "203.0.113.1");
    receive(store);
    skip_all(store);
    let later = Timestamp(NOW.0 + 3 * DAY_MS);
    let segment = fs::read_dir(folder.spool()).unwrap().map(|entry| entry.unwrap().path()).next().unwrap();
    let mut late = fs::OpenOptions::new().append(true).open(segment).unwrap();
    late.write_all(b"\n1 9 00000000 torn").unwrap();
    store.prune_spool(later).unwrap();
    assert_eq!((segments(folder), counts(store)), (1, (2, 1, 0)));
}

#[test]
fn open_for_work_without_its_database_receives_what_is_not_settled() {
    let mut fixture = fixture();
    let Fixture { store, folder, .. } = &mut fixture;
    put(folder, "203.0.113.1");
    receive(store);
    skip_all(store);
    put(folder, "203.0.113.2");
    receive(store);
    let seq = store.unrouted(9).unwrap()[0].seq;
    let to = vec![("sec".into(), "hook".into())];
    store.route_events(&[RoutedTo { seq, ban: None, to, quarantined: false }]).unwrap();
    let send = [FormattedEvent::new(seq, Disposition::Send(message()))];
    store.record_formatted("sec", None, &send, None, NOW).unwrap();
    store.wal_checkpoint_and_truncate().unwrap();
    // Settled, and not marked yet: it is sent again.
    accept(store, 1);
    let Fixture { folder, store, inbox, lock, temp: _temp } = fixture;
    drop((store, inbox));
    for suffix in ["", "-wal", "-shm"] {
        fs::remove_file(format!("{}{suffix}", folder.database().display())).ok();
    }
    for _second_start in 0..2 {
        let mut store = Store::open_for_work(&folder, &lock).unwrap();
        receive(&mut store);
        let unrouted = store.unrouted(9).unwrap();
        let subjects: Vec<_> =
            unrouted.iter().map(|it| it.event.as_ref().unwrap().ban().unwrap().subject.as_str()).collect();
        assert_eq!(subjects, ["203.0.113.2"]);
    }
}

#[test]
fn receive_segment_that_cannot_be_read_is_a_problem_and_the_others_go_on() {
    let mut fixture = fixture();
    let Fixture { store, folder, .. } = &mut fixture;
    put(folder, "203.0.113.1");
    // A directory in the place of a segment: unreadable for root as well.
    fs::create_dir(folder.spool().join(format!("{}.segment", SegmentId(0)))).unwrap();
    let received = store.receive(NOW).unwrap();
    assert_eq!((received.records, received.problems.len()), (1, 1), "{received:?}");
    assert_eq!(store.spool_problems().unwrap().len(), 1);
}

#[test]
fn receive_segment_that_lost_its_end_is_read_again_without_what_is_stored() {
    let mut fixture = fixture();
    let Fixture { store, folder, .. } = &mut fixture;
    put_at(folder, "203.0.113.1", None);
    let one = fs::read(folder.spool().join("active")).unwrap();
    put_at(folder, "203.0.113.2", None);
    put_at(folder, "203.0.113.3", None);
    assert_eq!(receive(store), 3);
    skip_all(store);
    store.prune_spool(NOW).unwrap();
    assert_eq!(spool_marks::read(&folder.spool()).unwrap().len(), 1);
    fs::write(folder.spool().join("active"), &one).unwrap();
    put_at(folder, "203.0.113.4", None);
    let received = store.receive(NOW).unwrap();
    assert_eq!(received.problems.len(), 1, "{received:?}");
    assert!(received.problems[0].contains("has lost its end"), "{received:?}");
    assert_eq!(counts(store), (4, 1, 0), "the first is stored, and the last new");
    put_at(folder, "203.0.113.5", None);
    assert_eq!((segments(folder), receive(store), counts(store)), (2, 1, (5, 2, 0)));
    store.restore_checkpoints(NOW).unwrap();
    assert_eq!(store.receive(NOW).unwrap(), Received::default(), "said once, and not after a start");
}

/// What is appended to a segment that was cut off may end before, at or after the checkpoint.
#[test]
fn receive_what_follows_a_cut_wherever_that_was() {
    let records = |folder: &StateDir| fs::read(folder.spool().join("active")).unwrap();
    let (header, two, whole) = {
        let fixture = fixture();
        (1..=3).for_each(|last| put_at(&fixture.folder, &format!("203.0.113.{last}"), None));
        let whole = records(&fixture.folder);
        let header = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        (header, whole.len() - (whole.len() - header) / 3, whole.len())
    };
    for cut in (header..whole).step_by(53).chain(two - 2..=two + 2) {
        let mut fixture = fixture();
        let Fixture { store, folder, .. } = &mut fixture;
        (1..=3).for_each(|last| put_at(folder, &format!("203.0.113.{last}"), None));
        assert_eq!(receive(store), 3);
        fs::write(folder.spool().join("active"), &records(folder)[..cut]).unwrap();
        put_at(folder, "203.0.113.4", None);
        // Also whoever only looks: a run that ends when nothing is left does not end before that.
        let left = store.unreceived(&receipts(store)).unwrap();
        assert!(left.can_be_received && (1..=2).contains(&left.records), "{cut}: {left:?}");
        assert!(store.spool_problems().unwrap()[0].contains("has lost its end"), "{cut}");
        let received = store.receive(NOW).unwrap();
        assert!(received.problems[0].contains("has lost its end"), "{cut}: {received:?}");
        let subjects: Vec<_> =
            store.unrouted(9).unwrap().into_iter().filter_map(|unrouted| unrouted.event.ok()).collect();
        let arrived = subjects.iter().any(|event| event.ban().is_some_and(|ban| ban.subject == "203.0.113.4"));
        assert!(arrived, "{cut}: {subjects:?}");
        assert!(store.ledger().unwrap().balances());
    }
}

#[test]
fn empty_spool_keeps_what_follows_a_cut_until_it_is_received() {
    let mut fixture = fixture();
    let Fixture { store, folder, .. } = &mut fixture;
    (1..=3).for_each(|last| put_at(folder, &format!("203.0.113.{last}"), None));
    assert_eq!(receive(store), 3);
    skip_all(store);
    let records = fs::read(folder.spool().join("active")).unwrap();
    fs::write(folder.spool().join("active"), &records[..records.len() / 3]).unwrap();
    put_at(folder, "203.0.113.4", None);
    assert_eq!(store.empty_spool(NOW).unwrap(), 1, "it has an alert that nobody has received");
    store.receive(NOW).unwrap();
    // And what is left of the record that was cut.
    let unrouted: Vec<_> = store.unrouted(9).unwrap().into_iter().filter_map(|unrouted| unrouted.event.ok()).collect();
    assert_eq!(unrouted.iter().map(|event| event.ban().unwrap().subject.as_str()).collect::<Vec<_>>(), ["203.0.113.4"]);
}

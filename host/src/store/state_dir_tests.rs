//! The two files and their folder: who may use them, and which belong together.

use super::tests::{Fixture, accept, event, fixture, formatted, message, routed, storm, take};
use super::*;
use crate::event::{EventDetails, Timestamp};

/// Takes a file of the store away, with what belongs to it.
fn lose(folder: &StateDir, part: DbFile) {
    for suffix in ["", "-wal", "-shm"] {
        let mut file = folder.file(part).into_os_string();
        file.push(suffix);
        std::fs::remove_file(file).ok();
    }
}

#[test]
fn another_inbox_is_refused_however_much_it_takes_in() {
    for copied in [false, true] {
        let mut fixture = fixture();
        let Fixture { folder, store, inbox, .. } = &mut fixture;
        take(inbox, EventDetails::Start);
        routed(store, vec![]);
        store.checkpoint_and_truncate().unwrap();
        let copy = std::fs::read(folder.file(DbFile::Inbox)).unwrap();
        for _ in 0..2 {
            take(inbox, EventDetails::Start);
            routed(store, vec![]);
        }
        let Fixture { folder, store, inbox, lock, temp: _temp } = fixture;
        drop((store, inbox));
        Store::open_for_work(&folder, &lock).unwrap();
        lose(&folder, DbFile::Inbox);
        if copied {
            std::fs::write(folder.file(DbFile::Inbox), copy).unwrap();
        }
        for received_at in 10..14 {
            let error = Store::open_for_work(&folder, &lock).err().unwrap().to_string();
            assert!(error.contains("put it back"), "{error}");
            Inbox::open(&folder).unwrap().append(&event("sshd", EventDetails::Stop), Timestamp(received_at)).unwrap();
        }
        let error = Store::open_for_work(&folder, &lock).err().unwrap().to_string();
        assert!(error.contains("put it back"), "{error}");
        // All that came since then is there.
        lose(&folder, DbFile::Work);
        let waiting = Store::open_for_work(&folder, &lock).unwrap().unrouted(9).unwrap();
        assert_eq!(waiting.iter().filter(|waiting| waiting.received_at >= Timestamp(10)).count(), 4);
        assert_eq!(waiting.len(), 4);
    }
}

#[test]
fn an_inbox_is_the_same_without_what_retention_has_removed() {
    let mut fixture = fixture();
    for _ in 0..2 {
        take(&mut fixture.inbox, EventDetails::Start);
        routed(&mut fixture.store, vec![]);
    }
    let Fixture { store, inbox, .. } = &mut fixture;
    take(inbox, EventDetails::Stop);
    let keep = RetentionLimits { events_since: Timestamp(99), max_events: 9, dead_since: Timestamp(99), max_dead: 9 };
    assert_eq!(store.prune(inbox, &keep, 0).unwrap().events, 2);
    let Fixture { folder, store, inbox, lock, temp: _temp } = fixture;
    drop((store, inbox));
    assert_eq!(Store::open_for_work(&folder, &lock).unwrap().unrouted(9).unwrap().len(), 1);
}

#[test]
fn one_process_works_and_the_lock_can_be_handed_over() {
    let Fixture { folder, lock, temp: _temp, .. } = fixture();
    assert!(folder.try_work_lock().unwrap().is_none());
    let handed = lock.into_file();
    let copy = handed.try_clone().unwrap();
    assert!(folder.try_work_lock().unwrap().is_none());
    WorkLock::from_file(handed).release();
    assert!(folder.try_work_lock().unwrap().is_some(), "released although a copy of the file is open");
    drop(copy);
}

#[test]
fn what_is_no_store_is_refused_with_advice() {
    for part in [DbFile::Inbox, DbFile::Work] {
        let Fixture { folder, store, inbox, temp: _temp, .. } = fixture();
        let database = if part == DbFile::Inbox { &inbox.database } else { &store.database };
        database.connection.pragma_update(None, "user_version", 99).unwrap();
        let error = Store::open(&folder).err().unwrap().to_string();
        assert!(error.contains("install the newer banhook"), "{error}");
    }

    let temp = tempfile::tempdir().unwrap();
    std::fs::write(temp.path().join("inbox.sqlite3"), "not a database, but long enough to be looked at".repeat(100))
        .unwrap();
    let error = Inbox::open(&StateDir::new(temp.path())).err().unwrap().to_string();
    assert!(error.contains("damaged or no banhook store"), "{error}");

    let temp = tempfile::tempdir().unwrap();
    std::fs::write(temp.path().join("file"), "").unwrap();
    let error = Inbox::open(&StateDir::new(temp.path().join("file/state"))).err().unwrap().to_string();
    assert!(error.contains("--state-dir"), "{error}");
}

#[test]
fn nobody_else_can_read_the_state_folder() {
    use std::os::unix::fs::PermissionsExt;
    let Fixture { folder, mut inbox, temp: _temp, .. } = fixture();
    take(&mut inbox, EventDetails::Start);
    assert_eq!(std::fs::metadata(folder.path()).unwrap().permissions().mode() & 0o777, 0o700);
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.path());
    }
}

#[test]
fn what_is_over_is_not_told_again_if_what_became_of_it_is_lost() {
    let mut fixture = fixture();
    formatted(&mut fixture, 10, vec![Disposition::Send(message()), Disposition::Skip("dull".into()), storm(50)]);
    let Fixture { store, inbox, .. } = &mut fixture;
    assert_eq!(store.settled_through().unwrap(), 0);
    accept(store, 1);
    assert_eq!(store.settled_through().unwrap(), 2, "the third is held");
    take(inbox, EventDetails::Stop);
    store.checkpoint_and_truncate().unwrap();
    let Fixture { folder, store, inbox, lock, temp: _temp } = fixture;
    drop((store, inbox));
    lose(&folder, DbFile::Work);
    let store = Store::open_for_work(&folder, &lock).unwrap();
    let unrouted: Vec<_> = store.unrouted(9).unwrap().iter().map(|waiting| waiting.seq).collect();
    assert_eq!(unrouted, [3, 4]);
    let ledger = store.ledger().unwrap();
    assert_eq!((ledger.received, ledger.unrouted, ledger.unmatched), (4, 2, 2));
    assert_eq!(store.check_ledger().unwrap(), []);
    // No row of it is needed a second time.
    drop(store);
    assert_eq!(Store::open_for_work(&folder, &lock).unwrap().ledger().unwrap(), ledger);
}

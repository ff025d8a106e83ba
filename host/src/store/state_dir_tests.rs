//! The state directory: who may use it, and which two files belong together.

use crate::event::{EventDetails, Timestamp};
use crate::store::fixture::{
    Fixture, accept, append, event, fixture, join_storm, message, receive_and_format, route_one,
};
use crate::store::schema::DbFile;
use crate::store::*;

/// Removes a database file with its -wal and -shm.
fn lose(folder: &StateDir, file: DbFile) {
    for suffix in ["", "-wal", "-shm"] {
        let mut file = folder.file(file).into_os_string();
        file.push(suffix);
        std::fs::remove_file(file).ok();
    }
}

#[test]
fn open_for_work_other_inbox_is_refused_whatever_it_receives() {
    for copied in [false, true] {
        let mut fixture = fixture();
        let Fixture { folder, store, inbox, .. } = &mut fixture;
        append(inbox, EventDetails::Start);
        route_one(store, vec![]);
        store.wal_checkpoint_and_truncate().unwrap();
        let copy = std::fs::read(folder.file(DbFile::Inbox)).unwrap();
        for _ in 0..2 {
            append(inbox, EventDetails::Start);
            route_one(store, vec![]);
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
        // Every event received since then is stored.
        lose(&folder, DbFile::Work);
        let unrouted = Store::open_for_work(&folder, &lock).unwrap().unrouted(9).unwrap();
        assert_eq!(unrouted.iter().filter(|event| event.received_at >= Timestamp(10)).count(), 4);
        assert_eq!(unrouted.len(), 4);
    }
}

#[test]
fn open_for_work_pruned_inbox_is_accepted() {
    let mut fixture = fixture();
    for _ in 0..2 {
        append(&mut fixture.inbox, EventDetails::Start);
        route_one(&mut fixture.store, vec![]);
    }
    let Fixture { store, inbox, .. } = &mut fixture;
    append(inbox, EventDetails::Stop);
    let keep = RetentionLimits { events_since: Timestamp(99), max_events: 9, dead_since: Timestamp(99), max_dead: 9 };
    assert_eq!(store.prune(inbox, &keep, 0).unwrap().events, 2);
    let Fixture { folder, store, inbox, lock, temp: _temp } = fixture;
    drop((store, inbox));
    assert_eq!(Store::open_for_work(&folder, &lock).unwrap().unrouted(9).unwrap().len(), 1);
}

#[test]
fn open_file_that_is_not_a_store_is_refused_with_advice() {
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
    assert!(error.contains("damaged or is not a banhook store"), "{error}");

    let temp = tempfile::tempdir().unwrap();
    std::fs::write(temp.path().join("file"), "").unwrap();
    let error = Inbox::open(&StateDir::new(temp.path().join("file/state"))).err().unwrap().to_string();
    assert!(error.contains("--state-dir"), "{error}");
}

#[test]
fn state_folder_files_are_readable_by_the_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let Fixture { folder, mut inbox, temp: _temp, .. } = fixture();
    append(&mut inbox, EventDetails::Start);
    assert_eq!(std::fs::metadata(folder.path()).unwrap().permissions().mode() & 0o777, 0o700);
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.path());
    }
}

#[test]
fn open_for_work_without_results_sends_no_settled_event_again() {
    let mut fixture = fixture();
    receive_and_format(
        &mut fixture,
        10,
        vec![Disposition::Send(message()), Disposition::Skip("dull".into()), join_storm(50)],
    );
    let Fixture { store, inbox, .. } = &mut fixture;
    assert_eq!(store.settled_through().unwrap(), 0);
    accept(store, 1);
    assert_eq!(store.settled_through().unwrap(), 2, "the third is held");
    append(inbox, EventDetails::Stop);
    store.wal_checkpoint_and_truncate().unwrap();
    let Fixture { folder, store, inbox, lock, temp: _temp } = fixture;
    drop((store, inbox));
    lose(&folder, DbFile::Work);
    let store = Store::open_for_work(&folder, &lock).unwrap();
    let unrouted: Vec<_> = store.unrouted(9).unwrap().iter().map(|event| event.seq).collect();
    assert_eq!(unrouted, [3, 4]);
    let ledger = store.ledger().unwrap();
    assert_eq!((ledger.received, ledger.unrouted, ledger.unmatched), (4, 2, 2));
    assert_eq!(store.check_ledger().unwrap(), []);
    // A second start changes nothing.
    drop(store);
    assert_eq!(Store::open_for_work(&folder, &lock).unwrap().ledger().unwrap(), ledger);
}

#[test]
fn check_permissions_of_what_others_may_write_fails() {
    use std::os::unix::fs::PermissionsExt;
    let Fixture { folder, temp: _temp, .. } = fixture();
    folder.check_permissions().unwrap();
    for (path, mode, is_refused) in [
        (folder.path().to_owned(), 0o755, false),
        (folder.path().to_owned(), 0o770, true),
        (folder.path().to_owned(), 0o1777, true),
        (folder.path().join("inbox.sqlite3"), 0o666, true),
        (folder.path().join("work.sqlite3"), 0o620, true),
        (folder.path().join("work.sqlite3"), 0o644, false),
    ] {
        let before = std::fs::metadata(&path).unwrap().permissions();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        let error = folder.check_permissions().err().map(|error| error.to_string());
        assert_eq!(error.is_some(), is_refused, "{mode:o}: {error:?}");
        assert!(error.is_none_or(|error| error.contains("chmod go-w")));
        std::fs::set_permissions(&path, before).unwrap();
    }
}

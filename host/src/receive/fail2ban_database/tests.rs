//! What is found in fail2ban's database, and that nothing in it is ever changed.

use std::fs;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use super::database::Fail2banDatabase;
use super::known_ban::KnownBan;
use super::test_database::{OLD_TABLE, TABLE, TestDatabase};
use crate::event::{Ban, BanDuration, Timestamp};

const AT: i64 = 1_795_348_615;

fn at(seconds: i64) -> Timestamp {
    Timestamp(seconds * 1_000)
}

fn by_ticket(database: &mut Fail2banDatabase, ip: &str, ms: i64) -> Option<KnownBan> {
    database.look_up("sshd", ip, Some(Timestamp(ms)), at(AT + 500)).unwrap()
}

fn by_line(database: &mut Fail2banDatabase, ip: &str, ms: i64) -> Option<KnownBan> {
    database.look_up("sshd", ip, None, Timestamp(ms)).unwrap()
}

fn known(data: &[u8]) -> KnownBan {
    let written = TestDatabase::new();
    written.insert_ban("x", AT, 600, 1, data);
    by_ticket(&mut Fail2banDatabase::new(written.path()), "x", AT * 1_000).unwrap()
}

fn matches(data: &[u8]) -> Vec<String> {
    known(data).matches
}

#[test]
fn look_up_by_ticket_returns_all_columns() {
    let written = TestDatabase::new();
    written.insert_ban("203.0.113.7", AT, 1_200, 2, br#"{"matches": ["one", "two"], "failures": 5, "user": "x"}"#);
    let found = by_ticket(&mut Fail2banDatabase::new(written.path()), "203.0.113.7", AT * 1_000 + 449);
    let expected = KnownBan {
        failures: Some(5),
        count: Some(2),
        duration: Some(BanDuration::Seconds(1_200)),
        matches: vec!["one".into(), "two".into()],
    };
    assert_eq!(found, Some(expected));
    for (bantime, duration) in [(-1, Some(BanDuration::Permanent)), (-2, None), (0, Some(BanDuration::Seconds(0)))] {
        written.insert_ban("x", AT + bantime, bantime, 1, b"{}");
        assert_eq!(
            by_ticket(&mut Fail2banDatabase::new(written.path()), "x", (AT + bantime) * 1_000).unwrap().duration,
            duration
        );
    }
}

#[test]
fn look_up_reads_the_rows_of_a_real_fail2ban() {
    let written = TestDatabase::with(include_str!("testdata/fail2ban-1.0.2.sql"));
    let mut database = Fail2banDatabase::new(written.path());
    let mut of = |jail: &str, subject: &str, ticket_at: &str| {
        let ticket_at = Timestamp::from_epoch_seconds(ticket_at);
        let known = database.look_up(jail, subject, ticket_at, at(0)).unwrap().unwrap();
        (known.failures, known.count, known.duration, known.matches)
    };
    let seconds = |seconds| Some(BanDuration::Seconds(seconds));
    let line = |time: &str, text: &str| format!("{time} {text}");
    let fails = |time: &str, users: &[&str], address: &str| {
        users.iter().map(|user| line(time, &format!("auth fail user {user} from {address}"))).collect::<Vec<_>>()
    };
    let matches = vec![line("1795630686", "login fail of user-1 é \"q\" end")];
    assert_eq!(of("logins", "user-1 é \"q\"", "1795630686.0"), (Some(1), Some(1), seconds(600), matches));
    let matches = fails("1795630686", &["root1", "root2", "root3"], "198.51.100.1");
    assert_eq!(of("sshd", "198.51.100.1", "1795630686.0"), (Some(3), Some(1), seconds(600), matches));
    assert_eq!(of("sshd", "203.0.113.9", "1795630692.5068674"), (Some(0), Some(1), seconds(600), Vec::new()));
    let matches = fails("1795630720", &["r1", "r2", "r3"], "198.51.102.1");
    assert_eq!(of("sshd", "198.51.102.1", "1795630720.0"), (Some(3), Some(1), seconds(2), matches));
    let matches = fails("1795630726", &["s1", "s2"], "198.51.102.1");
    assert_eq!(of("sshd", "198.51.102.1", "1795630726.0"), (Some(3), Some(2), seconds(4), matches));
}

#[test]
fn look_up_never_returns_another_ban() {
    let written = TestDatabase::new();
    let mut database = Fail2banDatabase::new(written.path());
    written.insert_ban("x", AT, 600, 1, br#"{"matches": ["the first"]}"#);
    for other in [-5_000, -2_000, 2_000, 700_000] {
        assert_eq!(by_ticket(&mut database, "x", AT * 1_000 + other), None, "{other}");
    }
    assert_eq!(by_ticket(&mut database, "X", AT * 1_000), None);
    assert_eq!(database.look_up("SSHD", "x", Some(at(AT)), at(AT)).unwrap(), None);
    // fail2ban writes the line of the log later.
    for (later, found) in [(-2_000, false), (-400, true), (0, true), (9_000, true), (11_000, false), (700_000, false)] {
        assert_eq!(by_line(&mut database, "x", AT * 1_000 + later).is_some(), found, "{later}");
    }
    // The same subject again, after a short ban: there is no row until fail2ban has written it.
    written.insert_ban("short", AT, 4, 1, br#"{"matches": ["the first"]}"#);
    assert!(by_line(&mut database, "short", AT * 1_000 + 3_999).is_some());
    assert_eq!(by_line(&mut database, "short", AT * 1_000 + 4_500), None);
    written.insert_ban("short", AT + 4, 4, 2, br#"{"matches": ["the second"]}"#);
    assert_eq!(by_line(&mut database, "short", AT * 1_000 + 4_500).unwrap().matches, ["the second"]);
    assert_eq!(by_ticket(&mut database, "short", AT * 1_000).unwrap().matches, ["the first"]);
}

#[test]
fn look_up_notices_created_and_removed_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("later/f.sqlite3");
    let mut database = Fail2banDatabase::new(path.clone());
    assert_eq!(by_ticket(&mut database, "x", AT * 1_000), None);
    fs::create_dir(path.parent().unwrap()).unwrap();
    fs::write(&path, "").unwrap();
    assert_eq!(by_ticket(&mut database, "x", AT * 1_000), None);
    assert!(!database.exists());
    for matched in ["a", "b"] {
        let written = TestDatabase::new();
        written.insert_ban("x", AT, 600, 1, format!(r#"{{"matches": ["{matched}"]}}"#).as_bytes());
        fs::rename(written.path(), &path).unwrap();
        assert_eq!(by_ticket(&mut database, "x", AT * 1_000).unwrap().matches, [matched]);
        assert!(database.exists());
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(by_ticket(&mut database, "x", AT * 1_000), None);
    assert!(!database.exists());
}

#[test]
fn look_up_reads_old_schema_and_its_upgrade() {
    let written = TestDatabase::with(OLD_TABLE);
    let mut database = Fail2banDatabase::new(written.path());
    let data = r#"{"matches": [["", "Nov 22 10:56:55", " auth fail\n"], "as a whole"], "failures": 3}"#;
    written.connection.execute("INSERT INTO bans VALUES('sshd', 'x', ?, ?)", params![AT, data]).unwrap();
    let matches = vec!["Nov 22 10:56:55 auth fail".to_owned(), "as a whole".to_owned()];
    let old = KnownBan { failures: Some(3), matches, ..KnownBan::default() };
    assert_eq!(by_ticket(&mut database, "x", AT * 1_000), Some(old.clone()));
    // The upgrade of 0.11 (`updateDb`).
    written
        .connection
        .execute_batch(&format!(
            "BEGIN; CREATE TEMPORARY TABLE old AS SELECT jail, ip, timeofban, -2, 1, data FROM bans; DROP TABLE bans;
             {TABLE} INSERT INTO bans SELECT * FROM old; DROP TABLE old; COMMIT;"
        ))
        .unwrap();
    assert_eq!(by_ticket(&mut database, "x", AT * 1_000), Some(KnownBan { count: Some(1), ..old }));
}

#[test]
fn look_up_hostile_matches_are_bounded_and_readable() {
    let escape = r#"{"matches": ["\u0000a\u0000b \u001b[2J <!channel>", "", "\r\n"]}"#;
    assert_eq!(matches(escape.as_bytes()), ["\\x00a\\x00b \u{1b}[2J <!channel>"]);
    assert_eq!(matches(b"{\"matches\": [\"caf\xe9\"]}"), ["caf\u{fffd}"]);
    let many: Vec<_> = (0..30).map(|n| n.to_string()).collect();
    assert_eq!(matches(serde_json::json!({ "matches": many }).to_string().as_bytes()), many[10..]);
    let long = matches(format!(r#"{{"matches": ["{}"]}}"#, "é".repeat(600)).as_bytes());
    assert!((997..=1_000).contains(&long[0].len()) && long[0].ends_with("é…"), "{long:?}");
    let nested = format!(r#"{{"matches": {}"#, "[".repeat(100_000));
    for odd in [&b""[..], b"null", b"[1]", b"{\"matches\": {}, \"failures\": -1}", b"\0\xff", nested.as_bytes()] {
        let expected = KnownBan { count: Some(1), duration: Some(BanDuration::Seconds(600)), ..KnownBan::default() };
        assert_eq!(known(odd), expected, "{odd:?}");
    }
    let written = TestDatabase::new();
    written.connection.execute("INSERT INTO bans VALUES('sshd', 'x', ?, 600, 1, 17)", [AT]).unwrap();
    assert_eq!(by_ticket(&mut Fail2banDatabase::new(written.path()), "x", AT * 1_000).unwrap().matches, [""; 0]);
    written.connection.execute("INSERT INTO bans VALUES('sshd', 'y', ?, 600, 1, NULL)", [AT]).unwrap();
    assert_eq!(by_ticket(&mut Fail2banDatabase::new(written.path()), "y", AT * 1_000).unwrap().matches, [""; 0]);
}

#[test]
fn look_up_does_not_read_a_huge_row() {
    let written = TestDatabase::new();
    written.connection.execute("INSERT INTO bans VALUES('sshd', 'x', ?, 900, 3, zeroblob(100 << 20))", [AT]).unwrap();
    let mut database = Fail2banDatabase::new(written.path());
    let took = |database: &mut Fail2banDatabase| {
        let begun = Instant::now();
        assert!(by_ticket(database, "x", AT * 1_000).is_some());
        begun.elapsed()
    };
    // Reading it takes five times as long on the fastest machine; the fastest of many, since other processes run too.
    let fastest = (0..20).map(|_| took(&mut database)).min().unwrap();
    assert!(fastest < Duration::from_millis(5), "{fastest:?}");
    let found = by_ticket(&mut database, "x", AT * 1_000).unwrap();
    assert_eq!((found.count, found.duration), (Some(3), Some(BanDuration::Seconds(900))));
    assert_eq!(found.matches, [""; 0]);
}

#[test]
fn look_up_never_writes() {
    let written = TestDatabase::new();
    written.insert_ban("x", AT, 600, 1, b"{}");
    let before = written.files();
    let mut database = Fail2banDatabase::new(written.path());
    assert!(by_ticket(&mut database, "x", AT * 1_000).is_some());
    assert_eq!(written.files(), before);
    // It was switched to a write-ahead log and closed: reading it now would write.
    written.connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
    let TestDatabase { folder, connection } = written;
    drop(connection);
    let before = fs::read_dir(folder.path()).unwrap().count();
    let error = database.look_up("sshd", "x", Some(at(AT)), at(AT)).unwrap_err();
    assert!(error.to_string().contains("write-ahead log"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), before);
}

#[test]
fn look_up_after_a_crash_leaves_the_journal_alone() {
    let written = TestDatabase::new();
    written.connection.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(())).unwrap();
    written.insert_ban("x", AT, 600, 1, b"{}");
    // As after a power failure: a transaction in the file, and its journal next to it.
    written.connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA cache_size = 1; BEGIN EXCLUSIVE;").unwrap();
    for n in 0..100 {
        written.insert_ban(&n.to_string(), AT, 600, 1, &[b'x'; 2_000]);
    }
    let crashed = tempfile::tempdir().unwrap();
    for file in ["f.sqlite3", "f.sqlite3-journal"] {
        fs::copy(written.folder.path().join(file), crashed.path().join(file)).unwrap();
    }
    let journal = fs::read(crashed.path().join("f.sqlite3-journal")).unwrap();
    let error =
        Fail2banDatabase::new(crashed.path().join("f.sqlite3")).look_up("sshd", "x", Some(at(AT)), at(AT)).unwrap_err();
    assert!(!error.is_busy(), "{error}");
    assert_eq!(fs::read(crashed.path().join("f.sqlite3-journal")).unwrap(), journal);
}

#[test]
fn look_up_in_other_files_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let mut database = Fail2banDatabase::new(path.clone());
    let mut error = || database.look_up("sshd", "x", None, at(AT)).unwrap_err().to_string();
    for text in ["short", &"long ".repeat(1_000)] {
        fs::write(&path, text).unwrap();
        let error = error();
        assert!(error.contains("not fail2ban's") || error.contains("not a database"), "{error}");
    }
    fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE bans(jail, ip)").unwrap();
    assert!(error().contains("no table bans"));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(error().contains("not a regular file"));
}

#[test]
fn look_up_and_fail2ban_do_not_wait_long_for_each_other() {
    let written = TestDatabase::new();
    let mut database = Fail2banDatabase::new(written.path());
    assert_eq!(by_ticket(&mut database, "x", AT * 1_000), None);
    written.connection.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let begun = Instant::now();
    let error = database.look_up("sshd", "x", Some(at(AT)), at(AT)).unwrap_err();
    assert!(error.is_busy(), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    written.connection.execute_batch("COMMIT").unwrap();
    // After queries, no lock is left that would make a writer wait.
    written.connection.busy_timeout(Duration::ZERO).unwrap();
    for n in 0..100 {
        written.insert_ban(&n.to_string(), AT, 600, 1, b"{}");
        assert!(by_ticket(&mut database, &n.to_string(), AT * 1_000).is_some());
    }
}

fn ban(subject: &str) -> Ban {
    Ban { subject: subject.to_owned(), ..Ban::default() }
}

#[test]
fn enrich_keeps_known_values_except_counted_ones() {
    let known = |count, seconds| KnownBan {
        failures: Some(5),
        count: Some(count),
        duration: Some(BanDuration::Seconds(seconds)),
        matches: vec!["m".into()],
    };
    let enriched = |known: KnownBan, mut ban: Ban| {
        known.enrich(&mut ban);
        (ban.failures, ban.count, ban.duration, ban.matches)
    };
    let seconds = |seconds| Some(BanDuration::Seconds(seconds));
    let matches = vec!["m".to_owned()];
    // A line of the log: nothing is known yet, and fail2ban writes 1 where it does not count.
    assert_eq!(enriched(known(1, 600), ban("x")), (Some(5), None, seconds(600), matches.clone()));
    assert_eq!(enriched(known(3, 600), ban("x")), (Some(5), Some(3), seconds(600), matches.clone()));
    let action = Ban { failures: Some(3), count: Some(1), duration: seconds(600), ..ban("x") };
    assert_eq!(enriched(known(1, 9), action.clone()), (Some(3), Some(1), seconds(600), matches.clone()));
    assert_eq!(enriched(known(2, 1_200), action.clone()), (Some(3), Some(2), seconds(1_200), matches.clone()));
    let restored = Ban { restored: true, count: Some(3), ..action.clone() };
    assert_eq!(enriched(known(2, 1_200), restored), (Some(3), Some(3), seconds(600), matches));
    let with_matches = Ban { matches: vec!["known".into()], ..action };
    assert_eq!(enriched(known(1, 600), with_matches).3, ["known"]);
}

#[test]
fn look_up_of_what_is_no_file_fails_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    for path in [fifo, folder.path().to_owned(), "/dev/zero".into()] {
        let sender = sender.clone();
        std::thread::spawn(move || {
            let found = Fail2banDatabase::new(path).look_up("sshd", "203.0.113.7", None, at(AT));
            let _ = sender.send(found.map(|_| ()).map_err(|error| error.to_string()));
        });
        let found = receiver.recv_timeout(Duration::from_secs(10)).expect("it blocks");
        assert!(found.as_ref().is_err_and(|error| error.ends_with(": it is not a regular file")), "{found:?}");
    }
}

//! fail2ban's database, made by the tests with fail2ban's own statements: what is found in it, whose it is, and that
//! nothing of it is ever changed.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use super::enricher::{EnrichStatus, Enricher};
use super::fail2ban_database::{Fail2banDatabase, KnownBan};
use crate::event::{Ban, BanDuration, Event, EventDetails, Timestamp};

/// As fail2ban 0.11 to 1.1 makes it.
const TABLE: &str =
    "CREATE TABLE bans(jail TEXT NOT NULL, ip TEXT, timeofban INTEGER NOT NULL, bantime INTEGER NOT NULL,
     bancount INTEGER NOT NULL default 1, data JSON);
     CREATE INDEX bans_jail_timeofban_ip ON bans(jail, timeofban);
     CREATE INDEX bans_jail_ip ON bans(jail, ip);
     CREATE INDEX bans_ip ON bans(ip);";

/// As 0.9 and 0.10 do.
const OLD_TABLE: &str = "CREATE TABLE bans(jail TEXT NOT NULL, ip TEXT, timeofban INTEGER NOT NULL, data JSON);
     CREATE INDEX bans_jail_ip ON bans(jail, ip);";

const AT: i64 = 1_795_348_615;

/// fail2ban with its database.
struct Server {
    folder: tempfile::TempDir,
    connection: Connection,
}

impl Server {
    fn new() -> Self {
        Self::with(TABLE)
    }

    fn with(tables: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let connection = open(&folder.path().join("f.sqlite3"));
        connection.execute_batch(tables).unwrap();
        Self { folder, connection }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("f.sqlite3")
    }

    fn database(&self) -> Fail2banDatabase {
        Fail2banDatabase::new(self.path())
    }

    fn ban(&self, ip: &str, time: i64, bantime: i64, count: i64, data: &[u8]) {
        let sql = "INSERT INTO bans(jail, ip, timeofban, bantime, bancount, data) VALUES('sshd', ?, ?, ?, ?, ?)";
        self.connection.execute(sql, params![ip, time, bantime, count, data]).unwrap();
    }

    /// Everything in the folder.
    fn bytes(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files: Vec<_> = fs::read_dir(self.folder.path()).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    }
}

/// As fail2ban does.
fn open(path: &std::path::Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY").unwrap();
    connection.query_row("PRAGMA journal_mode = MEMORY", [], |_| Ok(())).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection
}

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
    let server = Server::new();
    server.ban("x", AT, 600, 1, data);
    by_ticket(&mut server.database(), "x", AT * 1_000).unwrap()
}

fn matches(data: &[u8]) -> Vec<String> {
    known(data).matches
}

#[test]
fn a_ban_and_all_that_is_known_of_it() {
    let server = Server::new();
    server.ban("203.0.113.7", AT, 1_200, 2, br#"{"matches": ["one", "two"], "failures": 5, "user": "x"}"#);
    let found = by_ticket(&mut server.database(), "203.0.113.7", AT * 1_000 + 449);
    let expected = KnownBan {
        failures: Some(5),
        count: Some(2),
        duration: Some(BanDuration::Seconds(1_200)),
        matches: vec!["one".into(), "two".into()],
    };
    assert_eq!(found, Some(expected));
    for (bantime, duration) in [(-1, Some(BanDuration::Permanent)), (-2, None), (0, Some(BanDuration::Seconds(0)))] {
        server.ban("x", AT + bantime, bantime, 1, b"{}");
        assert_eq!(by_ticket(&mut server.database(), "x", (AT + bantime) * 1_000).unwrap().duration, duration);
    }
}

#[test]
fn what_a_real_fail2ban_wrote() {
    let server = Server::with(include_str!("testdata/fail2ban-1.0.2.sql"));
    let mut database = server.database();
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
fn another_ban_is_never_taken_for_it() {
    let server = Server::new();
    let mut database = server.database();
    server.ban("x", AT, 600, 1, br#"{"matches": ["the first"]}"#);
    for other in [-5_000, -2_000, 2_000, 700_000] {
        assert_eq!(by_ticket(&mut database, "x", AT * 1_000 + other), None, "{other}");
    }
    assert_eq!(by_ticket(&mut database, "X", AT * 1_000), None);
    assert_eq!(database.look_up("SSHD", "x", Some(at(AT)), at(AT)).unwrap(), None);
    // The line of the log comes when fail2ban gets to it.
    for (later, found) in [(-2_000, false), (-400, true), (0, true), (9_000, true), (11_000, false), (700_000, false)] {
        assert_eq!(by_line(&mut database, "x", AT * 1_000 + later).is_some(), found, "{later}");
    }
    // The same one again, after a short ban: until its row is there, there is none.
    server.ban("short", AT, 4, 1, br#"{"matches": ["the first"]}"#);
    assert!(by_line(&mut database, "short", AT * 1_000 + 3_999).is_some());
    assert_eq!(by_line(&mut database, "short", AT * 1_000 + 4_500), None);
    server.ban("short", AT + 4, 4, 2, br#"{"matches": ["the second"]}"#);
    assert_eq!(by_line(&mut database, "short", AT * 1_000 + 4_500).unwrap().matches, ["the second"]);
    assert_eq!(by_ticket(&mut database, "short", AT * 1_000).unwrap().matches, ["the first"]);
}

#[test]
fn a_database_that_comes_and_goes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("later/f.sqlite3");
    let mut database = Fail2banDatabase::new(path.clone());
    assert_eq!(by_ticket(&mut database, "x", AT * 1_000), None);
    fs::create_dir(path.parent().unwrap()).unwrap();
    fs::write(&path, "").unwrap();
    assert_eq!(by_ticket(&mut database, "x", AT * 1_000), None);
    assert!(!database.is_there());
    for matched in ["a", "b"] {
        let server = Server::new();
        server.ban("x", AT, 600, 1, format!(r#"{{"matches": ["{matched}"]}}"#).as_bytes());
        fs::rename(server.path(), &path).unwrap();
        assert_eq!(by_ticket(&mut database, "x", AT * 1_000).unwrap().matches, [matched]);
        assert!(database.is_there());
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(by_ticket(&mut database, "x", AT * 1_000), None);
    assert!(!database.is_there());
}

#[test]
fn an_old_database_and_what_an_update_makes_of_it() {
    let server = Server::with(OLD_TABLE);
    let mut database = server.database();
    let data = r#"{"matches": [["", "Nov 22 10:56:55", " auth fail\n"], "as a whole"], "failures": 3}"#;
    server.connection.execute("INSERT INTO bans VALUES('sshd', 'x', ?, ?)", params![AT, data]).unwrap();
    let matches = vec!["Nov 22 10:56:55 auth fail".to_owned(), "as a whole".to_owned()];
    let old = KnownBan { failures: Some(3), matches, ..KnownBan::default() };
    assert_eq!(by_ticket(&mut database, "x", AT * 1_000), Some(old.clone()));
    // As `updateDb` of 0.11 does it.
    server
        .connection
        .execute_batch(&format!(
            "BEGIN; CREATE TEMPORARY TABLE old AS SELECT jail, ip, timeofban, -2, 1, data FROM bans; DROP TABLE bans;
             {TABLE} INSERT INTO bans SELECT * FROM old; DROP TABLE old; COMMIT;"
        ))
        .unwrap();
    assert_eq!(by_ticket(&mut database, "x", AT * 1_000), Some(KnownBan { count: Some(1), ..old }));
}

#[test]
fn what_an_attacker_had_written() {
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
    let server = Server::new();
    server.connection.execute("INSERT INTO bans VALUES('sshd', 'x', ?, 600, 1, 17)", [AT]).unwrap();
    assert_eq!(by_ticket(&mut server.database(), "x", AT * 1_000).unwrap().matches, [""; 0]);
    server.connection.execute("INSERT INTO bans VALUES('sshd', 'y', ?, 600, 1, NULL)", [AT]).unwrap();
    assert_eq!(by_ticket(&mut server.database(), "y", AT * 1_000).unwrap().matches, [""; 0]);
}

#[test]
fn a_row_of_a_hundred_megabytes_is_not_read() {
    let server = Server::new();
    server.connection.execute("INSERT INTO bans VALUES('sshd', 'x', ?, 900, 3, zeroblob(100 << 20))", [AT]).unwrap();
    let mut database = server.database();
    let took = |database: &mut Fail2banDatabase| {
        let begun = Instant::now();
        assert!(by_ticket(database, "x", AT * 1_000).is_some());
        begun.elapsed()
    };
    // To read it takes five times as long on the fastest machine; the fastest of many, as others are at work here too.
    let fastest = (0..20).map(|_| took(&mut database)).min().unwrap();
    assert!(fastest < Duration::from_millis(5), "{fastest:?}");
    let found = by_ticket(&mut database, "x", AT * 1_000).unwrap();
    assert_eq!((found.count, found.duration), (Some(3), Some(BanDuration::Seconds(900))));
    assert_eq!(found.matches, [""; 0]);
}

#[test]
fn nothing_is_ever_written() {
    let server = Server::new();
    server.ban("x", AT, 600, 1, b"{}");
    let before = server.bytes();
    let mut database = server.database();
    assert!(by_ticket(&mut database, "x", AT * 1_000).is_some());
    assert_eq!(server.bytes(), before);
    // Somebody has switched it over, and closed it: to read it now is to write.
    server.connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
    let Server { folder, connection } = server;
    drop(connection);
    let before = fs::read_dir(folder.path()).unwrap().count();
    let error = database.look_up("sshd", "x", Some(at(AT)), at(AT)).unwrap_err();
    assert!(error.to_string().contains("write-ahead log"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), before);
}

#[test]
fn what_a_crash_left_is_not_ours_to_roll_back() {
    let server = Server::new();
    server.connection.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(())).unwrap();
    server.ban("x", AT, 600, 1, b"{}");
    // As after a power failure: a transaction in the file, and its journal beside it.
    server.connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA cache_size = 1; BEGIN EXCLUSIVE;").unwrap();
    for n in 0..100 {
        server.ban(&n.to_string(), AT, 600, 1, &[b'x'; 2_000]);
    }
    let crashed = tempfile::tempdir().unwrap();
    for file in ["f.sqlite3", "f.sqlite3-journal"] {
        fs::copy(server.folder.path().join(file), crashed.path().join(file)).unwrap();
    }
    let journal = fs::read(crashed.path().join("f.sqlite3-journal")).unwrap();
    let error =
        Fail2banDatabase::new(crashed.path().join("f.sqlite3")).look_up("sshd", "x", Some(at(AT)), at(AT)).unwrap_err();
    assert!(!error.is_busy(), "{error}");
    assert_eq!(fs::read(crashed.path().join("f.sqlite3-journal")).unwrap(), journal);
}

#[test]
fn what_is_no_database_of_fail2bans() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let mut database = Fail2banDatabase::new(path.clone());
    let mut says = || database.look_up("sshd", "x", None, at(AT)).unwrap_err().to_string();
    for text in ["short", &"long ".repeat(1_000)] {
        fs::write(&path, text).unwrap();
        let error = says();
        assert!(error.contains("not fail2ban's") || error.contains("not a database"), "{error}");
    }
    fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE bans(jail, ip)").unwrap();
    assert!(says().contains("no table bans"));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(says().contains("not fail2ban's"));
}

#[test]
fn neither_waits_long_for_the_other() {
    let server = Server::new();
    let mut database = server.database();
    assert_eq!(by_ticket(&mut database, "x", AT * 1_000), None);
    server.connection.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let begun = Instant::now();
    let error = database.look_up("sshd", "x", Some(at(AT)), at(AT)).unwrap_err();
    assert!(error.is_busy(), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    server.connection.execute_batch("COMMIT").unwrap();
    // Whatever was asked before, there is no lock left that a writer without patience would meet.
    server.connection.busy_timeout(Duration::ZERO).unwrap();
    for n in 0..100 {
        server.ban(&n.to_string(), AT, 600, 1, b"{}");
        assert!(by_ticket(&mut database, &n.to_string(), AT * 1_000).is_some());
    }
}

fn ban(subject: &str) -> Ban {
    Ban { subject: subject.to_owned(), ..Ban::default() }
}

#[test]
fn what_is_said_already_stays_but_for_what_fail2ban_counts() {
    let known = |count, seconds| KnownBan {
        failures: Some(5),
        count: Some(count),
        duration: Some(BanDuration::Seconds(seconds)),
        matches: vec!["m".into()],
    };
    let completed = |known: KnownBan, mut ban: Ban| {
        known.enrich(&mut ban);
        (ban.failures, ban.count, ban.duration, ban.matches)
    };
    let seconds = |seconds| Some(BanDuration::Seconds(seconds));
    let matches = vec!["m".to_owned()];
    // A line of the log: nothing is known yet, and 1 is what fail2ban writes where it does not count.
    assert_eq!(completed(known(1, 600), ban("x")), (Some(5), None, seconds(600), matches.clone()));
    assert_eq!(completed(known(3, 600), ban("x")), (Some(5), Some(3), seconds(600), matches.clone()));
    let told = Ban { failures: Some(3), count: Some(1), duration: seconds(600), ..ban("x") };
    assert_eq!(completed(known(1, 9), told.clone()), (Some(3), Some(1), seconds(600), matches.clone()));
    assert_eq!(completed(known(2, 1_200), told.clone()), (Some(3), Some(2), seconds(1_200), matches.clone()));
    let restored = Ban { restored: true, count: Some(3), ..told.clone() };
    assert_eq!(completed(known(2, 1_200), restored), (Some(3), Some(3), seconds(600), matches));
    let said = Ban { matches: vec!["said".into()], ..told };
    assert_eq!(completed(known(1, 600), said).3, ["said"]);
}

fn event(details: EventDetails) -> Event {
    Event { id: "1".into(), at: at(AT), host: String::new(), jail: "sshd".into(), details, labels: [].into() }
}

/// As the action tells of it.
fn told(subject: &str) -> Event {
    event(EventDetails::Ban(Ban { failures: Some(3), ticket_at: Some(at(AT)), ..ban(subject) }))
}

/// Hands an event in that was taken in when it happened, so many milliseconds later.
fn enrich(enricher: &mut Enricher, event: &mut Event, later: i64) -> EnrichStatus {
    enricher.enrich(event, at(AT), at(AT).plus_ms(later))
}

#[test]
fn a_ban_waits_for_its_row_and_not_for_ever() {
    let server = Server::new();
    let mut enricher = Enricher::new(Some(server.path()), true);
    let (mut first, mut second) = (told("x"), told("y"));
    assert_eq!(enrich(&mut enricher, &mut first, 0), EnrichStatus::NotYet);
    assert_eq!(enrich(&mut enricher, &mut second, 5), EnrichStatus::NotYet);
    assert_eq!(first, told("x"));
    server.ban("x", AT, 600, 1, br#"{"matches": ["m"]}"#);
    assert_eq!(enrich(&mut enricher, &mut first, 50), EnrichStatus::Ready);
    assert_eq!(first.ban().unwrap().matches, ["m"]);
    assert_eq!(enrich(&mut enricher, &mut second, 999), EnrichStatus::NotYet);
    assert_eq!(enrich(&mut enricher, &mut second, 1_000), EnrichStatus::Ready);
    assert_eq!(second, told("y"));
}

#[test]
fn what_has_no_row_to_wait_for() {
    let server = Server::new();
    let of = |ban: Ban| event(EventDetails::Ban(ban));
    let waits = |mut event: Event, later: i64| {
        let mut enricher = Enricher::new(Some(server.path()), true);
        enrich(&mut enricher, &mut event, later) == EnrichStatus::NotYet
    };
    assert!(waits(told("x"), 0));
    for other in [
        event(EventDetails::Start),
        event(EventDetails::Unban(ban("x"))),
        of(ban("")),
        of(Ban { failures: Some(0), ..ban("x") }),
        of(Ban { restored: true, ..ban("x") }),
        of(Ban { matches: vec!["m".into()], ..ban("x") }),
        // A line of an old log.
        Event { at: at(AT - 3_600), ..told("x") },
    ] {
        assert!(!waits(other.clone(), 0), "{other:?}");
    }
    // The clock was set back.
    assert!(!waits(told("x"), -50));
    let absent = server.folder.path().join("absent");
    for path in [None, Some(absent)] {
        assert_eq!(enrich(&mut Enricher::new(path, false), &mut told("x"), 0), EnrichStatus::Ready);
    }
    // What is not waited for is looked for.
    server.ban("x", AT, 1_200, 2, b"{}");
    let mut by_hand = of(Ban { failures: Some(0), ticket_at: Some(at(AT)), ..ban("x") });
    assert_eq!(enrich(&mut Enricher::new(Some(server.path()), true), &mut by_hand, 0), EnrichStatus::Ready);
    assert_eq!(by_hand.ban().unwrap().count, Some(2));
}

#[test]
fn a_database_into_which_nobody_writes_is_not_waited_for() {
    let server = Server::new();
    let mut enricher = Enricher::new(Some(server.path()), true);
    for subject in ["a", "b", "c"] {
        assert_eq!(enrich(&mut enricher, &mut told(subject), 0), EnrichStatus::NotYet, "{subject}");
        assert_eq!(enrich(&mut enricher, &mut told(subject), 1_000), EnrichStatus::Ready, "{subject}");
    }
    let later = |enricher: &mut Enricher, ms| {
        let now = at(AT).plus_ms(ms);
        let mut event = Event { at: now, ..told("d") };
        enricher.enrich(&mut event, now, now)
    };
    assert_eq!(later(&mut enricher, 1_001), EnrichStatus::Ready);
    assert_eq!(later(&mut enricher, 60_999), EnrichStatus::Ready);
    assert_eq!(later(&mut enricher, 61_001), EnrichStatus::NotYet);
}

#[test]
fn a_database_that_cannot_be_read_holds_nothing_up() {
    let server = Server::new();
    let mut enricher = Enricher::new(Some(server.path()), true);
    server.connection.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert_eq!(enrich(&mut enricher, &mut told("x"), 0), EnrichStatus::NotYet);
    // It is left alone for a moment.
    let begun = Instant::now();
    for later in 1..100 {
        assert_eq!(enrich(&mut enricher, &mut told("x"), later), EnrichStatus::NotYet);
    }
    assert!(begun.elapsed() < Duration::from_millis(50), "{:?}", begun.elapsed());
    server.connection.execute_batch("COMMIT").unwrap();
    server.ban("x", AT, 600, 1, br#"{"matches": ["m"]}"#);
    let mut event = told("x");
    assert_eq!(enrich(&mut enricher, &mut event, 300), EnrichStatus::Ready);
    assert_eq!(event.ban().unwrap().matches, ["m"]);

    fs::write(server.path(), "nonsense ".repeat(1_000)).unwrap();
    assert_eq!(enrich(&mut enricher, &mut told("x"), 400), EnrichStatus::Ready);
    fs::remove_file(server.path()).unwrap();
    let mended = Server::new();
    mended.ban("x", AT, 600, 1, br#"{"matches": ["m"]}"#);
    fs::rename(mended.path(), server.path()).unwrap();
    let mut event = told("x");
    assert_eq!(enrich(&mut enricher, &mut event, 1_000), EnrichStatus::Ready);
    assert_eq!(event, told("x"));
    assert_eq!(enrich(&mut enricher, &mut event, 60_401), EnrichStatus::Ready);
    assert_eq!(event.ban().unwrap().matches, ["m"]);
}

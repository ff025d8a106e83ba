//! A database that the tests write with fail2ban's own statements.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::{Connection, params};

/// The tables of fail2ban 0.11 to 1.1.
pub(crate) const TABLE: &str =
    "CREATE TABLE bans(jail TEXT NOT NULL, ip TEXT, timeofban INTEGER NOT NULL, bantime INTEGER NOT NULL,
     bancount INTEGER NOT NULL default 1, data JSON);
     CREATE INDEX bans_jail_timeofban_ip ON bans(jail, timeofban);
     CREATE INDEX bans_jail_ip ON bans(jail, ip);
     CREATE INDEX bans_ip ON bans(ip);";

/// The tables of fail2ban 0.9 and 0.10.
pub(crate) const OLD_TABLE: &str =
    "CREATE TABLE bans(jail TEXT NOT NULL, ip TEXT, timeofban INTEGER NOT NULL, data JSON);
     CREATE INDEX bans_jail_ip ON bans(jail, ip);";

/// A database in a folder of its own, written as fail2ban writes it.
pub(crate) struct TestDatabase {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) connection: Connection,
}

impl TestDatabase {
    pub(crate) fn new() -> Self {
        Self::with(TABLE)
    }

    pub(crate) fn with(tables: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let connection = open(&folder.path().join("f.sqlite3"));
        connection.execute_batch(tables).unwrap();
        Self { folder, connection }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("f.sqlite3")
    }

    pub(crate) fn insert_ban(&self, ip: &str, time: i64, bantime: i64, count: i64, data: &[u8]) {
        let sql = "INSERT INTO bans(jail, ip, timeofban, bantime, bancount, data) VALUES('sshd', ?, ?, ?, ?, ?)";
        self.connection.execute(sql, params![ip, time, bantime, count, data]).unwrap();
    }

    /// Returns the content of all files in the folder.
    pub(crate) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files: Vec<_> = fs::read_dir(self.folder.path()).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    }
}

/// Opens a database as fail2ban does.
fn open(path: &std::path::Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY").unwrap();
    connection.query_row("PRAGMA journal_mode = MEMORY", [], |_| Ok(())).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection
}

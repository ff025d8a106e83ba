//! fail2ban's own database: what it knows of a ban beyond what its action and its log say.
//!
//! The action must not be handed the matched lines (an attacker who makes them too long for a command line, or puts a NUL
//! into them, would keep it from running), and with `bantime.increment` the real ban time and count are decided while the
//! action runs already. All of it is in the table `bans`, a moment later.
//!
//! It is another program's file, and fail2ban is never to wait for us or to fail because of us: it is opened read-only, one
//! statement at a time looks at one row, and nothing is kept locked in between. fail2ban keeps its journal in memory, so
//! who reads and who writes wait for each other; a writer of fail2ban's tries for five seconds, we for [`BUSY`].

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params};

use crate::event::readable::cut;
use crate::event::{Ban, BanDuration, Timestamp};

/// How long to wait for fail2ban's writer. Its transactions take a millisecond or less, but for a purge each hour.
const BUSY: Duration = Duration::from_millis(50);

/// How far the time of a row may be from the ticket's, in ms: it is the same time, rounded to a second.
const TICKET_WITHIN_MS: i64 = 1_000;

/// How much earlier than its line in the log a ban may be, in ms. Its time is that of the last failure, and in between lie
/// fail2ban's reading of that log and the actions for other bans.
const LINE_WITHIN_MS: i64 = 10_000;

/// The longest `data` that is read, in bytes. It holds lines of a log, which an attacker wrote and which have no limit.
const DATA_BYTES: u32 = 1 << 20;

/// The most lines of one ban, and the longest, as `wit/types.wit` promises.
const MATCHES: usize = 20;
const MATCH_BYTES: usize = 1_000;

/// The database of the fail2ban on this host. Nothing is opened before it is asked.
pub struct Fail2banDatabase {
    path: PathBuf,
    open: Option<OpenDatabase>,
}

/// What fail2ban's database knows of a ban.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KnownBan {
    /// See [`Ban::failures`].
    pub failures: Option<u32>,
    /// See [`Ban::count`]; without `bantime.increment` fail2ban does not count and this is always 1.
    pub count: Option<u32>,
    /// See [`Ban::duration`].
    pub duration: Option<BanDuration>,
    /// See [`Ban::matches`]; at most 20 of at most 1,000 bytes each, the last ones.
    pub matches: Vec<String>,
}

/// The database could not be read. It is tried anew the next time.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The system does not let us.
    #[error("cannot read fail2ban's database {path}: {reason}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
    /// SQLite does not.
    #[error("cannot read fail2ban's database {path}: {source}", path = path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Its reason.
        source: rusqlite::Error,
    },
    /// It is something else.
    #[error("{path} is not fail2ban's database: it has no table bans with jail, ip, timeofban and data", path = .0.display())]
    Foreign(PathBuf),
    /// Reading it would write files beside it.
    #[error(
        "{path} has been switched to a write-ahead log, which fail2ban never does and which nobody can only read; \
         restart fail2ban, which switches it back",
        path = .0.display()
    )]
    WriteAhead(PathBuf),
}

impl DatabaseError {
    /// Whether somebody was just writing.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Sqlite { source, .. } if source.sqlite_error_code() == Some(ErrorCode::DatabaseBusy))
    }

    /// Whether we are not allowed to read it.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Read { reason, .. } if reason.kind() == io::ErrorKind::PermissionDenied)
    }
}

impl Fail2banDatabase {
    /// The database in this file, which need not be there.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self { path, open: None }
    }

    /// Whether it was there when it was last asked.
    #[must_use]
    pub const fn is_there(&self) -> bool {
        self.open.is_some()
    }

    /// What is known of a ban. `None`: there is no row, or not yet, or no database.
    ///
    /// `ticket_at`: fail2ban's own time of the ban, if it is known. `at`: otherwise the time of its line in the log.
    ///
    /// # Errors
    /// When the database is there and cannot be read.
    pub fn look_up(
        &mut self,
        jail: &str,
        subject: &str,
        ticket_at: Option<Timestamp>,
        at: Timestamp,
    ) -> Result<Option<KnownBan>, DatabaseError> {
        let Some(open) = self.current()? else { return Ok(None) };
        let found = open.find(jail, subject, ticket_at, at);
        found.map_err(|source| {
            // Whatever it was, a new connection knows better.
            self.open = None;
            DatabaseError::Sqlite { path: self.path.clone(), source }
        })
    }

    /// The file as it is now, opened if it is not, or not any more.
    fn current(&mut self) -> Result<Option<&OpenDatabase>, DatabaseError> {
        let read = |reason| DatabaseError::Read { path: self.path.clone(), reason };
        let before = self.open.take();
        let identity = match fs::metadata(&self.path) {
            // It is empty for a moment when fail2ban makes it.
            Ok(meta) if meta.len() > 0 => (meta.dev(), meta.ino()),
            Ok(_) => return Ok(None),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(reason) => return Err(read(reason)),
        };
        let open = match before {
            Some(open) if open.identity == identity && open.header().map_err(read)? == open.header => Some(open),
            before => {
                drop(before);
                OpenDatabase::new(&self.path)?
            }
        };
        self.open = open;
        Ok(self.open.as_ref())
    }
}

/// What is looked at in the file before SQLite is asked: <https://www.sqlite.org/fileformat.html#the_database_header>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    write_ahead: bool,
    /// Changes with the schema: fail2ban brings an old one up to date in place.
    schema: [u8; 4],
}

/// An open database.
struct OpenDatabase {
    connection: Connection,
    /// The same file, for a look at its header. Closing it would give up SQLite's locks on it; there are none between two
    /// statements.
    file: File,
    identity: (u64, u64),
    header: Header,
    statement: String,
}

impl OpenDatabase {
    /// Opens a file; `None` if it is being replaced at this moment.
    fn new(path: &Path) -> Result<Option<Self>, DatabaseError> {
        let read = |reason| DatabaseError::Read { path: path.to_owned(), reason };
        let sqlite = |source| DatabaseError::Sqlite { path: path.to_owned(), source };
        let file = File::open(path).map_err(read)?;
        let meta = file.metadata().map_err(read)?;
        if !meta.is_file() {
            return Err(DatabaseError::Foreign(path.to_owned()));
        }
        let header = match read_header(&file) {
            Ok(header) => header,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(DatabaseError::Foreign(path.to_owned()));
            }
            Err(reason) => return Err(read(reason)),
        };
        if header.write_ahead {
            return Err(DatabaseError::WriteAhead(path.to_owned()));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(sqlite)?;
        connection.busy_timeout(BUSY).map_err(sqlite)?;
        let columns = columns(&connection).map_err(sqlite)?;
        let statement = statement(&columns).ok_or_else(|| DatabaseError::Foreign(path.to_owned()))?;
        let identity = (meta.dev(), meta.ino());
        let now = fs::metadata(path).map_err(read)?;
        Ok((identity == (now.dev(), now.ino())).then_some(Self { connection, file, identity, header, statement }))
    }

    fn header(&self) -> io::Result<Header> {
        read_header(&self.file)
    }

    fn find(
        &self,
        jail: &str,
        subject: &str,
        ticket_at: Option<Timestamp>,
        at: Timestamp,
    ) -> rusqlite::Result<Option<KnownBan>> {
        let (wanted, before, after) = match ticket_at {
            Some(ticket_at) => (ticket_at.0, TICKET_WITHIN_MS, TICKET_WITHIN_MS),
            None => (at.0, LINE_WITHIN_MS, TICKET_WITHIN_MS),
        };
        let mut statement = self.connection.prepare_cached(&self.statement)?;
        let (first, last) = (wanted.saturating_sub(before), wanted.saturating_add(after));
        let row = statement
            .query_row(params![jail, subject, first, last, wanted, DATA_BYTES], |row| {
                let data = match row.get_ref(3)? {
                    ValueRef::Blob(data) | ValueRef::Text(data) => data.to_vec(),
                    _ => Vec::new(),
                };
                Ok(BanRow { time: row.get(0)?, bantime: row.get(1)?, count: row.get(2)?, data })
            })
            .optional()?;
        // A short ban that was over by then is not the one that the line tells of.
        let row = row.filter(|row| ticket_at.is_some() || !row.was_over(at));
        Ok(row.map(BanRow::into_known))
    }
}

fn read_header(file: &File) -> io::Result<Header> {
    let mut bytes = [0; 44];
    file.read_exact_at(&mut bytes, 0)?;
    let [.., s0, s1, s2, s3] = bytes;
    // 18 and 19: the versions for writing and for reading; 2 is the write-ahead log.
    let write_ahead = bytes.get(18..20).is_some_and(|versions| versions.contains(&2));
    Ok(Header { write_ahead, schema: [s0, s1, s2, s3] })
}

fn columns(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection.prepare("PRAGMA table_info(bans)")?.query_map([], |row| row.get("name"))?.collect()
}

/// Finds one row by jail, subject, and time in milliseconds; `None` if the table has not what it takes.
///
/// `bantime` and `bancount` are there since fail2ban 0.11. The plus keeps SQLite off the index by time, in which a storm
/// has many rows. Only the one row's `data` is touched, and not read if it is too long.
fn statement(columns: &[String]) -> Option<String> {
    let has = |name: &str| columns.iter().any(|column| column == name);
    if !["jail", "ip", "timeofban", "data"].into_iter().all(has) {
        return None;
    }
    let number = |name: &str| if has(name) { format!("CAST({name} AS INTEGER)") } else { "NULL".to_owned() };
    Some(format!(
        "SELECT CAST(timeofban AS INTEGER), {}, {}, CASE WHEN octet_length(data) <= ?6 THEN data END
         FROM bans
         WHERE rowid = (SELECT rowid FROM bans
                        WHERE jail = ?1 AND ip = ?2 AND +timeofban * 1000 BETWEEN ?3 AND ?4
                        ORDER BY abs(timeofban * 1000 - ?5), rowid DESC LIMIT 1)",
        number("bantime"),
        number("bancount")
    ))
}

/// A row as it is.
struct BanRow {
    /// Seconds since 1970.
    time: i64,
    /// Seconds; -1: for ever; -2: unknown, from before 0.11.
    bantime: Option<i64>,
    count: Option<i64>,
    /// JSON, as fail2ban's Python wrote it; empty: too long.
    data: Vec<u8>,
}

impl BanRow {
    fn was_over(&self, at: Timestamp) -> bool {
        let end = |seconds| self.time.saturating_add(seconds).saturating_mul(1_000);
        self.bantime.is_some_and(|seconds| seconds >= 0 && end(seconds) <= at.0)
    }

    fn into_known(self) -> KnownBan {
        let (failures, matches) = read_data(&self.data);
        let number = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
        KnownBan {
            failures,
            count: self.count.filter(|count| *count > 0).map(number),
            duration: match self.bantime {
                Some(-1) => Some(BanDuration::Permanent),
                Some(seconds @ 0..) => Some(BanDuration::Seconds(number(seconds))),
                Some(_) | None => None,
            },
            matches,
        }
    }
}

/// `{"matches": ["…"], "failures": 5, …}`. Python writes it in the encoding of fail2ban's locale, and older versions write
/// a line as a list of its parts; what is odd is left out.
fn read_data(data: &[u8]) -> (Option<u32>, Vec<String>) {
    let Ok(data) = serde_json::from_str::<serde_json::Value>(&String::from_utf8_lossy(data)) else {
        return (None, Vec::new());
    };
    let failures = data.get("failures").and_then(serde_json::Value::as_u64);
    let lines = data.get("matches").and_then(serde_json::Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let last = lines.get(lines.len().saturating_sub(MATCHES)..).unwrap_or_default();
    (failures.map(|failures| u32::try_from(failures).unwrap_or(u32::MAX)), last.iter().filter_map(line).collect())
}

fn line(json: &serde_json::Value) -> Option<String> {
    let line = match json {
        serde_json::Value::String(line) => line.clone(),
        serde_json::Value::Array(parts) => parts.iter().filter_map(serde_json::Value::as_str).collect(),
        _ => return None,
    };
    // C's end of a text, which none of ours ever holds.
    let line = line.trim_end_matches(['\r', '\n']).replace('\0', "\\x00");
    let fits = line.len() <= MATCH_BYTES;
    let line = if fits { line } else { format!("{}…", cut(&line, MATCH_BYTES - "…".len())) };
    (!line.is_empty()).then_some(line)
}

impl KnownBan {
    /// Fills in what is open about a ban. What it says already stays, but for count and duration where fail2ban counts: it
    /// has told its action before it had counted.
    pub fn enrich(self, ban: &mut Ban) {
        // Of a restored one fail2ban says what it is now: one ban more, and no longer than the jail bans by now.
        let counts = self.count.is_some_and(|count| count > 1) && !ban.restored;
        if counts || ban.duration.is_none() {
            ban.duration = self.duration.or(ban.duration);
        }
        // That it is the first may also mean that nobody counts.
        if let Some(count) = self.count.filter(|count| counts || *count > 1 && ban.count.is_none()) {
            ban.count = Some(count);
        }
        ban.failures = ban.failures.or(self.failures);
        if ban.matches.is_empty() {
            ban.matches = self.matches;
        }
    }
}

//! The connection to the file, which fail2ban may replace, upgrade or lock at any time.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params};

use super::known_ban::{BanRow, KnownBan};
use crate::accounts::{database_hint, user_name};
use crate::event::Timestamp;

/// How long to wait for fail2ban's writer. Its transactions take a millisecond or less, except for a purge each hour.
const BUSY_TIMEOUT: Duration = Duration::from_millis(50);

/// How far the time of a row may be from the ticket's, in ms: it is the same time, rounded to a second.
const TICKET_WITHIN_MS: i64 = 1_000;

/// How much earlier than its line in the log a ban may be, in ms. Its time is that of the last failure; in between, fail2ban
/// reads that log and runs the actions for other bans.
const LINE_WITHIN_MS: i64 = 10_000;

/// The longest `data` that is read, in bytes. It contains lines of a log, which an attacker writes and which have no limit.
const MAX_DATA_BYTES: u32 = 1 << 20;

/// The database of the fail2ban on this host. It is opened when it is first queried.
pub(crate) struct Fail2banDatabase {
    path: PathBuf,
    open: Option<OpenDatabase>,
}

/// The database cannot be read. The next query tries again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DatabaseError {
    /// The system does not permit it.
    #[error(
        "cannot read fail2ban's database {path}: {reason}{}",
        database_hint(reason, path, &user_name(rustix::process::geteuid())),
        path = path.display()
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
    /// SQLite cannot read it.
    #[error("cannot read fail2ban's database {path}: {source}", path = path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Its reason.
        source: rusqlite::Error,
    },
    /// The file is another one.
    #[error("{path} is not fail2ban's database: it has no table bans with jail, ip, timeofban and data", path = .0.display())]
    Foreign(PathBuf),
    /// Reading it would write files next to it.
    #[error(
        "{path} uses a write-ahead log, which fail2ban never does, so reading it would write to it; restart fail2ban to \
         switch it back",
        path = .0.display()
    )]
    WriteAhead(PathBuf),
}

impl DatabaseError {
    /// Returns whether fail2ban was writing.
    #[must_use]
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self, Self::Sqlite { source, .. } if source.sqlite_error_code() == Some(ErrorCode::DatabaseBusy))
    }

    /// Returns whether banhook is not permitted to read it.
    #[must_use]
    pub(crate) fn is_denied(&self) -> bool {
        matches!(self, Self::Read { reason, .. } if reason.kind() == io::ErrorKind::PermissionDenied)
    }
}

impl Fail2banDatabase {
    /// Returns the database in this file, which need not exist.
    #[must_use]
    pub(crate) const fn new(path: PathBuf) -> Self {
        Self { path, open: None }
    }

    /// Returns whether it existed at the last query.
    #[must_use]
    pub(crate) const fn exists(&self) -> bool {
        self.open.is_some()
    }

    /// Returns what is known of a ban; `None` if there is no row, or none yet, or no database.
    ///
    /// `ticket_at`: fail2ban's own time of the ban, if it is known. `at`: otherwise the time of its line in the log.
    ///
    /// # Errors
    /// When the database exists and cannot be read.
    pub(crate) fn look_up(
        &mut self,
        jail: &str,
        subject: &str,
        ticket_at: Option<Timestamp>,
        at: Timestamp,
    ) -> Result<Option<KnownBan>, DatabaseError> {
        let Some(open) = self.current()? else { return Ok(None) };
        let found = open.find(jail, subject, ticket_at, at);
        found.map_err(|source| {
            // A new connection may succeed.
            self.open = None;
            DatabaseError::Sqlite { path: self.path.clone(), source }
        })
    }

    /// Returns the current file, opened again if it was replaced or upgraded.
    fn current(&mut self) -> Result<Option<&OpenDatabase>, DatabaseError> {
        let read = |reason| DatabaseError::Read { path: self.path.clone(), reason };
        let before = self.open.take();
        let identity = match fs::metadata(&self.path) {
            Ok(meta) if !meta.is_file() => return Err(read(not_a_file())),
            // It is empty for a moment when fail2ban creates it.
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

/// What is read of the file before SQLite opens it: <https://www.sqlite.org/fileformat.html#the_database_header>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    write_ahead: bool,
    /// Changes with the schema: fail2ban upgrades an old one in place.
    schema: [u8; 4],
}

/// An open database.
struct OpenDatabase {
    connection: Connection,
    /// The same file, to read its header. Closing it would release SQLite's locks on it; there are none between two
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
        // What was a file may be a FIFO by now, which blocks.
        let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let file = File::options().read(true).custom_flags(nonblocking).open(path).map_err(read)?;
        let meta = file.metadata().map_err(read)?;
        if !meta.is_file() {
            return Err(read(not_a_file()));
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
        connection.busy_timeout(BUSY_TIMEOUT).map_err(sqlite)?;
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
            .query_row(params![jail, subject, first, last, wanted, MAX_DATA_BYTES], |row| {
                let data = match row.get_ref(3)? {
                    ValueRef::Blob(data) | ValueRef::Text(data) => data.to_vec(),
                    _ => Vec::new(),
                };
                Ok(BanRow { time: row.get(0)?, bantime: row.get(1)?, count: row.get(2)?, data })
            })
            .optional()?;
        // A short ban that had ended by then is not the one of this line.
        let row = row.filter(|row| ticket_at.is_some() || !row.had_ended(at));
        Ok(row.map(BanRow::into_known))
    }
}

fn not_a_file() -> io::Error {
    io::Error::other("it is not a regular file")
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

/// Returns the statement that finds one row by jail, subject, and time in milliseconds; `None` if columns are missing.
///
/// `bantime` and `bancount` exist since fail2ban 0.11. The plus keeps SQLite from using the index by time, in which a storm
/// has many rows. Only the `data` of the one row is read, and not if it is too long.
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

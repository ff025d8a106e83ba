//! What can go wrong with the store, said so that an administrator can act on it.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_READONLY_DBMOVED;

use super::StateDir;
use super::state_dir::DbFile;

/// What helps against a system's reason.
fn hint(reason: &io::Error) -> &'static str {
    match reason.kind() {
        // SQLite says no more than that it cannot.
        io::ErrorKind::PermissionDenied | io::ErrorKind::Other => {
            "; run banhook as root or as the folder's owner, or give it to the user that banhook runs as: chown -R USER: FOLDER"
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "; choose another folder with --state-dir"
        }
        _ => "",
    }
}

/// A step that the store could not take. What was stored before is whole.
///
/// The texts are whole sentences, reason included; none has a source that would say it a second time.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk has no room left.
    #[error("cannot {what} in {path}: the disk is full; free some space there (what was stored before is whole)", path = path.display())]
    Full {
        /// The step, as a verb.
        what: &'static str,
        /// The state folder.
        path: PathBuf,
    },
    /// The folder or a file in it does not let us.
    #[error("cannot {what} {path}: {reason}{hint}", path = path.display(), hint = hint(reason))]
    Folder {
        /// The step, as a verb.
        what: &'static str,
        /// The folder or file.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
    /// The file is no database, or a damaged one.
    #[error("{path} is damaged or no banhook store ({reason}); move {what} away to start anew, and keep it: `sqlite3 FILE .recover` can read most of what it holds", path = path.display())]
    Damaged {
        /// The database file.
        path: PathBuf,
        /// What to move away: without its inbox, the rest of the folder is of no use.
        what: &'static str,
        /// SQLite's reason.
        reason: rusqlite::Error,
    },
    /// A newer banhook has changed the tables.
    #[error("{path} has schema version {found}, this banhook knows {known}; install the newer banhook again", path = path.display())]
    Newer {
        /// The database file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// The two files do not belong together.
    #[error("{path} is not what was worked on so far: it was restored from an older copy, or removed; put it back, or move {work}, with -wal and -shm, away as well to begin anew with what this one holds", path = path.display(), work = work.display())]
    Torn {
        /// The inbox.
        path: PathBuf,
        /// The file of what became of events.
        work: PathBuf,
    },
    /// The folder was removed, or made anew, beneath a process that works on it.
    #[error("the state folder {path} was removed or replaced while banhook was at work on it; what was in it is gone with it. Start banhook again", path = path.display())]
    Removed {
        /// The state folder.
        path: PathBuf,
    },
    /// Anything else that SQLite says.
    #[error("cannot {what} in {path}: {reason}", path = path.display())]
    Sqlite {
        /// The step, as a verb.
        what: &'static str,
        /// The state folder.
        path: PathBuf,
        /// SQLite's reason.
        reason: rusqlite::Error,
    },
}

impl StoreError {
    pub(super) fn new(what: &'static str, folder: &StateDir, file: &Path, source: rusqlite::Error) -> Self {
        let path = folder.path().to_owned();
        // What SQLite says where the file is not the one any more that it opened.
        if source.sqlite_error().is_some_and(|error| error.extended_code == SQLITE_READONLY_DBMOVED) {
            return Self::Removed { path };
        }
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { what, path },
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Self::Folder { what, path: file.to_owned(), reason: io::Error::other(source) }
            }
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                let is_inbox = file == folder.file(DbFile::Inbox);
                let what = if is_inbox { "the whole folder" } else { "it, with -wal and -shm," };
                Self::Damaged { path: file.to_owned(), what, reason: source }
            }
            _ => Self::Sqlite { what, path, reason: source },
        }
    }
}

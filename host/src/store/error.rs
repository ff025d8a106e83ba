//! The errors of the store, each with what an administrator can do about it.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_READONLY_DBMOVED;

use super::schema::DbFile;

/// A step of the store that failed. Everything stored before is intact.
///
/// The texts are whole sentences that include the reason; no variant has a source that would repeat it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is full.
    #[error("cannot {step} in {path}: the disk is full; free some space there (everything stored before is intact)", path = path.display())]
    Full {
        /// The step, as a verb.
        step: &'static str,
        /// The state directory.
        path: PathBuf,
    },
    /// The folder or a file in it cannot be opened, created or written.
    #[error("cannot {step} {path}: {reason}{hint}", path = path.display(), hint = hint(reason))]
    Folder {
        /// The step, as a verb.
        step: &'static str,
        /// The folder or file.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
    /// The file is not a database, or is a damaged one.
    #[error("{path} is damaged or is not a banhook store ({reason}); move {remove} away to start with an empty store, and keep it: `sqlite3 FILE .recover` can read most of its contents", path = path.display())]
    Damaged {
        /// The database file.
        path: PathBuf,
        /// What to move away: without its inbox, the rest of the folder is of no use.
        remove: &'static str,
        /// SQLite's reason.
        reason: rusqlite::Error,
    },
    /// A newer banhook has migrated the file.
    #[error("{path} has schema version {found}, and this banhook supports versions up to {known}; install the newer banhook again", path = path.display())]
    Newer {
        /// The database file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that this program supports.
        known: i64,
    },
    /// The two files do not belong together.
    #[error("{path} is not the inbox that {work} was written for: it was restored from an older copy, or removed; put it back, or move {work}, with -wal and -shm, away as well to start over with the events in this inbox", path = path.display(), work = work.display())]
    Mismatch {
        /// The inbox.
        path: PathBuf,
        /// The other file.
        work: PathBuf,
    },
    /// The folder was removed or created again while a process was using it.
    #[error("the state directory {path} was removed or replaced while banhook was using it, and its contents are lost; start banhook again", path = path.display())]
    Removed {
        /// The state directory.
        path: PathBuf,
    },
    /// Any other error of SQLite's.
    #[error("cannot {step} in {path}: {reason}", path = path.display())]
    Sqlite {
        /// The step, as a verb.
        step: &'static str,
        /// The state directory.
        path: PathBuf,
        /// SQLite's reason.
        reason: rusqlite::Error,
    },
}

impl StoreError {
    /// Classifies an error of SQLite's on one of the two files, at `file`, in the state directory at `folder`.
    pub(super) fn from_sqlite(
        step: &'static str,
        folder: &Path,
        (which, file): (DbFile, PathBuf),
        reason: rusqlite::Error,
    ) -> Self {
        let path = folder.to_owned();
        // SQLite's answer where the file at the path is no longer the one that it opened.
        if reason.sqlite_error().is_some_and(|error| error.extended_code == SQLITE_READONLY_DBMOVED) {
            return Self::Removed { path };
        }
        match reason.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { step, path },
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Self::Folder { step, path: file, reason: io::Error::other(reason) }
            }
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                let remove = match which {
                    DbFile::Inbox => "the whole folder",
                    DbFile::Work => "it, with -wal and -shm,",
                };
                Self::Damaged { path: file, remove, reason }
            }
            _ => Self::Sqlite { step, path, reason },
        }
    }

    /// Classifies an error of the system's on `path`, in the state directory at `folder`.
    pub(super) fn from_io(step: &'static str, folder: &Path, path: &Path, reason: io::Error) -> Self {
        if reason.kind() == io::ErrorKind::StorageFull {
            return Self::Full { step, path: folder.to_owned() };
        }
        // Every file of the store is created where it is missing, after the folder itself.
        if reason.kind() == io::ErrorKind::NotFound && !folder.exists() {
            return Self::Removed { path: folder.to_owned() };
        }
        Self::Folder { step, path: path.to_owned(), reason }
    }
}

/// What to do about the system's reason; empty where nothing general helps.
fn hint(reason: &io::Error) -> &'static str {
    match reason.kind() {
        // SQLite's errors are `Other`: it says only that it cannot open or write the file.
        io::ErrorKind::PermissionDenied | io::ErrorKind::Other => {
            "; run banhook as root or as the folder's owner, or give the folder to the user that banhook runs as: chown -R USER: FOLDER"
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "; choose another folder with --state-dir"
        }
        _ => "",
    }
}

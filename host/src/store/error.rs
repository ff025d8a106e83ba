//! The errors of the store, each with what an administrator can do about it.

use std::io;
use std::path::{Path, PathBuf};

use banhook_notify::{StateDir, StateDirError};
use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_READONLY_DBMOVED;

/// A step of the store that failed. Everything stored before is intact.
///
/// The texts are whole sentences that include the reason; no variant has a source that would repeat it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system failed.
    #[error(transparent)]
    StateDir(#[from] StateDirError),
    /// The file is not a database, or is a damaged one.
    #[error("{path} is damaged or is not a banhook store ({reason}); move it, with -wal and -shm, away to start with an empty store, and keep it: `sqlite3 FILE .recover` can read most of its contents. What fail2ban's action has reported in the last day is sent from the spool, unless it was delivered", path = path.display())]
    Damaged {
        /// The database file.
        path: PathBuf,
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

/// What the system says after an error of SQLite's: SQLite itself has one code for many reasons.
pub(super) trait Probe {
    /// Returns whether the file still is damaged. A failing read makes SQLite take a whole file for damaged.
    fn is_damaged(&self) -> bool;
    /// Returns whether another file, or none, is where the open one was.
    fn was_replaced(&self) -> io::Result<bool>;
    /// Returns why the file cannot be opened, read or written.
    fn access(&self) -> io::Result<()>;
    /// Returns whether the file system has space for another byte, and an inode for another file.
    fn has_space_and_inodes(&self) -> (bool, bool);
}

impl StoreError {
    /// The state directory was removed or created again.
    pub(crate) fn removed(folder: &StateDir) -> Self {
        Self::StateDir(StateDirError::Removed { path: folder.path().to_owned() })
    }

    /// Classifies an error of SQLite's on a file of the state directory at `folder`.
    pub(super) fn from_sqlite(
        step: &'static str,
        (folder, file): (&Path, &Path),
        reason: rusqlite::Error,
        probe: &impl Probe,
    ) -> Self {
        let path = folder.to_owned();
        let disk = |reason: String| Self::StateDir(StateDirError::Disk { step, path: path.clone(), reason });
        let extended = reason.sqlite_error().map_or(0, |error| error.extended_code);
        match reason.sqlite_error_code() {
            // SQLite's answer where it cannot see that the file at the path is the one that it opened.
            _ if extended == SQLITE_READONLY_DBMOVED => match probe.was_replaced() {
                Ok(true) => Self::StateDir(StateDirError::Removed { path }),
                Ok(false) => Self::Sqlite { step, path, reason },
                Err(error) => disk(error.to_string()),
            },
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                if probe.is_damaged() {
                    Self::Damaged { path: file.to_owned(), reason }
                } else {
                    disk(format!("{reason}, but the file is whole now"))
                }
            }
            Some(
                ErrorCode::DiskFull
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::SystemIoFailure,
            ) => match (probe.access(), probe.has_space_and_inodes()) {
                (_, (false, _)) => Self::StateDir(StateDirError::Full { step, path }),
                (_, (true, false)) => Self::StateDir(StateDirError::Inodes { step, path }),
                (Err(reason), _) => Self::StateDir(StateDirError::new(step, folder, file, reason)),
                (Ok(()), _) => match reason.sqlite_error_code() {
                    // Space that is free now, or is not for this user.
                    Some(ErrorCode::DiskFull) => Self::StateDir(StateDirError::Full { step, path }),
                    Some(ErrorCode::SystemIoFailure) => disk(reason.to_string()),
                    _ => Self::Sqlite { step, path, reason },
                },
            },
            _ => Self::Sqlite { step, path, reason },
        }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;
    use rustix::io::Errno;

    use super::*;

    /// What a system may say.
    #[derive(Clone, Copy)]
    struct Says {
        damaged: bool,
        replaced: Result<bool, Errno>,
        access: Result<(), Errno>,
        space: bool,
        inodes: bool,
    }

    const FINE: Says = Says { damaged: false, replaced: Ok(false), access: Ok(()), space: true, inodes: true };

    impl Probe for Says {
        fn is_damaged(&self) -> bool {
            self.damaged
        }

        fn was_replaced(&self) -> io::Result<bool> {
            Ok(self.replaced?)
        }

        fn access(&self) -> io::Result<()> {
            Ok(self.access?)
        }

        fn has_space_and_inodes(&self) -> (bool, bool) {
            (self.space, self.inodes)
        }
    }

    #[test]
    fn from_sqlite_class_of_the_error_decides_the_hint() {
        let damaged = Says { damaged: true, ..FINE };
        let access = |errno| Says { access: Err(errno), ..FINE };
        let (no_space, no_inodes) = (Says { space: false, ..FINE }, Says { inodes: false, ..FINE });
        let dir = tempfile::tempdir().unwrap();
        for (code, says, words) in [
            (ffi::SQLITE_CORRUPT, damaged, "sent from the spool"),
            (ffi::SQLITE_NOTADB, damaged, "move it, with -wal and -shm, away"),
            (ffi::SQLITE_CORRUPT, FINE, "whole now); the kernel's log"),
            (ffi::SQLITE_NOTADB, FINE, "move nothing away"),
            (ffi::SQLITE_IOERR_READ, FINE, "the disk failed"),
            (ffi::SQLITE_IOERR_FSYNC, FINE, "move nothing away"),
            (ffi::SQLITE_IOERR_SHORT_READ, access(Errno::IO), "the disk failed"),
            (ffi::SQLITE_IOERR_WRITE, no_space, "the disk is full"),
            (ffi::SQLITE_IOERR_SHMSIZE, no_space, "the disk is full"),
            (ffi::SQLITE_IOERR_SHMOPEN, access(Errno::MFILE), "LimitNOFILE"),
            (ffi::SQLITE_CANTOPEN, access(Errno::MFILE), "LimitNOFILE"),
            (ffi::SQLITE_CANTOPEN, access(Errno::NFILE), "fs.file-max"),
            (ffi::SQLITE_CANTOPEN, access(Errno::NOMEM), "no free memory"),
            (ffi::SQLITE_CANTOPEN, access(Errno::ACCESS), "chown -R"),
            (ffi::SQLITE_CANTOPEN, access(Errno::NOTDIR), "--state-dir"),
            (ffi::SQLITE_CANTOPEN, no_inodes, "df -i"),
            (ffi::SQLITE_CANTOPEN, FINE, "unable to open"),
            (ffi::SQLITE_READONLY, access(Errno::ROFS), "--state-dir"),
            (ffi::SQLITE_READONLY_DIRECTORY, access(Errno::PERM), "chown -R"),
            (ffi::SQLITE_PERM, access(Errno::ACCESS), "chown -R"),
            (ffi::SQLITE_FULL, FINE, "the disk is full"),
            (ffi::SQLITE_FULL, no_inodes, "df -i"),
            (SQLITE_READONLY_DBMOVED, Says { replaced: Ok(true), ..FINE }, "removed or replaced"),
            (SQLITE_READONLY_DBMOVED, FINE, "cannot store"),
            (SQLITE_READONLY_DBMOVED, Says { replaced: Err(Errno::IO), ..FINE }, "the disk failed"),
            (ffi::SQLITE_BUSY, FINE, "cannot store"),
            (ffi::SQLITE_NOMEM, FINE, "cannot store"),
        ] {
            let reason = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            let file = dir.path().join("banhook.sqlite3");
            let text = StoreError::from_sqlite("store", (dir.path(), &file), reason, &says).to_string();
            assert!(text.contains(words), "{code}: no {words:?} in {text:?}");
            for wrong in ["chown", "away to start", "removed or replaced"] {
                assert!(!text.contains(wrong) || words != "cannot store", "{code}: {text}");
            }
        }
    }
}

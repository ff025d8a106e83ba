//! The errors of the store, each with what an administrator can do about it.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_READONLY_DBMOVED;
use rustix::io::Errno;

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
    /// Users other than the owner may write the folder or a file in it.
    #[error("others than its owner may write {path} (mode {mode:04o}), and so decide what banhook sends and runs; run: chmod go-w {path}", path = path.display())]
    WritableByOthers {
        /// The folder or file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The folder was removed or created again while a process was using it.
    #[error("the state directory {path} was removed or replaced while banhook was using it, and its contents are lost; start banhook again", path = path.display())]
    Removed {
        /// The state directory.
        path: PathBuf,
    },
    /// The disk, or its driver, has failed. It may have been for a moment.
    #[error("cannot {step} in {path}: the disk failed ({reason}); the kernel's log says more (dmesg); run banhook again once it works, and move nothing away: what is stored stays as it is", path = path.display())]
    Disk {
        /// The step, as a verb.
        step: &'static str,
        /// The state directory, or a file in it.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The file system has no room for another file.
    #[error("cannot {step} in {path}: the file system has no free inodes (df -i); remove files there (everything stored before is intact)", path = path.display())]
    Inodes {
        /// The step, as a verb.
        step: &'static str,
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

/// What the system says after an error of SQLite's: SQLite itself has one code for many reasons.
pub(super) trait Probe {
    /// Returns the file that is damaged, if one still is. A failing read makes SQLite take a whole file for damaged.
    fn damaged(&self) -> Option<(DbFile, PathBuf)>;
    /// Returns whether another file, or none, is where the open one was.
    fn was_replaced(&self) -> io::Result<bool>;
    /// Returns why the file cannot be opened, read or written.
    fn access(&self) -> io::Result<()>;
    /// Returns whether the file system has space for another byte, and an inode for another file.
    fn has_space_and_inodes(&self) -> (bool, bool);
}

impl StoreError {
    /// Classifies an error of SQLite's on a file of the state directory at `folder`.
    pub(super) fn from_sqlite(
        step: &'static str,
        (folder, file): (&Path, &Path),
        reason: rusqlite::Error,
        probe: &impl Probe,
    ) -> Self {
        let path = folder.to_owned();
        let disk = |reason: String| Self::Disk { step, path: path.clone(), reason };
        let extended = reason.sqlite_error().map_or(0, |error| error.extended_code);
        match reason.sqlite_error_code() {
            // SQLite's answer where it cannot see that the file at the path is the one that it opened.
            _ if extended == SQLITE_READONLY_DBMOVED => match probe.was_replaced() {
                Ok(true) => Self::Removed { path },
                Ok(false) => Self::Sqlite { step, path, reason },
                Err(error) => disk(error.to_string()),
            },
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => match probe.damaged() {
                Some((which, path)) => {
                    let remove = match which {
                        DbFile::Inbox => "the whole folder",
                        DbFile::Work => "it, with -wal and -shm,",
                    };
                    Self::Damaged { path, remove, reason }
                }
                None => disk(format!("{reason}, but the files are whole now")),
            },
            Some(
                ErrorCode::DiskFull
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::SystemIoFailure,
            ) => match (probe.access(), probe.has_space_and_inodes()) {
                (_, (false, _)) => Self::Full { step, path },
                (_, (true, false)) => Self::Inodes { step, path },
                (Err(reason), _) => Self::from_io(step, folder, file, reason),
                (Ok(()), _) => match reason.sqlite_error_code() {
                    // Space that is free now, or is not for this user.
                    Some(ErrorCode::DiskFull) => Self::Full { step, path },
                    Some(ErrorCode::SystemIoFailure) => disk(reason.to_string()),
                    _ => Self::Sqlite { step, path, reason },
                },
            },
            _ => Self::Sqlite { step, path, reason },
        }
    }

    /// Classifies an error of the system's on `path`, in the state directory at `folder`.
    pub(super) fn from_io(step: &'static str, folder: &Path, path: &Path, reason: io::Error) -> Self {
        match Errno::from_io_error(&reason) {
            Some(Errno::NOSPC | Errno::DQUOT) => {
                let has_inodes = rustix::fs::statvfs(folder).is_ok_and(|fs| fs.f_files == 0 || fs.f_favail > 0);
                let folder = folder.to_owned();
                return if has_inodes {
                    Self::Full { step, path: folder }
                } else {
                    Self::Inodes { step, path: folder }
                };
            }
            Some(Errno::IO | Errno::NXIO | Errno::NODEV | Errno::STALE | Errno::TIMEDOUT) => {
                return Self::Disk { step, path: path.to_owned(), reason: reason.to_string() };
            }
            _ => {}
        }
        // Every file of the store is created where it is missing, after the folder itself.
        if reason.kind() == io::ErrorKind::NotFound && matches!(folder.try_exists(), Ok(false)) {
            return Self::Removed { path: folder.to_owned() };
        }
        Self::Folder { step, path: path.to_owned(), reason }
    }
}

/// What to do about the system's reason; empty where nothing general helps.
fn hint(reason: &io::Error) -> &'static str {
    match Errno::from_io_error(reason) {
        Some(Errno::ACCESS | Errno::PERM) => {
            "; run banhook as root or as the folder's owner, or give the folder to the user that banhook runs as: chown -R USER: FOLDER"
        }
        Some(Errno::ROFS | Errno::NOTDIR | Errno::EXIST) => "; choose another folder with --state-dir",
        Some(Errno::MFILE) => "; allow banhook more open files (LimitNOFILE= in its unit, or ulimit -n)",
        Some(Errno::NFILE) => "; the system has no free file handles (sysctl fs.file-max)",
        Some(Errno::NOMEM) => "; the system has no free memory; run banhook again later",
        Some(Errno::NOLCK | Errno::NOSYS) => {
            "; locks do not work there; choose a folder on a local file system with --state-dir"
        }
        Some(Errno::LOOP) => "; a symbolic link is in its place: remove it",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    /// What a system may say.
    #[derive(Clone, Copy)]
    struct Says {
        damaged: Option<DbFile>,
        replaced: Result<bool, Errno>,
        access: Result<(), Errno>,
        space: bool,
        inodes: bool,
    }

    const FINE: Says = Says { damaged: None, replaced: Ok(false), access: Ok(()), space: true, inodes: true };

    impl Probe for Says {
        fn damaged(&self) -> Option<(DbFile, PathBuf)> {
            self.damaged.map(|file| (file, PathBuf::from("a.sqlite3")))
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
        let damaged = |file| Says { damaged: Some(file), ..FINE };
        let access = |errno| Says { access: Err(errno), ..FINE };
        let (no_space, no_inodes) = (Says { space: false, ..FINE }, Says { inodes: false, ..FINE });
        let dir = tempfile::tempdir().unwrap();
        for (code, says, words) in [
            (ffi::SQLITE_CORRUPT, damaged(DbFile::Inbox), "move the whole folder away"),
            (ffi::SQLITE_NOTADB, damaged(DbFile::Work), "move it, with -wal and -shm, away"),
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
            let file = dir.path().join("inbox.sqlite3");
            let text = StoreError::from_sqlite("store", (dir.path(), &file), reason, &says).to_string();
            assert!(text.contains(words), "{code}: no {words:?} in {text:?}");
            for wrong in ["chown", "away to start", "removed or replaced"] {
                assert!(!text.contains(wrong) || words != "cannot store", "{code}: {text}");
            }
        }
    }

    #[test]
    fn from_io_class_of_the_error_decides_the_hint() {
        let dir = tempfile::tempdir().unwrap();
        let (here, missing) = (dir.path().to_owned(), dir.path().join("missing"));
        for (errno, folder, words) in [
            (Errno::NOENT, &missing, "removed or replaced"),
            (Errno::NOENT, &here, "No such file"),
            (Errno::IO, &missing, "the disk failed"),
            (Errno::IO, &here, "move nothing away"),
            (Errno::MFILE, &here, "LimitNOFILE"),
            (Errno::ACCESS, &here, "chown -R"),
            (Errno::ROFS, &here, "--state-dir"),
            (Errno::NOSPC, &here, "the disk is full"),
            (Errno::NOLCK, &here, "local file system"),
        ] {
            let text = StoreError::from_io("open", folder, &folder.join("inbox.sqlite3"), errno.into()).to_string();
            assert!(text.contains(words), "{errno}: no {words:?} in {text:?}");
            assert!(!text.contains("chown") || words.contains("chown"), "{errno}: {text}");
        }
    }
}

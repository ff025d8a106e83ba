//! The state directory: where each file in it is, who owns them, and how they are created.
//!
//! It knows paths, never contents: SQL is in the files named after tables, the locks are in `locks`.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::process::{Gid, Uid};

use super::error::StoreError;
use super::schema::DbFile;
use crate::accounts;

/// The `open` flag for files in the folder: a symbolic link there was put there by somebody else, and leads elsewhere.
pub(crate) const NO_FOLLOW: i32 = OFlags::NOFOLLOW.bits().cast_signed();

/// The permission to write of users other than the owner.
const OTHERS_WRITE: u32 = 0o022;

/// The folder that holds the store, the locks and the compiled components.
#[derive(Debug, Clone)]
pub struct StateDir {
    path: PathBuf,
}

impl StateDir {
    /// The folder at `path`, which need not exist yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Returns its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of compiled components.
    #[must_use]
    pub(crate) fn cache(&self) -> PathBuf {
        self.path.join("cache")
    }

    /// The log of the runs that `notify` starts.
    #[must_use]
    pub(crate) fn log_file(&self) -> PathBuf {
        self.path.join("banhook.log")
    }

    /// The pipe by which `notify` wakes the daemon.
    #[must_use]
    pub(crate) fn wake_pipe(&self) -> PathBuf {
        self.path.join("wake")
    }

    pub(super) fn file(&self, file: DbFile) -> PathBuf {
        self.path.join(match file {
            DbFile::Inbox => "inbox.sqlite3",
            DbFile::Work => "work.sqlite3",
        })
    }

    /// The write-ahead log of a file.
    pub(super) fn wal(&self, file: DbFile) -> PathBuf {
        let mut path = self.file(file).into_os_string();
        path.push("-wal");
        path.into()
    }

    /// The length of a write-ahead log in bytes; 0 if there is none.
    pub(super) fn wal_bytes(&self, file: DbFile) -> u64 {
        fs::metadata(self.wal(file)).map_or(0, |meta| meta.len())
    }

    /// Checks that only its owner may write the folder and the files of the store.
    ///
    /// # Errors
    /// When others may.
    pub(crate) fn check_permissions(&self) -> Result<(), StoreError> {
        let files = [DbFile::Inbox, DbFile::Work].map(|file| self.file(file));
        [self.path.clone()].into_iter().chain(files).try_for_each(|path| match fs::metadata(&path) {
            Ok(meta) if meta.mode() & OTHERS_WRITE != 0 => {
                Err(StoreError::WritableByOthers { path, mode: meta.mode() & 0o7777 })
            }
            // What does not exist yet is created for its owner only; an error is found by whoever uses it.
            _ => Ok(()),
        })
    }

    /// Returns whether anything was ever stored here.
    ///
    /// # Errors
    /// When the folder cannot be read, or the inbox is missing and the other file is not.
    pub(crate) fn has_store(&self) -> Result<bool, StoreError> {
        let [path, work] = [DbFile::Inbox, DbFile::Work].map(|file| self.file(file));
        let exists = |file: &Path| file.try_exists().map_err(|error| self.error("look for", file, error));
        match (exists(&path)?, exists(&work)?) {
            (false, true) => Err(StoreError::Mismatch { path, work }),
            (inbox_exists, _) => Ok(inbox_exists),
        }
    }

    /// Identifies the inbox by device and inode, which differ after the folder was removed and created again.
    ///
    /// # Errors
    /// When there is no inbox.
    pub(crate) fn identity(&self) -> Result<(u64, u64), StoreError> {
        let file = self.file(DbFile::Inbox);
        let meta = fs::metadata(&file).map_err(|error| self.error("look at", &file, error))?;
        Ok((meta.dev(), meta.ino()))
    }

    /// Returns whether the inbox with this [`identity`](Self::identity) is gone, or is another one now. An error of the
    /// system's says nothing of the kind.
    pub(crate) fn was_replaced(&self, identity: (u64, u64)) -> bool {
        match fs::metadata(self.file(DbFile::Inbox)) {
            Ok(meta) => (meta.dev(), meta.ino()) != identity,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }

    /// If this process is root and the folder is another user's, becomes that user for good; otherwise it would create
    /// files there that the owner cannot open. Call it first, while there is one thread.
    ///
    /// # Errors
    /// When the system refuses to change the user.
    pub(crate) fn become_owner(&self) -> Result<(), StoreError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(());
        }
        let Ok(meta) = fs::metadata(&self.path) else { return Ok(()) };
        if meta.uid() == 0 {
            return Ok(());
        }
        let (uid, gid) = (Uid::from_raw(meta.uid()), Gid::from_raw(meta.gid()));
        rustix::thread::set_thread_groups(&accounts::groups_of(uid, gid))
            .and_then(|()| rustix::thread::set_thread_res_gid(gid, gid, gid))
            .and_then(|()| rustix::thread::set_thread_res_uid(uid, uid, uid))
            .map_err(|error| self.error("become the owner of", &self.path, error.into()))
    }

    /// Creates the folder where there is none, for its owner only.
    pub(super) fn create(&self) -> Result<(), StoreError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.path)
            .map_err(|error| self.error("create the state directory", &self.path, error))
    }

    /// Opens a file in the folder to read and write, creating it for its owner only.
    pub(super) fn open_private(&self, path: &Path) -> Result<File, StoreError> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(NO_FOLLOW)
            .open(path)
            .map_err(|error| self.error("open", path, error))
    }

    /// Makes the names of new files survive a power failure: syncs the folder, and those above it, which may be new too.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        let sync = |folder: &Path| File::open(folder).and_then(|folder| folder.sync_all());
        sync(&self.path).map_err(|error| self.error("sync", &self.path, error))?;
        let path = self.path.canonicalize().map_err(|error| self.error("sync", &self.path, error))?;
        // Those that we created we may read. One that we may not read existed before, and so did all above it.
        path.ancestors().skip(1).take_while(|above| sync(above).is_ok()).for_each(drop);
        Ok(())
    }

    /// The error of a step on a path in the folder.
    pub(super) fn error(&self, step: &'static str, path: &Path, reason: io::Error) -> StoreError {
        StoreError::from_io(step, &self.path, path, reason)
    }
}

#[cfg(test)]
#[path = "state_dir_tests.rs"]
mod tests;

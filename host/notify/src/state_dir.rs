//! The state directory: where each file in it is, who owns them, and how they are created. It knows paths, never contents.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{Gid, Uid};

use crate::accounts;
use crate::state_dir_error::StateDirError;

/// The `open` flag for files in the directory: a symbolic link there was put there by somebody else, and leads elsewhere.
pub const NO_FOLLOW: i32 = OFlags::NOFOLLOW.bits().cast_signed();

/// The permission to write of users other than the owner.
const OTHERS_WRITE: u32 = 0o022;

/// The directory that holds the spool, the store, the locks and the compiled components.
#[derive(Debug, Clone)]
pub struct StateDir {
    path: PathBuf,
}

impl StateDir {
    /// The directory at `path`, which need not exist yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Returns its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory in which `notify` leaves events.
    #[must_use]
    pub fn spool(&self) -> PathBuf {
        self.path.join("spool")
    }

    /// The database of the store.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.path.join("banhook.sqlite3")
    }

    /// The directory of compiled components.
    #[must_use]
    pub fn cache(&self) -> PathBuf {
        self.path.join("cache")
    }

    /// The log of the runs that `notify` starts.
    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        self.path.join("banhook.log")
    }

    /// What fail2ban answered when it was last asked.
    #[must_use]
    pub fn heartbeat(&self) -> PathBuf {
        self.path.join("heartbeat")
    }

    /// The pipe by which `notify` wakes the daemon.
    #[must_use]
    pub fn wake_pipe(&self) -> PathBuf {
        self.path.join("wake")
    }

    /// Checks that only its owner may write the directory, the spool and the database.
    ///
    /// # Errors
    /// When others may.
    pub fn check_permissions(&self) -> Result<(), StateDirError> {
        [self.path.clone(), self.spool(), self.database()].into_iter().try_for_each(|path| match fs::metadata(&path) {
            Ok(meta) if meta.mode() & OTHERS_WRITE != 0 => {
                Err(StateDirError::WritableByOthers { path, mode: meta.mode() & 0o7777 })
            }
            // What does not exist yet is created for its owner only; an error is found by whoever uses it.
            _ => Ok(()),
        })
    }

    /// Returns whether anything was ever stored here.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn is_used(&self) -> Result<bool, StateDirError> {
        let exists = |file: &Path| file.try_exists().map_err(|error| self.error("look for", file, error));
        Ok(exists(&self.database())? || exists(&self.spool())?)
    }

    /// If this process is root and the directory is another user's, becomes that user for good; otherwise it would create
    /// files there that the owner cannot open. Call it first, while there is one thread.
    ///
    /// # Errors
    /// When the system refuses to change the user.
    pub fn become_owner(&self) -> Result<(), StateDirError> {
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

    /// Creates the directory where there is none, for its owner only.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn create(&self) -> Result<(), StateDirError> {
        self.create_directory(&self.path)
    }

    /// Creates the spool where there is none, and makes its name survive a power failure.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn create_spool(&self) -> Result<(), StateDirError> {
        self.create_directory(&self.spool())?;
        self.sync()
    }

    fn create_directory(&self, path: &Path) -> Result<(), StateDirError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|error| self.error("create the state directory", path, error))
    }

    /// Opens a file in the directory to read and write, creating it for its owner only.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open_private(&self, path: &Path) -> Result<File, StateDirError> {
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

    /// Makes the names of new files survive a power failure: syncs the directory, and those above it, which may be new too.
    ///
    /// # Errors
    /// When the system fails.
    pub fn sync(&self) -> Result<(), StateDirError> {
        let sync = |folder: &Path| File::open(folder).and_then(|folder| folder.sync_all());
        sync(&self.path).map_err(|error| self.error("sync", &self.path, error))?;
        let path = self.path.canonicalize().map_err(|error| self.error("sync", &self.path, error))?;
        for above in path.ancestors().skip(1) {
            match sync(above) {
                Ok(()) => {}
                // The name of the state directory may be lost with this one.
                Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::IO | Errno::NOSPC | Errno::DQUOT)) => {
                    return Err(self.error("sync", above, error));
                }
                // Those that we created we may read. One that we may not read existed before, and so did all above it.
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// The error of a step on a path in the directory.
    #[must_use]
    pub fn error(&self, step: &'static str, path: &Path, reason: io::Error) -> StateDirError {
        StateDirError::new(step, &self.path, path, reason)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn check_permissions_of_what_others_may_write_fails() {
        let temp = tempfile::tempdir().unwrap();
        let folder = StateDir::new(temp.path().join("state"));
        folder.create_spool().unwrap();
        fs::write(folder.database(), "").unwrap();
        let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        set(&folder.database(), 0o600);
        folder.check_permissions().unwrap();
        for (path, mode, is_refused) in [
            (folder.path().to_owned(), 0o755, false),
            (folder.path().to_owned(), 0o770, true),
            (folder.path().to_owned(), 0o1777, true),
            (folder.spool(), 0o720, true),
            (folder.database(), 0o666, true),
            (folder.database(), 0o620, true),
            (folder.database(), 0o644, false),
        ] {
            let before = fs::metadata(&path).unwrap().permissions().mode();
            set(&path, mode);
            let error = folder.check_permissions().err().map(|error| error.to_string());
            set(&path, before);
            assert_eq!(error.is_some(), is_refused, "{mode:o}: {error:?}");
            assert!(error.is_none_or(|error| error.contains("chmod go-w")));
        }
    }

    #[test]
    fn create_spool_is_for_its_owner_only() {
        let temp = tempfile::tempdir().unwrap();
        let folder = StateDir::new(temp.path().join("state"));
        assert!(!folder.is_used().unwrap());
        folder.create_spool().unwrap();
        for path in [folder.path(), &folder.spool()] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o700);
        }
        assert!(folder.is_used().unwrap());
    }

    #[test]
    fn create_below_a_file_names_another_directory() {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("file"), "").unwrap();
        let error = StateDir::new(temp.path().join("file/state")).create_spool().unwrap_err().to_string();
        assert!(error.contains("--state-dir"), "{error}");
    }
}

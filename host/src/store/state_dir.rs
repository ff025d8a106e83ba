//! The state folder: which files it holds, whose it is, and the locks that order the processes that use it.
//!
//! Locks are `flock`s: the kernel releases them when their holder dies.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::process::{Gid, Uid};

use super::StoreError;
use crate::accounts;

/// Of files in the folder: what is a link there was put there by somebody else, and leads elsewhere.
pub const NO_FOLLOW: i32 = OFlags::NOFOLLOW.bits().cast_signed();

/// On the wake pipe: something was stored.
const WAKE: u8 = b'w';
/// On the wake pipe: a daemon wants to take over.
pub const YIELD: u8 = b'y';

/// The folder that holds the store, the locks and the compiled components.
#[derive(Debug, Clone)]
pub struct StateDir {
    path: PathBuf,
}

/// The right to work on a state folder: to route, deliver, checkpoint and migrate. One process has it at a time.
#[derive(Debug)]
pub struct WorkLock {
    file: File,
}

/// One of the two files that make up the store.
///
/// `notify` only ever touches the inbox, so it neither reads the tables of the rest nor waits for its writers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DbFile {
    /// Every event, and how far logs were read.
    Inbox,
    /// What becomes of events.
    Work,
}

/// The right to write; held for one transaction.
pub(super) struct WritersTurn {
    _file: File,
}

impl StateDir {
    /// The folder at `path`, which need not exist yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Compiled components.
    #[must_use]
    pub fn cache(&self) -> PathBuf {
        self.path.join("cache")
    }

    /// What runs that `notify` started have to say.
    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        self.path.join("banhook.log")
    }

    /// The pipe by which `notify` wakes the daemon.
    #[must_use]
    pub fn wake_pipe(&self) -> PathBuf {
        self.path.join("wake")
    }

    /// Whether anything was ever stored here.
    ///
    /// # Errors
    /// When the folder is closed to us, or the inbox is gone and the other file is not.
    pub fn has_store(&self) -> Result<bool, StoreError> {
        let [path, work] = [DbFile::Inbox, DbFile::Work].map(|part| self.file(part));
        let exists = |file: &Path| file.try_exists().map_err(|error| self.error("look for", file, error));
        match (exists(&path)?, exists(&work)?) {
            (false, true) => Err(StoreError::Torn { path, work }),
            (is_there, _) => Ok(is_there),
        }
    }

    pub(super) fn file(&self, part: DbFile) -> PathBuf {
        self.path.join(match part {
            DbFile::Inbox => "inbox.sqlite3",
            DbFile::Work => "work.sqlite3",
        })
    }

    /// Which file the inbox is, by device and inode: another one after the folder was removed and made anew.
    ///
    /// # Errors
    /// When it is gone.
    pub fn identity(&self) -> Result<(u64, u64), StoreError> {
        let file = self.file(DbFile::Inbox);
        let meta = fs::metadata(&file).map_err(|error| self.error("look at", &file, error))?;
        Ok((meta.dev(), meta.ino()))
    }

    /// The length of the write-ahead log; 0: there is none.
    pub(super) fn wal_bytes(&self, part: DbFile) -> u64 {
        fs::metadata(self.wal(part)).map_or(0, |meta| meta.len())
    }

    /// Sees to it that files which were made in the folder are found in it after a power failure, and the folder is found
    /// in those above it, which may have been made with it.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        let sync = |folder: &Path| File::open(folder).and_then(|folder| folder.sync_all());
        sync(&self.path).map_err(|error| self.error("sync", &self.path, error))?;
        let path = self.path.canonicalize().map_err(|error| self.error("sync", &self.path, error))?;
        // Those that we made we may read; others have been there before, and may be closed to us.
        path.ancestors().skip(1).take_while(|above| sync(above).is_ok()).for_each(drop);
        Ok(())
    }

    /// If this process is root and the folder is another user's, becomes that user for good. Otherwise files
    /// would appear in it that its owner cannot open. Call it first of all, while there is one thread.
    ///
    /// # Errors
    /// When the system refuses to change the user.
    pub fn become_owner(&self) -> Result<(), StoreError> {
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

    /// Makes the folder and an empty file where there are none, for their owner only.
    pub(super) fn prepare(&self, part: DbFile) -> Result<(), StoreError> {
        let file = self.file(part);
        match fs::metadata(&file) {
            Ok(meta) if meta.len() > 0 && !self.wal(part).exists() => self.make_wal(part),
            Ok(_) => Ok(()),
            Err(_) => {
                DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(&self.path)
                    .map_err(|error| self.error("make the state folder", &self.path, error))?;
                self.open_own(&file)?;
                Ok(())
            }
        }
    }

    /// Makes the write-ahead log anew (`sqlite3` removes it when it closes last), in a turn: whoever finds it made and
    /// then writes has waited until the folder was synced.
    fn make_wal(&self, part: DbFile) -> Result<(), StoreError> {
        let _turn = self.writers_turn(part)?;
        self.open_own(&self.wal(part))?;
        self.sync()
    }

    fn wal(&self, part: DbFile) -> PathBuf {
        let mut file = self.file(part).into_os_string();
        file.push("-wal");
        file.into()
    }

    /// Waits for the turn to write.
    pub(super) fn writers_turn(&self, part: DbFile) -> Result<WritersTurn, StoreError> {
        let path = self.path.join(match part {
            DbFile::Inbox => "inbox.lock",
            DbFile::Work => "writer.lock",
        });
        let file = self.open_own(&path)?;
        file.lock().map_err(|error| self.error("lock", &path, error))?;
        Ok(WritersTurn { _file: file })
    }

    /// Takes the work lock, or says `None` if another process has it.
    ///
    /// # Errors
    /// When the folder does not let us make or open the lock file.
    pub fn try_work_lock(&self) -> Result<Option<WorkLock>, StoreError> {
        self.prepare(DbFile::Inbox)?;
        let path = self.path.join("work.lock");
        let file = self.open_own(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(WorkLock { file })),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(self.error("lock", &path, error)),
        }
    }

    /// Makes the pipe by which `notify` wakes the daemon, if there is none.
    ///
    /// # Errors
    /// When the folder does not let us.
    pub fn make_wake_pipe(&self) -> Result<PathBuf, StoreError> {
        let path = self.wake_pipe();
        match rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(path),
            Err(error) => Err(self.error("make the pipe", &path, error.into())),
        }
    }

    /// Wakes the daemon, if one is listening. It would look by itself a little later, so no failure matters.
    pub fn wake(&self) {
        self.tell(WAKE);
    }

    /// Asks a run that ends by itself to end now, for a daemon that wants to take over.
    pub fn request_yield(&self) {
        self.tell(YIELD);
    }

    fn tell(&self, what: u8) {
        if let Ok(mut pipe) = self.open_wake_pipe() {
            // A full pipe means that a wake is already on its way.
            let _ = pipe.write(&[what]);
        }
    }

    /// Whether somebody is at work here, who listens to the pipe then. To look at the work lock would be to take it.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.open_wake_pipe().is_ok()
    }

    /// For writing; an error where nobody listens.
    fn open_wake_pipe(&self) -> io::Result<File> {
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        OpenOptions::new().write(true).custom_flags(flags).open(self.wake_pipe())
    }

    /// Opens a file of ours, making it readable by its owner only.
    fn open_own(&self, path: &Path) -> Result<File, StoreError> {
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

    fn error(&self, what: &'static str, path: &Path, source: io::Error) -> StoreError {
        if source.kind() == io::ErrorKind::StorageFull {
            return StoreError::Full { what, path: self.path.clone() };
        }
        // All files of ours are made where there are none, and so is the folder before them.
        if source.kind() == io::ErrorKind::NotFound && !self.path.exists() {
            return StoreError::Removed { path: self.path.clone() };
        }
        StoreError::Folder { what, path: path.to_owned(), reason: source }
    }
}

impl WorkLock {
    /// The lock in a file that is handed to a process we start, which goes on holding it.
    #[must_use]
    pub fn into_file(self) -> File {
        self.file
    }

    /// The lock that the process which started us has handed over in `file`.
    #[must_use]
    pub const fn from_file(file: File) -> Self {
        Self { file }
    }

    /// Gives the lock up, also where a copy of the file is still open.
    pub fn release(self) {
        // Dropping the file releases it as well, unless a copy of it is open.
        let _ = self.file.unlock();
    }
}

//! MMDB files in memory: each once, read again when it has changed.
//!
//! A file is read as a whole and never mapped: a map of a file that is cut short or written over ends the process, and
//! updaters do both. What cannot be read leaves in place what was read before.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

use maxminddb::{MaxMindDbError, Reader};

use super::record::Record;
use super::{Geo, GeoInfo, address};

/// Bytes of a file. The largest that are sold have some 500 MB, GeoLite2-City 60.
const LARGEST: u64 = 1 << 30;

/// Something wrong with an MMDB file.
#[derive(Debug, thiserror::Error)]
pub enum GeoError {
    /// It cannot be read.
    #[error("cannot read {path}: {reason}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
    /// It changed while it was read; once it is complete it will be read again.
    #[error("{path} is being written; it is read once it is complete", path = path.display())]
    Unfinished {
        /// The file.
        path: PathBuf,
    },
    /// It is no MMDB file, or a damaged one.
    #[error("{path} is no MMDB file, or damaged ({reason}); fetch it anew", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where and how.
        reason: MaxMindDbError,
    },
}

/// The MMDB files that routes use. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct GeoDatabases {
    /// A file that no route uses any more is freed.
    open: Arc<Mutex<HashMap<PathBuf, Weak<MmdbFile>>>>,
}

/// The files of one route. The first one that knows a thing is believed.
#[derive(Debug, Clone)]
pub struct GeoFiles {
    databases: Vec<Arc<MmdbFile>>,
}

/// One file.
#[derive(Debug)]
struct MmdbFile {
    path: PathBuf,
    live: RwLock<Live>,
}

/// What is in memory of it.
#[derive(Debug, Default)]
struct Live {
    /// Of the file that was looked at last, whether it could be used or not.
    stamp: Option<FileStamp>,
    /// The last one that could be used.
    reader: Option<Arc<Reader<Vec<u8>>>>,
}

/// Tells a file from what it was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileStamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl GeoDatabases {
    /// The files of a route, and what is wrong with them. One that cannot be used answers nothing until it can: see
    /// [`Self::reload_if_changed`].
    #[must_use]
    pub fn open(&self, paths: &[PathBuf]) -> (GeoFiles, Vec<GeoError>) {
        let mut errors = Vec::new();
        let databases = paths.iter().map(|path| self.database(path, &mut errors)).collect();
        (GeoFiles { databases }, errors)
    }

    /// Reads anew what has changed on disk since it was read: replaced, written over, or there at last. Costs a look at
    /// each file otherwise. Lookups go on meanwhile, with what was read before.
    ///
    /// Gives each file that has changed, and whether it can be used; if not, what was read before stays.
    #[must_use]
    pub fn reload_if_changed(&self) -> Vec<(PathBuf, Result<(), GeoError>)> {
        // Files are read without the lock.
        let open: Vec<_> = self.lock().values().filter_map(Weak::upgrade).collect();
        open.iter().filter_map(|database| Some((database.path.clone(), database.refresh()?))).collect()
    }

    /// The files that are in use, for whoever watches them.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        self.lock().iter().filter(|(_, database)| database.strong_count() > 0).map(|(path, _)| path.clone()).collect()
    }

    fn database(&self, path: &Path, errors: &mut Vec<GeoError>) -> Arc<MmdbFile> {
        let mut open = self.lock();
        open.retain(|_, database| database.strong_count() > 0);
        let database = open.get(path).and_then(Weak::upgrade).unwrap_or_else(|| {
            let database = Arc::new(MmdbFile { path: path.to_owned(), live: RwLock::default() });
            open.insert(path.to_owned(), Arc::downgrade(&database));
            database
        });
        drop(open);
        // The same error again for the second route that names the file: it concerns that one as well.
        if database.reader().is_none() {
            errors.extend(database.read().err());
        }
        database
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, Weak<MmdbFile>>> {
        // A panic while it was held leaves a map that is still whole.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MmdbFile {
    /// Reads the file if it is another one than was looked at last.
    fn refresh(&self) -> Option<Result<(), GeoError>> {
        let now = self.path.metadata().ok().map(|meta| FileStamp::of(&meta));
        let before = self.live.read().unwrap_or_else(PoisonError::into_inner).stamp;
        (now != before).then(|| self.read())
    }

    fn read(&self) -> Result<(), GeoError> {
        let (stamp, read) = self.read_file();
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        live.stamp = stamp;
        live.reader = Some(Arc::new(read?));
        Ok(())
    }

    /// What is in the file, and what it was like before it was read.
    fn read_file(&self) -> (Option<FileStamp>, Result<Reader<Vec<u8>>, GeoError>) {
        let unreadable = |reason| GeoError::Read { path: self.path.clone(), reason };
        let mut file = match open(&self.path) {
            Ok(file) => file,
            Err(reason) => return (None, Err(unreadable(reason))),
        };
        let before = match file.metadata() {
            Ok(meta) => FileStamp::of(&meta),
            Err(reason) => return (None, Err(unreadable(reason))),
        };
        let mut read = || {
            let bytes = whole(&mut file, before.bytes).map_err(unreadable)?;
            let after = FileStamp::of(&file.metadata().map_err(unreadable)?);
            if after != before {
                return Err(GeoError::Unfinished { path: self.path.clone() });
            }
            Reader::from_source(bytes).map_err(|reason| self.damaged(reason))
        };
        (Some(before), read())
    }

    fn reader(&self) -> Option<Arc<Reader<Vec<u8>>>> {
        self.live.read().unwrap_or_else(PoisonError::into_inner).reader.clone()
    }

    fn damaged(&self, reason: MaxMindDbError) -> GeoError {
        GeoError::Damaged { path: self.path.clone(), reason }
    }
}

impl Geo for GeoFiles {
    fn lookup(&self, subject: &str) -> Result<Option<GeoInfo>, GeoError> {
        let Some(address) = address(subject) else { return Ok(None) };
        let mut place = None;
        for database in &self.databases {
            let Some(reader) = database.reader() else { continue };
            if address.is_ipv6() && reader.metadata().ip_version == 4 {
                continue;
            }
            let found = reader.lookup(address).and_then(|found| found.decode::<Record>());
            if let Some(record) = found.map_err(|reason| database.damaged(reason))? {
                record.complete(place.get_or_insert_default());
            }
        }
        Ok(place)
    }
}

impl FileStamp {
    fn of(meta: &Metadata) -> Self {
        Self { device: meta.dev(), inode: meta.ino(), bytes: meta.len(), modified: (meta.mtime(), meta.mtime_nsec()) }
    }
}

/// Opens a regular file; a pipe would block.
fn open(path: &Path) -> io::Result<File> {
    let file = File::options().read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed()).open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    if meta.len() > LARGEST {
        return Err(io::Error::other(format!("it is larger than {LARGEST} bytes")));
    }
    Ok(file)
}

/// All bytes of a file, which may grow meanwhile.
fn whole(file: &mut File, expected: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(usize::try_from(expected).unwrap_or_default().saturating_add(1));
    file.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

//! One MMDB file in memory, read again when it has changed.
//!
//! It is read as a whole and never mapped: a map of a file that is truncated or overwritten ends the process, and updaters
//! do both.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use maxminddb::{MaxMindDbError, Reader};

/// Bytes of a file. The largest that are sold have some 500 MB, GeoLite2-City 60.
const LARGEST: u64 = 1 << 30;

/// Something wrong with an MMDB file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GeoError {
    /// The file cannot be read.
    #[error("cannot read {path}: {reason}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
    /// The file changed while it was read. Once it is complete, it changes again, and is read then.
    #[error("{path} is being written; it is read when it is complete", path = path.display())]
    Unfinished {
        /// The file.
        path: PathBuf,
    },
    /// The file is not an MMDB file, or damaged.
    #[error("{path} is not an MMDB file, or is damaged ({reason}); download it again", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where and how.
        reason: MaxMindDbError,
    },
}

/// One file, and its content in memory.
#[derive(Debug)]
pub(super) struct MmdbFile {
    path: PathBuf,
    content: RwLock<Content>,
}

/// The content of a file, as it was read last.
#[derive(Debug, Default)]
struct Content {
    /// Of the version that was read last, whether it could be used or not.
    stamp: Option<FileStamp>,
    /// The last version that could be used.
    reader: Option<Arc<Reader<Vec<u8>>>>,
}

/// Tells one version of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileStamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl MmdbFile {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), content: RwLock::default() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file if it has changed since it was read last.
    pub(super) fn reload_if_changed(&self) -> Option<Result<(), GeoError>> {
        let now = self.path.metadata().ok().map(|meta| FileStamp::of(&meta));
        let before = self.content.read().unwrap_or_else(PoisonError::into_inner).stamp;
        (now != before).then(|| self.read())
    }

    /// Reads the file. If it cannot be used, the content from before stays.
    pub(super) fn read(&self) -> Result<(), GeoError> {
        let (stamp, read) = self.read_file();
        let mut content = self.content.write().unwrap_or_else(PoisonError::into_inner);
        content.stamp = stamp;
        content.reader = Some(Arc::new(read?));
        Ok(())
    }

    /// The content of the file, and its stamp before it was read.
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

    /// The last version that could be used.
    pub(super) fn reader(&self) -> Option<Arc<Reader<Vec<u8>>>> {
        self.content.read().unwrap_or_else(PoisonError::into_inner).reader.clone()
    }

    /// The error for a record that cannot be read.
    pub(super) fn damaged(&self, reason: MaxMindDbError) -> GeoError {
        GeoError::Damaged { path: self.path.clone(), reason }
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

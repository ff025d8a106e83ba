//! The spool's directory on a real file system.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Gid, Uid};

use crate::file_system::FileSystem;

/// How files are opened: a FIFO or a file with a lease makes nobody wait, and a symbolic link is nobody's segment.
const OPEN: OFlags =
    OFlags::RDWR.union(OFlags::APPEND).union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// An open directory. It stays the same one if its path is given to another.
#[derive(Debug)]
pub struct Directory(OwnedFd);

impl Directory {
    /// Opens the directory at a path, which must exist.
    ///
    /// # Errors
    /// When it cannot be opened, or is no directory.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        Ok(Self(rustix::fs::open(path, flags, Mode::empty())?))
    }
}

/// The file systems that are on another machine, or may be, by their `f_type`.
const REMOTE: [(u32, &str); 9] = [
    (0x6969, "NFS"),
    (0xfe53_4d42, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0x517b, "SMB"),
    (0x0102_1997, "9P"),
    (0x6573_5546, "FUSE"),
    (0x00c3_6400, "Ceph"),
    (0x5346_414f, "AFS"),
    (0x6b41_4653, "AFS"),
];

/// Returns the kind of a path's file system if it is on another machine, or may be (`FUSE`): appends of two processes may
/// overwrite each other there, and locks mean little.
///
/// # Errors
/// When there is nothing at the path.
pub fn remote_file_system(path: &Path) -> io::Result<Option<&'static str>> {
    Ok(remote_kind(&rustix::fs::statfs(path)?))
}

fn remote_kind(fs: &rustix::fs::StatFs) -> Option<&'static str> {
    // A type has 32 bits, of which some systems extend the sign.
    #[allow(clippy::useless_conversion, reason = "it has 32 bits on some architectures")]
    let [.., a, b, c, d] = i64::from(fs.f_type).to_be_bytes();
    let kind = u32::from_be_bytes([a, b, c, d]);
    REMOTE.iter().find(|(remote, _)| *remote == kind).map(|(_, name)| *name)
}

impl FileSystem for Directory {
    type File = File;

    fn is_local(&self) -> bool {
        rustix::fs::fstatfs(&self.0).is_ok_and(|fs| remote_kind(&fs).is_none())
    }

    fn open(&self, name: &str) -> io::Result<File> {
        let file = rustix::fs::openat(&self.0, name, OPEN, Mode::empty())?;
        if FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode) != FileType::RegularFile {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        Ok(file.into())
    }

    fn create(&self, name: &str) -> io::Result<File> {
        let flags = OPEN | OFlags::CREATE | OFlags::EXCL;
        let file = rustix::fs::openat(&self.0, name, flags, Mode::RUSR | Mode::WUSR)?;
        if rustix::process::geteuid().is_root() {
            // The directory may have been given to another user since this process looked.
            let owner = rustix::fs::fstat(&self.0)?;
            if owner.st_uid != 0 {
                rustix::fs::fchown(&file, Some(Uid::from_raw(owner.st_uid)), Some(Gid::from_raw(owner.st_gid)))?;
            }
        }
        Ok(file.into())
    }

    fn link(&self, name: &str, new_name: &str) -> io::Result<()> {
        Ok(rustix::fs::linkat(&self.0, name, &self.0, new_name, AtFlags::empty())?)
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.0)? {
            // Names of segments are ASCII; others are none of ours.
            if let Ok(name) = entry?.file_name().to_str() {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.0)?)
    }

    fn lock_shared(&self, file: &File) -> io::Result<bool> {
        lock(file, FlockOperation::NonBlockingLockShared)
    }

    fn lock_exclusive(&self, file: &File) -> io::Result<bool> {
        lock(file, FlockOperation::NonBlockingLockExclusive)
    }

    fn links(&self, file: &File) -> io::Result<u64> {
        Ok(file.metadata()?.nlink())
    }

    fn append(&self, file: &File, bytes: &[u8]) -> io::Result<usize> {
        Ok(retry_on_intr(|| rustix::io::write(file, bytes))?)
    }

    fn read_at(&self, file: &File, offset: u64, bytes: usize) -> io::Result<Vec<u8>> {
        let length = file.metadata()?.len().saturating_sub(offset);
        let mut buffer = vec![0; usize::try_from(length).unwrap_or(bytes).min(bytes)];
        let mut read = 0;
        while let Some(rest) = buffer.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, offset + read as u64) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        buffer.truncate(read);
        Ok(buffer)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        Ok(rustix::fs::fdatasync(file)?)
    }
}

fn lock(file: &File, operation: FlockOperation) -> io::Result<bool> {
    match retry_on_intr(|| rustix::fs::flock(file, operation)) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

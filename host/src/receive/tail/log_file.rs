//! One file of a log: read on, recognized, and found to have been cut.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::error::TailError;
use super::packed::Packing;
use crate::hex::hex;
use crate::store::Checkpoint;

/// How much of a file's beginning it is recognized by, in bytes: a few lines, with milliseconds in them.
const HEAD_BYTES: usize = 1024;

/// How much of the hash of its beginning is kept, in bytes.
const FINGERPRINT_BYTES: usize = 16;

/// How much is read at a time to get to a place in a compressed file, in bytes.
const SKIP_BYTES: usize = 64 << 10;

/// An open file.
pub(super) struct LogFile {
    path: PathBuf,
    content: Content,
    device: u64,
    inode: u64,
    /// Its first bytes, as far as they are known.
    head: Vec<u8>,
    /// How far it has been read.
    pub(super) offset: u64,
}

enum Content {
    Plain(File),
    /// Rotated and compressed: nothing is written into it any more.
    Packed {
        packing: Packing,
        /// How long it is as it is, in bytes.
        packed_length: u64,
        unpacked: Box<dyn Read + Send>,
    },
}

impl LogFile {
    /// Opens a file at its beginning; one named `.gz`, `.xz` and so on is unpacked. What is no regular file is refused.
    pub(super) fn open(path: &Path) -> Result<Self, TailError> {
        let read = || {
            // Without blocking, should it be a pipe.
            let nonblock = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
            let file = File::options().read(true).custom_flags(nonblock).open(path)?;
            let meta = file.metadata()?;
            if !meta.is_file() {
                return Err(io::Error::other("it is not a regular file; a pipe can be read as `banhook tail -`"));
            }
            let content = match Packing::of(path) {
                Some(packing) => Content::Packed { packing, packed_length: meta.len(), unpacked: packing.unpack(file) },
                None => Content::Plain(file),
            };
            let (device, inode) = (meta.dev(), meta.ino());
            let mut file = Self { path: path.to_owned(), content, device, inode, head: Vec::new(), offset: 0 };
            file.learn_head()?;
            Ok(file)
        };
        read().map_err(|reason| TailError::Read { path: path.to_owned(), reason })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is this very file.
    pub(super) const fn is(&self, device: u64, inode: u64) -> bool {
        self.device == device && self.inode == inode
    }

    /// Whether it is compressed, and so can only be read on.
    pub(super) const fn is_packed(&self) -> bool {
        matches!(self.content, Content::Packed { .. })
    }

    /// Whether it has this number.
    pub(super) const fn has_inode(&self, inode: u64) -> bool {
        self.inode == inode
    }

    /// How long it is, or about how long it is unpacked.
    pub(super) fn about_length(&self) -> u64 {
        match &self.content {
            Content::Plain(file) => file.metadata().map_or(0, |meta| meta.len()),
            Content::Packed { packing, packed_length, .. } => packed_length.saturating_mul(packing.ratio()),
        }
    }

    /// Whether the two are one.
    pub(super) const fn is_same(&self, other: &Self) -> bool {
        self.is(other.device, other.inode)
    }

    /// Whether this is what a checkpoint speaks of, under whatever name or number by now.
    pub(super) fn is_of(&self, checkpoint: &Checkpoint) -> bool {
        if checkpoint.head == 0 {
            return checkpoint.inode == self.inode;
        }
        let head = usize::try_from(checkpoint.head).ok().and_then(|length| self.head.get(..length));
        head.is_some_and(|head| fingerprint(head) == checkpoint.fingerprint)
            && self.length().is_ok_and(|length| length >= checkpoint.offset)
    }

    /// A checkpoint in this file.
    pub(super) fn checkpoint(&self, offset: u64) -> Checkpoint {
        Checkpoint {
            inode: self.inode,
            head: self.head.len() as u64,
            fingerprint: if self.head.is_empty() { String::new() } else { fingerprint(&self.head) },
            offset,
        }
    }

    /// How long it is; of a compressed one that is not known before it is read.
    pub(super) fn length(&self) -> io::Result<u64> {
        match &self.content {
            Content::Plain(file) => Ok(file.metadata()?.len()),
            Content::Packed { .. } => Ok(u64::MAX),
        }
    }

    /// Reads on; 0 at the end, for now.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, TailError> {
        let read = match &mut self.content {
            Content::Plain(file) => file.read_at(buffer, self.offset),
            // One that is damaged ends where the damage begins: nothing would ever mend it.
            Content::Packed { unpacked, .. } => unpacked.read(buffer).or_else(|error| {
                tracing::warn!("{} is damaged, the rest of it is lost: {error}", self.path.display());
                Ok(0)
            }),
        };
        let read = read.map_err(|reason| TailError::Read { path: self.path.clone(), reason })?;
        self.offset += read as u64;
        Ok(read)
    }

    /// Goes to a place in it.
    pub(super) fn go_to(&mut self, offset: u64) -> Result<(), TailError> {
        if let Content::Plain(_) = self.content {
            self.offset = offset;
            return Ok(());
        }
        let mut buffer = vec![0; SKIP_BYTES];
        while self.offset < offset {
            let most = usize::try_from(offset - self.offset).unwrap_or(SKIP_BYTES).min(SKIP_BYTES);
            if self.read(buffer.get_mut(..most).unwrap_or_default())? == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Whether what was read of it is not there any more: it was cut to nothing, and perhaps has grown since.
    pub(super) fn was_cut(&mut self) -> Result<bool, TailError> {
        let look = |file: &mut Self| {
            let Content::Plain(_) = file.content else { return Ok(false) };
            if file.length()? < file.offset {
                return Ok(true);
            }
            let before = std::mem::take(&mut file.head);
            file.learn_head()?;
            let cut = !file.head.starts_with(&before);
            if cut {
                // What it was known by is what its copy is known by.
                file.head = before;
            }
            Ok(cut)
        };
        look(self).map_err(|reason| TailError::Read { path: self.path.clone(), reason })
    }

    /// Learns the first bytes, of a compressed file by reading it from the beginning once more.
    fn learn_head(&mut self) -> io::Result<()> {
        self.head.resize(HEAD_BYTES, 0);
        let known = match &self.content {
            Content::Plain(file) => {
                let mut known = 0;
                while let Some(rest) = self.head.get_mut(known..).filter(|rest| !rest.is_empty()) {
                    match file.read_at(rest, known as u64)? {
                        0 => break,
                        read => known += read,
                    }
                }
                known
            }
            Content::Packed { packing, .. } => {
                let mut unpacked = packing.unpack(File::open(&self.path)?).take(HEAD_BYTES as u64);
                let mut head = Vec::new();
                unpacked.read_to_end(&mut head)?;
                self.head = head;
                self.head.len()
            }
        };
        self.head.truncate(known);
        Ok(())
    }
}

fn fingerprint(head: &[u8]) -> String {
    hex(Sha256::digest(head).get(..FINGERPRINT_BYTES).unwrap_or_default())
}

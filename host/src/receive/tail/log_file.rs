//! One file of a log: reads it forward, recognizes it, and notices when it is truncated.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::compression::Compression;
use super::error::TailError;
use super::open_files::{OpenFiles, Reservation};
use crate::hex::hex;
use crate::store::Checkpoint;

/// How much of the beginning of a file it is recognized by, in bytes: a few lines, whose times have milliseconds.
const HEAD_BYTES: usize = 1024;

/// How much of the hash of its beginning is kept, in bytes.
const FINGERPRINT_BYTES: usize = 16;

/// How much is read at a time to reach a position in a compressed file, in bytes.
const SKIP_BYTES: usize = 64 << 10;

/// An open file.
pub(super) struct LogFile {
    path: PathBuf,
    content: LogContent,
    device: u64,
    inode: u64,
    /// Its first bytes, as far as they are known.
    head: Vec<u8>,
    /// How far it was read.
    pub(super) offset: u64,
    /// The id of its checkpoint.
    id: i64,
    /// Where its unread part begins: what is before was read under this name or another.
    start: u64,
    /// Held while it is read; other files are only looked at.
    reservation: Option<Reservation>,
}

enum LogContent {
    Plain(File),
    /// Rotated and compressed: nothing is written to it any more.
    Compressed {
        compression: Compression,
        /// Its length on disk, in bytes.
        compressed_length: u64,
        reader: Box<dyn Read + Send>,
    },
}

impl LogFile {
    /// Opens a regular file at its beginning; one named `.gz`, `.xz` and so on is decompressed.
    pub(super) fn open(path: &Path) -> Result<Self, TailError> {
        let read = || {
            // Without blocking, if it is a pipe.
            let nonblock = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
            let file = File::options().read(true).custom_flags(nonblock).open(path)?;
            let meta = file.metadata()?;
            if !meta.is_file() {
                return Err(io::Error::other("it is not a regular file; to read a pipe, use `banhook tail -`"));
            }
            let content = match Compression::of(path) {
                Some(compression) => LogContent::Compressed {
                    compression,
                    compressed_length: meta.len(),
                    reader: compression.decompress(file),
                },
                None => LogContent::Plain(file),
            };
            let (device, inode) = (meta.dev(), meta.ino());
            let id = fastrand::i64(1..);
            let mut file = Self {
                path: path.to_owned(),
                content,
                device,
                inode,
                head: Vec::new(),
                offset: 0,
                id,
                start: 0,
                reservation: None,
            };
            file.read_head()?;
            Ok(file)
        };
        read().map_err(|reason| TailError::Read { path: path.to_owned(), reason })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns where its unread part begins.
    pub(super) const fn start(&self) -> u64 {
        self.start
    }

    /// Leaves out what is before this position.
    pub(super) const fn start_at(&mut self, start: u64) {
        self.start = start;
    }

    /// Reserves it. Returns whether that was possible: no other log reads it.
    pub(super) fn reserve(&mut self, open_files: &OpenFiles) -> bool {
        self.reservation = open_files.reserve((self.device, self.inode));
        self.reservation.is_some()
    }

    /// Returns whether a log reads it.
    pub(super) fn is_reserved(&self, open_files: &OpenFiles) -> bool {
        open_files.contains((self.device, self.inode))
    }

    /// Takes over a checkpoint of this file.
    pub(super) const fn resume_at(&mut self, checkpoint: &Checkpoint) {
        if checkpoint.id != 0 {
            self.id = checkpoint.id;
        }
        self.start = checkpoint.offset;
    }

    /// Takes over its checkpoint, if it was read before under whatever name.
    pub(super) fn recognize(&mut self, checkpoints: &[Checkpoint]) -> bool {
        let is_its = |checkpoint: &&Checkpoint| {
            checkpoint.head > 0
                && (checkpoint.inode == self.inode || self.has_whole_line(checkpoint.head))
                && self.has_checkpoint(checkpoint)
        };
        let found = checkpoints.iter().filter(is_its);
        let found = found.max_by_key(|checkpoint| (checkpoint.inode == self.inode, checkpoint.head, checkpoint.offset));
        found.map(|checkpoint| self.resume_at(checkpoint)).is_some()
    }

    /// Returns whether so many bytes are enough to recognize it by: half a time is in many files.
    fn has_whole_line(&self, bytes: u64) -> bool {
        let bytes = usize::try_from(bytes).unwrap_or(HEAD_BYTES);
        bytes >= HEAD_BYTES || self.head.get(..bytes).is_some_and(|head| head.contains(&b'\n'))
    }

    /// Returns whether its unread part is empty, at present. Reads a compressed file up to there.
    pub(super) fn is_read(&mut self) -> Result<bool, TailError> {
        if let LogContent::Plain(_) = self.content {
            return Ok(self.estimated_length() <= self.start);
        }
        if self.start == 0 {
            return Ok(false);
        }
        self.seek(self.start)?;
        let is_read = self.read(&mut [0])? == 0;
        let (id, start) = (self.id, self.start);
        *self = Self { id, start, ..Self::open(&self.path)? };
        Ok(is_read)
    }

    /// Returns whether it is the file with this device and inode.
    pub(super) const fn is(&self, device: u64, inode: u64) -> bool {
        self.device == device && self.inode == inode
    }

    /// Returns whether it is compressed, and so can only be read forward.
    pub(super) const fn is_compressed(&self) -> bool {
        matches!(self.content, LogContent::Compressed { .. })
    }

    /// Returns whether it has this inode.
    pub(super) const fn has_inode(&self, inode: u64) -> bool {
        self.inode == inode
    }

    /// Returns its length, of a compressed file about the length that it has decompressed.
    pub(super) fn estimated_length(&self) -> u64 {
        match &self.content {
            LogContent::Plain(file) => file.metadata().map_or(0, |meta| meta.len()),
            LogContent::Compressed { compression, compressed_length, .. } => {
                compressed_length.saturating_mul(compression.ratio())
            }
        }
    }

    /// Returns whether both are the same file.
    pub(super) const fn is_same(&self, other: &Self) -> bool {
        self.is(other.device, other.inode)
    }

    /// Returns whether both begin alike: a file that is being compressed exists twice.
    pub(super) fn begins_like(&self, other: &Self) -> bool {
        self.head == other.head && self.has_whole_line(self.head.len() as u64)
    }

    /// Returns whether a checkpoint is in this file, or in the one that it was copied or compressed from.
    pub(super) fn has_checkpoint(&self, checkpoint: &Checkpoint) -> bool {
        if checkpoint.head == 0 {
            return checkpoint.inode == self.inode;
        }
        let head = usize::try_from(checkpoint.head).ok().and_then(|length| self.head.get(..length));
        head.is_some_and(|head| fingerprint(head) == checkpoint.fingerprint)
            && self.length().is_ok_and(|length| length >= checkpoint.offset)
    }

    /// Returns a checkpoint in this file.
    pub(super) fn checkpoint(&self, offset: u64) -> Checkpoint {
        Checkpoint {
            id: self.id,
            inode: self.inode,
            head: self.head.len() as u64,
            fingerprint: if self.head.is_empty() { String::new() } else { fingerprint(&self.head) },
            offset,
        }
    }

    /// Returns its length; `u64::MAX` if it is compressed, since it is not known before it is read.
    pub(super) fn length(&self) -> io::Result<u64> {
        match &self.content {
            LogContent::Plain(file) => Ok(file.metadata()?.len()),
            LogContent::Compressed { .. } => Ok(u64::MAX),
        }
    }

    /// Reads the next bytes; 0 at the end, for now.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, TailError> {
        let read = match &mut self.content {
            LogContent::Plain(file) => file.read_at(buffer, self.offset),
            // A damaged file ends where the damage begins: it never becomes readable.
            LogContent::Compressed { reader, .. } => reader.read(buffer).or_else(|error| {
                tracing::warn!(log = %self.path.display(), "compressed log damaged, its rest is lost: {error}");
                Ok(0)
            }),
        };
        let read = read.map_err(|reason| TailError::Read { path: self.path.clone(), reason })?;
        self.offset += read as u64;
        Ok(read)
    }

    /// Moves to a position; of a compressed file, only forward.
    pub(super) fn seek(&mut self, offset: u64) -> Result<(), TailError> {
        if let LogContent::Plain(_) = self.content {
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

    /// Returns whether the file was truncated since it was read, even if it has grown again.
    pub(super) fn was_truncated(&mut self) -> Result<bool, TailError> {
        let check = |file: &mut Self| {
            let LogContent::Plain(_) = file.content else { return Ok(false) };
            if file.length()? < file.offset {
                return Ok(true);
            }
            let before = std::mem::take(&mut file.head);
            file.read_head()?;
            let truncated = !file.head.starts_with(&before);
            if truncated {
                // A copy of it is recognized by the old head.
                file.head = before;
            }
            Ok(truncated)
        };
        check(self).map_err(|reason| TailError::Read { path: self.path.clone(), reason })
    }

    /// Reads the first bytes, of a compressed file by reading it from its beginning again.
    fn read_head(&mut self) -> io::Result<()> {
        self.head.resize(HEAD_BYTES, 0);
        let known = match &self.content {
            LogContent::Plain(file) => {
                let mut known = 0;
                while let Some(rest) = self.head.get_mut(known..).filter(|rest| !rest.is_empty()) {
                    match file.read_at(rest, known as u64)? {
                        0 => break,
                        read => known += read,
                    }
                }
                known
            }
            LogContent::Compressed { compression, .. } => {
                let mut reader = compression.decompress(File::open(&self.path)?).take(HEAD_BYTES as u64);
                let mut head = Vec::new();
                reader.read_to_end(&mut head)?;
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

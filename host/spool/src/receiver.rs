//! The receiver's side: every record of every segment, and the end of segments. Its caller makes sure that there is only one
//! at a time, and stores its checkpoints in the transaction that stores the records.

use std::io;

use crate::file_system::FileSystem;
use crate::record::{Item, Items, MAX_BYTES};
use crate::segment::{ACTIVE, HEADER_BYTES, SegmentId};

/// Bytes that are read at a time; at least one record.
const READ_BYTES: usize = 2 * MAX_BYTES;

/// Reads and removes segments.
#[derive(Debug)]
pub struct Receiver<F> {
    files: F,
}

/// A piece of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Where it begins in the segment.
    pub begin: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// What is in them.
    pub items: Vec<Item>,
    /// The checkpoint after it.
    pub end: u64,
}

/// A retired segment that nobody appends to while this lives.
#[derive(Debug)]
pub struct Removal<'a, F: FileSystem> {
    files: &'a F,
    file: F::File,
    id: SegmentId,
}

impl<F: FileSystem> Receiver<F> {
    /// Receives from a directory.
    pub const fn new(files: F) -> Self {
        Self { files }
    }

    /// Returns all segments, in the order of their IDs.
    ///
    /// # Errors
    /// When the file system fails.
    pub fn segments(&self) -> io::Result<Vec<SegmentId>> {
        let mut ids: Vec<_> = self.files.list()?.iter().filter_map(|name| SegmentId::of_file_name(name)).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// Returns the segment that writers append to; `None` if there is none. One that cannot be read, or whose first line was
    /// damaged, is retired: writers make another.
    ///
    /// # Errors
    /// When the file system fails.
    pub fn active(&self) -> io::Result<Option<SegmentId>> {
        let id = match self.files.open(ACTIVE) {
            Ok(file) => SegmentId::of_header(&self.files.read_at(&file, 0, HEADER_BYTES)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(_) => None,
        };
        if id.is_none() {
            self.unlink_active()?;
        }
        Ok(id)
    }

    /// Gives the file that is called `active` a name of its own, if it has none: in a copy of the directory that does not keep
    /// hard links, it is a file apart. To be called before anything else. What both have is received twice.
    ///
    /// # Errors
    /// When the file system fails.
    pub fn repair_active(&self) -> io::Result<()> {
        let Ok(file) = self.files.open(ACTIVE) else { return Ok(()) };
        if self.files.links(&file)? > 1 {
            return Ok(());
        }
        let id = SegmentId::of_header(&self.files.read_at(&file, 0, HEADER_BYTES)?);
        let mut next = id.map_or(0, |id| id.0);
        loop {
            match self.files.link(ACTIVE, &SegmentId(next).file_name()) {
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => next = next.wrapping_add(1),
                Err(error) => return Err(error),
            }
        }
        self.files.sync_directory()?;
        self.unlink_active()
    }

    /// Synced before the segment's own name can go, so that after a power failure `active` is never its only name.
    fn unlink_active(&self) -> io::Result<()> {
        self.files.unlink(ACTIVE)?;
        self.files.sync_directory()
    }

    /// Reads what a segment has after a checkpoint (0: from its beginning); `None` if there is nothing new. What it returns is
    /// durable.
    ///
    /// # Errors
    /// When the file system fails.
    pub fn read(&self, id: SegmentId, checkpoint: u64) -> io::Result<Option<Chunk>> {
        match found(self.files.open(&id.file_name()))? {
            Some(file) => read(&self.files, &file, checkpoint),
            None => Ok(None),
        }
    }

    /// Reads as [`Receiver::read`] does, without making anything durable: to look, and not to receive.
    ///
    /// # Errors
    /// When the file system fails.
    pub fn peek(&self, id: SegmentId, checkpoint: u64) -> io::Result<Option<Chunk>> {
        match found(self.files.open(&id.file_name()))? {
            Some(file) => peek(&self.files, &file, checkpoint),
            None => Ok(None),
        }
    }

    /// Returns so many bytes of a segment from there on, fewer where it ends; `None` if there is no such segment.
    ///
    /// # Errors
    /// When the file system fails.
    pub fn bytes(&self, id: SegmentId, begin: u64, length: usize) -> io::Result<Option<Vec<u8>>> {
        let file = found(self.files.open(&id.file_name()))?;
        file.map(|file| self.files.read_at(&file, begin, length)).transpose()
    }

    /// Retires the segment that writers append to, if it is this one. The next writer makes another.
    ///
    /// # Errors
    /// When the file system fails.
    pub fn retire(&self, id: SegmentId) -> io::Result<()> {
        if self.active()? == Some(id) {
            self.unlink_active()?;
        }
        Ok(())
    }

    /// Begins to remove a retired segment; `None` if a writer still uses it, if it is active, or if there is none.
    ///
    /// # Errors
    /// When the file system fails.
    pub fn begin_removal(&self, id: SegmentId) -> io::Result<Option<Removal<'_, F>>> {
        if self.active()? == Some(id) {
            return Ok(None);
        }
        let Some(file) = found(self.files.open(&id.file_name()))? else { return Ok(None) };
        // A writer that links it as `active`, or removes it because another was faster, holds a shared lock until it has.
        if !self.files.lock_exclusive(&file)? || self.files.links(&file)? == 0 || self.active()? == Some(id) {
            return Ok(None);
        }
        Ok(Some(Removal { files: &self.files, file, id }))
    }
}

impl<F: FileSystem> Removal<'_, F> {
    /// Reads what the segment has after a checkpoint, as [`Receiver::read`] does, and a last line that was cut off as damage:
    /// nobody completes it any more. Once this is `None`, nothing will follow.
    ///
    /// # Errors
    /// When the file system fails.
    pub fn read(&self, checkpoint: u64) -> io::Result<Option<Chunk>> {
        if let Some(chunk) = read(self.files, &self.file, checkpoint)? {
            return Ok(Some(chunk));
        }
        let begin = checkpoint.max(header_bytes(self.files, &self.file)?);
        let bytes = self.files.read_at(&self.file, begin, READ_BYTES)?;
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        Ok(Some(Chunk { begin, items: vec![Item::Damaged(0..bytes.len())], end: begin + bytes.len() as u64, bytes }))
    }

    /// Removes the segment. Its checkpoint may be forgotten after that.
    ///
    /// # Errors
    /// When the file system fails.
    pub fn remove(self) -> io::Result<()> {
        self.files.unlink(&self.id.file_name())?;
        self.files.sync_directory()
    }
}

fn read<F: FileSystem>(files: &F, file: &F::File, checkpoint: u64) -> io::Result<Option<Chunk>> {
    let chunk = peek(files, file, checkpoint)?;
    if chunk.is_some() {
        // It may have been written and not synced yet; its writer may even be dead.
        files.sync(file)?;
    }
    Ok(chunk)
}

fn peek<F: FileSystem>(files: &F, file: &F::File, checkpoint: u64) -> io::Result<Option<Chunk>> {
    let begin = checkpoint.max(header_bytes(files, file)?);
    let bytes = files.read_at(file, begin, READ_BYTES)?;
    let mut items = Items::new(&bytes);
    let mut read: Vec<Item> = items.by_ref().collect();
    let mut end = items.end();
    if end == 0 && bytes.len() == READ_BYTES {
        // Longer than any record.
        (end, read) = (bytes.len(), vec![Item::Damaged(0..bytes.len())]);
    }
    Ok((end > 0).then(|| Chunk { begin, items: read, end: begin + end as u64, bytes }))
}

/// Returns where records begin: after the first line, or at once where that line is damaged, which then is an item.
fn header_bytes<F: FileSystem>(files: &F, file: &F::File) -> io::Result<u64> {
    let header = files.read_at(file, 0, HEADER_BYTES)?;
    Ok(SegmentId::of_header(&header).map_or(0, |_| HEADER_BYTES as u64))
}

fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

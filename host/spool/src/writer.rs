//! The writer's side: one record, appended and synced, without waiting for anybody.

use std::io;

use rustix::io::Errno;

use crate::file_system::FileSystem;
use crate::segment::{ACTIVE, SegmentId};

/// How often a writer opens `active` before it makes a segment of its own. Each further try means that the segment was
/// retired and removed in the moment between two calls.
const TRIES: u32 = 4;

/// Appends a record (see [`record::encode`](crate::record::encode)). When this returns `Ok`, the record is durable.
///
/// `new_id` returns a random ID for each segment that is made.
///
/// # Errors
/// When the file system refuses; the record may then arrive or not.
pub fn append<F: FileSystem>(files: &F, record: &[u8], mut new_id: impl FnMut() -> SegmentId) -> io::Result<()> {
    // Elsewhere an append may overwrite another's.
    let tries = if files.is_local() { TRIES } else { 0 };
    for _ in 0..tries {
        match files.open(ACTIVE) {
            Ok(file) => {
                // With one name it was retired just now, or is no segment at all: nobody would read it.
                if files.links(&file)? > 1 && append_to(files, &file, record)? {
                    return Ok(());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let id = new_id();
                // Held until the link is there, so that nobody takes the segment for an abandoned one.
                let Some(_file) = create(files, id)? else { continue };
                match files.link(&id.file_name(), ACTIVE) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => files.unlink(&id.file_name())?,
                    // Without hard links, each record is a segment.
                    Err(_) => break,
                }
            }
            // A segment that this process may not write to, or no segment at all.
            Err(_) => break,
        }
    }
    append_alone(files, record, new_id)
}

/// Appends to an open segment; `false` if the record is not in a linked file for certain.
fn append_to<F: FileSystem>(files: &F, file: &F::File, record: &[u8]) -> io::Result<bool> {
    // With the lock, nobody removes the file until this process has closed it. It may have been removed before.
    if !files.lock_shared(file)? {
        return Ok(false);
    }
    write_whole(files, file, record)?;
    files.sync(file)?;
    Ok(files.links(file)? > 0)
}

/// Creates a segment with its first line, locked; its name is durable, and its content is with the first record that is
/// synced. `None` if it was removed meanwhile.
fn create<F: FileSystem>(files: &F, id: SegmentId) -> io::Result<Option<F::File>> {
    let file = files.create(&id.file_name())?;
    if !files.lock_shared(&file)? || files.links(&file)? == 0 {
        return Ok(None);
    }
    write_whole(files, &file, &id.header())?;
    files.sync_directory()?;
    Ok(Some(file))
}

/// Appends to a segment that no other process uses.
fn append_alone<F: FileSystem>(files: &F, record: &[u8], mut new_id: impl FnMut() -> SegmentId) -> io::Result<()> {
    for _ in 0..TRIES {
        if let Some(file) = create(files, new_id())?
            && append_to(files, &file, record)?
        {
            return Ok(());
        }
    }
    Err(io::Error::other("each new file of the spool was removed at once"))
}

/// Writes with one call. What a short write has left is followed by no other attempt: the next record's line feed ends it.
fn write_whole<F: FileSystem>(files: &F, file: &F::File, bytes: &[u8]) -> io::Result<()> {
    let written = files.append(file, bytes)?;
    if written == bytes.len() { Ok(()) } else { Err(Errno::NOSPC.into()) }
}

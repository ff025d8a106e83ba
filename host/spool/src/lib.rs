//! The spool: a directory of append-only files in which `notify` leaves events. Many short processes write, none of them
//! waits, and one process receives every acknowledged record exactly once.
//!
//! # Files
//!
//! A *segment* is a file `ID.segment`. It begins with a line that names its ID, and *records* follow
//! ([`record`] has their format). `active` is a hard link to the segment to which writers append; so a segment keeps its
//! name for life, and a reader that lists the directory misses none.
//!
//! # The protocol
//!
//! A **writer** ([`append`]) opens `active`, checks that the file has a name of its own besides, takes a shared lock without
//! waiting, appends one record with one write, syncs the file, checks that it is linked, and returns. If a check or the lock
//! fails, it opens `active` again; after some tries, or where it may not write to that segment, it makes a segment of its own.
//! It waits for nobody.
//!
//! **Where there is no `active`**, a writer creates a segment under its own name, locks it, writes its first line, syncs
//! the directory, and then links it as `active`. If another was faster, it removes its own and uses the other's. So the
//! name is durable before anybody else can append; the first line becomes durable with the first record.
//!
//! The **receiver** ([`Receiver`]) is one process at a time (its caller holds a lock for that). It reads every segment from
//! its checkpoint on, and syncs what it has read before it reports it: what was written and not synced could vanish in a
//! power failure, later records would take its place, and the checkpoint would skip them. It *retires* a segment by
//! removing the link `active`, which needs no lock. A retired segment is read until it is removed, since a writer that
//! opened it before may still append. It is removed under an exclusive lock that is tried and never waited for, after it
//! has been read to its end under that lock: no writer is between its first check and its acknowledgement then, and each
//! that comes later sees that the file is unlinked.
//!
//! A copy of the directory may make two files of a segment and its link. [`Receiver::repair_active`] makes a segment of what is
//! called `active` and has no other name.
//!
//! The link is removed for good before a segment's own name is, and that before the caller forgets the checkpoint: after a
//! power failure, `active` is never the only name that is left of a segment. A first line that was lost leaves a segment
//! that is retired at once, and read like any other.
//!
//! # What an acknowledgement means
//!
//! [`append`] returns `Ok` only when the record is synced in a file whose name is synced. After an error the record may
//! still arrive: the write may have reached the file before the sync failed.

mod directory;
pub mod file_system;
mod receiver;
pub mod record;
mod segment;
mod writer;

pub use directory::{Directory, remote_file_system};
pub use receiver::{Chunk, Receiver, Removal};
pub use segment::SegmentId;
pub use writer::append;

#[cfg(test)]
mod simulated;
#[cfg(test)]
mod tests;

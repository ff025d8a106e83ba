//! Receives the events that `notify` has left in the spool, and removes segments that nobody needs any more.
//!
//! Only the holder of the work lock does so. A segment is kept until all its events are settled and a day has passed: should
//! the database be lost, what is not settled is received again from there.

use std::io;
use std::time::Duration;

use banhook_notify::{SpooledEvent, StateDir, VERSION};
use spool::record::Item;
use spool::{Chunk, Directory, Receiver, SegmentId};

use super::checksum::DAMAGED;
use super::error::StoreError;
use super::inbox::{self, Inbox};
use super::receipts::{Receipt, Tail};
use super::store::Store;
use super::{receipts, routing_cursor, spool_marks};
use crate::event::{Event, Timestamp};

/// A segment is retired at this length, in bytes.
const SEGMENT_BYTES: u64 = 4 << 20;

/// A segment is retired at this age, so that what is in it goes even where little happens.
const SEGMENT_AGE: Duration = Duration::from_secs(86_400);

/// How long a segment is kept after its last event was received.
const KEEP_SEGMENT: Duration = Duration::from_secs(86_400);

/// With less free space than this, in bytes, a segment goes as soon as its events are settled.
const SCARCE_BYTES: u64 = 64 << 20;

/// The most records that are received before the first of them are routed.
const RECEIVE_BATCH: usize = 4_096;

/// The most bytes before a checkpoint by which a segment is recognized: some records, or the end of a long one.
const TAIL_BYTES: usize = 4 << 10;

/// What was received in one go.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// How many records.
    pub records: usize,
    /// What cannot be received at present, one line for each segment that has something.
    pub problems: Vec<String>,
}

/// What is left in the spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Unreceived {
    /// Records that are not received yet.
    pub records: u64,
    /// Whether this program can receive the first record of a segment, or a segment lost its end, which is noticed then.
    pub can_be_received: bool,
}

/// What is left of a segment.
enum Unread {
    /// It no longer has what was received last; the text says so. All of it is received again.
    LostEnd(String),
    /// A piece. `is_first`: the first one that has an item. `is_again`: some of it may have been received before.
    Chunk { is_first: bool, is_again: bool, chunk: Chunk },
    /// It cannot be read further.
    Unreadable(io::Error),
}

impl Store {
    /// Receives what is in the spool: the first records of each segment that were not received before. When this returns, they
    /// are in the store as far as this connection makes its commits durable; the spool keeps them until they are.
    ///
    /// # Errors
    /// When the store or the spool fails; then what failed is received next time.
    pub fn receive(&mut self, now: Timestamp) -> Result<Received, StoreError> {
        let mut received = Received::default();
        let Some(receiver) = self.receiver()? else { return Ok(received) };
        for segment in receiver.segments().map_err(|error| self.spool_error(error))? {
            let is_again = self.begin_again_if_lost(&receiver, segment, &mut received)?;
            while received.records < RECEIVE_BATCH || is_again {
                let checkpoint = self.checkpoint(segment)?;
                let chunk = match receiver.read(segment, checkpoint) {
                    Ok(Some(chunk)) if !chunk.items.is_empty() => chunk,
                    Ok(_) => break,
                    Err(error) => {
                        received.problems.push(self.spool_error(error).to_string());
                        break;
                    }
                };
                let (records, end) = self.receive_chunk(segment, checkpoint, &chunk, is_again, now)?;
                received.records += records;
                if end != chunk.end {
                    received.problems.push(newer_record(self.folder()));
                    break;
                }
            }
        }
        Ok(received)
    }

    /// Forgets how far a segment was received that no longer has what was received last, so that all of it is received again;
    /// nobody appends to it any more. Returns whether it is so, and its events may be in the store.
    ///
    /// It may be shorter, or longer than before: with records that were appended after its end was lost, which would be before
    /// the checkpoint and never read.
    fn begin_again_if_lost(
        &mut self,
        receiver: &Receiver<Directory>,
        segment: SegmentId,
        received: &mut Received,
    ) -> Result<bool, StoreError> {
        let Some(checkpoint) = self.lost_end(receiver, segment)? else { return Ok(false) };
        let spool = self.folder().spool();
        received.problems.push(lost_end(self.folder(), segment, checkpoint));
        receiver.retire(segment).map_err(|error| self.spool_error(error))?;
        // Before the checkpoint: after a crash in between, the mark would bring that back.
        let mut marks = spool_marks::read(&spool).map_err(|error| self.spool_error(error))?;
        marks.retain(|(marked, _)| *marked != segment);
        spool_marks::write(&spool, &marks).map_err(|error| self.spool_error(error))?;
        self.database.write("forget a segment", |transaction| receipts::forget(transaction, segment))?;
        Ok(true)
    }

    /// Returns how far a segment was received that no longer has what was received last.
    fn lost_end(&self, receiver: &Receiver<Directory>, segment: SegmentId) -> Result<Option<u64>, StoreError> {
        let found = self.database.read("read the receipts", |connection| receipts::received(connection, segment))?;
        let Some((checkpoint, tail)) = found else { return Ok(None) };
        // What cannot be read is reported by whoever reads it.
        Ok((!has_tail(receiver, segment, checkpoint, tail).unwrap_or(true)).then_some(checkpoint))
    }

    /// Receives a piece of a segment, up to the first record that only a newer version knows; of a segment that is received
    /// again, what is not in the store. Returns the number of records, and the checkpoint after them.
    fn receive_chunk(
        &mut self,
        segment: SegmentId,
        checkpoint: u64,
        chunk: &Chunk,
        is_again: bool,
        now: Timestamp,
    ) -> Result<(usize, u64), StoreError> {
        let known: Vec<&Item> = chunk.items.iter().take_while(|item| is_receivable(item)).collect();
        let end = match known.last() {
            _ if known.len() == chunk.items.len() => chunk.end,
            Some(Item::Record { payload: range, .. } | Item::Damaged(range)) => chunk.begin + range.end as u64 + 1,
            None => return Ok((0, checkpoint)),
        };
        self.database.write("receive events", |transaction| {
            // Another connection may have received it since.
            if receipts::checkpoint(transaction, segment)? != checkpoint {
                return Ok((0, chunk.end));
            }
            let mut inbox = Inbox::new(transaction)?;
            for item in &known {
                let (Item::Record { payload: range, .. } | Item::Damaged(range)) = item;
                let bytes = chunk.bytes.get(range.clone()).unwrap_or_default();
                match item {
                    Item::Record { .. } => match SpooledEvent::from_payload(bytes) {
                        Ok((spooled, _)) if is_again && inbox.has(&spooled.event)? => {}
                        Ok((spooled, json)) => inbox.append_reported(spooled, json).map(drop)?,
                        Err(_) => inbox.append_damaged(bytes, now)?,
                    },
                    Item::Damaged(_) => inbox.append_damaged(bytes, now)?,
                }
            }
            receipts::record(transaction, (segment, end), tail_of(chunk, end), inbox.last_seq(), now)?;
            Ok((known.len(), end))
        })
    }

    /// Returns what is left in the spool after these receipts.
    pub(super) fn unreceived(&self, receipts: &[Receipt]) -> Result<Unreceived, StoreError> {
        let mut unreceived = Unreceived::default();
        let offset = |segment| receipts.iter().find(|it| it.segment == segment).map_or(0, |receipt| receipt.offset);
        self.peek_each(
            |segment| Ok(offset(segment)),
            |left| {
                match left {
                    Unread::LostEnd(_) => unreceived.can_be_received = true,
                    // What cannot be read is reported by whoever receives.
                    Unread::Unreadable(_) => {}
                    Unread::Chunk { is_first, is_again, chunk } => {
                        unreceived.can_be_received |= is_first && chunk.items.first().is_some_and(is_receivable);
                        for item in &chunk.items {
                            unreceived.records += u64::from(!is_again || !self.is_stored(&chunk, item)?);
                        }
                    }
                }
                Ok(())
            },
        )?;
        Ok(unreceived)
    }

    /// Returns whether this record of the spool was received before.
    fn is_stored(&self, chunk: &Chunk, item: &Item) -> Result<bool, StoreError> {
        match reported(chunk, item) {
            Some(Ok(event)) => self.database.read("look for an event", |connection| inbox::has(connection, &event)),
            Some(Err(_)) | None => Ok(false),
        }
    }

    /// Calls `each` with the events that are not received yet, or why one cannot be read, in their order.
    pub(super) fn unreceived_events(&self, mut each: impl FnMut(Result<Event, String>)) -> Result<(), StoreError> {
        self.peek_each(
            |segment| self.checkpoint(segment),
            |left| {
                let Unread::Chunk { is_again, chunk, .. } = left else { return Ok(()) };
                for item in &chunk.items {
                    if !is_again || !self.is_stored(&chunk, item)? {
                        each(reported(&chunk, item).unwrap_or_else(|| Err(newer_record(self.folder()))));
                    }
                }
                Ok(())
            },
        )
    }

    /// Returns what keeps records of the spool from being received, one line each.
    ///
    /// # Errors
    /// When the store or the spool fails.
    pub(crate) fn spool_problems(&self) -> Result<Vec<String>, StoreError> {
        let mut problems = Vec::new();
        self.peek_each(
            |segment| self.checkpoint(segment),
            |left| {
                match left {
                    Unread::LostEnd(problem) => problems.push(problem),
                    Unread::Unreadable(error) => problems.push(self.spool_error(error).to_string()),
                    Unread::Chunk { chunk, .. } if !chunk.items.iter().all(is_receivable) => {
                        problems.push(newer_record(self.folder()));
                    }
                    Unread::Chunk { .. } => {}
                }
                Ok(())
            },
        )?;
        problems.dedup();
        Ok(problems)
    }

    /// Calls `each` with what is left of each segment after its checkpoint, piece by piece.
    fn peek_each(
        &self,
        checkpoint: impl Fn(SegmentId) -> Result<u64, StoreError>,
        mut each: impl FnMut(Unread) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let Some(receiver) = self.receiver()? else { return Ok(()) };
        for segment in receiver.segments().map_err(|error| self.spool_error(error))? {
            let (mut at, mut is_first, mut is_again) = (checkpoint(segment)?, true, false);
            if let Some(received) = self.lost_end(&receiver, segment)? {
                (at, is_again) = (0, true);
                each(Unread::LostEnd(lost_end(self.folder(), segment, received)))?;
            }
            while let Some(chunk) = receiver.peek(segment, at).transpose() {
                let chunk = match chunk {
                    Ok(chunk) => chunk,
                    Err(error) => {
                        each(Unread::Unreadable(error))?;
                        break;
                    }
                };
                let (end, is_empty) = (chunk.end, chunk.items.is_empty());
                each(Unread::Chunk { is_first, is_again, chunk })?;
                (at, is_first) = (end, is_first && is_empty);
            }
        }
        Ok(())
    }

    /// Marks what is settled, retires the segment that `notify` appends to if it is large or old, and removes segments that are
    /// no longer needed. To be called on a connection that syncs.
    ///
    /// # Errors
    /// When the store or the spool fails.
    pub(crate) fn prune_spool(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.prune_spool_after(KEEP_SEGMENT, now)
    }

    /// Removes all segments whose events are settled, the one that `notify` appends to included. Returns how many are left.
    ///
    /// # Errors
    /// When the store or the spool fails.
    pub(crate) fn empty_spool(&mut self, now: Timestamp) -> Result<usize, StoreError> {
        self.prune_spool_after(Duration::ZERO, now)?;
        let Some(receiver) = self.receiver()? else { return Ok(0) };
        Ok(receiver.segments().map_err(|error| self.spool_error(error))?.len())
    }

    /// `keep`: how long a segment is kept after its last event was received.
    fn prune_spool_after(&mut self, keep: Duration, now: Timestamp) -> Result<(), StoreError> {
        let Some(receiver) = self.receiver()? else { return Ok(()) };
        let settled_through = routing_cursor::settled_through(&self.database)?;
        let has_newly_settled = self
            .database
            .read("read the receipts", |connection| receipts::has_newly_settled(connection, settled_through))?;
        if has_newly_settled {
            // Synced, and all that was committed before with it; so the file never says more than the database.
            self.database
                .write("record what is settled", |transaction| receipts::settle(transaction, settled_through))?;
            let settled = self.database.read("read the receipts", |connection| receipts::last(connection, true))?;
            let marks: Vec<_> = settled.iter().map(|receipt| (receipt.segment, receipt.offset)).collect();
            spool_marks::write(&self.folder().spool(), &marks).map_err(|error| self.spool_error(error))?;
        }
        self.remove_segments(&receiver, keep, now)
    }

    fn remove_segments(
        &mut self,
        receiver: &Receiver<Directory>,
        keep: Duration,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let failed = |store: &Self, error| store.spool_error(error);
        let mut active = receiver.active().map_err(|error| failed(self, error))?;
        let segments = receiver.segments().map_err(|error| failed(self, error))?;
        let receipts = self.database.read("read the receipts", |connection| receipts::last(connection, false))?;
        let is_due = |receipt: &Receipt| keep.is_zero() || is_due(receipt, now);
        if let Some(due) = receipts.iter().find(|receipt| active == Some(receipt.segment) && is_due(receipt)) {
            receiver.retire(due.segment).map_err(|error| failed(self, error))?;
            active = None;
        }
        let is_scarce = rustix::fs::statvfs(self.folder().path())
            .is_ok_and(|fs| fs.f_bavail.saturating_mul(fs.f_frsize) < SCARCE_BYTES);
        for receipt in receipts.iter().filter(|receipt| receipt.is_settled) {
            let Receipt { segment, offset, received_at, .. } = *receipt;
            if !segments.contains(&segment) {
                self.database.write("forget a segment", |transaction| receipts::forget(transaction, segment))?;
                continue;
            }
            // It may have a record that was appended after the cut, before the checkpoint: it is received again first.
            if self.lost_end(receiver, segment)?.is_some() {
                continue;
            }
            if Some(segment) == active || !(is_scarce || keep.is_zero() || is_older(received_at, keep, now)) {
                continue;
            }
            let Some(removal) = receiver.begin_removal(segment).map_err(|error| failed(self, error))? else { continue };
            // A writer that was held up for a day may have appended since. It is received as all others, and then settled.
            let (mut checkpoint, mut end, mut is_received) = (offset, offset, true);
            while let Some(chunk) = removal.read(end).map_err(|error| failed(self, error))? {
                end = chunk.end;
                if !chunk.items.is_empty() {
                    is_received = false;
                    checkpoint = self.receive_chunk(segment, checkpoint, &chunk, false, now)?.1;
                    if checkpoint != end {
                        break;
                    }
                }
            }
            if is_received {
                removal.remove().map_err(|error| failed(self, error))?;
                self.database.write("forget a segment", |transaction| receipts::forget(transaction, segment))?;
            }
        }
        Ok(())
    }

    /// Moves the checkpoints to where the spool says that all is settled, in a database that is new or an older copy.
    pub(super) fn restore_checkpoints(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let Some(receiver) = self.receiver()? else { return Ok(()) };
        receiver.repair_active().map_err(|error| self.spool_error(error))?;
        let marks = spool_marks::read(&self.folder().spool()).map_err(|error| self.spool_error(error))?;
        for (segment, offset) in marks {
            if self.checkpoint(segment)? < offset {
                tracing::warn!(
                    "the store has lost events that are settled: it is new, or an older copy; they are not sent again"
                );
                self.database.write("restore a checkpoint", |transaction| {
                    receipts::record(transaction, (segment, offset), None, 0, now)
                })?;
            }
        }
        Ok(())
    }

    /// The spool; `None` if there is none yet.
    fn receiver(&self) -> Result<Option<Receiver<Directory>>, StoreError> {
        match Directory::open(&self.folder().spool()) {
            Ok(directory) => Ok(Some(Receiver::new(directory))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.spool_error(error)),
        }
    }

    fn checkpoint(&self, segment: SegmentId) -> Result<u64, StoreError> {
        self.database.read("read the receipts", |connection| receipts::checkpoint(connection, segment))
    }

    fn spool_error(&self, error: io::Error) -> StoreError {
        self.folder().error("receive events from", &self.folder().spool(), error).into()
    }
}

/// Returns where the last bytes of what was received of a piece begin, and their checksum; a record among them has an ID of
/// its own.
fn tail_of(chunk: &Chunk, end: u64) -> Option<Tail> {
    let length = usize::try_from(end.checked_sub(chunk.begin)?).ok()?;
    let skipped = length.saturating_sub(TAIL_BYTES);
    let crc = crc32fast::hash(chunk.bytes.get(skipped..length)?);
    Some(Tail { begin: chunk.begin + skipped as u64, crc })
}

/// Returns whether a segment has the bytes before its checkpoint that were received; where they are not known, whether it has
/// the one before the checkpoint. One that is not there has lost nothing.
fn has_tail(
    receiver: &Receiver<Directory>,
    segment: SegmentId,
    checkpoint: u64,
    tail: Option<Tail>,
) -> io::Result<bool> {
    let begin = tail.map_or(checkpoint.saturating_sub(1), |tail| tail.begin);
    let length = usize::try_from(checkpoint.saturating_sub(begin)).unwrap_or(usize::MAX).min(TAIL_BYTES);
    let Some(bytes) = receiver.bytes(segment, begin, length)? else { return Ok(true) };
    Ok(bytes.len() == length && tail.is_none_or(|tail| crc32fast::hash(&bytes) == tail.crc))
}

/// Returns the event of an item, or why it cannot be read; `None`: only a newer version can.
fn reported(chunk: &Chunk, item: &Item) -> Option<Result<Event, String>> {
    match item {
        Item::Record { version: VERSION, payload } => {
            let payload = chunk.bytes.get(payload.clone()).unwrap_or_default();
            Some(SpooledEvent::from_payload(payload).map(|(spooled, _)| spooled.event))
        }
        Item::Record { .. } => None,
        Item::Damaged(_) => Some(Err(DAMAGED.to_owned())),
    }
}

fn lost_end(folder: &StateDir, segment: SegmentId, received: u64) -> String {
    format!(
        "{} has lost its end, or is an older copy: {received} bytes of it were received before; events that it lost are gone",
        folder.spool().join(format!("{segment}.segment")).display()
    )
}

/// Returns whether this version can receive an item.
fn is_receivable(item: &Item) -> bool {
    !matches!(item, Item::Record { version, .. } if *version != VERSION)
}

fn newer_record(folder: &StateDir) -> String {
    format!(
        "{} has events of a newer banhook-notify; they wait there until this banhook is upgraded as well",
        folder.spool().display()
    )
}

/// Returns whether a segment that `notify` appends to is to be retired.
fn is_due(receipt: &Receipt, now: Timestamp) -> bool {
    // The ID is a UUID of version 7, which begins with its time.
    let created_at = Timestamp(i64::try_from(receipt.segment.0 >> 80).unwrap_or(i64::MAX));
    receipt.offset >= SEGMENT_BYTES || is_older(created_at, SEGMENT_AGE, now)
}

/// Returns whether a time is further back than this; so is one that is far ahead, where the clock was set back.
fn is_older(at: Timestamp, age: Duration, now: Timestamp) -> bool {
    u128::from(now.0.abs_diff(at.0)) > age.as_millis()
}

#[cfg(test)]
#[path = "spool_tests.rs"]
mod tests;

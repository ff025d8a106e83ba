//! One log, from file to file.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use super::error::TailError;
use super::event_sink::EventSink;
use super::log::Log;
use super::log_file::LogFile;
use super::rotated;
use crate::event::{Event, Timestamp};
use crate::receive::log::LogParser;
use crate::store::Checkpoint;

/// How much is read at a time, in bytes.
const READ_BYTES: usize = 256 << 10;

/// How many events are taken in together: a transaction that others wait for stays short.
const BATCH: usize = 256;

/// The checkpoint moves after so many bytes without an event, too: that much at most is read again after a crash.
const CHECKPOINT_BYTES: u64 = 16 << 20;

/// How much before a checkpoint is read again for the failures that it tells of, in bytes; some 80,000 lines.
const WARM_UP_BYTES: u64 = 8 << 20;

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// There may be more.
    Read,
    /// There is no more for now. A ban waits so long for what may still be said of it: then [`Follower::settle`].
    Waits(Option<Duration>),
}

/// Reads a log on, and keeps track of where it is.
pub struct Follower {
    log: Log,
    name: String,
    parser: LogParser,
    file: Option<LogFile>,
    /// What comes after it.
    next: VecDeque<LogFile>,
    /// The checkpoint's place in the file.
    saved: u64,
    buffer: Vec<u8>,
}

impl Follower {
    /// Takes a log up where `sink` has its checkpoint, or begins it.
    ///
    /// # Errors
    /// When there is a log and it cannot be read, or `sink` fails.
    pub fn new(log: Log, now: fn() -> Timestamp, sink: &mut dyn EventSink) -> Result<Self, TailError> {
        let mut follower = Self {
            name: log.path.to_string_lossy().into_owned(),
            parser: LogParser::new(log.timezone.clone(), now),
            log,
            file: None,
            next: VecDeque::new(),
            saved: 0,
            buffer: vec![0; READ_BYTES],
        };
        match sink.checkpoint(&follower.name)? {
            Some(checkpoint) => follower.resume(&checkpoint)?,
            None => follower.begin()?,
        }
        follower.save(sink, Vec::new())?;
        Ok(follower)
    }

    /// Where the log is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.log.path
    }

    /// How much of the files that are known there is left to read, in bytes; compressed ones are not known.
    #[must_use]
    pub fn left(&self) -> u64 {
        let left = |file: &LogFile| match file.length() {
            Ok(length) if length != u64::MAX => length.saturating_sub(file.offset),
            _ => 0,
        };
        self.file.iter().chain(&self.next).map(left).sum()
    }

    /// What the log consisted of so far.
    #[must_use]
    pub const fn counts(&self) -> crate::receive::LogCounts {
        self.parser.counts()
    }

    /// Reads a piece, hands its events over, and goes on to the next file where there is one.
    ///
    /// # Errors
    /// When the log cannot be read, or `sink` fails. Another step tries again.
    pub fn step(&mut self, sink: &mut dyn EventSink) -> Result<Step, TailError> {
        let Some(file) = &mut self.file else {
            self.look_for_next()?;
            let Some(next) = self.next.pop_front() else { return Ok(Step::Waits(None)) };
            self.go_on_with(next, sink)?;
            return Ok(Step::Read);
        };
        if file.was_cut()? {
            self.recover(sink)?;
            return Ok(Step::Read);
        }
        let read = file.read(&mut self.buffer)?;
        if read > 0 {
            self.parser.feed(self.buffer.get(..read).unwrap_or_default());
            self.hand_over(sink)?;
            return Ok(Step::Read);
        }
        // What comes next was known before this one was found to be at its end, so it is its end.
        if let Some(next) = self.next.pop_front() {
            self.settle(sink)?;
            self.go_on_with(next, sink)?;
            return Ok(Step::Read);
        }
        self.look_for_next()?;
        Ok(if self.next.is_empty() { Step::Waits(self.parser.resolve_timeout()) } else { Step::Read })
    }

    /// Hands over what was waiting for more, and moves the checkpoint to the end of what was read.
    ///
    /// # Errors
    /// When `sink` fails.
    pub fn settle(&mut self, sink: &mut dyn EventSink) -> Result<(), TailError> {
        self.parser.resolve();
        self.hand_over(sink)?;
        self.stop(sink)
    }

    /// Moves the checkpoint to the end of what was handed over.
    ///
    /// # Errors
    /// When `sink` fails.
    pub fn stop(&mut self, sink: &mut dyn EventSink) -> Result<(), TailError> {
        if self.parser.position() == self.saved { Ok(()) } else { self.save(sink, Vec::new()) }
    }

    fn hand_over(&mut self, sink: &mut dyn EventSink) -> Result<(), TailError> {
        loop {
            let mut end = 0;
            let mut events: Vec<Event> = Vec::new();
            while events.len() < BATCH
                && let Some(logged) = self.parser.next()
            {
                end = logged.end;
                events.push(logged.event);
            }
            let whole = events.len() < BATCH;
            let offset = if whole { self.parser.position() } else { end };
            if !events.is_empty() || offset.saturating_sub(self.saved) >= CHECKPOINT_BYTES {
                self.save_at(sink, events, offset)?;
            }
            if whole {
                return Ok(());
            }
        }
    }

    fn save(&mut self, sink: &mut dyn EventSink, events: Vec<Event>) -> Result<(), TailError> {
        self.save_at(sink, events, self.parser.position())
    }

    fn save_at(&mut self, sink: &mut dyn EventSink, events: Vec<Event>, offset: u64) -> Result<(), TailError> {
        let checkpoint = self.file.as_ref().map_or_else(Checkpoint::default, |file| file.checkpoint(offset));
        sink.append(&self.name, events, Some(&checkpoint))?;
        self.saved = offset;
        Ok(())
    }

    /// Begins a log that was never read.
    fn begin(&mut self) -> Result<(), TailError> {
        let Some(mut file) = self.open()? else { return Ok(()) };
        if !self.log.from_start {
            let end = file.length().map_err(|reason| TailError::Read { path: self.log.path.clone(), reason })?;
            self.warm_up(&mut file, end)?;
            // The line that is being written is still to come.
            let begin = end - self.parser.unfinished();
            self.parser.begin_at(begin);
            file.offset = begin;
        }
        self.saved = self.parser.position();
        self.file = Some(file);
        Ok(())
    }

    /// Goes on where it was left, in the file that has been rotated since perhaps.
    fn resume(&mut self, checkpoint: &Checkpoint) -> Result<(), TailError> {
        let open = self.open()?;
        if let Some(mut file) = open
            && (file.is_of(checkpoint) || *checkpoint == Checkpoint::default())
        {
            self.warm_up(&mut file, checkpoint.offset)?;
            self.parser.begin_at(checkpoint.offset);
            self.file = Some(file);
            return Ok(());
        }
        if *checkpoint == Checkpoint::default() {
            return Ok(());
        }
        self.next = rotated::since(&self.log.path, checkpoint)?.into();
        match self.next.pop_front() {
            Some(mut file) => {
                tracing::info!("{} goes on in {}", self.name, file.path().display());
                let offset = file.offset;
                self.warm_up(&mut file, offset)?;
                self.parser.begin_at(file.offset);
                self.file = Some(file);
            }
            None => tracing::warn!(
                "{} was read up to a place in a file that is not there any more; what came after it there is lost",
                self.name
            ),
        }
        Ok(())
    }

    /// What was there was cut away. If it was copied before, the rest is in the copy.
    fn recover(&mut self, sink: &mut dyn EventSink) -> Result<(), TailError> {
        let Some(file) = &self.file else { return Ok(()) };
        self.next = rotated::since(&self.log.path, &file.checkpoint(file.offset))?.into();
        match self.next.pop_front() {
            // In the midst of a line perhaps: the parser goes on as it is.
            Some(copy) => self.file = Some(copy),
            None => {
                tracing::info!("{} was cut; going on at its beginning", self.name);
                self.settle(sink)?;
                self.file = None;
            }
        }
        Ok(())
    }

    /// Opens what the name stands for now, if that is another file and something stands in it; and before it, what was
    /// rotated in between.
    fn look_for_next(&mut self) -> Result<(), TailError> {
        let meta = match fs::metadata(&self.log.path) {
            Ok(meta) => meta,
            Err(error) if is_absence(&error) => return Ok(()),
            Err(reason) => return Err(TailError::Read { path: self.log.path.clone(), reason }),
        };
        if let Some(file) = &self.file {
            // While it is empty, fail2ban may still be writing into the old one.
            if file.is(meta.dev(), meta.ino()) || meta.len() == 0 {
                return Ok(());
            }
        }
        // Opened before the others are looked for: if it is rotated meanwhile, it is one of them.
        let Some(newest) = self.open()? else { return Ok(()) };
        if let Some(file) = &self.file {
            let between = rotated::after(&self.log.path, file)?;
            self.next = between.into_iter().take_while(|file| !file.is_same(&newest)).collect();
        }
        self.next.push_back(newest);
        Ok(())
    }

    fn go_on_with(&mut self, file: LogFile, sink: &mut dyn EventSink) -> Result<(), TailError> {
        self.parser.begin_at(file.offset);
        self.file = Some(file);
        self.save(sink, Vec::new())
    }

    fn open(&self) -> Result<Option<LogFile>, TailError> {
        match LogFile::open(&self.log.path) {
            Ok(file) => Ok(Some(file)),
            Err(TailError::Read { reason, .. }) if is_absence(&reason) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads what lies before a place once more, for the failures in it; its events are known. Leaves the file there.
    fn warm_up(&mut self, file: &mut LogFile, until: u64) -> Result<(), TailError> {
        let begin = until.saturating_sub(WARM_UP_BYTES);
        let mut left = WARM_UP_BYTES.saturating_sub(until);
        let mut before = Vec::new();
        if left > 0 {
            for older in rotated::before(&self.log.path, file)? {
                let length = older.about_length();
                if left == 0 || older.is_packed() && length > left {
                    break;
                }
                before.push((older, length.saturating_sub(left)));
                left = left.saturating_sub(length);
            }
        }
        for (mut older, from) in before.into_iter().rev() {
            let from = if older.is_packed() { 0 } else { from };
            self.read_for_failures(&mut older, from, u64::MAX)?;
        }
        if file.is_packed() {
            return Ok(());
        }
        self.read_for_failures(file, begin, until)?;
        file.go_to(until)
    }

    fn read_for_failures(&mut self, file: &mut LogFile, begin: u64, end: u64) -> Result<(), TailError> {
        self.parser.begin_at(begin);
        file.go_to(begin)?;
        while file.offset < end {
            let left = usize::try_from(end - file.offset).unwrap_or(usize::MAX);
            let most = left.min(self.buffer.len());
            let read = file.read(self.buffer.get_mut(..most).unwrap_or_default())?;
            if read == 0 {
                break;
            }
            self.parser.feed(self.buffer.get(..read).unwrap_or_default());
            self.parser.resolve();
            self.parser.by_ref().for_each(drop);
        }
        Ok(())
    }
}

/// Whether there simply is nothing there, or not yet.
fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

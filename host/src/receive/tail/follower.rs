//! Reads one log, from file to file.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use super::error::TailError;
use super::event_sink::EventSink;
use super::log_file::LogFile;
use super::log_set::{NamedLog, parser};
use super::open_files::OpenFiles;
use super::rotation;
use crate::event::{Event, Timestamp};
use crate::receive::log::LogParser;
use crate::store::Checkpoint;

/// How much is read at a time, in bytes.
const READ_BYTES: usize = 256 << 10;

/// How many events are appended together: others wait for the transaction, so it has to be short.
const BATCH: usize = 256;

/// After how many bytes without an event the checkpoint moves: at most that much is read again after a crash.
const CHECKPOINT_BYTES: u64 = 16 << 20;

/// How much before a checkpoint is read again to count failures, in bytes; some 80,000 lines.
const FAILURE_BYTES: u64 = 8 << 20;

/// The result of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Something was read, and there may be more.
    Read,
    /// Nothing more can be read at present.
    Idle {
        /// How long to wait before [`Follower::resolve`], if an event waits for more lines.
        resolve_timeout: Option<Duration>,
    },
}

/// Reads a log, and keeps track of its position.
pub(crate) struct Follower {
    path: PathBuf,
    name: String,
    parser: LogParser,
    open_files: OpenFiles,
    /// The file that it reads, and has reserved.
    file: Option<LogFile>,
    /// The files after it.
    next_files: VecDeque<LogFile>,
    /// The position of the stored checkpoint in the file.
    checkpoint: u64,
    buffer: Vec<u8>,
}

impl Follower {
    /// Resumes a log at the checkpoint that `sink` has, or begins it, at its beginning or at its end. The rotated files that
    /// were named with it are read if the source is read from its start. A file that another log reads is left to it.
    ///
    /// # Errors
    /// When the log exists and cannot be read, or `sink` fails.
    pub(crate) fn new(
        log: NamedLog,
        open_files: &OpenFiles,
        from_start: bool,
        now: fn() -> Timestamp,
        sink: &mut dyn EventSink,
    ) -> Result<Self, TailError> {
        let mut follower = Self {
            name: log.path.to_string_lossy().into_owned(),
            path: log.path,
            parser: parser(&log.source, now),
            open_files: open_files.clone(),
            file: None,
            next_files: VecDeque::new(),
            checkpoint: 0,
            buffer: vec![0; READ_BYTES],
        };
        let checkpoints = sink.file_checkpoints()?;
        // The next file under the name of a rotated one is not what came after it.
        let last = if rotation::log_of(&follower.path).is_some() { None } else { sink.checkpoint(&follower.name)? };
        let resumes = last.is_some();
        let mut files = match last {
            Some(last) => follower.files_since(&last, &checkpoints)?,
            None => follower.open_first(from_start, &checkpoints)?,
        };
        if log.source.from_start {
            files = follower.with_rotated(&log.rotated, files, &checkpoints)?;
        }
        files.retain(|file| !file.is_reserved(open_files));
        if let Some(mut file) = files.pop_front()
            && file.reserve(open_files)
        {
            follower.begin_in(&mut file, resumes)?;
            follower.file = Some(file);
        }
        follower.next_files = files;
        follower.save(sink, Vec::new())?;
        Ok(follower)
    }

    /// Returns whether it reads this file, under whatever name.
    pub(super) fn reads(&self, device: u64, inode: u64) -> bool {
        self.file.iter().chain(&self.next_files).any(|file| file.is(device, inode))
    }

    /// Returns how much of the known files is left to read, in bytes, without compressed ones.
    #[must_use]
    pub(crate) fn remaining_bytes(&self) -> u64 {
        let left = |file: &LogFile| match file.length() {
            Ok(length) if length != u64::MAX => length.saturating_sub(file.offset),
            _ => 0,
        };
        self.file.iter().chain(&self.next_files).map(left).sum()
    }

    /// Returns the parser, which knows what the log consisted of so far.
    #[must_use]
    pub(crate) const fn parser(&self) -> &LogParser {
        &self.parser
    }

    /// Reads a piece and appends its events, or continues with the next file.
    ///
    /// # Errors
    /// When the log cannot be read, or `sink` fails. Another step tries again.
    pub(crate) fn step(&mut self, sink: &mut dyn EventSink) -> Result<Step, TailError> {
        let Some(file) = &mut self.file else {
            self.find_next_files()?;
            let Some(next) = self.next_files.pop_front() else { return Ok(Step::Idle { resolve_timeout: None }) };
            self.continue_with(next, sink)?;
            return Ok(Step::Read);
        };
        if file.was_truncated()? {
            self.recover(sink)?;
            return Ok(Step::Read);
        }
        let read = file.read(&mut self.buffer)?;
        if read > 0 {
            self.parser.feed(self.buffer.get(..read).unwrap_or_default());
            self.append_events(sink)?;
            return Ok(Step::Read);
        }
        // The next file was known before the end of this one was reached, so nothing more is written to this one.
        if let Some(next) = self.next_files.pop_front() {
            self.resolve(sink)?;
            self.continue_with(next, sink)?;
            return Ok(Step::Read);
        }
        self.find_next_files()?;
        Ok(if self.next_files.is_empty() {
            Step::Idle { resolve_timeout: self.parser.resolve_timeout() }
        } else {
            Step::Read
        })
    }

    /// Appends the events that wait for more lines, and moves the checkpoint to the end of what was read.
    ///
    /// # Errors
    /// When `sink` fails.
    pub(crate) fn resolve(&mut self, sink: &mut dyn EventSink) -> Result<(), TailError> {
        self.parser.resolve();
        self.append_events(sink)?;
        self.save_checkpoint(sink)
    }

    /// Moves the checkpoint to the end of what was appended.
    ///
    /// # Errors
    /// When `sink` fails.
    pub(crate) fn save_checkpoint(&mut self, sink: &mut dyn EventSink) -> Result<(), TailError> {
        if self.parser.position() == self.checkpoint { Ok(()) } else { self.save(sink, Vec::new()) }
    }

    fn append_events(&mut self, sink: &mut dyn EventSink) -> Result<(), TailError> {
        loop {
            let mut end = 0;
            let mut events: Vec<Event> = Vec::new();
            while events.len() < BATCH
                && let Some(logged) = self.parser.next()
            {
                end = logged.end;
                events.push(logged.event);
            }
            let complete = events.len() < BATCH;
            let offset = if complete { self.parser.position() } else { end };
            if !events.is_empty() || offset.saturating_sub(self.checkpoint) >= CHECKPOINT_BYTES {
                self.save_at(sink, events, offset)?;
            }
            if complete {
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
        self.checkpoint = offset;
        Ok(())
    }

    /// Opens a log that was never read before under this name.
    fn open_first(&self, from_start: bool, checkpoints: &[Checkpoint]) -> Result<VecDeque<LogFile>, TailError> {
        let Some(mut file) = self.open()? else { return Ok(VecDeque::new()) };
        if !file.recognize(checkpoints) && !from_start {
            let end = file.length().map_err(|reason| TailError::Read { path: self.path.clone(), reason })?;
            file.start_at(end);
        }
        Ok([file].into())
    }

    /// Opens the file of a checkpoint, which may have been rotated since, and those that came after it, without the log
    /// itself: that is opened at their end.
    fn files_since(&self, last: &Checkpoint, checkpoints: &[Checkpoint]) -> Result<VecDeque<LogFile>, TailError> {
        if let Some(mut file) = self.open()? {
            if last.id == 0 {
                file.recognize(checkpoints);
                return Ok([file].into());
            }
            if file.has_checkpoint(last) {
                file.resume_at(last);
                return Ok([file].into());
            }
        }
        if last.id == 0 {
            return Ok(VecDeque::new());
        }
        let mut files: VecDeque<_> = rotation::since(&self.path, last)?.into();
        match files.front_mut() {
            Some(file) => {
                tracing::info!(log = self.name, file = %file.path().display(), "log was rotated, continuing in the old file");
                file.resume_at(last);
            }
            None => tracing::warn!(
                log = self.name,
                "the file of the checkpoint is gone, lines after the checkpoint are lost"
            ),
        }
        Ok(files)
    }

    /// Puts those of these rotated files first of which something is left to read.
    fn with_rotated(
        &self,
        rotated: &[PathBuf],
        mut files: VecDeque<LogFile>,
        checkpoints: &[Checkpoint],
    ) -> Result<VecDeque<LogFile>, TailError> {
        for path in rotated.iter().rev() {
            let mut file = match LogFile::open(path) {
                Ok(file) => file,
                Err(TailError::Read { reason, .. }) if is_absence(&reason) => continue,
                Err(error) => return Err(error),
            };
            if files.iter().any(|other| other.is_same(&file) || other.begins_like(&file)) {
                continue;
            }
            file.recognize(checkpoints);
            if !file.is_read()? {
                files.push_front(file);
            }
        }
        Ok(files)
    }

    /// Begins to read at the start of a file's unread part, with the failures before it: a log that is resumed at the
    /// beginning of a file has them in the files before that.
    fn begin_in(&mut self, file: &mut LogFile, resumes: bool) -> Result<(), TailError> {
        let start = file.start();
        if resumes || start > 0 {
            self.count_earlier_failures(file, start)?;
            self.parser.begin_counts();
        }
        // The line that is being written is read when it is complete.
        let begin = start.saturating_sub(self.parser.unfinished());
        self.parser.continue_at(begin);
        file.seek(begin)?;
        self.checkpoint = self.parser.position();
        Ok(())
    }

    /// The file was truncated. If it was copied before, the rest is in the copy.
    fn recover(&mut self, sink: &mut dyn EventSink) -> Result<(), TailError> {
        let Some(file) = &self.file else { return Ok(()) };
        let checkpoint = file.checkpoint(file.offset);
        self.next_files = rotation::since(&self.path, &checkpoint)?.into();
        let copy = self.next_files.pop_front().map(|mut copy| copy.reserve(&self.open_files).then_some(copy));
        match copy.flatten() {
            // Possibly within a line: the parser continues as it is.
            Some(mut copy) => {
                copy.resume_at(&checkpoint);
                copy.seek(checkpoint.offset)?;
                self.file = Some(copy);
            }
            None => {
                tracing::info!(log = self.name, "log was truncated, continuing at its beginning");
                self.resolve(sink)?;
                self.file = None;
            }
        }
        Ok(())
    }

    /// Opens the file that has the log's name now, if it is another one and not empty, and before it the files that were
    /// rotated in between.
    fn find_next_files(&mut self) -> Result<(), TailError> {
        let meta = match fs::metadata(&self.path) {
            Ok(meta) => meta,
            Err(error) if is_absence(&error) => return Ok(()),
            Err(reason) => return Err(TailError::Read { path: self.path.clone(), reason }),
        };
        // This log may read it already, or another one under another name. While it is empty, fail2ban may still write to the
        // old one.
        if self.open_files.contains((meta.dev(), meta.ino())) || self.file.is_some() && meta.len() == 0 {
            return Ok(());
        }
        // Opened before the others are listed: if it is rotated meanwhile, it is one of them.
        let Some(newest) = self.open()? else { return Ok(()) };
        let mut files = Vec::new();
        if let Some(file) = &self.file {
            let between = rotation::after(&self.path, file)?;
            files.extend(between.into_iter().take_while(|file| !file.is_same(&newest)));
        }
        files.push(newest);
        files.retain(|file| !file.is_reserved(&self.open_files));
        self.next_files = files.into();
        Ok(())
    }

    /// Continues with a file, where it was read up to before, unless another log has begun to read it.
    fn continue_with(&mut self, mut file: LogFile, sink: &mut dyn EventSink) -> Result<(), TailError> {
        if !file.reserve(&self.open_files) {
            return Ok(());
        }
        file.recognize(&sink.file_checkpoints()?);
        self.parser.begin_at(0);
        let start = file.start();
        if start > 0 {
            self.read_for_failures(&mut file, start.saturating_sub(FAILURE_BYTES), start)?;
            self.parser.continue_at(start);
            file.seek(start)?;
        }
        self.file = Some(file);
        self.save(sink, Vec::new())
    }

    fn open(&self) -> Result<Option<LogFile>, TailError> {
        match LogFile::open(&self.path) {
            Ok(file) => Ok(Some(file)),
            Err(TailError::Read { reason, .. }) if is_absence(&reason) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads the lines before a position again to count failures; their events are stored already. Leaves the file at the
    /// position.
    fn count_earlier_failures(&mut self, file: &mut LogFile, until: u64) -> Result<(), TailError> {
        let begin = until.saturating_sub(FAILURE_BYTES);
        let mut left = FAILURE_BYTES.saturating_sub(until);
        let mut before = Vec::new();
        if left > 0 {
            for older in rotation::before(&self.path, file)? {
                let length = older.estimated_length();
                if left == 0 || older.is_compressed() && length > left {
                    break;
                }
                before.push((older, length.saturating_sub(left)));
                left = left.saturating_sub(length);
            }
        }
        for (mut older, from) in before.into_iter().rev() {
            let from = if older.is_compressed() { 0 } else { from };
            self.read_for_failures(&mut older, from, u64::MAX)?;
        }
        self.read_for_failures(file, begin, until)?;
        file.seek(until)
    }

    fn read_for_failures(&mut self, file: &mut LogFile, begin: u64, end: u64) -> Result<(), TailError> {
        self.parser.begin_within(begin);
        file.seek(begin)?;
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

/// Returns whether the file does not exist.
fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
